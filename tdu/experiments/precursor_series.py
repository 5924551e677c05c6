"""What `precursor` finds, for its tables and its figure."""

from dataclasses import dataclass, field

from tdu.analysis.alarm import Alarm
from tdu.experiments.precursor_observables import Observable
from tdu.series import Series
from tdu.types import Estimate, Floats, Integers


@dataclass(frozen=True)
class Alarmed:
    """An `alarm` tried on runs.

    `off`: the share of runs that grok in which it goes off before they do; `false`: of controls in which it goes off; `lead`:
    epochs before grokking, 0 without an alarm.
    """

    alarm: Alarm
    off: Estimate
    false: Estimate
    lead: Estimate


@dataclass(frozen=True, eq=False)
class Told(Series):
    """How one observable tells runs that grok from others in one set of runs.

    `change`, `contrast`: since memorisation, and less that of matched controls, by phase. `raw`, `matched`: AUROC, a change in
    the direction of the runs that set the alarm counted as a rise; `against`: matched, by the kind of control. `alarmed`: by
    all snapshots; `resolved`: set and tried on those whose gradient is more than rounding.
    """

    key = "told"
    runs: str
    observable: Observable
    change: dict[str, Estimate]
    contrast: dict[str, Estimate]
    raw: Estimate
    matched: Estimate
    against: dict[str, Estimate]
    alarmed: Alarmed
    resolved: Alarmed


@dataclass(frozen=True, eq=False)
class Selected(Series):
    """What choosing the best of several observables does, in one set of runs: AUROC of runs by their score before grokking.

    `best`: all that are as good, each in its own direction, and in that `in_fresh` runs; `by_chance`: the 95 % quantile of one
    observable's and of the best of all, where labels are permuted within blocks.
    """

    key = "selected"
    runs: str
    among: str
    number: int
    best: tuple[str, ...]
    value: float
    in_fresh: tuple[float, ...]
    one_by_chance: float
    best_by_chance: float
    p: float


@dataclass(frozen=True, eq=False)
class Trained(Series):
    """Runs of one role and kind: changes (R, T) by observable at the steps (T,), and what became of them."""

    key = "trained"
    role: str
    kind: str
    scale: Integers
    step: Integers
    memorised: Integers
    grokked: Integers
    test_accuracy: Floats
    loss: Floats
    change: dict[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Planted(Series):
    """Power at six runs, by observable and by what is planted; and what each observable costs, in training steps."""

    key = "planted"
    power: dict[str, dict[str, Estimate]]
    cost: dict[str, float]
