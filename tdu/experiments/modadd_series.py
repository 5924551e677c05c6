"""What the study of modular addition shows: of each condition its training, D(t), and how it differs from others."""

from dataclasses import dataclass

from tdu.analysis.alignment import Aligned
from tdu.series import Series
from tdu.types import Band, Estimate, Floats, Integers, SizeStatistic

#: D(t) of each field and statistic.
Bands = dict[tuple[str, SizeStatistic], Band]


@dataclass(frozen=True, eq=False)
class TrainingRuns(Series):
    """The runs of every condition, by its name."""

    key = "training"
    runs: dict[str, Aligned]


@dataclass(frozen=True)
class Crossing:
    """D before and after the grokking of a condition, and its rise, of a field and a statistic."""

    condition: str
    field: str
    statistic: SizeStatistic
    found: dict[str, Estimate]


@dataclass(frozen=True, eq=False)
class AroundGrokking(Series):
    """D(t) of a condition at `offset` epochs from each run's grokking, and what it does there."""

    key = "around"
    condition: str
    offset: Integers
    bands: Bands
    crossings: list[Crossing]


@dataclass(frozen=True, eq=False)
class OverEpochs(Series):
    """D(t) of a condition at absolute epochs."""

    key = "epochs"
    condition: str
    epoch: Integers
    bands: Bands


@dataclass(frozen=True)
class Parting:
    """When a control and the runs that grok part, by the D(t) of a field, and how often the alarm is false."""

    field: str
    lead: Estimate
    false_alarms: Estimate


@dataclass(frozen=True, eq=False)
class BesideControl(Series):
    """D(t) of the runs that grok minus that of a `control`, and its standard error, both (T,); and when they part."""

    key = "control"
    control: str
    paired: bool
    epoch: Integers
    difference: Floats
    error: Floats
    partings: list[Parting]


@dataclass(frozen=True, eq=False)
class Apart(Series):
    """How much two groups of runs differ, by field and statistic, in words."""

    key = "apart"
    comparison: str
    paired: bool
    differences: dict[str, Estimate]
