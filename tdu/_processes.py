"""Which process made a file, and whether it still lives; standard library only."""

import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path


def lives(pid: int, started: str) -> bool:
    """Whether the process that had a number when it `started` is still there, and no other that came to have its number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user, whose processes may be hidden in /proc
        return start(pid) in (started, None)
    return start(pid) == started


def start(pid: int) -> str | None:
    """When a process started, by the clock of its machine; None where there is no such process, or nobody can tell."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = after_name[0], after_name[19]
    return None if state in "ZXx" else started  # a zombie has died, and nobody has asked how


@cache
def machine() -> str:
    """The machine since it started, and the processes that are numbered together: containers number their own."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(parts)
