"""What an experiment is: three functions, from a study to findings, tables and a figure."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from tdu.config import Scope, StudyConfig
from tdu.types import Findings, Floats, Results

Say = Callable[[str], None]
Table = list[dict[str, object]]


@dataclass(frozen=True)
class Experiment:
    """`measure` makes the findings, `tables` lays out what is worth keeping as CSV, `draw` makes the figure."""

    measure: Callable[[StudyConfig, Scope, Executor, Say], list[Findings]]
    tables: Callable[[Results], dict[str, Table]]
    draw: Callable[[Results], Figure]


def columns(**named: Any) -> Table:
    """Columns of equal length as rows."""
    return [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]


def with_band(series: dict[str, Floats], name: str = "value") -> dict[str, Floats]:
    """Columns `name`, `name` low and `name` high of a series with its interval."""
    return {name: series["value"], f"{name} low": series["low"], f"{name} high": series["high"]}
