"""Claims: what one process makes at a time, in a directory that many share, over NFS too.

A claim is a file that says which process made it, and whose name one process alone can give it (``link``, which NFS keeps too):
it is never seen without its content, whenever that process is killed. No lock of the operating system is asked for: on shared
file systems they hold on one machine only, or not at all. While its process lives a claim's file is touched every ten seconds.
A claim is dead if its process is known to be gone, which a process on the same machine sees at once, or if it has not been
touched for five minutes by the file system's own clock.

A dead claim is not removed by those who want it, since what they remove could be the claim of one who came first. It is
outnumbered: ``name.0`` by ``name.1``, which again one process alone can create. Whoever lets go of a claim removes those below
it before its own.
"""

import json
import os
import secrets
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tdu import _processes
from tdu.errors import InputError
from tdu.files import TEMPORARY, sweep

_HEARTBEAT_SECONDS = 10.0
_DEAD_AFTER_SECONDS = 300.0  # NFS shows the time of a file up to a minute late
_POLL_SECONDS = 0.02
_LOOK_SECONDS = (0.2, 30.0)  # between looks at what others are making, at first and at most

T = TypeVar("T")


class TakenError(InputError):
    """Another process has what was to be claimed."""


@contextmanager
def held(path: Path, taken: str | None = None) -> Iterator[bool]:
    """Hold the claim `path`, of which no file is left afterwards; True where a dead process has left something unfinished.

    If it is taken, wait, or raise an error that says `taken`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mine, outnumbered = _claimed(path, taken)
    _HEARTBEAT.keep(mine)
    try:
        yield bool(outnumbered)
    finally:
        _HEARTBEAT.drop(mine)
        sweep(path)
        for file in (*outnumbered, mine):
            file.unlink(missing_ok=True)


def until_made(make: Callable[[list[T]], Iterator[T]], wanted: Iterable[T]) -> Iterator[T]:
    """What is `wanted`, as it comes to be there: `make` makes of it what nobody else has claimed, and yields what is there.

    What others are making is waited for, and made here if they die.
    """
    left, pause = list(wanted), _LOOK_SECONDS[0]
    while left:
        there = set()
        for one in make(left):
            there.add(one)
            yield one
        left = [one for one in left if one not in there]
        if left:
            if pause == 4 * _LOOK_SECONDS[0]:
                warnings.warn(f"waiting for {len(left)} runs that other processes are making", stacklevel=2)
            time.sleep(pause)
        pause = _LOOK_SECONDS[0] if there else min(2 * pause, _LOOK_SECONDS[1])


@dataclass(frozen=True)
class _Seen:
    """A claim's file as it was when it was looked at."""

    content: bytes
    inode: int
    touched: float


def _claimed(path: Path, taken: str | None) -> tuple[Path, list[Path]]:
    """The file that now holds the claim, and those of dead processes below it."""
    while True:
        before = _numbered(path)
        last = _seen(before[-1]) if before else None
        if last is not None and not _is_dead(last, path.parent):
            if taken is not None:
                raise TakenError(f"{taken}{_whose(last)}: wait for it, or choose another directory")
            time.sleep(_POLL_SECONDS)
            continue
        mine = path.with_name(f"{path.name}.{_number(before[-1]) + 1 if before else 0}")
        if not _create(mine):
            time.sleep(_POLL_SECONDS)
            continue
        # What was judged must still be so: between the look and the file, others may have come, finished, and gone.
        if _numbered(path) == [*before, mine] and (not before or _seen(before[-1]) == last):
            return mine, before
        mine.unlink(missing_ok=True)


def _numbered(path: Path) -> list[Path]:
    """The files of a claim, the one that counts last."""
    start = path.name + "."
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(start) and entry.name[len(start) :].isdigit()]
    return sorted((path.with_name(name) for name in names), key=_number)


def _number(file: Path) -> int:
    return int(file.suffix[1:])


