"""Studies on disk: run directories with one shard per run and a manifest; whole files or none.

A run directory holds ``manifest.json`` and ``log/h0020-r00.npz`` … , one shard per (scale, replicate). Every file is written
under a temporary name and renamed, so that a file that has its name is complete, whenever the process was killed.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from tdu.config import StudyConfig
from tdu.files import SCHEMA, TEMPORARY, atomic, provenance, read_arrays, read_json, with_tuples, write_json
from tdu.types import Run, shallow

#: Raised whenever graphs or training of the same settings come to have other bits: runs of both would not belong together.
BITS = 4


class DamagedError(ValueError):
    """A file that should hold a run, and does not."""


class RunDirectory:
    """A study on disk: its configuration, and the runs that are finished."""

    def __init__(self, path: Path, config: StudyConfig) -> None:
        self.path = path
        self.config = config

    @classmethod
    @contextmanager
    def writing(cls, path: Path, config: StudyConfig) -> Iterator["RunDirectory"]:
        """Start a study at `path`, or go on with the one that is there, and keep other processes from writing meanwhile.

        Raises
        ------
        ValueError
            If runs of another configuration are there; the message names the settings that differ.
        """
        with _locked(path):
            for leftover in (path / "log").glob(f"h*-r*.npz{TEMPORARY}"):
                leftover.unlink()
            begun = (path / "manifest.json").exists() and any((path / "log").glob("h*-r*.npz"))
            if begun:
                _refuse_differences(path, cls.open(path).config, config)
            elif not (path / "manifest.json").exists() or cls.open(path).config != config:
                write_json(path / "manifest.json", {"schema": SCHEMA, "config": asdict(config), "provenance": provenance()})
            yield cls(path, config)

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """The study at `path`, finished or not."""
        manifest = read_json(path / "manifest.json", "run directory")
        config = manifest.get("config")
        known = {field.name for field in fields(StudyConfig)}
        if not isinstance(config, dict) or set(config) != known or not isinstance(config["hidden"], list):
            raise ValueError(f"{path / 'manifest.json'}: the configuration does not hold exactly {', '.join(sorted(known))}")
        return cls(path, StudyConfig(**with_tuples(config)))

    def shard(self, hidden: int, replicate: int) -> Path:
        """The file of one run."""
        return self.path / "log" / f"h{hidden:04d}-r{replicate:02d}.npz"

    def missing(self) -> list[tuple[int, int]]:
        """(hidden, replicate) of the runs not yet on disk, or damaged there; a ValueError names a shard of another study."""
        grid = [(h, r) for h in self.config.hidden for r in range(self.config.replicates)]
        return [address for address in grid if not self._is_whole(*address)]

    def _is_whole(self, hidden: int, replicate: int) -> bool:
        try:
            self.read(hidden, replicate)
        except DamagedError:
            return False
        return True

    def write(self, run: Run) -> None:
        """Write the shard of a run."""
        with atomic(self.shard(run.hidden, run.replicate)) as file:
            np.savez(cast(Any, file), study=np.array(self.digest), **shallow(run))

    @property
    def digest(self) -> str:
        """What a shard carries of the study it is of; the number of runs is not part of a run."""
        settings = {name: value for name, value in asdict(self.config).items() if name not in ("hidden", "replicates")}
        settings["bits"] = BITS
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def read(self, hidden: int, replicate: int) -> Run:
        """Read the shard of a run; `DamagedError` where there is no whole one, and a ValueError if it is of another study."""
        path = self.shard(hidden, replicate)
        arrays = _read_npz(path)
        names = {field.name for field in fields(Run)} | {"study"}
        if set(arrays) != names:
            raise DamagedError(f"{path} is not a shard of this log: it holds {', '.join(sorted(arrays))}")
        scalars: dict[str, Any] = {name: int(arrays.pop(name)) for name in ("hidden", "n_sites", "replicate")}
        study = str(arrays.pop("study"))
        if study != self.digest or (scalars["hidden"], scalars["replicate"]) != (hidden, replicate):
            raise ValueError(
                f"{path} is of another study, run or version of tdu than {self.path / 'manifest.json'}: "
                "choose another directory"
            )
        return Run(**scalars, **arrays)

    def runs(self) -> list[list[Run]]:
        """All runs, [scale][replicate]; a ValueError says how many are still missing."""
        missing = self.missing()
        if missing:
            total = len(self.config.hidden) * self.config.replicates
            raise ValueError(
                f"{len(missing)} of the {total} runs in {self.path} are missing: the command that began it finishes it"
            )
        return [[self.read(h, r) for r in range(self.config.replicates)] for h in self.config.hidden]


def _locked(path: Path) -> AbstractContextManager[None]:
    """Keep other processes out of `path`; the operating system lets go when this one dies, however it dies."""
    path.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # no such lock on Windows
        return nullcontext()

    @contextmanager
    def lock() -> Iterator[None]:
        with open(path / ".lock", "wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f"another process is writing to {path}: wait for it, or choose another directory") from None
            yield

    return lock()


def _refuse_differences(path: Path, there: StudyConfig, here: StudyConfig) -> None:
    differences = [
        f"{field.name} = {_plain(getattr(there, field.name))} there, {_plain(getattr(here, field.name))} here"
        for field in fields(StudyConfig)
        if getattr(there, field.name) != getattr(here, field.name)
    ]
    if differences:
        raise ValueError(f"{path} holds another study ({'; '.join(differences)}): choose another directory")


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        return read_arrays(path, "run")
    except ValueError as error:
        raise DamagedError(f"{error}; `tdu train` with the study's settings makes it again") from None


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
