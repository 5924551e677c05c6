"""What results.json holds beside the quantities: arrays for figures and tables, a dataclass for each series.

A field of a series is a name in results.json. One whose metadata say `INLINE` lends it the names of its own entries instead,
behind the prefix given or, for a dataclass, by the names given; one that says `IN_KEY` is the end of the series' own key.
`tdu.results.store` writes and reads them.
"""

from dataclasses import dataclass, field
from typing import Literal

from tdu.results.series_of_logs import LocalSlopes, MeanProfiles, OneOfLog, Scales, Watched
from tdu.series import IN_KEY, INLINE, Series
from tdu.types import Band, Floats, Integers, SizeStatistic

#: η·λ₀ above which a step along the sharpest direction ends further from the bottom of its parabola than it began.
EDGE = 2.0

#: What a sweep goes over, and what is swept.
Axis = Literal["alpha", "quantile"]
Training = Literal["inline", "shadow", "synthetic"]


@dataclass(frozen=True, eq=False)
class OneRun(Series):
    """Accuracy and loss (E+1,) of one run, and its grokking epoch, nan if it has none."""

    key = "accuracy"
    accuracy: Floats
    loss: Floats
    grokking_epoch: float


@dataclass(frozen=True, eq=False)
class GrokkingEpochs(Series):
    """Grokking epochs (S, K) of all runs, nan for one that never groks, and their means (S,) over runs."""

    key = "grokking"
    n_sites: Integers
    epoch: Floats
    mean: Floats


@dataclass(frozen=True, eq=False)
class DimensionOverTime(Series):
    """D(t) at the snapshots (T,) of a study, by statistic."""

    key = "dimension_over_time"
    epoch: Integers
    bands: dict[SizeStatistic, Band] = field(metadata={INLINE: ""})


@dataclass(frozen=True, eq=False)
class ShadowDimensionOverTime(Series):
    """D(t) at the snapshots (T,) of the same study trained in shadow, by statistic."""

    key = "dimension_over_time_shadow"
    epoch: Integers
    bands: dict[SizeStatistic, Band] = field(metadata={INLINE: ""})


@dataclass(frozen=True, eq=False)
class NullOverTime(Series):
    """D(t) of the mean size under one null, and by how much that of the real gradients exceeds it."""

    key = "null"
    null: str = field(metadata={IN_KEY: True})
    epoch: Integers
    dimension: Band = field(metadata={INLINE: {}})
    excess: Band = field(metadata={INLINE: {"value": "excess", "low": "excess_low", "high": "excess_high"}})


@dataclass(frozen=True, eq=False)
class ScalingLine:
    """A statistic of each scale (S,) and of each run (S, K), and the line log s = intercept + exponent · log N."""

    size: Floats
    runs: Floats
    exponent: float
    intercept: float


@dataclass(frozen=True, eq=False)
class ScalingLines(Series):
    """Sizes against N over all epochs, by statistic."""

    key = "scaling"
    n_sites: Integers
    lines: dict[SizeStatistic, ScalingLine] = field(metadata={INLINE: ""})


@dataclass(frozen=True, eq=False)
class Histogram:
    """Densities (B,) between edges (B+1,)."""

    density: Floats
    edges: Floats


@dataclass(frozen=True, eq=False)
class Bootstrap(Series):
    """Bootstrap distributions of exponents, by the key of the quantity."""

    key = "bootstrap"
    histograms: dict[str, Histogram] = field(metadata={INLINE: ""})


@dataclass(frozen=True, eq=False)
class LeaveOneOut(Series):
    """Exponents (S,) with each scale left out in turn, by the key of the quantity."""

    key = "leave_one_out"
    n_sites: Integers
    bands: dict[str, Band] = field(metadata={INLINE: ""})


@dataclass(frozen=True, eq=False)
class Tail:
    """P(≥ size) at the distinct sizes of a scale."""

    size: Floats
    p: Floats


