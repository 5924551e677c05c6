"""Snapshots of a run as they come, a row each, and the columns that they make."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tdu.types import Column, Integers


class Row(NamedTuple):
    """What is recorded of one snapshot: numbers by name, and sizes (D,) under the draws of each null."""

    step: int
    columns: Mapping[str, float]
    nulls: Mapping[str, Integers]


def stacked(rows: Sequence[Row]) -> tuple[Integers, dict[str, Column], dict[str, Integers]]:
    """Steps (T,), columns (T,) and nulls (D, T) of rows; nan where a row lacks a number that others have."""
    step = np.array([row.step for row in rows], np.int64)
    names = dict.fromkeys(name for row in rows for name in row.columns)
    columns = {name: np.array([row.columns.get(name, np.nan) for row in rows], np.float64) for name in names}
    nulls = {name: np.array([row.nulls[name] for row in rows], np.int64).T for name in (rows[0].nulls if rows else ())}
    return step, columns, nulls


def unstacked(step: Integers, columns: Mapping[str, Column], nulls: Mapping[str, Integers]) -> list[Row]:
    """The rows of which `stacked` makes these columns."""
    return [
        Row(int(at), {name: float(c[t]) for name, c in columns.items()}, {name: n[:, t] for name, n in nulls.items()})
        for t, at in enumerate(step)
    ]
