"""Everything side by side on this machine, in one run: ``make bench``, or ``python bench/run.py [--long]``.

Writes results.json beside this file and renders README.md from README.template.md. Ways to the same result take turns, round
after round, after a warm-up; a ratio is the median over rounds of the ratio within a round, so that a machine that others
use as well tells more than its clock does. Compilation is timed apart.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import alternatives
import numpy as np
import pages
from threadpoolctl import threadpool_limits

from tdu import files
from tdu.avalanches.graphs import barabasi_albert
from tdu.avalanches.threads import relax_in_blocks
from tdu.avalanches.throughput import Workload, probe_all, pushes, synthetic
from tdu.config import ALPHA, MAX_STEPS, QUANTILE, GrokkingConfig, Scope, StudyConfig
from tdu.kernels import training
from tdu.kernels.avalanche import relax, workspace
from tdu.kernels.threshold import magnitude_quantile
from tdu.models.networks import Transformer
from tdu.models.optimisers import AdamW
from tdu.models.tasks import modular
from tdu.rng import seeded_igraph
from tdu.statistics import resampling
from tdu.statistics.scaling import exponent_of_runs
from tdu.training.ensembles import train_all
from tdu.training.xor import run_of_study, with_fields

HERE = Path(__file__).parent
PAPER = StudyConfig()
DENSE = replace(PAPER, snapshot_every=1)
ENOUGH, PATIENCE = 50, 3.0


def in_turns(ways, rounds, warm_up=True, before=lambda: None, clock=time.perf_counter):
    """Seconds of every way, one a round, measured in turns; `before` each of which, untimed, something is put right.

    At least `rounds` of them, and more, up to ENOUGH, while they take less than PATIENCE seconds together.
    """
    if warm_up:
        for run in ways.values():
            before()
            run()
    seconds = {name: [] for name in ways}
    first = time.perf_counter()
    for k in range(ENOUGH):
        if k >= rounds and time.perf_counter() - first > PATIENCE:
            break
        for name, run in ways.items():
            before()
            begun = clock()
            run()
            seconds[name].append(clock() - begun)
    return {name: np.array(taken) for name, taken in seconds.items()}


def summary(seconds, per=1):
    """Median and least time of every way in seconds, divided by `per`."""
    return {name: {"median": float(np.median(s) / per), "least": float(s.min() / per)} for name, s in seconds.items()}


def ratio(seconds, one, other):
    """Median over rounds of one way's time over the other's."""
    return float(np.median(seconds[one] / seconds[other])) if one in seconds and other in seconds else None


def times(seconds, one, other):
    """How many times as long one way takes as another: in the median round, and between the best of each."""
    return {"median": ratio(seconds, one, other), "least": float(seconds[one].min() / seconds[other].min())}


def arithmetic(c):
    """Two equal pieces of arithmetic that touch no memory, on one thread and on two: what the processors give at most."""
    executor = ThreadPoolExecutor(2)
    pieces = [20_000_000] * 2  # tens of milliseconds: waking a thread does not count
    return {f"arithmetic, {t}": lambda m=m: list(m(c.arithmetic, pieces)) for t, m in ((1, map), (2, executor.map))}


def installed(module):
    """Whether a module can be imported."""
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0


def snapshots(hidden):
    """Real gradients: the snapshots of one XOR run, on its own graph."""
    found = with_fields(PAPER, hidden, 0)
    times = 40_000_000 // found.fields.size  # four times as many sites a round as of synthetic fields, which take longer
    return Workload(f"XOR, h = {hidden}", np.tile(found.fields, (times, 1)), found.probe.graph)


def random_add_seconds(c, n):
    """Seconds an addition to a random place of n takes, and a read of one in a row."""
    places = np.random.default_rng(0).integers(n, size=min(max(n, 1_000_000), 4_000_000)).astype(np.uint32)
    field, times = np.zeros(n), max(4_000_000 // n, 1)  # a call costs as much as reading a small field
    measured = in_turns({"add": partial(c.random_adds, field, places), "read": partial(c.stream, field, times)}, 5)
    return float(np.median(measured["add"])) / places.size, float(np.median(measured["read"])) / (n * times)


def probes(c, sizes, rounds):
    """The probe, threshold and avalanche, in every way, on every workload."""
    alternatives.keep_memory()
    works = [synthetic(n, kind) for n in sizes for kind in ("Gaussian", "heavy-tailed")] + [snapshots(20), snapshots(500)]
    rows = []
    for work in works:
        n_fields, n = work.fields.shape
        say(f"probe: {work.name}, N = {n}")
        ways = {"tdu": partial(probe_all, work, 1), "tdu, 2 threads": partial(probe_all, work, 2)}
        ways |= {"C": partial(c.best, work), "C, first draft": partial(c.plain, work)}
        if n_fields > 1:
            ways["C, 2 threads"] = partial(c.best_on_two_threads, work)
        slow = {"NumPy": alternatives.numpy_add_at, "scipy.sparse": alternatives.scipy_sparse}
        if installed("torch"):
            slow["PyTorch"] = alternatives.torch_index_add
        if n <= 100_000 and installed("networkx"):
            slow["networkx"] = alternatives.networkx_loop
        topplings = {name: run() for name, run in ways.items()}
        assert len(set(topplings.values())) == 1, topplings
        seconds = in_turns(ways | arithmetic(c), rounds)
        measured = summary(seconds, n_fields)
        part = Workload(work.name, work.fields[: max(n_fields // 50, 1)], work.graph)
        for name, run in slow.items():
            measured |= summary(in_turns({name: partial(run, part)}, min(rounds, 3), warm_up=n <= 100_000), len(part.fields))
        add, read = random_add_seconds(c, n)
        n_pushes = pushes(part) / len(part.fields)
        bound = n_pushes * add + 2 * n * read
        rows.append(
            {
                "workload": work.name,
                "n_sites": n,
                "seconds": measured,
                "topplings": topplings["tdu"] / n_fields,
                "pushes": n_pushes,
                "random_add": add,
                "read": read,
                "bound": bound,
                "ratio_to_c": ratio(seconds, "tdu", "C"),
                "ratio_to_first_draft": ratio(seconds, "tdu", "C, first draft"),
                "ratio_to_bound": measured["tdu"]["median"] / bound,
                "two_threads": times(seconds, "tdu", "tdu, 2 threads"),
                "arithmetic": times(seconds, "arithmetic, 1", "arithmetic, 2"),
            }
        )
    return rows


def one_field(n, rounds):
    """One avalanche on a field of n sites, without the threshold, on one thread and shared by two; the same bits."""
    work = synthetic(n, "Gaussian")
    field = work.fields[0]
    threshold = float(np.quantile(np.abs(field), QUANTILE))
    rows, profile, relaxed = work.graph.begins, np.empty(MAX_STEPS, np.int64), np.empty(n)

    def put_back():
        relaxed[:] = field

    def alone():
        relax(relaxed, rows, work.graph.targets, ALPHA, threshold, MAX_STEPS, profile, workspace(rows), False)
        return relaxed

    def shared():
        relax_in_blocks(relaxed, work.graph, ALPHA, threshold, MAX_STEPS, profile, 2)
        return relaxed

    put_back()
    expected = alone().copy()
    put_back()
    assert np.array_equal(expected, shared())
    places = [np.random.default_rng(k).integers(n, size=2_000_000).astype(np.uint32) for k in range(2)]
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(2) as executor:
        c = alternatives.C(directory)
        fields = [np.zeros(n) for _ in places]

        def adds(workers):
            list(workers(lambda k: c.random_adds(fields[k], places[k]), [0, 1]))

        def reads(workers):
            list(workers(lambda k: c.stream(fields[k], 1), [0, 1]))

        ways = {"1": alone, "2": shared}
        for name, run in (("adds", adds), ("reads", reads)):
            ways |= {f"{name} 1": partial(run, map), f"{name} 2": partial(run, executor.map)}
        seconds = in_turns(ways | arithmetic(c), rounds, before=put_back)
    return {
        "n_sites": n,
        "seconds": summary(seconds),
        "two_threads": times(seconds, "1", "2"),
        "random_adds_two_threads": times(seconds, "adds 1", "adds 2"),
        "reads_two_threads": times(seconds, "reads 1", "reads 2"),
        "arithmetic": times(seconds, "arithmetic, 1", "arithmetic, 2"),
    }


def grids(c, rounds):
    """The paper's grid with a probe every epoch, and 1000 runs of one scale: ours and C, on one and on two threads.

    The Gini coefficient, which few of the curves need, takes a third of the time: the grid is run with and without.
    """
    say("grid of 48 runs")
    addresses = [(h, r) for h in sorted(DENSE.hidden, reverse=True) for r in range(DENSE.replicates)]
    many = replace(PAPER, hidden=(21,), replicates=1000)
    found = {}
    jobs = {
        "grid": (DENSE, addresses, False),
        "grid, Gini": (DENSE, addresses, True),
        "many": (many, [(21, r) for r in range(1000)], True),
    }
    for name, (config, cases, gini) in jobs.items():

        def in_c(executor, config=config, cases=cases, gini=gini):
            list(executor.map(lambda address: c.train(config, *address, gini), cases))

        ways = {}
        for threads in (1, 2):
            executor = ThreadPoolExecutor(threads)
            ways[f"tdu, {threads}"] = partial(train_all, config, executor, gini=gini, every_epoch=True)
            ways[f"C, {threads}"] = partial(in_c, executor)
        seconds = in_turns(ways | arithmetic(c), rounds)
        found[name] = {
            "runs": len(cases),
            "seconds": summary(seconds),
            **{f"ratio_to_c_{t}": ratio(seconds, f"tdu, {t}", f"C, {t}") for t in (1, 2)},
            "two_threads": times(seconds, "tdu, 1", "tdu, 2"),
            "arithmetic": times(seconds, "arithmetic, 1", "arithmetic, 2"),
        }
    if installed("torch") and installed("networkx"):
        executor, seconds = ThreadPoolExecutor(2), {"tdu, 2": [], "PyTorch, networkx": []}
        for _ in range(2 * rounds):
            begun = time.perf_counter()
            train_all(DENSE, executor, every_epoch=True)
            seconds["tdu, 2"].append(time.perf_counter() - begun)
            one_of_each = sum(alternatives.train_torch_networkx(DENSE, h) for h in DENSE.hidden)
            seconds["PyTorch, networkx"].append(one_of_each * DENSE.replicates)
        seconds = {name: np.array(taken) for name, taken in seconds.items()}
        found["torch_networkx"] = {
            "seconds": summary(seconds)["PyTorch, networkx"],
            "ratio": times(seconds, "PyTorch, networkx", "tdu, 2"),
        }
    return found


#: A process that trains the grid whenever it is sent a line; kernels that are "free" may round and add as it is fastest.
GRID = """
import sys
from tdu import _jit
if sys.argv[1] == "free":
    _jit._CACHE, _jit.OPTIONS["fastmath"] = None, {"contract", "reassoc", "arcp", "nsz"}
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from tdu.config import StudyConfig
from tdu.training.ensembles import train_all
with ThreadPoolExecutor(1) as executor:
    for _ in sys.stdin:
        train_all(replace(StudyConfig(), snapshot_every=1), executor, every_epoch=True)
        print(flush=True)
