"""The grid scale × replicate on any `concurrent.futures` executor."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, as_completed
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TypeVar

from tdu.config import StudyConfig
from tdu.errors import InputError
from tdu.files import with_tuples
from tdu.logs.log import gather
from tdu.logs.store import Store
from tdu.training.xor import Trained, run_of_study, with_fields
from tdu.types import Log, Run

T = TypeVar("T")
Key = TypeVar("Key")
#: Scale and replicate of a run.
Address = tuple[int, int]


def addresses(config: StudyConfig) -> list[Address]:
    """Every run of a study."""
    return [(hidden, replicate) for hidden in config.hidden for replicate in range(config.replicates)]


def as_finished(jobs: Mapping[Key, Callable[[], T]], executor: Executor) -> Iterator[tuple[Key, T]]:
    """Each job's key and result as jobs finish; they begin in the order given.

    Jobs must be picklable where the executor's workers are processes. If one fails, or the caller stops, those not yet begun
    are cancelled.
    """
    futures: dict[Future[T], Key] = {executor.submit(job): key for key, job in jobs.items()}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


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
    jobs = {
        address: partial(f, config, *address) for address in sorted(addresses(config) if grid is None else grid, reverse=True)
    }
    return as_finished(jobs, executor)


def study_store(path: Path, config: StudyConfig) -> Store:
    """The log of a study at `path`, begun or gone on with: its scales and replicates are the plan, the rest its settings."""
    settings = {name: value for name, value in asdict(config).items() if name not in ("hidden", "replicates")}
    return Store.begin(path, "xor", settings, tuple(addresses(config)))


def study_of(store: Store) -> StudyConfig:
    """The study that a log of the XOR network is of.

    Raises
    ------
    ValueError
        If the manifest does not hold one.
    """
    hidden = tuple(dict.fromkeys(scale for scale, _ in store.plan))
    known = {item.name for item in fields(StudyConfig)} - {"hidden", "replicates"}
    if set(store.settings) != known:
        raise InputError(f"the settings are not exactly {', '.join(sorted(known))}")
    return StudyConfig(hidden, len(store.plan) // max(len(hidden), 1), **with_tuples(dict(store.settings)))


def finish(store: Store, config: StudyConfig, missing: list[Address], executor: Executor) -> Iterator[Run]:
    """Train the runs that a log is `missing`; yield each when it is on disk, as they finish. Those finished stay."""
    for _, run in over_grid(config, run_of_study, executor, missing):
        store.write(run)
        yield run


def train_all(
    config: StudyConfig, executor: Executor, *, gini: bool = False, every_epoch: bool = False, nulls: bool = False
) -> Log:
    """The log of a whole study that is kept in memory only; what costs time only if asked for."""
    job = partial(run_of_study, gini=gini, every_epoch=every_epoch, nulls=nulls)
    return gather((run for _, run in over_grid(config, job, executor)), config.seed)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The runs of a study with their gradients, trained once for all that measure them: by (hidden, replicate), and a log."""

    config: StudyConfig
    runs: Mapping[Address, Trained]
    log: Log

    def measured(self, f: Callable[[Trained], T], executor: Executor) -> dict[Address, T]:
        """`f` of every run, in the order of the grid."""
        return dict(zip(self.runs, executor.map(f, self.runs.values()), strict=True))


def train_with_fields(config: StudyConfig, executor: Executor) -> Ensemble:
    """Every run of a study with its gradients."""
    found = dict(over_grid(config, with_fields, executor))
    runs = {address: found[address] for address in addresses(config)}
    return Ensemble(config, runs, gather((trained.run for trained in runs.values()), config.seed))
