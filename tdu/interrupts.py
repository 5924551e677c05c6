"""Signals that ask a command to end: it cleans up and says so in one line, and ends soon even if it cannot clean up.

What is being written appears whole or not at all, so that the process may end anywhere; but left to itself it removes its
temporary files and lets go of its claims. A thread in a kernel, a drawing process or a library that swallows the interrupt may
keep it from that for long: then it is ended. Importing this module loads the standard library only.
"""

import os
import signal
import sys
import threading
import time
from types import FrameType

_GRACE_SECONDS = 2.0
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
_received: list[int] = []
_said = threading.Event()


def listen() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP end this process, one way or the other; those that are ignored stay so."""
    for number in _WORDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def asked() -> bool:
    """Whether a signal has asked this process to end."""
    return bool(_received)


def report() -> int:
    """Say, once, why this process ends; its exit code, by a shell's convention. Without a signal, Python's own interrupt."""
    if not _said.is_set():
        _said.set()
        print(_message(), file=sys.stderr)
    return _code()


def _code() -> int:
    return 128 + (_received[0] if _received else signal.SIGINT)


def _message() -> str:
    return f"Error: {_WORDS[signal.Signals(_code() - 128)]}; the same command goes on where this one stopped"


def _end(number: int, _frame: FrameType | None) -> None:
    for further in _WORDS:  # `timeout` sends two, and one is enough
        signal.signal(further, signal.SIG_IGN)
    _received.append(number)
    sys.unraisablehook = lambda _: None  # where the interrupt is raised in a callback, nobody is there to catch it
    threading.Thread(target=_end_late, name="tdu-end", daemon=True).start()
    raise KeyboardInterrupt


def _end_late() -> None:
    time.sleep(_GRACE_SECONDS)
    if not _said.is_set():
        os.write(2, f"{_message()}\n".encode())  # the main thread may hold the lock of `sys.stderr`
    os._exit(_code())