@dataclass(frozen=True, eq=False)
class Ccdf(Series):
    """Complementary cumulative distributions of the avalanche sizes of each scale, by its name."""

    key = "ccdf"
    tails: dict[int, Tail] = field(metadata={INLINE: "h"})


@dataclass(frozen=True, eq=False)
class Collapse(Series):
    """P(≥ size) with its standard error, all (S, points), and the quality of their collapse at two exponents.

    The first of `exponents` and `qualities` is that of the regression, the second that of the best collapse.
    """

    key = "collapse"
    n_sites: Integers
    size: Floats
    p: Floats
    error: Floats
    exponents: Floats
    qualities: Floats


@dataclass(frozen=True, eq=False)
class PowerLaws(Series):
    """Maximum-likelihood power laws of the scales, all (S,), as in `tdu.statistics.distributions.PowerLawFit`."""

    key = "power_law"
    n_sites: Integers
    alpha: Floats
    stderr: Floats
    xmin: Floats
    ks: Floats
    n_tail: Floats
    decades: Floats


@dataclass(frozen=True, eq=False)
class Topologies(Series):
    """D of synthetic fields on each topology, by the topologies' names."""

    key = "topologies"
    dimension: Band = field(metadata={INLINE: {"value": "dimension"}})
    name: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Robustness(Series):
    """Exponents at every setting of a sweep: by what was swept over, what was trained, and the statistic."""

    key = "robustness"
    alpha: Floats
    quantile: Floats
    bands: dict[tuple[Axis, Training, SizeStatistic], Band] = field(metadata={INLINE: ""})

    def settings(self, axis: Axis) -> Floats:
        """The values that an axis was swept over."""
        return self.alpha if axis == "alpha" else self.quantile


@dataclass(frozen=True, eq=False)
class GiniAroundGrokking:
    """Change of the Gini coefficient of |θ| from its start, in %.

    Attributes
    ----------
    offset : (W,) epochs from grokking.
    quantiles, mean : (5, W) and (W,) over runs.
    example, example_grokking_epoch : (E+1,) of one run, and its grokking epoch.
    lag_counts, lag_edges : (B,) and (B+1,), the histogram of the epoch of the peak minus the grokking epoch.
    """

    offset: Integers
    quantiles: Floats
    mean: Floats
    example: Floats
    example_grokking_epoch: float
    lag_counts: Integers
    lag_edges: Integers


@dataclass(frozen=True, eq=False)
class Gini(Series):
    """Concentration of the weights, by training."""

    key = "gini"
    trainings: dict[Training, GiniAroundGrokking] = field(metadata={INLINE: ""})


@dataclass(frozen=True, eq=False)
class Edge(Series):
    """Scales (S,), and of every run (S, K) η·λ₀ at its start and its largest loss over its first."""

    key = "edge"
    scale: Integers
    n_sites: Integers
    sharpness: Floats
    overshoot: Floats

    @property
    def split(self) -> str:
        """In words, the scales beyond the edge, where some are and others not; empty where all are on one side."""
        beyond = self.sharpness.mean(axis=1) > EDGE
        if beyond.all() or not beyond.any():
            return ""
        return (
            f"η·λ₀ exceeds {EDGE:g} at scale {', '.join(map(str, self.scale[beyond]))} and not at the others: beyond it steps "
            "along the raw gradient overshoot at first, so that exponents compare two kinds of training"
        )


#: What can stand in results.json.
KINDS: tuple[type[Series], ...] = (
    OneRun,
    GrokkingEpochs,
    DimensionOverTime,
    ShadowDimensionOverTime,
    NullOverTime,
    Scales,
    Watched,
    OneOfLog,
    ScalingLines,
    LocalSlopes,
    Bootstrap,
    LeaveOneOut,
    Ccdf,
    Collapse,
    MeanProfiles,
    PowerLaws,
    Topologies,
    Robustness,
    Gini,
    Edge,
)