"""


def price_of_bits(rounds):
    """The grid of 48 runs by kernels whose bits are the same everywhere, and by the same with products and sums contracted.

    The latter may also add in another order where LLVM makes the loop.
    """
    say("price of equal bits")
    command, settings = [sys.executable, "-c", GRID], {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "equal"], **settings) as equal, subprocess.Popen([*command, "free"], **settings) as free:

        def ask(worker):
            print(file=worker.stdin, flush=True)
            worker.stdout.readline()

        seconds = in_turns({"equal": partial(ask, equal), "free": partial(ask, free)}, 3 * rounds)
        for worker in (equal, free):
            worker.stdin.close()
    return {"seconds": summary(seconds), "ratio": times(seconds, "equal", "free")}


def trainings(rounds):
    """An epoch of every transformer of the study of grokking, ours and PyTorch's, on one and on two threads."""
    say("epochs of transformers")
    study, found = GrokkingConfig(), []
    task = modular("addition", study.moduli[0], study.train_fraction, np.random.default_rng(0))
    for width in study.widths:
        network = Transformer(task, width)
        theta = network.initial(np.random.default_rng(0))
        method = AdamW(theta, study.learning_rate, study.weight_decay)

        def epoch(threads, network=network, theta=theta, method=method):
            with threadpool_limits(threads, user_api="blas"):
                _, _, gradient = network.loss_and_gradient(theta, network.task.train)
                method.step(theta, gradient, 1)

        ways = {f"tdu, {threads}": partial(epoch, threads) for threads in (1, 2)}
        if installed("torch"):
            eager = alternatives.torch_transformer(task, width, network.heads, study.learning_rate, study.weight_decay)
            ways |= {f"PyTorch, {threads}": partial(eager, threads) for threads in (1, 2)}
        seconds = in_turns(ways, 10 * rounds)
        ratios = {f"times_torch_{threads}": ratio(seconds, f"PyTorch, {threads}", f"tdu, {threads}") for threads in (1, 2)}
        found.append({"width": width, "n_sites": theta.size, "seconds": summary(seconds), **ratios})
    return found


