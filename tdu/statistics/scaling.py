"""Finite-size scaling: exponents over system sizes, at one time or over all, whole or with a scale left out."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from tdu import _validate
from tdu.errors import InputError
from tdu.statistics.resampling import N_RESAMPLES, RunStatistic, bootstrap, estimate, interval
from tdu.statistics.sampling import mean_of_known
from tdu.types import Band, Estimate, Floats, Integers, Log, ScalingFit, SizeStatistic

#: Scales that a fit over time asks for: two lie on a line whatever they are.
MIN_SCALES = 3
#: Where z = artanh R of a perfect fit is cut off.
_LARGEST_R2 = 1 - 1e-12


def scaling_exponent(n: npt.ArrayLike, s: npt.ArrayLike) -> ScalingFit:
    """Exponent of s ~ N^exponent by ordinary least squares of log s on log N.

    Parameters
    ----------
    n : (S,) system sizes, S ≥ 2 of them distinct.
    s : (S,) sizes, positive.

    Returns
    -------
    ScalingFit
        Exponent, its standard error (nan for two sizes), intercept (natural logarithm) and R².

    Raises
    ------
    ValueError
        If the two differ in length, fewer than two sizes are distinct, or one is not positive.

    Examples
    --------
    >>> n = np.array([81, 201, 481, 2001])
    >>> fit = tdu.scaling_exponent(n, 3 * n**1.1)
    >>> print(f"s = {np.exp(fit.intercept):.1f} N^{fit.exponent:.1f}")
    s = 3.0 N^1.1
    """
    n, s = _validate.sizes(n, "n"), _validate.sizes(s, "s")
    if n.ndim != 1 or n.shape != s.shape:
        raise InputError(f"`n` has shape {n.shape} but `s` has {s.shape}: both must be (S,), a size per scale")
    for name, values in (("n", n), ("s", s)):
        if (values == 0).any():
            raise InputError(f"`{name}` must be positive to be fitted in log–log, but entry {np.argmin(values)} is 0")
    if np.unique(n).size < 2:
        raise InputError("an exponent needs at least two distinct system sizes in `n`")
    x, y = np.log(n), np.log(s)
    slope, r2 = slope_and_r2(n, s)
    intercept = y.mean() - slope * x.mean()
    residual = y - intercept - slope * x
    freedom = n.size - 2
    stderr = np.sqrt((residual @ residual) / freedom / ((x - x.mean()) ** 2).sum()) if freedom else np.nan
    return ScalingFit(exponent=float(slope), stderr=float(stderr), intercept=float(intercept), r2=float(r2))


def slope_and_r2(n: npt.NDArray[np.generic], s: Floats) -> tuple[Floats, Floats]:
    """Log–log least-squares slope and R² over the last axis of `s` (…, S); nan where a size is 0. Shapes (…)."""
    x = np.log(n.astype(np.float64))
    x -= x.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(s)
        y = y - y.mean(axis=-1, keepdims=True)
        slope = y @ x / (x @ x)
        # A flat line leaves nothing to explain: R² is then 0 by convention, as of a correlation of 0.
        total = (y * y).sum(axis=-1)
        r2 = np.where(total > 0, slope**2 * (x @ x) / np.where(total > 0, total, 1), np.where(total == 0, 0.0, np.nan))
    return slope, r2


def slopes(n: npt.NDArray[np.generic], s: Floats) -> Floats:
    """The slope of `slope_and_r2` alone, which resampling asks for by the million."""
    x = np.log(n.astype(np.float64))
    x -= x.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.log(s) @ (x / (x @ x))
    return np.where(np.isfinite(slope), slope, np.nan)


def best_collapse(quality: Callable[[float], float], bounds: tuple[float, float]) -> float:
    """Exponent within `bounds` whose collapse has the least S: a coarse scan, as S has several minima, then Brent's method."""
    scan = np.linspace(*bounds, 31)
    values = [quality(float(value)) for value in scan]
    if np.isnan(values).all():
        return float("nan")
    at = int(np.nanargmin(values))
    near = scan[max(at - 1, 0)], scan[min(at + 1, scan.size - 1)]
    return float(minimize_scalar(quality, bounds=near, method="bounded", options={"xatol": 1e-4}).x)


def per_run(size: npt.ArrayLike, statistic: SizeStatistic | str, inside: npt.ArrayLike = True) -> Floats:
    """One value per run (…) from the sizes (…, T) of its snapshots `inside`: their mean, or their largest for the maxima.

    nan for a run without such a snapshot.
    """
    chosen = np.where(inside, size, np.nan)
    if SizeStatistic(statistic) is SizeStatistic.MEAN:
        return mean_of_known(chosen)
    return np.asarray(np.fmax.reduce(chosen, axis=-1))


def over_runs(values: Floats, statistic: SizeStatistic | str) -> Floats:
    """One value per scale (…, S) from those of its runs (…, S, K): their largest for the largest of all, else their mean."""
    if SizeStatistic(statistic) is SizeStatistic.LARGEST:
        return values[..., 0] if values.shape[-1] == 1 else np.asarray(np.fmax.reduce(values, axis=-1))
    return mean_of_known(values)


def exponent_of_runs(n: npt.NDArray[np.generic], statistic: SizeStatistic | str) -> RunStatistic:
    """(…, S, K) → (…): exponent of the runs' `statistic` over the system sizes `n` (S,)."""
    statistic = SizeStatistic(statistic)
    return RunStatistic(lambda values: slopes(n, over_runs(values, statistic)), statistic.depends_on)


