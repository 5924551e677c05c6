"""Opening what others hand over: regular files only, no larger than memory, and one line where a parser gives up."""

import json
import os
import stat
import tomllib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tdu import _memory
from tdu.errors import InputError

_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}  # fmt: skip
#: Bytes that a byte of JSON, TOML or CSV becomes, at most about: ``{}`` is an object, and ``,`` ends a text of its own.
_PARSED = 64


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A regular file, to be read. A pipe without a writer is refused, not waited for, and a device not read without end.

    FileNotFoundError is left to the caller, who knows what should have been there.
    """
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    except FileNotFoundError:
        raise
    except OSError as error:  # a socket or a directory cannot be opened at all
        raise InputError(f"{path} cannot be read: {_not_a_file(path) or error.strerror}") from None
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InputError(f"{path} cannot be read: {_not_a_file(path)}")
        try:
            yield file
        except OSError as error:  # which the system does not say the name of
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _not_a_file(path: Path) -> str:
    """What a path is, where it is no regular file."""
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except OSError:
        return ""
    return "" if kind == stat.S_IFREG else f"it is {_KINDS.get(kind, 'something else')}, not a regular file"


def check_regular(path: Path) -> None:
    """As `opened`, for readers that want a path."""
    with opened(path):
        pass


def content(path: Path) -> bytes:
    """All of a file that is to be parsed as a whole."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        _memory.need(_PARSED * size, f"{path}, of {size} bytes,", "it is no file that tdu wrote, or one that is damaged")
        return file.read()


def json_in(path: Path, what: str) -> Any:
    """The value of a JSON file; an `InputError` if it holds none."""
    return _parsed(path, what, lambda text: json.loads(text, parse_constant=_refuse))


def toml_in(path: Path, what: str) -> dict[str, Any]:
    """The table of a TOML file; an `InputError` if it is not there, or holds none."""
    try:
        table: dict[str, Any] = _parsed(path, what, tomllib.loads)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    return table


def _parsed(path: Path, what: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(content(path).decode("utf-8"))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path} is no {what}: {error}") from None
    except RecursionError:
        raise InputError(f"{path} is no {what}: it is nested too deep") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def say_unverified(path: Path) -> None:
    """Say that what is read carries no checksum."""
    warnings.warn(f"{path} has no checksum: it is read unverified", stacklevel=3)
