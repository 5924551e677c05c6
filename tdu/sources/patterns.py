"""Which file is which snapshot: by a pattern of paths that names scale, replicate and step, or by an index that does."""

import glob
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from tdu._inputs import toml_in
from tdu.errors import InputError
from tdu.files import read_csv

_FIELDS = ("scale", "replicate", "step")
_Address = tuple[int, int]


@dataclass(frozen=True)
class Snapshot:
    """One field on disk: of which scale, replicate and step, where, and what else was measured then."""

    scale: int
    replicate: int
    step: int
    path: Path
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """Snapshots in order of scale, replicate and step, and the grokking steps of runs for which somebody says them."""

    snapshots: tuple[Snapshot, ...]
    grokking_steps: Mapping[_Address, int] = field(default_factory=dict)


def found(pattern: str) -> Found:
    """The snapshots that a pattern names, or that the index does, if it is the path of a .csv or .toml.

    Raises
    ------
    ValueError
        If there is none, or the pattern or the index is not as `of_pattern`, `of_table` and `of_toml` say.
    """
    if "{" not in pattern and pattern.endswith(".csv"):
        return of_table(Path(pattern))
    if "{" not in pattern and pattern.endswith(".toml"):
        return of_toml(Path(pattern))
    return Found(_in_order(of_pattern(pattern)))


def of_pattern(pattern: str) -> list[Snapshot]:
    """The files and folders at the pattern, with digits for ``{scale}``, ``{step}`` and, if it is there, ``{replicate}``.

    ``*``, ``?`` and ``**`` are those of the shell. A field that is there twice has one value in both places.
    """
    parts = re.split(r"\{(\w*)\}", pattern)
    fields = parts[1::2]
    stray = [brace for text in parts[::2] for brace in "{}" if brace in text]
    if unknown := [name for name in fields if name not in _FIELDS] or stray:
        raise InputError(f"the pattern {pattern} has {unknown[0]!r} in braces: they hold scale, replicate or step")
    if missing := [name for name in ("scale", "step") if name not in fields]:
        raise InputError(
            f"the pattern {pattern} does not name {' and '.join(f'{{{name}}}' for name in missing)}: a log has runs of several "
            "scales, and snapshots of several steps, as in 'grads/w{scale}-s{replicate}/{step}.safetensors'"
        )
    matching = re.compile(_expression(parts))
    snapshots = []
    for name in glob.iglob("*".join(parts[::2]).replace("[", "[[]"), recursive=True):
        if match := matching.fullmatch(name):
            scale, replicate, step = (int(match[one]) if one in fields else 0 for one in _FIELDS)
            snapshots.append(Snapshot(scale, replicate, step, Path(name)))
    if not snapshots:
        raise InputError(f"nothing matches {pattern}: {_deepest(parts[::2])}")
    return snapshots


def _expression(parts: list[str]) -> str:
    """The regular expression of a path: shells' wildcards between fields, which are digits."""
    shell = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    expression, seen = "", set()
    for number, part in enumerate(parts):
        if number % 2:
            expression += f"(?P={part})" if part in seen else rf"(?P<{part}>\d+)"
            seen.add(part)
        else:
            pieces = re.split(r"(\*\*/|\*|\?)", part)
            expression += "".join(shell.get(piece, re.escape(piece)) for piece in pieces)
    return expression


def _deepest(texts: list[str]) -> str:
    """How far a pattern's path exists."""
    before = Path(re.split(r"[*?]", texts[0])[0])
    folder = before if texts[0].endswith("/") else before.parent
    for parent in (folder, *folder.parents):
        if parent.is_dir():
            listed = sorted(one.name for one in parent.iterdir() if not one.name.startswith("."))
            there = f"{parent} holds {', '.join(listed[:5]) or 'nothing'}{' …' if len(listed) > 5 else ''}"
            return there if parent == folder else f"{folder} does not exist; {there}"
    return f"{folder} does not exist"


def of_table(path: Path) -> Found:
    """The snapshots of a table in CSV, a row each: ``path``, ``scale``, ``step``, and if it is there ``replicate``.

    Paths are relative to the table. A column ``grokking_step`` says when its run grokked, the same in all of its rows or empty;
    every other column is a metric, empty where it is not known.
    """
    rows = _rows(path, ("path", "scale", "step"))
    snapshots: list[Snapshot] = []
    grokked: dict[_Address, int] = {}
    for number, row in enumerate(rows, start=2):
        address = {name: _whole(row.get(name, "0"), name, path, number) for name in _FIELDS}
        metrics = {name: text for name, text in row.items() if name not in (*_FIELDS, "path", "grokking_step")}
        measured = {name: _real(text, name, path, number) for name, text in metrics.items()}
        snapshots.append(Snapshot(**address, path=path.parent / row["path"], metrics=measured))
        if text := row.get("grokking_step"):
            run, step = (address["scale"], address["replicate"]), _whole(text, "grokking_step", path, number)
            if grokked.setdefault(run, step) != step:
                raise InputError(
                    f"{path}, line {number}: run {run[1]} of scale {run[0]} groks at {step}, and before at {grokked[run]}"
                )
    if absent := [one.path for one in snapshots if not one.path.exists()]:
        raise InputError(f"{path} names {absent[0]}, which does not exist")
    return Found(_in_order(snapshots), grokked)


