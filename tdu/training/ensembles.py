"""The grid scale × replicate on any `concurrent.futures` executor."""

from collections.abc import Iterator
from concurrent.futures import Executor, Future, as_completed
from functools import partial

from tdu.avalanches.cascades import gather
from tdu.config import StudyConfig
from tdu.training.store import RunDirectory
from tdu.training.xor import run_of_study
from tdu.types import Log, Run


def finish(directory: RunDirectory, missing: list[tuple[int, int]], executor: Executor) -> Iterator[Run]:
    """Train the runs (hidden, replicate) that `directory` is `missing`; yield each when it is on disk, as they finish.

    Runs share nothing, and their random numbers are addressed by (seed, scale, replicate): any number of workers gives the
    same bits. Large scales start first, which keeps all workers busy to the end. If one run fails, or the caller stops,
    those not yet begun are cancelled; those finished stay.
    """
    largest_first = sorted(missing, reverse=True)
    futures: list[Future[Run]] = [executor.submit(run_of_study, directory.config, *address) for address in largest_first]
    try:
        for future in as_completed(futures):
            run = future.result()
            directory.write(run)
            yield run
    finally:
        for future in futures:
            future.cancel()


def train_all(config: StudyConfig, executor: Executor, *, with_gini: bool = False) -> Log:
    """The log of a whole study that is kept in memory only; the Gini coefficients, a fifth of the time, only if asked for."""
    addresses = [(hidden, replicate) for hidden in config.hidden for replicate in range(config.replicates)]
    train = partial(run_of_study, config, with_gini=with_gini)
    futures = {address: executor.submit(train, *address) for address in sorted(addresses, reverse=True)}
    return gather(config, [[futures[h, r].result() for r in range(config.replicates)] for h in config.hidden])