def parts(rounds):
    """Thresholds, graphs, nulls and bootstraps, each beside what it replaces."""
    import igraph

    say("thresholds, graphs, nulls, bootstraps")
    found = {"threshold": [], "graph": []}
    for n in (81, 2001, 100_000, 1_000_000):
        field = np.random.default_rng(0).normal(size=n)
        scratch, times = np.empty(n), max(20_000 // n, 1)
        guess = float(np.quantile(np.abs(field), QUANTILE)) * 1.01

        def often(run, times=times):
            for _ in range(times):
                run()

        ways = {
            "np.quantile": partial(often, lambda f=field: np.quantile(np.abs(f), QUANTILE)),
            "tdu": partial(often, partial(magnitude_quantile, field, QUANTILE, 0.0, scratch)),
            "tdu, guessed": partial(often, partial(magnitude_quantile, field, QUANTILE, guess, scratch)),
        }
        seconds = in_turns(ways, rounds)
        found["threshold"].append(
            {"n_sites": n, "seconds": summary(seconds, times), "ratio": ratio(seconds, "tdu", "np.quantile")}
        )

    def by_igraph(n):
        with seeded_igraph(0):
            graph = igraph.Graph.Barabasi(n, 2, power=1, zero_appeal=0, implementation="psumtree")
        from tdu.avalanches.graphs import Graph

        return Graph.from_edges(n, np.array(graph.get_edgelist()))

    for n in (2001, 100_000, 1_000_000):
        seconds = in_turns({"tdu": partial(barabasi_albert, n), "igraph": partial(by_igraph, n)}, 3)
        found["graph"].append({"n_sites": n, "seconds": summary(seconds), "ratio": ratio(seconds, "igraph", "tdu")})
    runs = np.random.default_rng(0).lognormal(size=(8, 6))
    exponents = exponent_of_runs(np.array([81, 121, 201, 281, 401, 481, 801, 2001]), "mean")
    ways = {
        how: partial(resampling.bootstrap, runs, replace(exponents, depends_on=how), stretched=False)
        for how in ("mean", "runs", "maximum")
    }
    found["bootstrap"] = summary(in_turns(ways, rounds))
    found["nulls"] = of_nulls(rounds)
    return found


def of_nulls(rounds):
    """An avalanche of the snapshots of an XOR run, and a draw of each null with its avalanche, arrangements made once."""
    trained, n_draws = with_fields(PAPER, 500, 0), 8
    probe = replace(trained.probe.probe, nulls=("permuted", "blocks", "signs"), draws=n_draws).of_run(trained.run.layout, 500)
    ways = {"real": lambda: [probe.sizes(trained.fields) for _ in range(n_draws)]}
    ways |= {name: partial(probe.sizes_under, draws, trained.fields, trained.run.step) for name, draws in probe.draws.items()}
    ranked = replace(probe, probe=replace(probe.probe, ranked=True))
    ways["blocks, ranked"] = partial(ranked.sizes_under, probe.draws["blocks"], trained.fields, trained.run.step)
    seconds = in_turns(ways, rounds)
    return {
        "seconds": summary(seconds, n_draws * len(trained.fields)),
        "ratios": {name: times(seconds, name, "real") for name in ways if name != "real"},
    }


def start_up():
    """Seconds from the shell: warm, and with an empty cache of compiled kernels."""
    say("start-up and compilation")
    tdu, python = [sys.executable, "-m", "tdu"], [sys.executable, "-c"]
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        field = Path(directory) / "field.npy"
        np.save(field, np.random.default_rng(0).normal(size=201))
        commands = {
            "python": [*python, "pass"],
            "import click": [*python, "import click"],
            "tdu --help": [*tdu, "--help"],
            "import tdu": [*python, "import tdu"],
            "import numpy": [*python, "import numpy"],
            "import numba": [*python, "import numba"],
            "tdu probe": [*tdu, "probe", str(field)],
        }

        def call(command, **environment):
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment}, cwd=directory)

        found["warm"] = summary(in_turns({name: partial(call, command) for name, command in commands.items()}, 5))
        cold = {
            "tdu probe": commands["tdu probe"],
            "tdu train --quick": [*tdu, "train", "--quick", "--out", f"{directory}/run"],
            "tdu reproduce --quick": [*tdu, "reproduce", "--quick", "--out", f"{directory}/all"],
        }
        found["cold"] = {}
        for number, (name, command) in enumerate(cold.items()):
            begun = time.perf_counter()
            call(command, NUMBA_CACHE_DIR=f"{directory}/{number}")
            found["cold"][name] = time.perf_counter() - begun
    return found