def of_toml(path: Path) -> Found:
    """The snapshots of an index in TOML: a ``pattern``, and what belongs to the snapshots.

    ``metrics = "metrics.csv"`` names a table with columns ``scale``, ``step`` and if need be ``replicate``, whose others are
    metrics. ``[grokking_steps]`` has, under a scale, a step or a list of the steps of its replicates, −1 for a run that never
    groks. Paths are relative to the index.
    """
    index = toml_in(path, "index in TOML")
    if unknown := set(index) - {"pattern", "metrics", "grokking_steps"}:
        raise InputError(f"{path} has `{min(unknown)}`: an index has `pattern`, `metrics` and `grokking_steps`")
    if not isinstance(index.get("pattern"), str):
        raise InputError(f"{path} has no `pattern`, a text that names {{scale}}, {{step}} and, if need be, {{replicate}}")
    snapshots = of_pattern(str(path.parent / index["pattern"]))
    if "metrics" in index:
        snapshots = _with_metrics(snapshots, path.parent / str(index["metrics"]))
    return Found(_in_order(snapshots), dict(_grokking_steps(index.get("grokking_steps", {}), path)))


def _grokking_steps(table: Any, path: Path) -> Iterable[tuple[_Address, int]]:
    for scale, steps in table.items() if isinstance(table, dict) else [("", None)]:
        listed = steps if isinstance(steps, list) else [steps]
        if not scale.isdecimal() or not all(type(step) is int and step >= -1 for step in listed):
            raise InputError(f"{path}: `grokking_steps` has {scale} = {steps}, not a scale and its step, or a list of steps")
        yield from (((int(scale), replicate), step) for replicate, step in enumerate(listed))


def _with_metrics(snapshots: list[Snapshot], table: Path) -> list[Snapshot]:
    """Snapshots with the metrics of a table's rows."""
    measured: dict[tuple[int, ...], dict[str, float]] = {}
    for number, row in enumerate(_rows(table, ("scale", "step")), start=2):
        address = tuple(_whole(row.get(name) or "0", name, table, number) for name in _FIELDS)
        values = {name: _real(text, name, table, number) for name, text in row.items() if name not in _FIELDS}
        if measured.setdefault(address, values) is not values:
            raise InputError(
                f"{table}, line {number}: step {address[2]} of run {address[1]} of scale {address[0]} is there twice"
            )
    found = [replace(one, metrics=measured.get((one.scale, one.replicate, one.step), {})) for one in snapshots]
    if not any(one.metrics for one in found):
        raise InputError(
            f"{table} has no row of a snapshot that the pattern finds, as step {found[0].step} of scale {found[0].scale}"
        )
    return found


def _rows(path: Path, wanted: tuple[str, ...]) -> list[dict[str, str]]:
    rows = read_csv(path)
    if not rows:
        raise InputError(f"{path} has no rows")
    if missing := [name for name in wanted if name not in rows[0]]:
        raise InputError(f"{path} has no column `{missing[0]}`, but {', '.join(map(str, rows[0]))}")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise InputError(f"{path}, line {number} has not the columns of the first line")
    return rows


def _whole(text: str, name: str, path: Path, line: int) -> int:
    if not re.fullmatch(r"\d+", text.strip()):
        raise InputError(f"{path}, line {line}: `{name}` must be a whole number, but it is {text!r}")
    return int(text)


def _real(text: str, name: str, path: Path, line: int) -> float:
    try:
        return float(text) if text.strip() else math.nan
    except ValueError:
        raise InputError(f"{path}, line {line}: `{name}` must be a number, but it is {text!r}") from None


def _in_order(snapshots: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Snapshots in order, each address once."""
    in_order = sorted(snapshots, key=lambda one: (one.scale, one.replicate, one.step, one.path))
    for one, other in pairwise(in_order):
        if (one.scale, one.replicate, one.step) == (other.scale, other.replicate, other.step):
            raise InputError(
                f"step {one.step} of run {one.replicate} of scale {one.scale} is both {one.path} and {other.path}: "
                "name what tells them apart"
            )
    return tuple(in_order)
