"""What the study of small language models shows: of each log D(t) beside its nulls, and how logs differ."""

from dataclasses import dataclass

import numpy as np

from tdu.series import Series
from tdu.types import Band, Estimate, Floats, Integers, Log

MINI, LARGE, DIFFERENCE, UNCAPPED = "mini-batch", "large-batch", "difference", "mini-batch-uncapped"
LOGS = (MINI, LARGE, DIFFERENCE, UNCAPPED)
NULLS = ("permuted", "blocks")
#: Steps, both ends included, that D(t) is averaged over.
WINDOWS = {"all steps": (0, 10**9), "steps 0–100": (0, 100), "from step 300": (300, 10**9)}
ALL = next(iter(WINDOWS))


def inside(log: Log, window: str) -> Integers:
    """The snapshots of a window."""
    first, last = WINDOWS[window]
    return np.flatnonzero((first <= log.step) & (log.step <= last))


@dataclass(frozen=True, eq=False)
class Trained(Series):
    """The runs (S,) by width, and what they did at every step (S, T).

    `loss` is of the large batch, in nats a character, the mean over runs; `noise_scale` in sequences, the median over runs, and
    in windows (S,) over their snapshots too; `capped` (S,) the share of avalanches, in %, that the step limit cuts short, by
    log; `made_of` what was trained on and by, in words.
    """

    key = "trained"
    width: Integers
    n_sites: Integers
    runs: Integers
    step: Integers
    loss: Floats
    noise_scale: Floats
    noise_in_windows: dict[str, Floats]
    capped: dict[str, Floats]
    made_of: dict[str, str]


@dataclass(frozen=True, eq=False)
class Probed(Series):
    """D(t) of a log's real sizes and of those under its nulls, by field, and what the real one exceeds each null by."""

    key = "probed"
    log: str
    step: Integers
    bands: dict[str, Band]
    excess: dict[str, Band]


@dataclass(frozen=True, eq=False)
class Compared(Series):
    """D(t) of `one` log minus that of the `other`."""

    key = "compared"
    one: str
    other: str
    step: Integers
    difference: Band


@dataclass(frozen=True, eq=False)
class PerSite(Series):
    """Mean size over N (S,) of a log, by field and window: a straight line over log N where there is one exponent."""

    key = "per-site"
    log: str
    n_sites: Integers
    shares: dict[str, dict[str, Floats]]


@dataclass(frozen=True)
class Contrast:
    """A mean of D(t) over a window, or a difference of such means, with the p-value by permutation where there is one."""

    what: str
    window: str
    found: Estimate
    p: float | None


@dataclass(frozen=True, eq=False)
class Contrasts(Series):
    """Some of them, and the table they are for."""

    key = "contrasts"
    table: str
    rows: list[Contrast]


@dataclass(frozen=True)
class Correlation:
    """Rank correlation of D(t) with a column, of the real sizes and of those under nulls."""

    what: str
    found: dict[str, Estimate]


@dataclass(frozen=True, eq=False)
class Correlations(Series):
    """Those of all columns."""

    key = "correlations"
    rows: list[Correlation]
