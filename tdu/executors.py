"""Where the runs of a grid are made: threads, processes, a Dask cluster or MPI, by name in one table; and by shares.

Jobs of the grid are `submit`-ted and pickle; what the analysis shares out by `map` are closures over arrays that are here
already, and stays with the threads of this process.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from tdu import children
from tdu.config import EXECUTORS
from tdu.errors import InputError

T = TypeVar("T")
Key = TypeVar("Key")
#: Scale and replicate of a run.
Address = tuple[int, int]

#: Libraries that would start threads of their own in every worker; a variable that is set already is somebody's wish.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Workers:
    """What makes the runs of a grid.

    Attributes
    ----------
    number : threads, or processes; Dask and MPI bring their own number of workers, and this is that of the threads here.
    executor : ``threads``, ``processes``, ``dask`` or ``mpi``, or any executor of `concurrent.futures` that is open.
    scheduler : address of the Dask scheduler.
    hand_back : whether runs come back to this process, which writes them; otherwise workers write them themselves, and must
        see the directory of the log. None: they come back from Dask and MPI, whose workers may be on other machines.
    """

    number: int = 1
    executor: str | Executor = EXECUTORS[0]
    scheduler: str | None = None
    hand_back: bool | None = None

    def __post_init__(self) -> None:
        if isinstance(self.executor, str) and self.executor not in EXECUTORS:
            raise InputError(f"`executor` must be one of {', '.join(EXECUTORS)}, but is {self.executor!r}")
        if (self.scheduler is None) == (self.executor == "dask"):
            given = "no `scheduler` is" if self.scheduler is None else f"`scheduler` {self.scheduler} is"
            raise InputError(
                f"`executor` is {self.executor}, but {given} given: dask needs the address of one, as tcp://host:8786, "
                "and nothing else does"
            )
        if self.hand_back is not None and self.executor == "threads":
            raise InputError("`hand_back` is for workers in other processes, but `executor` is threads")

    @classmethod
    def of(cls, workers: "Workers | int") -> "Workers":
        """So many threads, or what is said already."""
        return cls(workers) if isinstance(workers, int) else workers


class Elsewhere(Executor):
    """Jobs that are submitted go to the workers of another executor; what is mapped is done by threads of this process.

    Attributes
    ----------
    n_workers : how many there are at the moment.
    hand_back : whether they give runs back, rather than write them themselves.
    """

    def __init__(self, jobs: Executor, threads: Executor, n_workers: Callable[[], int], hand_back: bool) -> None:
        self.jobs, self.threads, self.n_workers, self.hand_back = jobs, threads, n_workers, hand_back

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """A job of the grid, which must pickle."""
        return self.jobs.submit(fn, *args, **kwargs)

    def map(self, fn: Callable[..., T], *iterables: Iterable[Any], **kwargs: Any) -> Iterator[T]:
        """On threads, closures too."""
        return self.threads.map(fn, *iterables, **kwargs)


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


def share(grid: Iterable[Address], part: tuple[int, int]) -> list[Address]:
    """The K-th of M shares of a grid, of about equal cost, whatever is there of it already: no two have a run in common.

    Runs are dealt out as to players around a table, large ones first, the direction turning after each round.
    """
    number, of = part
    order = sorted(grid, reverse=True)
    seats = [*range(1, of + 1), *range(of, 0, -1)]
    return [address for at, address in enumerate(order) if seats[at % len(seats)] == number]


@contextmanager
def opened(workers: Workers, compile_kernels: Callable[[], object]) -> Iterator[Executor]:
    """The executor that is asked for; workers other than threads find what `compile_kernels` compiles here before they start.

    Numba's cache is not made for several processes that fill it at once, least of all on a shared file system.

    Raises
    ------
    ValueError
        If there is no such executor here, or a worker has died and nobody takes its place.
    """
    if workers.executor == "threads":
        with ThreadPoolExecutor(workers.number) as threads:
            yield threads
        return
    if not isinstance(workers.executor, str):
        yield workers.executor
        return
    with OPENERS[workers.executor](workers) as (jobs, n_workers, hand_back), ThreadPoolExecutor(workers.number) as threads:
        compile_kernels()
        asked = workers.hand_back
        try:
            yield Elsewhere(jobs, threads, n_workers, hand_back if asked is None else asked)
        except BrokenExecutor as error:
            raise InputError(
                f"a worker has died, killed or out of memory ({error}): what is finished stays, and the same command goes on"
            ) from None


#: The jobs' executor, how many workers it has, and whether they hand runs back unless asked not to.
Opened = tuple[Executor, Callable[[], int], bool]


@contextmanager
def _processes(workers: Workers) -> Iterator[Opened]:
    """Processes start anew, by spawn: a fork would copy the locks that threads of BLAS, numba or ours hold at that moment."""
    with ProcessPoolExecutor(workers.number, children.context("spawn"), _begin_worker) as executor:
        yield executor, lambda: workers.number, False


def _begin_worker() -> None:
    """One thread each."""
    unset = [name for name in _ONE_THREAD if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, "1"))
    if len(unset) == len(_ONE_THREAD):  # a parent's script that computes may have loaded BLAS already, on all processors
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    children.begin()


@contextmanager
def _dask(workers: Workers) -> Iterator[Opened]:
    """The workers of a Dask cluster, which starts a job again elsewhere if the worker that had it is lost."""
    distributed = _extra("distributed", "dask")
    try:
        client = distributed.Client(workers.scheduler)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {workers.scheduler}: {error}") from None
    with client, client.get_executor(pure=False) as executor:
        try:
            yield executor, lambda: sum(client.nthreads().values()), True
        except distributed.KilledWorker as error:
            raise BrokenExecutor(" ".join(str(error).split())) from None


@contextmanager
def _mpi(_workers: Workers) -> Iterator[Opened]:
    """The other processes of an MPI job, which wait for work while the first one runs the command."""
    futures = _extra("mpi4py.futures", "mpi")
    from mpi4py import MPI

    n_workers = MPI.COMM_WORLD.Get_size() - 1
    if n_workers < 1 or "mpi4py.futures" not in sys.orig_argv:
        raise InputError(
            f"`executor` is mpi, but this is no MPI job with workers ({n_workers + 1} process): "
            "start it as mpiexec -n 3 python -m mpi4py.futures -m tdu …, for one that hands out runs and two that make them"
        )
    with futures.MPIPoolExecutor() as executor:
        yield executor, lambda: n_workers, True


def _extra(module: str, extra: str) -> Any:
    """A module that an extra of this package brings."""
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"`executor` is {extra}, but {error}: pip install 'tdu-ofc[{extra}]'") from None


OPENERS: dict[str, Callable[[Workers], AbstractContextManager[Opened]]] = {
    "processes": _processes,
    "dask": _dask,
    "mpi": _mpi,
}