_MEMORY = """
import re, sys, time
import numpy as np
import tdu
from alternatives import keep_memory

def peak():  # what a process ever held; its parent's share, which getrusage counts, left out
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

n = int(sys.argv[1])
tdu.avalanche(np.random.default_rng(0).normal(size=1000), tdu.barabasi_albert(1000))
before, begun = peak(), time.perf_counter()
graph = tdu.barabasi_albert(n)
grown, of_graph = time.perf_counter(), peak()
field = np.random.default_rng(0).normal(size=n)
found = tdu.avalanche(field, graph)
of_all, probed = peak(), []
keep_memory()
for _ in range(4):  # the first maps memory
    drawn = time.perf_counter()
    tdu.avalanche(field, graph)
    probed.append(time.perf_counter() - drawn)
print(of_graph - before, of_all - before, grown - begun, np.median(probed[1:]), found.size)
"""


def memory(n):
    """Resident bytes a site, in a process of its own: graph, and graph with field and avalanche."""
    say(f"memory at N = {n:,}")
    done = subprocess.run([sys.executable, "-c", _MEMORY, str(n)], capture_output=True, text=True, check=True, cwd=HERE)
    of_graph, of_all, grown, probed, size = map(float, done.stdout.split())
    return {"n_sites": n, "graph": of_graph / n, "all": of_all / n, "grown": grown, "probed": probed, "topplings": size}


