"""What the analysis finds: lines, estimates with their intervals, and a whole study's of them beside the published figures."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from tdu.config import GrokkingConfig, LogConfig, Scope, StudyConfig
from tdu.series import HoldsSeries, Series

#: Whether a measurement and a published figure agree; empty where nothing was published.
Verdict = Literal["agrees", "does not agree", "cannot tell", "not measured", ""]


@dataclass(frozen=True)
class ScalingFit:
    """Least-squares line log s = intercept + exponent · log N, natural logarithms; `stderr` is the exponent's.

    Examples
    --------
    >>> fit = tdu.scaling_exponent([100, 200, 400], [10, 40, 160])  # four times the size at twice the N
    >>> round(fit.exponent, 6), round(fit.r2, 6), round(float(np.exp(fit.intercept)), 6)
    (2.0, 1.0, 0.001)
    """

    exponent: float
    stderr: float
    intercept: float
    r2: float


@dataclass(frozen=True)
class Estimate:
    """A measured quantity with its interval; `statistic` says what was measured, `note` what a reader should know."""

    value: float
    low: float
    high: float
    statistic: str
    note: str = ""


@dataclass(frozen=True)
class Quantity:
    """An `Estimate` beside the published figure: its text, value and error (None where it is only a bound), and the verdict.

    `needed`: where the verdict is that the interval cannot tell, the half-width of one that could, else nan.
    """

    value: float
    low: float
    high: float
    statistic: str
    published: float | None = None
    published_error: float | None = None
    published_text: str = ""
    verdict: Verdict = ""
    needed: float = math.nan
    note: str = ""


@dataclass(frozen=True, eq=False)
class Findings(HoldsSeries):
    """What one part of the analysis contributes.

    `estimates` by key; `readings` of a key: the same under other readings of the paper's words, by their names; `series`.
    """

    estimates: dict[str, Estimate] = field(default_factory=dict)
    readings: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    series: tuple[Series, ...] = ()


@dataclass(frozen=True, eq=False)
class Results(HoldsSeries):
    """What a study says: quantities by key, their other readings, `series`, and the quantities of many such studies `pooled`.

    `scope` is None where only a log was measured, without the paper's side studies and without others to pool with.
    """

    config: StudyConfig | GrokkingConfig | LogConfig
    scope: Scope | None
    provenance: dict[str, Any]
    quantities: dict[str, Quantity]
    readings: dict[str, dict[str, Quantity]]
    series: tuple[Series, ...]
    pooled: dict[str, Quantity] = field(default_factory=dict)
