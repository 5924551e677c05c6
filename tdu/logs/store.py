"""Logs on disk: a directory with a manifest and one file a run, whatever made them; whole files or none.

A directory holds ``manifest.json`` and ``log/s00020-r00.npz`` …, one file for each (scale, replicate), and ``state/`` with what
runs that are not finished go on from. Every file is written under a temporary name and renamed, so that a file that has its
name is complete, whenever the process was killed.
"""

import hashlib
import json
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdu import _check
from tdu.errors import InputError
from tdu.files import SCHEMA, made_by, provenance, read_arrays, read_json, sweep, write_arrays, write_json
from tdu.logs.claims import held
from tdu.logs.decoding import decoded
from tdu.logs.log import gather
from tdu.types import Column, Log, Run

#: By source, raised whenever graphs or training of the same settings come to have other bits: runs of both would not belong
#: together. Other last digits of an angle, or other draws of a null's same law, are no reason.
BITS = {"xor": 6, "network": 5, "gradients": 5, "synthetic": 6}
_WHAT = "log of tdu"


class DamagedError(InputError):
    """A file that should hold a run, and does not."""


@dataclass(frozen=True)
class Store:
    """A log on disk.

    Attributes
    ----------
    path : its directory.
    source : what made its runs: ``xor``, ``network``.
    settings : of the source, which all runs have in common.
    plan : (scale, replicate) of the runs that it is to have, if that is known; others may be added.
    """

    path: Path
    source: str
    settings: Mapping[str, Any]
    plan: tuple[tuple[int, int], ...] = field(default=())

    @classmethod
    def begin(cls, path: Path, source: str, settings: Mapping[str, Any], plan: tuple[tuple[int, int], ...] = ()) -> "Store":
        """A new log at `path`, or the one that is there.

        Raises
        ------
        ValueError
            If runs of another source or of other settings are there; the message names the settings that differ.
        """
        wanted = cls(path, source, _plain(settings), plan)
        _refuse_older(path)
        if (path / "manifest.json").exists() and (there := cls.open(path)) == wanted:
            return there
        with held(path / ".lock"):  # two processes may begin one log at once
            if (path / "manifest.json").exists():
                there = cls.open(path)
                if there.addresses() or any(path.glob("state/*.npz")):
                    _refuse_differences(there, wanted)
                    return there
                if there == wanted:
                    return there
            described = {"source": source, "settings": wanted.settings, "plan": wanted.plan, "bits": BITS[source]}
            write_json(path / "manifest.json", {"schema": SCHEMA, **described, "provenance": provenance()})
        return wanted

    @classmethod
    def open(cls, path: Path) -> "Store":
        """The log at `path`, finished or not."""
        _refuse_older(path)
        manifest = read_json(path / "manifest.json", _WHAT)
        try:
            plan = tuple((int(scale), int(replicate)) for scale, replicate in manifest["plan"])
            found = cls(path, str(manifest["source"]), dict(manifest["settings"]), plan)
            bits, _ = manifest["bits"], found.seed  # a seed that is no number is damage too
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path / 'manifest.json'} is damaged ({type(error).__name__}: {error})") from None
        if found.source not in BITS:
            raise InputError(f"{path} is of a source `{found.source}`, which this version of tdu does not know")
        if bits != BITS[found.source]:
            wanted = BITS[found.source]
            raise InputError(f"{path} is of a version of tdu whose bits are {bits}, not {wanted}: choose another directory")
        return found

    @property
    def seed(self) -> int:
        """Of the runs, and of what is resampled when they are analysed."""
        return int(self.settings.get("seed", 0))

    def file(self, scale: int, replicate: int) -> Path:
        """Where a run is kept."""
        return self.path / "log" / f"s{scale:05d}-r{replicate:02d}.npz"

    def state(self, scale: int, replicate: int) -> Path:
        """Where what an unfinished run goes on from is kept."""
        return self.path / "state" / f"s{scale:05d}-r{replicate:02d}.npz"

    def addresses(self) -> list[tuple[int, int]]:
        """(scale, replicate) of the runs on disk."""
        stems = sorted(path.stem for path in (self.path / "log").glob("s*-r*.npz"))
        return [(int(scale[1:]), int(replicate[1:])) for scale, replicate in (stem.split("-") for stem in stems)]

    def missing(self) -> list[tuple[int, int]]:
        """(scale, replicate) of the planned runs not yet on disk, or damaged there."""
        return [address for address in self.plan if not self.has(*address)]

    def has(self, scale: int, replicate: int) -> bool:
        """Whether a whole run is on disk."""
        return self.file(scale, replicate).exists() and self._read_whole(scale, replicate) is not None

    def _read_whole(self, scale: int, replicate: int) -> Run | None:
        """A run, or None where there is no whole one."""
        try:
            return self.read(scale, replicate)
        except DamagedError:
            return None

    @contextmanager
    def claim(self, scale: int, replicate: int) -> Iterator[None]:
        """Keep other processes from making a run (`tdu.logs.claims`); `TakenError` where one is at it."""
        self.refuse_removed()
        taken = f"another process is making run {replicate} of scale {scale} in {self.path}"
        with held(self.path / f".claim-s{scale:05d}-r{replicate:02d}", taken) as after_dead:
            if after_dead:
                sweep(self.file(scale, replicate), self.state(scale, replicate))
            yield

    def refuse_removed(self) -> None:
        """What is written into a directory that somebody has removed would be no log; one not begun yet has no settings."""
        if self.settings and not (self.path / "manifest.json").exists():
            raise InputError(f"{self.path} was removed while runs of it were made: the same command begins it anew")

    def begun(self) -> bytes:
        """What a log says of itself, to the second of its beginning; nothing where it is not to be seen."""
        try:
            return (self.path / "manifest.json").read_bytes()
        except OSError:
            return b""

    def refuse_another(self, begun: bytes) -> None:
        """A worker on another machine may see none, or another directory of the same name."""
        if self.begun() != begun:
            raise InputError(
                f"the worker on {socket.gethostname()} does not see {self.path}, where it is to write: if it is not gone, put "
                "the log on a file system that all workers share, or, of the XOR study, let runs be handed back (--hand-back)"
            )

    @property
    def digest(self) -> str:
        """What a run's file carries of the log it is of; which runs there are beside it is not part of a run."""
        described = {"source": self.source, "settings": self.settings, "bits": BITS[self.source]}
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    def write(self, run: Run) -> None:
        """Write a run."""
        self.refuse_removed()
        groups: dict[str, Mapping[str, Column]] = {"column": run.columns, "null": run.nulls, "curve": run.curves}
        arrays = {f"{group}.{name}": values for group, named in groups.items() for name, values in named.items()}
        described = {
            "schema": SCHEMA,
            "log": self.digest,
            "scale": run.scale,
            "replicate": run.replicate,
            "layout": run.layout.tensors,
            "grokking_step": run.grokking_step,
            "diverged_step": run.diverged_step,
            "made_by": made_by(),
        }
        write_arrays(self.file(run.scale, run.replicate), {"step": run.step, **arrays}, described)

    def read(self, scale: int, replicate: int) -> Run:
        """Read a run; `DamagedError` where there is no whole one, and a ValueError if it is of another log."""
        path = self.file(scale, replicate)
        try:
            arrays, described = read_arrays(path, "run")
            run, digest = decoded(arrays, described), described["log"]
        except (KeyError, TypeError, ValueError) as error:
            said = str(error) if str(path) in str(error) else f"{path} is not a run of a log: {error}"
            raise DamagedError(f"{said}; the command that made it makes it again") from None
        if digest != self.digest or (run.scale, run.replicate) != (scale, replicate):
            raise InputError(
                f"{path} is of another study, run or version of tdu than {self.path / 'manifest.json'}: "
                "choose another directory"
            )
        if run.diverged_step >= 0:
            warnings.warn(f"{path}: training diverged at step {run.diverged_step}, where the run ends", stacklevel=2)
        return run

    def runs(self) -> list[Run]:
        """All runs; a ValueError says how many of those planned are missing."""
        if not self.plan:
            if found := [self.read(*address) for address in self.addresses()]:
                return found
            raise InputError(f"{self.path} holds no run: nothing has been finished in it, or recorded")
        planned = [self._read_whole(*address) for address in self.plan]
        whole = [run for run in planned if run is not None]
        if len(whole) < len(planned):
            raise InputError(
                f"{len(planned) - len(whole)} of the {len(planned)} runs in {self.path} are missing: "
                "the command that began it finishes it"
            )
        return whole

    def log(self) -> Log:
        """The log of all runs."""
        return gather(self.runs(), self.seed)


