"""Processes of ours: they leave signals of the terminal to their parent, and do not outlive it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, get_all_start_methods, parent_process, resource_tracker
from multiprocessing.context import BaseContext, ForkServerContext, ForkServerProcess, SpawnContext, SpawnProcess

CAN_FORK = "forkserver" in get_all_start_methods()


def begin() -> None:
    """What a process does first: it ends with its parent, however that ends, and whatever it is doing.

    Linux could send a signal then (``PR_SET_PDEATHSIG``), but when the *thread* that made the process ends, not its process.
    """
    threading.Thread(target=_end_with_parent, name="tdu-parent", daemon=True).start()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def context(method: str) -> BaseContext:
    """As `multiprocessing.get_context`, of ``spawn`` or ``forkserver``, for processes that the terminal does not interrupt."""
    _ensure_tracker()  # whose start would unblock what `_uninterrupted` blocks
    return _CONTEXTS[method]()


def ensure_forkserver() -> None:
    """Start the process that others are forked from, if there is none."""
    from multiprocessing.forkserver import ensure_running

    with _uninterrupted():
        ensure_running()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes that start now never see an interrupt: what is blocked here is blocked there, from the first instruction on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ensure_tracker() -> None:
    """Start the process that removes what killed ones leave of semaphores; that there was something is nothing to warn of."""
    before = os.environ.get("PYTHONWARNINGS")
    quiet = "ignore::UserWarning:multiprocessing.resource_tracker"
    os.environ["PYTHONWARNINGS"] = f"{before},{quiet}" if before else quiet
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


class _Spawned(SpawnProcess):
    def start(self) -> None:
        with _uninterrupted():
            super().start()


class _Forked(ForkServerProcess):
    def start(self) -> None:
        with _uninterrupted():
            super().start()


class _Spawn(SpawnContext):
    Process = _Spawned


class _ForkServer(ForkServerContext):
    Process = _Forked


_CONTEXTS: dict[str, type[BaseContext]] = {"spawn": _Spawn, "forkserver": _ForkServer}
