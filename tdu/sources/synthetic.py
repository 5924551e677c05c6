"""Synthetic fields as a log, in the form that every other has, or as files, to see what a probe makes of what is known."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tdu.avalanches.fields import gaussian
from tdu.avalanches.planted import planted
from tdu.avalanches.probe import Probe, asked_for
from tdu.config import SyntheticConfig
from tdu.files import sweep_dead, write_tensors
from tdu.logs.filling import settle
from tdu.logs.rows import Row, stacked
from tdu.logs.store import Store
from tdu.models import mlp
from tdu.rng import Stage, generator
from tdu.types import Layout, Run

#: What a log of synthetic fields says of its source.
SOURCE = "synthetic"


def synthesise(path: Path, config: SyntheticConfig, workers: int = 1) -> Iterator[Run]:
    """Measure the runs that the log at `path` does not have yet, on `workers` threads; yield each when it is on disk.

    Fields are those of the study's synthetic control (`tdu.analysis.control`) of the same seed, as far as there are as many.

    Raises
    ------
    ValueError
        If another log is there, another process makes one of its runs, or a name is not known.
    """
    probe_of(config)  # an unknown null is an error before anything is written
    settings = asked_for({name: value for name, value in asdict(config).items() if name not in ("hidden", "replicates")})
    plan = tuple((hidden, replicate) for hidden in config.hidden for replicate in range(config.replicates))
    store = Store.begin(path, SOURCE, settings, plan)
    with ExitStack() as claims, ThreadPoolExecutor(workers) as executor:
        missing = store.missing()
        for address in missing:
            claims.enter_context(store.claim(*address))
        for start in range(0, len(missing), workers):  # what is not begun yet need not be waited for when interrupted
            for run in executor.map(partial(run_of, config), *zip(*missing[start : start + workers], strict=True)):
                store.write(run)
                yield run
    settle(store)


def run_of(config: SyntheticConfig, hidden: int, replicate: int) -> Run:
    """One run: its fields, which are drawn and measured one at a time, on a graph and beside nulls that serve all of them."""
    layout = mlp.layout(hidden)
    probe = probe_of(config).of_run(layout, hidden, replicate)
    rng = generator(config.seed, Stage.SYNTHETIC_FIELD, hidden, replicate)
    fields = (gaussian(layout.n_sites, rng, 1, config.std)[0] for _ in range(config.fields))
    step, columns, nulls = stacked([Row(number, *probe.snapshot(field, number)) for number, field in enumerate(fields)])
    return Run(hidden, replicate, layout, step, columns, nulls, {}, grokking_step=-1)


def write_fields(directory: Path, config: SyntheticConfig, kind: str = "gaussian", strength: float = 0.0) -> Iterator[Path]:
    """Write fields in which something is planted (`tdu.avalanches.planted`) as files that `tdu probe` reads; yield each.

    The fields of run k of scale h are ``{h}-{k}/{step}.npz``, with the tensors of the XOR network as members, so that the
    layout is beside them; entries are in units of the configuration's `std`. ``graph`` plants along the very graph on which
    `tdu probe --graph` measures with the same family and seed.

    Raises
    ------
    ValueError
        For a kind that is not known, or a strength that cannot be.
    """
    for hidden in config.hidden:
        layout = Layout(tuple(sorted(mlp.layout(hidden).tensors)))  # the order that tensors of a file are read in
        for replicate in range(config.replicates):
            graph = probe_of(config).of_run(layout, hidden, replicate).graph
            rng = generator(config.seed, Stage.PLANTED_FIELD, hidden, replicate)
            sweep_dead(directory / f"{hidden}-{replicate}")
            for step, field in enumerate(planted(kind, layout, graph, strength, rng, config.fields)):
                path = directory / f"{hidden}-{replicate}" / f"{step}.npz"
                write_tensors(path, layout.views(config.std * field))
                yield path


def probe_of(config: SyntheticConfig) -> Probe:
    """The probe that a configuration asks for."""
    settings = (config.graph, config.alpha, config.quantile, config.max_steps, config.nulls, config.n_null_draws, config.seed)
    return Probe(*settings, config.ranked, config.edges)
