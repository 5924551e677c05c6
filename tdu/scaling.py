"""Finite-size scaling: exponents over system sizes, at one time or over all, with intervals from resampled runs."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tdu import _validate
from tdu.rng import Stage, generator
from tdu.types import CascadeLog, Estimate, Floats, Integers, ScalingFit, Statistic, TimeSeries

N_RESAMPLES = 10_000
_BLOCK = 500  # resamples held in memory at a time


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
    """
    n, s = _validate.sizes(n, "n"), _validate.sizes(s, "s")
    if n.ndim != 1 or n.shape != s.shape:
        raise ValueError(f"`n` has shape {n.shape} but `s` has {s.shape}: both must be (S,), a size per scale")
    for name, values in (("n", n), ("s", s)):
        if (values == 0).any():
            raise ValueError(f"`{name}` must be positive to be fitted in log–log, but entry {np.argmin(values)} is 0")
    if np.unique(n).size < 2:
        raise ValueError("an exponent needs at least two distinct system sizes in `n`")
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


def over_runs(values: npt.NDArray[np.generic], statistic: Statistic) -> Floats:
    """One size per scale (…, S) from `values` (…, S, K, T): the `peak`, `run-peak` or `mean` of K runs of T snapshots."""
    if statistic == "peak":
        return np.asarray(values.max(axis=(-2, -1)), np.float64)
    if statistic == "run-peak":
        return np.asarray(values.max(axis=-1).mean(axis=-1))
    if statistic == "mean":
        return np.asarray(values.mean(axis=(-2, -1)))
    raise ValueError(f"`statistic` must be 'peak', 'run-peak' or 'mean', but it is {statistic!r}")


def bootstrap(
    values: npt.NDArray[np.generic],
    functional: Callable[[npt.NDArray[np.generic]], Floats],
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Floats:
    """`functional` of resampled runs: (n_resamples, …) from `values` (S, K, …), K runs in each of S scales.

    Runs are drawn with replacement within their scale: snapshots of one run are not independent, runs are. Each scale draws
    K − 1 of its K runs (McCarthy & Snowden 1985; Rao & Wu 1988): with few runs a scale, drawing K makes the variance
    of a mean too small by (K − 1)/K. `functional` maps (B, S, K − 1, …) to (B, …). One run a scale has no spread to
    resample: nan.
    """
    n_scales, n_runs = values.shape[:2]
    if n_runs < 2:
        return np.full((1, *functional(values[None]).shape[1:]), np.nan)
    rng = generator(seed, Stage.BOOTSTRAP)
    scale = np.arange(n_scales)[:, None]
    blocks = []
    for start in range(0, n_resamples, _BLOCK):
        drawn = rng.integers(n_runs, size=(min(_BLOCK, n_resamples - start), n_scales, n_runs - 1))
        blocks.append(functional(values[scale, drawn]))
    return np.concatenate(blocks)


def interval(samples: Floats) -> tuple[Floats, Floats]:
    """Central 95 % of bootstrap `samples` (B, …), by percentiles; shapes (…)."""
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    return low, high


def estimate(
    values: npt.NDArray[np.generic],
    functional: Callable[[npt.NDArray[np.generic]], Floats],
    statistic: str,
    seed: int = 0,
    note: str = "",
) -> Estimate:
    """A scalar `functional` of all runs in `values` (S, K, …) with its bootstrap interval."""
    low, high = interval(bootstrap(values, functional, seed))
    return Estimate(float(functional(values[None])[0]), float(low), float(high), statistic, note)


def exponent(log: CascadeLog, statistic: Statistic, seed: int = 0) -> Estimate:
    """Exponent of the `statistic` of avalanche sizes over all runs and snapshots; R² and standard error are in the note."""
    fit = scaling_exponent(log.n_sites, over_runs(log.size, statistic))
    # The time axis is reduced before resampling, which resamples runs only.
    per_run = log.size.mean(axis=-1, keepdims=True) if statistic == "mean" else log.size.max(axis=-1, keepdims=True)
    note = f"R² = {fit.r2:.3f}, standard error of the fit {fit.stderr:.3f}"
    return estimate(per_run, lambda v: slope_and_r2(log.n_sites, over_runs(v, statistic))[0], statistic, seed, note)


def over_runs_at_each_snapshot(values: npt.NDArray[np.generic], statistic: Statistic) -> Floats:
    """One size per snapshot and scale from `values` (…, S, K, T), the statistic taken over the K runs; shape (…, T, S).

    At a single snapshot a run has one size, which is its largest and its mean: `run-peak` and `mean` coincide.
    """
    return over_runs(np.moveaxis(values, -1, -3)[..., None], statistic)


def dimension_over_time(log: CascadeLog, statistic: Statistic, seed: int = 0) -> TimeSeries:
    """D(t) at the snapshot epochs of a log, with the bootstrap band and R² of each fit."""
    value, r2 = _fits_over_time(log.n_sites, log.size, statistic)
    samples = bootstrap(log.size, lambda v: _fits_over_time(log.n_sites, v, statistic)[0], seed)
    low, high = interval(samples)
    return TimeSeries(value=value, low=low, high=high, r2=r2)


def _fits_over_time(n_sites: Integers, values: npt.NDArray[np.generic], statistic: Statistic) -> tuple[Floats, Floats]:
    """Exponent and R² at each snapshot from `values` (…, S, K, T); shapes (…, T)."""
    return slope_and_r2(n_sites, over_runs_at_each_snapshot(values, statistic))


def window_dimension(log: CascadeLog, statistic: Statistic, inside: npt.NDArray[np.bool_], seed: int = 0) -> Estimate:
    """Mean of D(t) over the snapshots `inside` (T,), with its interval."""
    count = int(inside.sum())
    if count == 0:
        return Estimate(np.nan, np.nan, np.nan, statistic, "no snapshot in this window")
    return estimate(
        log.size[..., inside],
        lambda v: _fits_over_time(log.n_sites, v, statistic)[0].mean(axis=-1),
        statistic,
        seed,
        f"mean of D(t) over {count} snapshots",
    )


def least_r2_over_time(log: CascadeLog, statistic: Statistic, seed: int = 0) -> Estimate:
    """The poorest R² among the fits of D(t)."""
    return estimate(log.size, lambda v: _fits_over_time(log.n_sites, v, statistic)[1].min(axis=-1), statistic, seed)
