"""Series that any log has, whatever it is of, as `tdu.results.series` has those of the study."""

from dataclasses import dataclass, field

from tdu.series import IN_KEY, INLINE, Series
from tdu.types import Band, Floats, Integers


@dataclass(frozen=True, eq=False)
class Scales(Series):
    """What stands behind exponents, all (S,): runs and snapshots of each scale, and the share (%) of avalanches cut short."""

    key = "scales"
    scale: Integers
    n_sites: Integers
    runs: Integers
    snapshots: Integers
    capped: Floats


@dataclass(frozen=True, eq=False)
class Recorded:
    """A column (T,), its mean over the runs and scales that have it."""

    value: Floats


@dataclass(frozen=True, eq=False)
class Watched(Series):
    """What else was recorded at the steps (T,) of a log, by name: loss, norms, whatever there is."""

    key = "watched"
    step: Integers
    columns: dict[str, Recorded] = field(metadata={INLINE: "column "})


@dataclass(frozen=True, eq=False)
class OneOfLog(Series):
    """The columns (T,) of one run, the `run`-th of a `scale`; nan are the steps at which it never memorised or grokked."""

    key = "one_run"
    scale: float
    run: float
    memorised: float
    grokked: float
    step: Integers
    columns: dict[str, Recorded] = field(metadata={INLINE: "column "})


@dataclass(frozen=True, eq=False)
class LocalSlopes(Series):
    """Exponents (W,) of the mean size over windows of scales that begin and end with N = `first` and `last`, by phase."""

    key = "local_exponents"
    over: str = field(metadata={IN_KEY: True})
    first: Integers
    last: Integers
    bands: dict[str, Band] = field(metadata={INLINE: ""})


@dataclass(frozen=True, eq=False)
class MeanProfiles(Series):
    """Mean topplings (C, P) with standard errors at relative times `place` (P,) of avalanches of each `duration` (C,).

    `quality` is that of their collapse at the `exponent`.
    """

    key = "mean_profiles"
    duration: Integers
    place: Floats
    mean: Floats
    error: Floats
    exponent: float
    quality: float
