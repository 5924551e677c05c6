"""The grid scale × replicate on any `concurrent.futures` executor."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from tdu.config import StudyConfig
from tdu.errors import InputError
from tdu.executors import Address, Elsewhere, as_finished
from tdu.files import with_tuples
from tdu.logs.log import gather
from tdu.logs.store import Store
from tdu.training.xor import Trained, run_of_study, with_fields
from tdu.types import Log

T = TypeVar("T")
_BUNDLES = 64  # jobs a worker: the others wait for the last to finish for so small a part of the time
_BUNDLES_HANDED_BACK = 16  # of runs that come back from other processes into memory: each job costs as much as a small run
_OF_EACH_RUN = 100  # hidden units in which a run takes as long as it does to begin, and to be written
_IN_PLAN = ("hidden", "replicates")
#: Settings that came when there were logs already: a manifest without one has its default, which is not written, so that logs
#: go on with the runs that they have.
_ADDED = ("parametrisation", "site_order", "measured_on", "targets")


def addresses(config: StudyConfig) -> list[Address]:
    """Every run of a study."""
    return [(hidden, replicate) for hidden in config.hidden for replicate in range(config.replicates)]


def over_grid(
    config: StudyConfig,
    f: Callable[[StudyConfig, int, int], T],
    executor: Executor,
    grid: Iterable[Address] | None = None,
) -> Iterator[tuple[Address, T]]:
    """`f` of the study and each (hidden, replicate) of its grid, as they finish; if `f` pickles, any executor will do.

    Runs share nothing, and their random numbers are addressed by (seed, scale, replicate): any number of workers gives the same
    bits. Large scales begin first, which keeps all workers busy to the end.
    """
    a_worker = _BUNDLES_HANDED_BACK if isinstance(executor, Elsewhere) else _BUNDLES
    parts = bundles(addresses(config) if grid is None else grid, executor, a_worker)
    jobs = {part: partial(_of_each, f, config, part) for part in parts}
    for part, found in as_finished(jobs, executor):
        yield from zip(part, found, strict=True)


def _of_each(f: Callable[[StudyConfig, int, int], T], config: StudyConfig, part: Iterable[Address]) -> list[T]:
    return [f(config, *address) for address in part]


def bundles(grid: Iterable[Address], executor: Executor, a_worker: int = _BUNDLES) -> list[tuple[Address, ...]]:
    """The grid, large scales first, in parts that are one job each: at most so many a worker, of equal cost as far as single
    runs allow.
    """
    order = sorted(grid, reverse=True)
    n_workers = executor.n_workers() if isinstance(executor, Elsewhere) else os.cpu_count() or 1
    enough = sum(scale + _OF_EACH_RUN for scale, _ in order) / (a_worker * max(n_workers, 1))
    parts: list[list[Address]] = []
    cost = enough
    for address in order:
        if cost >= enough:
            parts.append([])
            cost = 0
        parts[-1].append(address)
        cost += address[0] + _OF_EACH_RUN
    return [tuple(part) for part in parts]


def compile_kernels(config: StudyConfig) -> None:
    """Compile what the runs of a study need, or read it from the cache."""
    least = replace(config, hidden=(5,), replicates=1, epochs=1, learning_rate=0.5, n_null_draws=min(config.n_null_draws, 1))
    run_of_study(least, 5, 0)


def study_store(path: Path, config: StudyConfig) -> Store:
    """The log of a study at `path`, begun or gone on with: its scales and replicates are the plan, the rest its settings."""
    settings = {name: value for name, value in asdict(config).items() if name not in _IN_PLAN}
    for name in _ADDED:
        if settings[name] == getattr(StudyConfig, name):
            del settings[name]
    return Store.begin(path, "xor", settings, tuple(addresses(config)))


def study_of(store: Store) -> StudyConfig:
    """The study that a log of the XOR network is of.

    Raises
    ------
    ValueError
        If the manifest does not hold one.
    """
    hidden = tuple(dict.fromkeys(scale for scale, _ in store.plan))
    known = {item.name for item in fields(StudyConfig)} - {*_IN_PLAN, *_ADDED}
    if set(store.settings) - set(_ADDED) != known:
        raise InputError(f"the settings are not exactly {', '.join(sorted(known))}")
    return StudyConfig(hidden, len(store.plan) // max(len(hidden), 1), **with_tuples(dict(store.settings)))


def train_all(
    config: StudyConfig, executor: Executor, *, gini: bool = False, every_epoch: bool = False, nulls: bool = False
) -> Log:
    """The log of a whole study that is kept in memory only; what costs time only if asked for."""
    job = partial(run_of_study, gini=gini, every_epoch=every_epoch, nulls=nulls)
    return gather((run for _, run in over_grid(config, job, executor)), config.seed)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The runs of a study with their gradients, trained once for all that measure them: by (hidden, replicate) in order."""

    config: StudyConfig
    runs: Mapping[Address, Trained]
    log: Log

    def measured(self, f: Callable[[Trained], T], executor: Executor) -> dict[Address, T]:
        """`f` of every run, in the order of the log."""
        return dict(zip(self.runs, executor.map(f, self.runs.values()), strict=True))


def train_with_fields(config: StudyConfig, executor: Executor) -> Ensemble:
    """Every run of a study with its gradients."""
    found = dict(over_grid(config, with_fields, executor))
    runs = {address: found[address] for address in sorted(found)}
    return Ensemble(config, runs, gather((trained.run for trained in runs.values()), config.seed))