def exponent_estimate(
    n: npt.NDArray[np.generic], values: Floats, statistic: SizeStatistic | str, seed: int | None = 0
) -> Estimate:
    """Exponent over the system sizes `n` (S,) of one value per run (S, K); R² and standard error are in the note."""
    try:
        fit = scaling_exponent(n, over_runs(values, statistic))
    except InputError as error:
        return Estimate(np.nan, np.nan, np.nan, str(statistic), str(error))
    note = f"R² = {fit.r2:.3f}, standard error of the fit {fit.stderr:.3f}"
    return estimate(values, exponent_of_runs(n, statistic), statistic, seed, note)


def exponent(log: Log, statistic: SizeStatistic | str, seed: int | None = 0) -> Estimate:
    """Exponent of the `statistic` of avalanche sizes over all runs and snapshots of a log."""
    return exponent_estimate(log.n_sites, per_run(log.size, statistic), statistic, seed)


def without_each_scale(n: npt.NDArray[np.generic], statistic: SizeStatistic | str) -> RunStatistic:
    """(…, S, K) → (…, S): the exponent with each scale left out in turn."""
    statistic = SizeStatistic(statistic)

    def exponents(values: Floats) -> Floats:
        size = over_runs(values, statistic)
        rest = [np.delete(np.arange(n.size), left_out) for left_out in range(n.size)]
        return np.stack([slopes(n[kept], size[..., kept]) for kept in rest], axis=-1)

    return RunStatistic(exponents, statistic.depends_on)


def exponents_of_windows(n: npt.NDArray[np.generic], statistic: SizeStatistic | str, width: int) -> RunStatistic:
    """(…, S, K) → (…, S − width + 1): the exponent over each `width` scales next to each other."""
    statistic = SizeStatistic(statistic)
    windows = [slice(first, first + width) for first in range(n.size - width + 1)]

    def exponents(values: Floats) -> Floats:
        size = over_runs(values, statistic)
        return np.stack([slopes(n[scales], size[..., scales]) for scales in windows], axis=-1)

    return RunStatistic(exponents, statistic.depends_on)


def over_time(log: Log) -> Floats:
    """The sizes of a log as (T, S, K): at a single snapshot a run has one size, which is its largest and its mean."""
    return np.moveaxis(log.size, -1, 0).astype(np.float64)


def dimension_over_time(log: Log, statistic: SizeStatistic | str, seed: int | None = 0) -> Band:
    """D(t) at the steps of a log, with the bootstrap band and R² of each fit: of the scales that have a run at a step.

    nan where these are fewer than three, which lie on a line whatever they are.
    """
    values = over_time(log)
    value, low, high, r2 = np.full((4, len(values)), np.nan)
    for scales, steps in sets_of_scales(values):
        n, sizes = log.n_sites[scales], values[np.ix_(steps, scales)]
        value[steps], r2[steps] = slope_and_r2(n, over_runs(sizes, statistic))
        low[steps], high[steps] = interval(bootstrap(sizes, exponent_of_runs(n, statistic), seed))
    return Band(value, low, high, r2)


def sets_of_scales(values: Floats) -> Iterator[tuple[Integers, Integers]]:
    """The sets of three or more scales that have runs together in `values` (T, S, K), each with the steps at which it has."""
    known = (~np.isnan(values)).any(axis=-1)
    for together in np.unique(known, axis=0):
        if together.sum() >= MIN_SCALES:
            yield np.flatnonzero(together), np.flatnonzero((known == together).all(axis=1))


def window_dimension(log: Log, statistic: SizeStatistic | str, inside: npt.NDArray[np.bool_], seed: int | None = 0) -> Estimate:
    """Mean of D(t) over those of the snapshots `inside` (T,) at which every scale has a run, with its interval."""
    return mean_exponent(log.n_sites, over_time(log)[inside & log.complete], statistic, seed)


def mean_exponent(n: npt.NDArray[np.generic], values: Floats, statistic: SizeStatistic | str, seed: int | None = 0) -> Estimate:
    """Mean over T snapshots of the exponent of `values` (T, S, K) over the system sizes `n` (S,), with its interval."""
    if len(values) == 0:
        return Estimate(np.nan, np.nan, np.nan, str(statistic), "no snapshot in this window")
    mean = exponent_of_runs(n, statistic).then(lambda of_time: of_time.mean(axis=-1))
    return estimate(values, mean, statistic, seed, f"mean of D(t) over {len(values)} snapshots")


def least_r2_over_time(log: Log, statistic: SizeStatistic | str, seed: int | None = 0) -> Estimate:
    """The poorest R² among the fits of D(t)."""
    return r2_estimate(log.n_sites, over_time(log)[log.complete], statistic, seed)


def r2_estimate(
    n: npt.NDArray[np.generic],
    values: Floats,
    statistic: SizeStatistic | str,
    seed: int | None = 0,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """R² of the fit to `values` (S, K) over the system sizes `n` (S,), the least of T fits if they are (T, S, K).

    R² ends at 1 and resampling lowers it, as resampled runs carry the scatter of the runs once more: the interval is of
    Fisher's z = artanh R, reflected.
    """
    statistic = SizeStatistic(statistic)

    def least_z(drawn: Floats) -> Floats:
        r2 = slope_and_r2(n, over_runs(drawn, statistic))[1]
        by_fit = r2.reshape(len(drawn), -1)
        return np.asarray(np.arctanh(np.sqrt(np.minimum(by_fit.min(axis=-1), _LARGEST_R2))))

    fishers_z = RunStatistic(least_z, statistic.depends_on)
    samples = bootstrap(values, fishers_z, seed, n_resamples, reflected=True)
    value, low, high = (float(np.tanh(np.maximum(z, 0.0)) ** 2) for z in (fishers_z(values[None])[0], *interval(samples)))
    return Estimate(value, low, high, str(statistic))
