"""The grid on processes, a Dask cluster and MPI, and in shares: the files are those of one thread, whoever dies."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tdu import reproduce
from tdu.cli import main
from tdu.config import NetworkConfig, StudyConfig
from tdu.errors import InputError
from tdu.executors import Workers, opened, share
from tdu.logs.claims import until_made
from tdu.logs.filling import filled
from tdu.logs.store import Store
from tdu.training import ensembles, finishing
from tdu.training.ensembles import addresses, bundles, compile_kernels, study_store, train_with_fields
from tdu.training.finishing import finish
from tdu.training.network import train_network

CONFIG = StudyConfig(hidden=(5, 8, 12), replicates=3, epochs=60, n_null_draws=1)
#: A study of some seconds, in whose middle somebody can be killed.
LONG = ["--hidden", "20,60,200", "--replicates", "8", "--epochs", "400"]
N_LONG = 24

needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="no Dask here: pip install 'tdu-ofc[dask]'")
needs_mpi = pytest.mark.skipif(
    find_spec("mpi4py") is None or shutil.which("mpiexec") is None,
    reason="no MPI here: apt-get install openmpi-bin, pip install 'tdu-ofc[mpi]'",
)


def digests(directory):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (directory / "log").glob("*.npz")}


def started(*arguments, before=(), **options):
    command = [*before, sys.executable, "-m", "tdu", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)


def ended(process):
    """What a process said on standard error, and its exit code."""
    _, said = process.communicate(timeout=300)
    return process.returncode, "".join(line for line in said.splitlines(True) if not line.startswith("compiling the kernels"))


def wait_for_runs(directory, count, process):
    while len(list((directory / "log").glob("*.npz"))) < count:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """The files of the long study on one thread."""
    out = tmp_path_factory.mktemp("long")
    assert ended(started("train", "--out", out, *LONG, "--workers", 1)) == (0, "")
    assert len(digests(out)) == N_LONG
    return digests(out)


def nothing_is_left_beside_the_runs(out):
    return (
        sorted(path.name for path in out.iterdir()) == ["log", "manifest.json"] and len(list((out / "log").iterdir())) == N_LONG
    )


# Processes


@pytest.mark.slow
def test_processes_give_the_files_of_threads_whoever_writes_them(tmp_path):
    reproduce.train_study(tmp_path / "threads", CONFIG, 1)
    for name, hand_back in (("there", False), ("back", True), ("by default", None)):
        reproduce.train_study(tmp_path / name, CONFIG, Workers(2, "processes", hand_back=hand_back))
        assert digests(tmp_path / name) == digests(tmp_path / "threads")
        assert not list((tmp_path / name).glob(".*"))
    assert len(digests(tmp_path / "threads")) == 9


def _of_worker():
    from threadpoolctl import threadpool_info

    import tdu

    tdu.train_xor(5, epochs=1)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return [os.environ.get(name) for name in names], [pool["num_threads"] for pool in threadpool_info()]


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "said"), [({}, ["1"] * 4), ({"OPENBLAS_NUM_THREADS": "2"}, ["1", "2", "1", "1"])])
def test_a_process_has_one_thread_for_blas_and_kernels_unless_asked(monkeypatch, asked, said):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with opened(Workers(1, "processes"), lambda: None) as executor:
        names, pools = executor.submit(_of_worker).result()
    assert names == said
    assert set(pools) <= ({1} if not asked else {1, 2})


@pytest.mark.slow
def test_everything_of_a_study_is_measured_on_processes_as_on_threads():
    """What comes back beside runs pickles too, and closures of the analysis stay here."""
    found = []
    for kind in ("threads", "processes"):
        with opened(Workers(2, kind), partial(compile_kernels, CONFIG)) as executor:
            ensemble = train_with_fields(CONFIG, executor)
            found.append((ensemble, ensemble.measured(lambda trained: float(trained.fields.sum()), executor)))
    (one, sums), (other, others) = found
    assert sums == others
    assert list(sums) == addresses(CONFIG)
    assert one.log.size.tolist() == other.log.size.tolist()


@pytest.mark.slow
def test_reproduce_on_processes_gives_the_results_of_threads(tmp_path):
    study = ["reproduce", "--quick", "--hidden", "5,8,12", "--replicates", "2", "--epochs", "40"]
    for kind in ("threads", "processes"):
        assert ended(started(*study, "--out", tmp_path / kind, "--executor", kind, "--workers", 2)) == (0, "")
    one, other = ((tmp_path / kind / "results.json").read_text().splitlines() for kind in ("threads", "processes"))
    differ = [pair[0].split('"')[1] for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    assert {"created", "sha256"} >= set(differ)


@pytest.mark.slow
def test_a_process_that_is_killed_is_one_line_and_what_is_written_stays(tmp_path, long):
    train = ["train", "--out", tmp_path, *LONG, "--executor", "processes", "--workers", 2]
    process = started(*train)
    wait_for_runs(tmp_path, 2, process)
    workers = subprocess.run(
        ["ps", "-wwo", "pid=,args=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    at_work = [line.split()[0] for line in workers.stdout.splitlines() if "spawn_main" in line]
    assert len(at_work) == 2
    os.kill(int(at_work[0]), signal.SIGKILL)
    code, said = ended(process)
    assert code == 1
    assert said.splitlines()[-1].startswith("Error: a worker has died, killed or out of memory")
    assert "the same command goes on" in said
    assert 2 <= len(digests(tmp_path)) < N_LONG
    assert ended(started(*train)) == (0, "")
    assert digests(tmp_path) == long
    assert nothing_is_left_beside_the_runs(tmp_path)


@pytest.mark.slow
def test_processes_do_not_outlive_a_parent_that_is_killed(tmp_path):
    process = started("train", "--out", tmp_path, *LONG, "--executor", "processes", "--workers", 2)
    wait_for_runs(tmp_path, 1, process)
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True)
    pids = [int(pid) for pid in children.stdout.split()]
    process.kill()
    process.communicate()
    for _ in range(200):
        if not any(os.path.exists(f"/proc/{pid}") for pid in pids):
            return
        time.sleep(0.05)
    raise AssertionError("a worker lives on")


def test_the_cache_of_kernels_is_of_the_processor():
    code = "from tdu._jit import cache_directory; print(cache_directory())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=True
        ).stdout
        for asked in ({}, {"NUMBA_CPU_NAME": "generic"}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2"})
    }
    assert len(found) == 3


# Jobs and errors


def test_a_grid_is_done_in_parts_of_equal_cost_large_scales_first(monkeypatch):
    grid = addresses(StudyConfig(hidden=(10, 100, 1000), replicates=100))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    with ThreadPoolExecutor(1) as executor, opened(Workers(1, "processes"), lambda: None) as elsewhere:
        parts = bundles(grid, elsewhere)
        assert bundles(grid, executor) == parts
    assert [address for part in parts for address in part] == sorted(grid, reverse=True)
    assert len(bundles(grid, elsewhere, 16)) == 15
    enough = (111_000 + 300 * 100) / 64
    costs = [sum(scale + 100 for scale, _ in part) for part in parts]
    assert all(enough <= cost < enough + 1100 for cost in costs[:-1])
    assert len(parts) in range(45, 65)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"executor": "fibres"}, "`executor` must be one of threads, processes, dask, mpi, but is 'fibres'"),
        ({"executor": "dask"}, "`executor` is dask, but no `scheduler` is given: dask needs the address of one"),
        ({"scheduler": "tcp://a:1"}, "`executor` is threads, but `scheduler` tcp://a:1 is given"),
        ({"hand_back": True}, "`hand_back` is for workers in other processes, but `executor` is threads"),
    ],
)
def test_workers_that_make_no_sense_are_refused(asked, words):
    with pytest.raises(InputError, match=words):
        Workers(2, **asked)


@pytest.mark.parametrize(("executor", "module"), [("dask", "distributed"), ("mpi", "mpi4py.futures")])
def test_an_extra_that_is_not_installed_is_named(monkeypatch, executor, module):
    monkeypatch.setitem(sys.modules, module, None)
    scheduler = "tcp://127.0.0.1:1" if executor == "dask" else None
    with (
        pytest.raises(InputError, match=rf"pip install 'tdu-ofc\[{executor}\]'"),
        opened(Workers(1, executor, scheduler), lambda: None),
    ):
        pass


def test_a_worker_that_does_not_see_the_log_says_so(tmp_path):
    store = study_store(tmp_path / "run", CONFIG)
    with pytest.raises(InputError, match=r"the worker on .* does not see .*run, where it is to write: .*--hand-back"):
        finishing._make(store, CONFIG, ((5, 0),), b"of another directory")
    (tmp_path / "run" / "manifest.json").unlink()
    with pytest.raises(InputError, match="does not see"):
        finishing._make(store, CONFIG, ((5, 0),), b"of this one")


def test_a_worker_whose_tdu_makes_other_bits_says_so():
    with pytest.raises(InputError, match=r"the tdu of the worker on .* makes other bits \(\d+\) than that which asks \(-1\)"):
        finishing._trained(CONFIG, ((5, 0),), -1)


# Shares


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=12, unique=True), st.integers(1, 9), st.integers(1, 20))
def test_shares_have_every_run_once_and_about_equal_cost(scales, replicates, of):
    grid = [(scale, replicate) for scale in scales for replicate in range(replicates)]
    shares = [share(grid, (number, of)) for number in range(1, of + 1)]
    assert sorted(address for one in shares for address in one) == sorted(grid)
    costs = [sum(scale for scale, _ in one) for one in shares]
    assert max(costs) - min(costs) <= max(scales)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_share_does_not_depend_on_what_is_there(tmp_path):
    reproduce.train_study(tmp_path / "run", CONFIG, 1, part=(2, 2))
    second = {path.name for path in (tmp_path / "run" / "log").iterdir()}
    assert second == {f"s{scale:05d}-r{replicate:02d}.npz" for scale, replicate in share(addresses(CONFIG), (2, 2))}
    reproduce.train_study(tmp_path / "run", CONFIG, 1, part=(2, 2))
    assert {path.name for path in (tmp_path / "run" / "log").iterdir()} == second
    reproduce.train_study(tmp_path / "run", CONFIG, 1, part=(1, 2))
    assert Store.open(tmp_path / "run").missing() == []


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2"])
def test_a_share_that_is_none_is_one_line(part, tmp_path):
    result = CliRunner().invoke(main, ["train", "--out", str(tmp_path / "run"), "--part", part])
    assert result.exit_code == 2
    assert f"'{part}' is not K/M" in result.stderr
    assert not (tmp_path / "run").exists()


def test_processes_at_one_log_make_each_run_once(tmp_path, monkeypatch):
    made = []

    def counted(config, *address):
        made.append(address)
        time.sleep(0.01)
        return ensembles.run_of_study(config, *address)

    monkeypatch.setattr(finishing, "run_of_study", counted)
    with ThreadPoolExecutor(3) as executor:
        for one in [executor.submit(reproduce.train_study, tmp_path / "run", CONFIG, 2) for _ in range(3)]:
            assert one.result().missing() == []
    assert sorted(made) == addresses(CONFIG)
    assert not list((tmp_path / "run").glob(".*"))


def test_runs_handed_back_are_claimed_by_who_waits_for_them(tmp_path, monkeypatch):
    """Two at one log whose workers see no file make each run once; what another has made meanwhile counts as made."""
    made = []

    def counted(config, *address):
        made.append(address)
        time.sleep(0.01)
        return ensembles.run_of_study(config, *address)

    monkeypatch.setattr(finishing, "run_of_study", counted)
    monkeypatch.setattr(finishing, "_AHEAD", 2)
    compile_kernels(CONFIG)  # else the other waits for it, and says so
    store = study_store(tmp_path / "run", CONFIG)

    def all_of_it(_):
        with ThreadPoolExecutor(1) as threads:
            elsewhere = finishing.Elsewhere(threads, threads, lambda: 1, True)
            return sorted(until_made(lambda left: finish(store, CONFIG, left, elsewhere), store.missing()))

    with ThreadPoolExecutor(2) as executor:
        assert list(executor.map(all_of_it, range(2))) == [addresses(CONFIG)] * 2
    assert sorted(made) == addresses(CONFIG)


@pytest.mark.slow
def test_two_shares_and_a_third_that_dies_give_the_files_of_one_thread(tmp_path, long):
    parts = [started("train", "--out", tmp_path, *LONG, "--workers", 1, "--part", f"{number}/3") for number in (1, 2, 3)]
    wait_for_runs(tmp_path, 4, parts[2])
    parts[2].kill()
    parts[2].communicate()
    assert [ended(process) for process in parts[:2]] == [(0, ""), (0, "")]
    left = set(long) - set(digests(tmp_path))
    third = {f"s{scale:05d}-r{replicate:02d}.npz" for scale, replicate in share(Store.open(tmp_path).plan, (3, 3))}
    assert left
    assert left <= third
    assert ended(started("train", "--out", tmp_path, *LONG, "--workers", 1, "--part", "3/3")) == (0, "")
    assert digests(tmp_path) == long
    assert nothing_is_left_beside_the_runs(tmp_path)


@pytest.mark.parametrize("part", [None, (1, 2)])
def test_claims_of_the_dead_on_whole_runs_are_taken_away_those_of_the_living_are_not(tmp_path, part):
    """One that is killed after its run has its name and before the claim goes leaves the claim."""
    reproduce.train_study(tmp_path, CONFIG, 1)
    dead = tmp_path / ".claim-s00005-r00.0"
    dead.write_text("{}")
    os.utime(dead, (0, 0))
    with study_store(tmp_path, CONFIG).claim(8, 1):
        reproduce.train_study(tmp_path, CONFIG, 1, part=part)
        assert sorted(path.name for path in tmp_path.glob(".*")) == [".claim-s00008-r01.0"]
    (tmp_path / ".claim-s00012-r02.0").write_text("{}")
    (tmp_path / "log" / "s00012-r02.npz").unlink()
    assert len(list(filled(study_store(tmp_path, CONFIG), iter, [], wait=False))) == 0
    assert (tmp_path / ".claim-s00012-r02.0").exists()  # whoever makes that run finds what its dead maker has left


@pytest.mark.slow
def test_who_makes_all_of_it_makes_what_one_that_died_was_at(tmp_path, long):
    dying, other = (started("train", "--out", tmp_path, *LONG, "--workers", 1) for _ in range(2))
    wait_for_runs(tmp_path, 3, dying)
    dying.kill()
    assert ended(other) == (0, "")
    dying.communicate()
    assert digests(tmp_path) == long
    assert nothing_is_left_beside_the_runs(tmp_path)


# Networks

GROK = ["grok", "--modulus", "5", "--width", "4,8", "--replicate", "0,2", "--epochs", "20", "--n-null-draws", "1"]


@pytest.mark.slow
def test_networks_side_by_side_are_those_alone_and_in_shares(tmp_path):
    config = NetworkConfig(modulus=5, epochs=20, n_null_draws=1)
    for width in (4, 8):
        for replicate in (0, 2):
            train_network(replace(config, width=width, replicate=replicate), tmp_path / "alone")
    for name, asked in (
        ("threads", [[]]),
        ("processes", [["--executor", "processes"]]),
        ("shares", [["--part", "1/3"], ["--part", "2/3"], ["--part", "3/3"]]),
    ):
        for options in asked:
            result = CliRunner().invoke(main, [*GROK, "--out", str(tmp_path / name), "--workers", "2", *options])
            assert result.exit_code == 0, result.output
        assert digests(tmp_path / name) == digests(tmp_path / "alone")
    assert len(digests(tmp_path / "alone")) == 4


def test_networks_are_asked_for_once_and_not_handed_back(tmp_path):
    for options, words in (
        (["--width", "8,8"], "`width` names a value twice: 8,8"),
        (["--replicate", "1,1"], "`replicate` names a value twice: 1,1"),
        (["--executor", "processes", "--hand-back"], "cannot be handed back: --no-hand-back"),
    ):
        result = CliRunner().invoke(main, ["grok", "--out", str(tmp_path / "log"), *options])
        assert result.exit_code == 1
        assert words in result.stderr
    assert not (tmp_path / "log").exists()


# Dask and MPI


@contextmanager
def dask_cluster(directory, n_workers):
    """A scheduler on loopback and so many workers of one thread, each a process of its own that nobody starts again."""
    file = directory / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file], **quiet
    )
    worker = [
        *dask,
        "worker",
        "--scheduler-file",
        file,
        "--host",
        "127.0.0.1",
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
    ]
    workers = []
    try:
        while not file.exists():
            assert scheduler.poll() is None
            time.sleep(0.05)
        for number in range(n_workers):
            (directory / f"of-{number}").mkdir()
            workers.append(subprocess.Popen([*worker, "--local-directory", directory / f"of-{number}"], **quiet))
        yield json.loads(file.read_text())["address"], workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@needs_dask
@pytest.mark.slow
@pytest.mark.parametrize("hand_back", ["--hand-back", "--no-hand-back"])
def test_a_dask_cluster_that_loses_a_worker_gives_the_files_of_one_thread(tmp_path, long, hand_back):
    out = tmp_path / "run"
    with dask_cluster(tmp_path, 2) as (address, workers):
        process = started("train", "--out", out, *LONG, "--executor", "dask", "--scheduler", address, hand_back)
        wait_for_runs(out, 3, process)
        workers[0].kill()
        assert len(digests(out)) < N_LONG, "a worker was to be killed in the middle"
        code, said = ended(process)
        assert code == 0, said
        assert all("distributed.client - WARNING" in line for line in said.splitlines()), said  # of results that were lost
        assert workers[1].poll() is None
    assert digests(out) == long
    assert nothing_is_left_beside_the_runs(out)


@needs_dask
@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path):
    soon = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s"}
    dask = ["--executor", "dask", "--scheduler", "tcp://127.0.0.1:1"]
    process = started("train", "--out", tmp_path, "--quick", *dask, env=soon)
    code, said = ended(process)
    assert code == 1
    assert said.startswith("Error: no Dask scheduler answers at tcp://127.0.0.1:1")
    assert len(said.splitlines()) == 1


def mpiexec(number):
    """Open MPI asks whether root and more processes than processors are meant."""
    asked = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    oversubscribe = {"OMPI_MCA_rmaps_base_oversubscribe": "1", "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}
    return ["mpiexec", "-n", str(number)], {**os.environ, **asked, **oversubscribe}


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize("hand_back", ["--hand-back", "--no-hand-back"])
def test_mpi_of_three_processes_gives_the_files_of_one_thread(tmp_path, long, hand_back):
    command, environment = mpiexec(3)
    train = [
        sys.executable,
        "-m",
        "mpi4py.futures",
        "-m",
        "tdu",
        "train",
        "--out",
        tmp_path,
        *LONG,
        "--executor",
        "mpi",
        hand_back,
    ]
    result = subprocess.run([*command, *train], env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{tmp_path}\n"
    assert digests(tmp_path) == long
    assert nothing_is_left_beside_the_runs(tmp_path)


@needs_mpi
@pytest.mark.slow
def test_mpi_without_workers_is_one_line(tmp_path):
    code, said = ended(started("train", "--out", tmp_path, "--quick", "--executor", "mpi"))
    assert code == 1
    assert said.startswith(
        "Error: `executor` is mpi, but this is no MPI job with workers (1 process): start it as mpiexec -n 3"
    )
    assert len(said.splitlines()) == 1