def _create(file: Path) -> bool:
    """Create a claim's file with its content; False where there is one."""
    content = json.dumps({**_process(os.getpid()), "token": secrets.token_hex(8)}).encode()
    unnamed = file.with_name(f"{file.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        _write(unnamed, content)
        return _linked(unnamed, file, content)
    finally:
        unnamed.unlink(missing_ok=True)


def _linked(unnamed: Path, file: Path, content: bytes) -> bool:
    try:
        os.link(unnamed, file)
    except FileExistsError:
        return _made_by_link(unnamed)
    except FileNotFoundError:  # swept by who let go of this claim meanwhile
        return False
    except OSError:  # a file system without links
        return _create_exclusively(file, content)
    return True


def _made_by_link(unnamed: Path) -> bool:
    """Whether a file has two names: where an answer of NFS is lost, the second request finds what the first has made."""
    try:
        return unnamed.stat().st_nlink == 2
    except FileNotFoundError:
        return False


def _create_exclusively(file: Path, content: bytes) -> bool:
    try:
        _write(file, content)
    except FileExistsError:
        return False
    return True


def _write(file: Path, content: bytes) -> None:
    """A new file, or none: an empty one, which a full disk would leave, is a claim that nobody gives up for minutes."""
    with open(file, "xb", buffering=0) as opened:
        try:
            opened.write(content)
        except OSError as error:
            file.unlink()
            raise OSError(error.errno, error.strerror, str(file)) from None


def _seen(file: Path) -> _Seen | None:
    """What is in a claim's file; None if it has gone. NFS asks its server for the time of a file that is opened."""
    try:
        with open(file, "rb") as opened:
            status = os.fstat(opened.fileno())
            return _Seen(opened.read(), status.st_ino, status.st_mtime)
    except OSError:  # gone, or a handle that the server no longer knows
        return None


def _is_dead(claim: _Seen, directory: Path) -> bool:
    owner = _owner(claim)
    if owner.get("started") is not None and owner.get("machine") == _processes.machine():
        return not _processes.lives(int(owner["pid"]), str(owner["started"]))
    return _now(directory) - claim.touched > _DEAD_AFTER_SECONDS


def _owner(claim: _Seen) -> dict[str, Any]:
    """Which process made a claim; nothing where it died before it had said so."""
    try:
        found = json.loads(claim.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _whose(claim: _Seen) -> str:
    owner = _owner(claim)
    return f" (process {owner['pid']} on {owner['host']})" if "pid" in owner and "host" in owner else ""


def _process(pid: int) -> dict[str, Any]:
    """A process by what no other has; `started` is None where there is no such process, or nobody can tell."""
    return {"pid": pid, "host": socket.gethostname(), "machine": _processes.machine(), "started": _processes.start(pid)}


def _now(directory: Path) -> float:
    """The time by the clock that dates the files of a directory, which is that of its server."""
    file = directory / f".now-{secrets.token_hex(8)}"
    try:
        file.touch()
        return file.stat().st_mtime
    finally:
        file.unlink(missing_ok=True)


class _Heartbeat:
    """Touches the files of all claims that this process holds."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: a fork has no thread but the one that made it, and holds none of its parent's claims."""
        self.files: set[Path] = set()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def keep(self, file: Path) -> None:
        """Touch a file from now on."""
        with self.lock:
            self.files.add(file)
            if self.thread is None:
                self.thread = threading.Thread(target=self._beat, name="tdu-claims", daemon=True)
                self.thread.start()

    def drop(self, file: Path) -> None:
        """Touch it no longer."""
        with self.lock:
            self.files.discard(file)

    def _beat(self) -> None:
        while True:
            time.sleep(_HEARTBEAT_SECONDS)
            with self.lock:
                files = list(self.files)
            for file in files:
                with suppress(OSError):  # a server that does not answer now may do so at the next beat
                    os.utime(file)


_HEARTBEAT = _Heartbeat()
os.register_at_fork(after_in_child=_HEARTBEAT.forget)
