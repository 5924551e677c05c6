"""Do scales lie on a line in log–log? Where they do not, the slope of a line through them is no exponent."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tdu.rng import Stage, generator
from tdu.statistics.resampling import N_RESAMPLES
from tdu.statistics.sampling import mean_of_known
from tdu.types import Floats, Integers

#: Scales that a test of a line asks for: two lie on one whatever they are.
_FEWEST = 3


@dataclass(frozen=True, eq=False)
class Linearity:
    """How far log ⟨s⟩ of S scales lies from the line through all of them that weighs each by its runs' scatter.

    Attributes
    ----------
    n_sites : (S,) system sizes.
    deviation, stderr : (S,) natural logarithms, nan where a scale has one run or runs that do not differ: it is left out.
    exponent : slope of the line; nan, as chi2, where fewer than three scales are left.
    chi2 : sum of (deviation / stderr)².
    p : probability of such deviations or larger ones if the scales do lie on a line; nan with fewer than three scales.
    """

    n_sites: Integers
    deviation: Floats
    stderr: Floats
    exponent: float
    chi2: float
    p: float


def of_line(n: Integers, values: Floats, seed: int = 0, n_draws: int = N_RESAMPLES) -> Linearity:
    """The test of a line through the scales of `values` (T, S, K), sizes of K runs at T snapshots, nan where there is none.

    `y_s` is the mean over snapshots of log ⟨s⟩, whose ordinary slope is the mean of D(t). Its variance is that of the runs'
    means of s / ⟨s⟩, which is what log ⟨s⟩ is to first order, by the number of runs.

    Notes
    -----
    With a few runs a scale those variances are uncertain, and χ² with S − 2 degrees of freedom would see a curve far too often.
    p is of the parametric bootstrap (Krishnamoorthy, Lu & Mathew 2007, there for equal means): normal scale means about a line,
    variances that are χ² with k − 1 degrees of freedom, and the same weighted residual sum of squares of each draw.
    """
    mean = mean_of_known(values)
    of_run = mean_of_known(np.moveaxis(values / mean[..., None], 0, -1))  # (S, K), about 1
    n_runs = (~np.isnan(of_run)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(mean).mean(axis=0)
        spread = ((of_run - mean_of_known(of_run)[:, None]) ** 2 * (n_runs > 1)[:, None]).sum(axis=1, where=~np.isnan(of_run))
        variance = spread / (n_runs - 1) / n_runs
    # runs that are equal but for rounding say nothing of how runs scatter
    kept = np.isfinite(y) & (variance > np.finfo(float).eps ** 2)
    deviation, stderr = np.full((2, n.size), np.nan)
    if kept.sum() < _FEWEST:
        return Linearity(n, deviation, stderr, np.nan, np.nan, np.nan)
    x, variance, freedom = np.log(n[kept].astype(np.float64)), variance[kept], n_runs[kept] - 1
    slope, deviation[kept], chi2 = _weighted_line(x, y[kept], variance)
    stderr[kept] = np.sqrt(variance)
    rng = generator(seed, Stage.BOOTSTRAP, replicate=2)
    drawn = np.sqrt(variance) * rng.standard_normal((n_draws, x.size))
    chi2_drawn = _weighted_line(x, drawn, variance * rng.chisquare(freedom, drawn.shape) / freedom)[2]
    p = (1 + np.count_nonzero(chi2_drawn >= chi2)) / (1 + n_draws)
    return Linearity(n, deviation, stderr, float(slope), float(chi2), float(p))


def _weighted_line(x: Floats, y: Floats, variance: Floats) -> tuple[npt.NDArray[np.float64], Floats, Floats]:
    """Slope (…), residuals (…, S) and their weighted sum of squares (…) of y (…, S) on x (S,), weighed by 1 / variance."""
    weight = 1 / variance
    share = weight / weight.sum(axis=-1, keepdims=True)
    from_x = x - (share * x).sum(axis=-1, keepdims=True)
    from_y = y - (share * y).sum(axis=-1, keepdims=True)
    slope = (share * from_x * from_y).sum(axis=-1) / (share * from_x**2).sum(axis=-1)
    residual = from_y - slope[..., None] * from_x
    return slope, residual, (weight * residual**2).sum(axis=-1)
