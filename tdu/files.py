"""Files: written whole or not at all, in formats that carry no code, with the provenance of their content."""

import csv
import hashlib
import io
import json
import os
import platform
import re
import secrets
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from tdu import _archives, _processes, checksums
from tdu._inputs import content, json_in, opened
from tdu.errors import InputError

#: Schema of logs; 2 since one format serves every source.
SCHEMA = 2
#: Schema of results.json; 2 since it has pooled studies and verdicts in words.
RESULTS_SCHEMA = 2
_PACKAGES = ("tdu-ofc", "numpy", "numba", "scipy", "igraph")
TEMPORARY = ".part"


@contextmanager
def atomic(path: Path, *, among_many: bool = False) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` complete, when the block ends, or not at all.

    What processes that were killed have left of it is removed; not where it is `among_many`, which it would take long to look
    through again and again. `InputError` of a path without a name.
    """
    if not path.name:  # of "" and "."
        raise InputError(f"{str(path)!r} has no name that a file could have: name one")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not among_many:
        sweep_dead(path.parent, path.name)
    temporary = path.with_name(f"{path.name}.{_mark()}{TEMPORARY}")  # another process may write the same file
    try:
        with named(path):
            with open(temporary, "wb") as file:
                yield file
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Say of which file an error of the operating system is: where the disk is full, it does not."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is None:  # not the system's own, but a library's
            raise OSError(f"{path}: {error}") from None
        raise OSError(error.errno, error.strerror, str(path)) from None


def _mark() -> str:
    """What the name of a temporary file says of who writes it; another thread of this process has another one."""
    pid = os.getpid()
    return f"{secrets.token_hex(4)}-{pid}-{_processes.start(pid) or 0}-{_machine()}"


_MARK = re.compile(
    rf"(?P<name>.+)\.[0-9a-f]{{8}}-(?P<pid>\d+)-(?P<started>[1-9]\d*)-(?P<machine>[0-9a-f]{{8}}){re.escape(TEMPORARY)}"
)


@cache
def _machine() -> str:
    return hashlib.sha256(_processes.machine().encode()).hexdigest()[:8]


def sweep_dead(directory: Path, name: str | None = None) -> None:
    """Remove what processes of this machine that were killed have left of files of a directory, or of the one of a `name`."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            mark = _MARK.fullmatch(entry.name)
            if mark is None or name not in (None, mark["name"]) or mark["machine"] != _machine():
                continue
            if not _processes.lives(int(mark["pid"]), mark["started"]):
                os.unlink(entry.path)


def sweep(*paths: Path) -> None:
    """Remove what processes that were killed have left of files that they were writing."""
    for path in paths:
        for left_over in path.parent.glob(f"{path.name}.*{TEMPORARY}"):
            left_over.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as JSON with its checksum; nan, which JSON does not have, must have been replaced by null."""
    with atomic(path) as file:
        file.write((json.dumps(checksums.signed(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path, what: str, schema: int = SCHEMA) -> dict[str, Any]:
    """Read a JSON object of a `schema`; an `InputError` names the file if it cannot be read, or is not what was written."""
    try:
        value = json_in(path, what)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: {path.parent} holds no {what}") from None
    if not isinstance(value, dict) or value.get("schema") != schema:
        found = value.get("schema") if isinstance(value, dict) else None
        raise InputError(f"{path} has schema {found!r:.40}, but this version of tdu reads schema {schema}: make it again")
    return checksums.check_signed(path, value, what)


def with_tuples(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings read from JSON, with its lists as tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def provenance() -> dict[str, Any]:
    """What made an artefact: package versions, commit, machine and time."""
    return {**made_by(), "created": datetime.now(UTC).isoformat(timespec="seconds")}


@cache
def made_by() -> dict[str, Any]:
    """Package versions, commit and machine: the part of the provenance that is constant within a process."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "packages": versions,
        "python": platform.python_version(),
        "commit": _commit(),
        "platform": platform.platform(),
        "cpu": _cpu(),
    }


def _commit() -> str | None:
    """Commit of the checkout this package runs from, with ``+`` if it was edited; None for an installed package."""
    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != here.parent:
            return None
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", str(here)) else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def read_array(path: Path) -> npt.NDArray[np.generic]:
    """A .npy file, memory-mapped; an `InputError` names the file if it cannot be read, or is not what was written."""
    try:
        with opened(path) as file:
            status = os.fstat(file.fileno())
        _check_sealed(path, status.st_ino, status.st_size, status.st_mtime_ns)
        return cast(npt.NDArray[np.generic], np.lib.format.open_memmap(path, mode="r"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except InputError:
        raise
    except Exception as error:  # damaged bytes can make a parser raise anything
        raise InputError(f"{path} is not a readable .npy file: {error}") from None


@lru_cache
def _check_sealed(path: Path, *_status: int) -> None:
    """Once for a file as it is: its snapshots are asked for one by one."""
    checksums.check_sealed(path)


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]], described: Mapping[str, Any]) -> None:
    """Write arrays and a description of them, as JSON, into one .npz, with a digest of both."""
    description = json.dumps(dict(described), sort_keys=True, allow_nan=False)
    with atomic(path, among_many=True) as file:
        described_by = {"description": np.array(description), "sha256": np.array(checksums.of_arrays(arrays, description))}
        np.savez(cast(Any, file), **cast(Any, {**arrays, **described_by}))


def write_tensors(path: Path, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write named tensors into one .npz, whatever they are called: `np.savez` takes ``file`` for a parameter of its own."""
    with atomic(path, among_many=True) as file, zipfile.ZipFile(file, "w") as archive:
        for name, tensor in tensors.items():
            with archive.open(f"{name or 'gradients'}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, tensor, allow_pickle=False)


def read_arrays(path: Path, what: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """All arrays of a .npz file by name, and their description.

    An `InputError` says that the file is not a readable `what`, or not the one that was written.
    """
    try:
        with opened(path) as file, _archives.opened(file) as archive:
            arrays = {name.removesuffix(".npy"): _archives.array(archive, name) for name in archive.namelist()}
        description, digest = str(arrays.pop("description")), str(arrays.pop("sha256"))
        described = json.loads(description)
    except (InputError, MemoryError) as error:
        raise InputError(str(error) if str(path) in str(error) else f"{path} is not a readable {what}: {error}") from None
    except Exception as error:  # damaged bytes can make a parser raise anything
        raise InputError(f"{path} is not a readable {what}: {error}") from None
    if checksums.of_arrays(arrays, description) != digest:
        raise InputError(f"{path} is not the {what} that was written: its checksum differs")
    return arrays, described


def read_fields(path: Path) -> npt.NDArray[np.generic]:
    """One field (N,) or many (T, N) from a .npy file, as (T, N) of the file's own dtype."""
    array = read_array(path)
    if array.ndim not in (1, 2):
        raise InputError(f"{path} has shape {array.shape}, but a field is (N,), and many are (T, N)")
    if array.size == 0:
        raise InputError(f"{path} has shape {array.shape}: it holds no field")
    return np.atleast_2d(array)


def write_csv(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows under a header with the first row's names; numbers to six digits, nan as an empty cell."""
    with atomic(path) as file:
        file.write(_as_csv(rows))


def write_tables(folder: Path, tables: Mapping[str, Iterable[Mapping[str, object]]]) -> list[Path]:
    """Write each table as a .csv of its name into a folder, with their checksums beside them; the paths of the tables."""
    contents = {f"{name}.csv": _as_csv(rows) for name, rows in tables.items()}
    for name, text in (contents | {checksums.SUMS: checksums.sums(contents)}).items():
        with atomic(folder / name) as file:
            file.write(text)
    return [folder / name for name in contents]


def read_tables(folder: Path) -> dict[str, list[dict[str, str]]]:
    """The tables in a folder by name, as `read_csv`; an `InputError` names one that is not what `write_tables` wrote."""
    paths = sorted(folder.glob("*.csv"))
    checksums.check_sums(folder, [path.name for path in paths])
    return {path.stem: read_csv(path) for path in paths}


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a table, as text; an `InputError` names the file if it cannot be read."""
    try:
        text = io.StringIO(content(path).decode("utf-8"), newline="")
        return list(csv.DictReader(text, strict=True))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a table: {error}") from None


def _as_csv(rows: Iterable[Mapping[str, object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, row, lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
