"""Runs that a log on disk misses are made and written, while other processes may be at it too."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import islice

from tdu.config import StudyConfig
from tdu.errors import InputError
from tdu.executors import Elsewhere
from tdu.logs.claims import TakenError
from tdu.logs.store import BITS, Store
from tdu.training.ensembles import Address, as_finished, bundles
from tdu.training.xor import run_of_study
from tdu.types import Run

_AHEAD = 64  # jobs handed out, at the least, before the first comes back: their runs are claimed
_POLL_SECONDS = (0.2, 30.0)  # between looks at what others are making, at first and at most


def finish(store: Store, config: StudyConfig, missing: list[Address], executor: Executor) -> Iterator[Address]:
    """Train the runs that a log is `missing`, but for those that other processes are making; yield each that is on disk."""
    if isinstance(executor, Elsewhere) and executor.hand_back:
        yield from _handed_back(store, config, missing, executor)
        return
    store = replace(store, path=store.path.absolute())  # workers may be in another directory
    jobs = {part: partial(_make, store, config, part, _manifest(store)) for part in bundles(missing, executor)}
    for _, made in as_finished(jobs, executor):
        yield from made


def complete(store: Store, config: StudyConfig, missing: list[Address], executor: Executor) -> Iterator[Address]:
    """As `finish`, until the log misses none of these: what others are making is waited for, and made here if they die."""
    left, pause = set(missing), _POLL_SECONDS[0]
    while left:
        before = len(left)
        for address in finish(store, config, sorted(left), executor):
            left.discard(address)
            yield address
        pause = _POLL_SECONDS[0] if len(left) < before else min(2 * pause, _POLL_SECONDS[1])
        if left:
            time.sleep(pause)


def _make(store: Store, config: StudyConfig, part: tuple[Address, ...], manifest: bytes) -> list[Address]:
    """Make runs and write them, each unless it is there or somebody is at it; those that are there now."""
    if _manifest(store) != manifest:  # another directory of the same name
        raise InputError(
            f"the worker on {socket.gethostname()} does not see {store.path}, where it is to write: put the log on a file "
            "system that all share, or let runs be handed back (--hand-back)"
        )
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


def _manifest(store: Store) -> bytes:
    """What a log says of itself, to the second of its beginning; nothing where it is not to be seen."""
    try:
        return (store.path / "manifest.json").read_bytes()
    except OSError:
        return b""


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
                    futures[executor.submit(partial(_trained, config, free, BITS))] = held
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
    if bits != BITS:
        raise InputError(
            f"the tdu of the worker on {socket.gethostname()} makes other bits ({BITS}) than that which asks ({bits}): "
            "install the same version"
        )
    return [run_of_study(config, *address) for address in part]
