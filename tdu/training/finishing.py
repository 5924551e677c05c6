"""Runs that a log on disk misses are made and written, while other processes may be at it too."""

import socket
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import islice

from tdu.config import StudyConfig
from tdu.errors import InputError
from tdu.executors import Address, Elsewhere, as_finished
from tdu.logs.claims import TakenError
from tdu.logs.store import BITS, Store
from tdu.training.ensembles import bundles
from tdu.training.xor import run_of_study
from tdu.types import Run

_AHEAD = 64  # jobs handed out, at the least, before the first comes back: their runs are claimed


def finish(store: Store, config: StudyConfig, missing: list[Address], executor: Executor) -> Iterator[Address]:
    """Train the runs that a log is `missing`, but for those that other processes are making; yield each that is on disk."""
    if isinstance(executor, Elsewhere) and executor.hand_back:
        yield from _handed_back(store, config, missing, executor)
        return
    store = replace(store, path=store.path.absolute())  # workers may be in another directory
    jobs = {part: partial(_make, store, config, part, store.begun()) for part in bundles(missing, executor)}
    for _, made in as_finished(jobs, executor):
        yield from made


def _make(store: Store, config: StudyConfig, part: tuple[Address, ...], begun: bytes) -> list[Address]:
    """Make runs and write them, each unless it is there or somebody is at it; those that are there now."""
    store.refuse_another(begun)
    made = []
    for address in part:
        try:
            with store.claim(*address):
                if not store.has(*address):
                    store.write(run_of_study(config, *address))
        except TakenError:
            continue
        made.append(address)
    return made


def _handed_back(store: Store, config: StudyConfig, missing: list[Address], executor: Elsewhere) -> Iterator[Address]:
    """Runs made by workers who need not see the log. They are claimed here, no more of them at once than keeps workers busy."""
    futures: dict[Future[list[Run]], ExitStack] = {}
    with ExitStack() as claims:
        claims.callback(lambda: [future.cancel() for future in futures])
        claimed = _claimed(store, bundles(missing, executor), claims)
        while True:
            room = max(2 * executor.n_workers(), _AHEAD) - len(futures)
            for held, free, there in islice(claimed, room):
                yield from there
                if free:
                    futures[executor.submit(partial(_trained, config, free, BITS[store.source]))] = held
            if not futures:
                return
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                with futures.pop(future):
                    for run in future.result():
                        store.write(run)
                        yield run.scale, run.replicate


def _claimed(
    store: Store, parts: list[tuple[Address, ...]], claims: ExitStack
) -> Iterator[tuple[ExitStack, tuple[Address, ...], list[Address]]]:
    """Of each part the claims on what is still to be made, that, and what has come meanwhile."""
    for part in parts:
        held, free, there = claims.enter_context(ExitStack()), [], []
        for address in part:
            with suppress(TakenError), ExitStack() as one:
                one.enter_context(store.claim(*address))
                if store.has(*address):
                    there.append(address)
                else:
                    free.append(address)
                    held.push(one.pop_all())
        yield held, tuple(free), there


def _trained(config: StudyConfig, part: tuple[Address, ...], bits: int) -> list[Run]:
    """Runs of a study, made by a worker whose tdu must be that of who asks."""
    if bits != BITS["xor"]:
        raise InputError(
            f"the tdu of the worker on {socket.gethostname()} makes other bits ({BITS['xor']}) than that which asks ({bits}): "
            "install the same version"
        )
    return [run_of_study(config, *address) for address in part]