def load(path: Path | str) -> Log:
    """The log in the directory `path`, whatever made it.

    Raises
    ------
    ValueError
        If there is none, planned runs are missing, or a file is damaged or of another version.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as run:
    ...     for width in (4, 8):
    ...         _ = tdu.train_network(tdu.NetworkConfig(modulus=5, width=width, epochs=20), pathlib.Path(run))
    ...     log = tdu.load(run)
    >>> log.scale.tolist(), log.step.tolist(), log.size.shape
    ([4, 8], [0, 10, 20], (2, 1, 3))
    """
    return Store.open(_check.path(path, "path")).log()


def _refuse_older(path: Path) -> None:
    """Say by name what an older version left in a directory, which this one cannot read."""
    if (path / "state.npz").exists():
        raise InputError(
            f"{path / 'state.npz'} is of an older `tdu grok`, which kept one run a directory: choose another directory"
        )


def _refuse_differences(there: Store, here: Store) -> None:
    if there.source != here.source:
        raise InputError(f"{there.path} holds a log of source {there.source}, not {here.source}: choose another directory")
    named = {**there.settings, **here.settings}
    differences = [
        f"{name} = {_short(there.settings.get(name))} there, {_short(here.settings.get(name))} here"
        for name in named
        if there.settings.get(name) != here.settings.get(name)
    ]
    if there.plan != here.plan:
        differences.append(f"{_planned(there.plan)} there, {_planned(here.plan)} here")
    if differences:
        raise InputError(
            f"{there.path} holds another study ({'; '.join(differences)}): choose another directory, or give the settings that "
            "are there"
        )


def _planned(plan: tuple[tuple[int, int], ...]) -> str:
    scales = sorted({scale for scale, _ in plan})
    return f"scales {','.join(map(str, scales))} × {len(plan) // max(len(scales), 1)} replicates"


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON gives them back."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return plain


def _short(value: object) -> str:
    return "not set" if value is None else ",".join(map(str, value)) if isinstance(value, list) else str(value)
