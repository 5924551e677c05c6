"""A log as one tidy table, one row per snapshot, for other programs to compute with: CSV and Parquet.

Columns are ``scale, replicate, step, n, size``, whatever else is known of a snapshot, one a draw of each null
(``permuted_00``, ``permuted_01``, …) with ``epsilon_permuted`` and ``z_permuted``, how far the size lies from them
(`tdu.logs.amplitude`), and ``grokking_step``. The series at every epoch that some sources record
(`tdu.types.Run.curves`) are not of snapshots, and not in the table.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tdu import files
from tdu.errors import InputError
from tdu.logs.amplitude import Amplitude, amplitude
from tdu.logs.store import Store
from tdu.types import Column, Run

#: Observables that are counts or truths, whatever type they have in a log: one that grew row by row has floats only.
COUNTS = ("size", "duration", "extent", "peak")
TRUTHS = ("capped",)

_COUNT, _TRUTH, _MEASURE = np.dtype(np.int64), np.dtype(bool), np.dtype(np.float64)
_Values = np.ma.MaskedArray[Any, Any]


@dataclass(frozen=True, eq=False)
class Exported:
    """A column of the table: its name, its type (int64, bool, float64), and its values of a run, (T,) or one for all."""

    name: str
    type: np.dtype[Any]
    values: Callable[[Run], Column | float]

    def of_run(self, run: Run) -> _Values:
        """Values (T,), masked where nothing is known, which nan says in a log."""
        values = np.broadcast_to(self.values(run), run.step.shape)
        unknown = np.isnan(values)
        return np.ma.masked_array(np.where(unknown, 0, values).astype(self.type), unknown)


@dataclass(frozen=True, eq=False)
class Table:
    """The columns that the runs of a log have together, and the runs, in order of N and replicate.

    `runs` are read at once, so that the columns are theirs though the log grows meanwhile; a grid of them, padded with nan, is
    never made. `provenance`: source, settings and versions of the log, and what made the table of it.
    """

    columns: tuple[Exported, ...]
    runs: tuple[Run, ...]
    provenance: Mapping[str, Any]


def table(path: Path) -> Table:
    """The table of the log in the directory `path`, whatever made it.

    Raises
    ------
    ValueError
        If there is none, planned runs are missing, or a file is damaged or of another version.
    """
    store = Store.open(path)
    runs = tuple(sorted(store.runs(), key=lambda run: (run.n_sites, run.scale, run.replicate)))
    begun = files.read_json(path / "manifest.json", "log of tdu").get("provenance")
    provenance = {"source": store.source, "settings": dict(store.settings), "log": begun, "export": files.provenance()}
    return Table(tuple(_columns(runs)), runs, provenance)


def _columns(runs: tuple[Run, ...]) -> Iterator[Exported]:
    before = [
        Exported("scale", _COUNT, lambda run: run.scale),
        Exported("replicate", _COUNT, lambda run: run.replicate),
        Exported("step", _COUNT, lambda run: run.step),
        Exported("n", _COUNT, lambda run: run.n_sites),
    ]
    behind = [
        *_draws(runs),
        Exported("grokking_step", _COUNT, lambda run: run.grokking_step if run.grokking_step >= 0 else np.nan),
    ]
    taken = {column.name for column in (*before, *behind)}
    recorded = dict.fromkeys(name for run in runs for name in run.columns)
    yield from before
    for name in sorted(recorded, key=lambda name: name != "size"):  # the size first, the others as they are
        # a metric of somebody's own may be called as one of the table's columns is: it goes by its name in the run's file
        yield _recorded(name, f"column.{name}" if name in taken else name, runs)
    yield from behind


def _recorded(name: str, called: str, runs: tuple[Run, ...]) -> Exported:
    """The column of what is recorded as `name`: a float, unless all runs that have it count, or say yes or no."""
    kinds = {run.columns[name].dtype.kind for run in runs if name in run.columns}
    of_kind = {"i": _COUNT, "u": _COUNT, "b": _TRUTH}.get("".join(kinds), _MEASURE)
    kind = _COUNT if name in COUNTS else _TRUTH if name in TRUTHS else of_kind
    return Exported(called, kind, lambda run: run.columns.get(name, np.nan))


def _draws(runs: tuple[Run, ...]) -> Iterator[Exported]:
    """A column for each draw of each null, and how far the size lies from them."""
    for name in dict.fromkeys(name for run in runs for name in run.nulls):
        n_draws = max(len(run.nulls.get(name, ())) for run in runs)
        for draw in range(n_draws):
            yield Exported(f"{name}_{draw:0{max(2, len(str(n_draws - 1)))}}", _COUNT, _of_draw(name, draw))
        for measure in Amplitude._fields:
            yield Exported(f"{measure}_{name}", _MEASURE, _of_amplitude(name, measure))


def _of_draw(name: str, draw: int) -> Callable[[Run], Column | float]:
    return lambda run: run.nulls[name][draw] if draw < len(run.nulls.get(name, ())) else np.nan


def _of_amplitude(name: str, measure: str) -> Callable[[Run], Column | float]:
    return lambda run: getattr(amplitude(run.size, run.nulls[name]), measure) if name in run.nulls else np.nan


def csv_pieces(found: Table) -> Iterator[str]:
    """The table as CSV, a piece for the header and one a run; nothing between two commas where nothing is known.

    Numbers have all the digits that tell them from their neighbours: six, as in the tables that people read
    (`tdu.files.write_csv`), would be too few to compute with. Truths are ``true`` and ``false``, which every reader knows.
    """
    yield _csv([[column.name for column in found.columns]])
    for run in found.runs:
        columns = [_cells(column.of_run(run)) for column in found.columns]
        yield _csv(zip(*columns, strict=True))


def _cells(values: _Values) -> list[object]:
    if values.dtype == _TRUTH:
        return [None if value is None else "true" if value else "false" for value in values.tolist()]
    cells: list[object] = values.tolist()
    return cells


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def write_csv(found: Table, path: Path) -> None:
    """Write the table as CSV, whole or not at all."""
    with files.atomic(path) as file:
        for piece in csv_pieces(found):
            file.write(piece.encode())


def write_parquet(found: Table, path: Path) -> None:
    """Write the table as Parquet, whole or not at all; its provenance is JSON under the key ``tdu`` of the file's metadata.

    Raises
    ------
    ValueError
        If pyarrow, an optional dependency, is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError("Parquet needs pyarrow, which is not installed: pip install 'tdu-ofc[parquet]'") from None
    described = pyarrow.schema(
        [(column.name, pyarrow.from_numpy_dtype(column.type)) for column in found.columns],
        metadata={"tdu": json.dumps(found.provenance, ensure_ascii=False)},
    )
    batches = (
        pyarrow.record_batch([pyarrow.array(column.of_run(run)) for column in found.columns], schema=described)
        for run in found.runs
    )
    with files.atomic(path) as file:
        parquet.write_table(pyarrow.Table.from_batches(batches, described), file)
