"""What `arrangement` finds of trained networks."""

from dataclasses import dataclass

from tdu.experiments.arrangement_runs import Group
from tdu.series import Series
from tdu.types import Estimate


@dataclass(frozen=True, eq=False)
class Changes(Series):
    """The runs of a task, and what each statistic is before and after grokking, by ``before_…``, ``after_…``, ``change_…``."""

    key = "changes"
    group: Group
    found: dict[str, dict[str, Estimate]]


@dataclass(frozen=True, eq=False)
class Contrast(Series):
    """The change of a statistic less that of a `control`; `effect` is in standard deviations of a run."""

    key = "contrast"
    one: str
    control: str
    statistic: str
    difference: Estimate
    effect: float