def stages():
    """CPU and wall seconds of every stage of `tdu reproduce`, children included; and what of it the training kernel takes."""
    from tdu import reproduce

    say("tdu reproduce, stage by stage")
    marks, trained = [], []
    train = training.train

    def timed(*arguments):
        begun = time.thread_time()
        train(*arguments)
        trained.append(time.thread_time() - begun)

    def clock():
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(use.ru_utime + use.ru_stime for use in (own, children)), time.perf_counter()

    def mark(stage):
        marks.append((stage, *clock()))

    with tempfile.TemporaryDirectory() as directory:
        mark("training")
        with patch.object(training, "train", timed):
            reproduce.reproduce(Path(directory), PAPER, Scope(), 2, say=mark)
        mark("")
    rows = [{"stage": one[0], "cpu": other[1] - one[1], "wall": other[2] - one[2]} for one, other in pairwise(marks)]
    return {"stages": rows, "trained": {"runs": len(trained), "cpu": sum(trained)}}


def whole_job(rounds):
    """Wall seconds of ``tdu reproduce`` from the shell, compiled."""

    def run():
        with tempfile.TemporaryDirectory() as directory:
            command = [sys.executable, "-m", "tdu", "reproduce", "--out", f"{directory}/all"]
            subprocess.run(command, check=True, capture_output=True)

    return summary(in_turns({"tdu reproduce": run}, rounds, warm_up=False))["tdu reproduce"]


def say(what):
    """What is measured next, on standard error."""
    print(f"{what} …", file=sys.stderr, flush=True)


def main():
    """Measure everything, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="a hundred million sites as well")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    run_of_study(replace(DENSE, epochs=2), 20, 0, nulls=False)
    sizes = (81, 2001, 100_000, 1_000_000, 10_000_000)
    with tempfile.TemporaryDirectory() as directory:
        c = alternatives.C(directory)
        results = {
            "provenance": files.provenance(),
            **stages(),
            "reproduce": whole_job(min(options.rounds, 3)),
            "grids": grids(c, min(options.rounds, 5)),
            "price_of_bits": price_of_bits(options.rounds),
            "trainings": trainings(options.rounds),
            "probes": probes(c, sizes, options.rounds),
            "one_field": one_field(10_000_000, options.rounds),
            "parts": parts(options.rounds),
            "start_up": start_up(),
            "memory": [
                memory(n) | dict(zip(("random_add", "read"), random_add_seconds(c, n), strict=True))
                for n in ((10**7, 10**8) if options.long else (10**7,))
            ],
        }
    files.write_json(HERE / "results.json", results)
    briefs = pages.in_brief_by_processor(HERE) | {results["provenance"]["cpu"]: pages.in_brief(results)}
    files.write_json(HERE / "processors.json", {"processors": briefs})
    pages.write(HERE)


if __name__ == "__main__":
    main()
