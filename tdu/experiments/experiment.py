"""What an experiment is: three functions, from a study to findings, tables and a figure."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from tdu.config import QUICK, GrokkingConfig, LogConfig, Scope, StudyConfig
from tdu.types import Band, Findings, Floats, Results

Say = Callable[[str], None]
Table = list[dict[str, object]]


@dataclass(frozen=True)
class Experiment:
    """Of the paper's study: `measure` finds, `tables` lays out what is worth keeping as CSV, `draw` makes the figure.

    `measure` takes the study, its scope, an executor and what reports progress. `study` is what a plan overrides, `quick`
    what a small one replaces in it.
    """

    measure: Callable[[StudyConfig, Scope, Executor, Say], list[Findings]]
    tables: Callable[[Results], dict[str, Table]]
    draw: Callable[[Results], Figure]
    study: StudyConfig = field(default_factory=StudyConfig)
    quick: dict[str, Any] = field(default_factory=lambda: settings_of(QUICK, "hidden", "replicates", "epochs"))


@dataclass(frozen=True)
class NetworkExperiment:
    """With networks, whose runs take hours and are kept: like an `Experiment`, but `measure` is told the directory for them."""

    measure: Callable[[GrokkingConfig, Scope, Executor, Say, Path], list[Findings]]
    tables: Callable[[Results], dict[str, Table]]
    draw: Callable[[Results], Figure]
    study: GrokkingConfig
    quick: dict[str, Any]


@dataclass(frozen=True)
class LogExperiment:
    """With a log that is committed beside the plan, in ``log/``: `measure` is told that directory, and nothing is trained."""

    measure: Callable[[LogConfig, Executor, Say, Path], list[Findings]]
    tables: Callable[[Results], dict[str, Table]]
    draw: Callable[[Results], Figure]
    study: LogConfig
    quick: dict[str, Any]


AnyExperiment = Experiment | NetworkExperiment | LogExperiment


def settings_of(config: object, *names: str) -> dict[str, Any]:
    """Some settings of a configuration, to replace those of another."""
    return {name: getattr(config, name) for name in names}


def columns(**named: Any) -> Table:
    """Columns of equal length as rows."""
    return [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]


def with_band(found: Band, name: str = "value") -> dict[str, Floats]:
    """Columns `name`, `name` low and `name` high of values with their intervals."""
    return {name: found.value, f"{name} low": found.low, f"{name} high": found.high}
