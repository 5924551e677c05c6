"""Distributions of avalanche sizes, their collapse, and strict power-law fits (Fig. 2a and b, and a panel of our own)."""

from collections.abc import Callable

import numpy as np

from tdu.errors import InputError
from tdu.kernels.collapse import houdayer_hartmann, over_powers
from tdu.kernels.elementary import geometric
from tdu.results.series import Ccdf, Collapse, PowerLaws, Tail
from tdu.statistics.distributions import PowerLawFit, ccdf, collapse_quality, fit_power_law
from tdu.statistics.resampling import bootstrap, estimate, interval
from tdu.statistics.sampling import mean_of_known
from tdu.statistics.scaling import best_collapse, exponent
from tdu.types import Estimate, Findings, Floats, Integers, Log, SizeStatistic

_POINTS = 40
_EXPONENTS = (0.5, 2.0)  # where the best collapse is looked for
_N_RESAMPLES = 100  # of the best exponent: each is a minimization


def analyse(log: Log, *, intervals: bool = True) -> Findings:
    """CCDFs of the scales of a `log`, the quality of their collapse at D and at its own best exponent, and power-law fits.

    Without `intervals` nothing is drawn, and power laws, which take longer than all the rest, are not fitted.
    """
    seed, n_sites = log.seed if intervals else None, log.n_sites
    at_regression = exponent(log, SizeStatistic.LARGEST, seed).value
    tails = _tails(log.size)
    best = _best_exponent(n_sites, *tails)

    def of_collapse(size: Floats) -> tuple[float, float, float]:
        grid, _, error = tails
        # The errors stay those of the log: runs drawn twice would make them look smaller than they are.
        resampled = grid, mean_of_known(np.moveaxis(_of_runs(size, grid), 1, -1)), error
        return (
            _best_exponent(n_sites, *resampled),
            _quality(at_regression, n_sites, *resampled),
            _quality(best, n_sites, *resampled),
        )

    low, high = interval(_of_resampled_logs(log, of_collapse, seed))
    inflated = "resampling adds about 1 to S: read its interval as a scale"
    collapsed = [
        Estimate(value, float(low[i]), float(high[i]), statistic, note)
        for i, (value, statistic, note) in enumerate(
            [
                (best, "least Houdayer–Hartmann S", ""),
                (_quality(at_regression, n_sites, *tails), f"S at the D of the regression, {at_regression:.3f}", inflated),
                (_quality(best, n_sites, *tails), f"S at its own best exponent, {best:.3f}", inflated),
            ]
        )
    ]
    least, largest = (reduce.reduce(log.size, axis=-1) for reduce in (np.fmin, np.fmax))
    ends = np.log10(np.maximum(np.stack([least, largest]), 1))
    return Findings(
        estimates={
            **dict(zip(("collapse_exponent", "collapse_quality", "collapse_quality_best"), collapsed, strict=True)),
            "decades": estimate(ends, _widest_range, "widest scale, largest over smallest size", seed, stretched=False),
        },
        series=(distributions(log), _collapsed(n_sites, tails, at_regression, best), power_laws(log)) if intervals else (),
    )


def distributions(log: Log) -> Ccdf:
    """P(≥ s) of all snapshots and runs of each scale."""
    return Ccdf({int(scale): Tail(*ccdf(size)) for scale, size in zip(log.scale, _known(log), strict=True)})


def collapse(log: Log, exponent: float | None = None) -> Collapse:
    """The collapse of the scales' distributions at one exponent, or, without, at that of least S."""
    tails = _tails(log.size)
    return _collapsed(log.n_sites, tails, _best_exponent(log.n_sites, *tails) if exponent is None else exponent)


def power_laws(log: Log) -> PowerLaws:
    """A power law of each scale, nan where sizes are too few."""
    return PowerLaws(log.n_sites, **_columns([_fit_or_unknown(size) for size in _known(log)]))


def _collapsed(n_sites: Integers, tails: tuple[Floats, Floats, Floats], *exponents: float) -> Collapse:
    qualities = np.array([_quality(exponent, n_sites, *tails) for exponent in exponents])
    return Collapse(n_sites, *tails, exponents=np.array(exponents), qualities=qualities)


def _known(log: Log) -> list[Floats]:
    return [size[~np.isnan(size)] for size in log.size]


def _widest_range(ends: Floats) -> Floats:
    """Decades between the smallest and the largest size of a scale, for the widest scale: (B, 2, S, K) → (B,)."""
    smallest, largest = np.fmin.reduce(ends[:, 0], axis=-1), np.fmax.reduce(ends[:, 1], axis=-1)
    return np.asarray((largest - smallest).max(axis=-1))


def _of_resampled_logs(log: Log, measure: Callable[[Floats], tuple[float, ...]], seed: int | None) -> Floats:
    """`measure` of the sizes (S, k, T) of resampled runs, a row per resample."""
    n_scales, n_runs, _ = log.size.shape
    scale = np.arange(n_scales)[:, None]

    def measured(drawn: Floats) -> Floats:
        return np.array([measure(picked(which)) for which in drawn])

    def picked(which: Floats) -> Floats:
        """Sizes of the runs drawn, nan where a scale has fewer runs than others."""
        none = np.isnan(which)
        return np.where(none[..., None], np.nan, log.size[scale, np.where(none, 0, which).astype(int)])

    known = (~np.isnan(log.size)).any(axis=-1)
    if known.sum(axis=1).min() < 2 or seed is None:
        return np.full((1, 3), np.nan)
    which_run = np.where(known, np.arange(n_runs), np.nan)
    return bootstrap(which_run, measured, seed, _N_RESAMPLES, stretched=False)


def _tails(size: Floats) -> tuple[Floats, Floats, Floats]:
    """CCDF of each scale at 40 sizes between its smallest and its largest: sizes, P(≥ s), standard errors, all (S, 40).

    `size` is (S, K, T). The error is that of the mean over runs, as snapshots of a run are not independent, but at least what
    counting alone would give.
    """
    n_runs = size.shape[1]
    ends = [(max(np.nanmin(runs), 1) - 0.5, max(np.nanmax(runs), 1) + 0.5) for runs in size]
    grid = np.empty((len(ends), _POINTS))
    for points, (least, largest) in zip(grid, ends, strict=True):
        geometric(least, largest, points)
    of_runs = _of_runs(size, grid)
    p = mean_of_known(np.moveaxis(of_runs, 1, -1))
    n = (~np.isnan(size)).sum(axis=(1, 2))[:, None]
    counted = np.sqrt(np.maximum(p * (1 - p), 1 / n) / n)
    return grid, p, np.fmax(_error_between(of_runs), counted) if n_runs > 1 else counted


def _error_between(of_runs: Floats) -> Floats:
    """Standard error (S, points) of the mean over the known runs of `of_runs` (S, K, points); nan for a single one."""
    deviation = of_runs - mean_of_known(np.moveaxis(of_runs, 1, -1))[:, None]
    n_known = (~np.isnan(of_runs)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(np.nansum(deviation**2, axis=1) / (n_known - 1) / n_known))


def _of_runs(size: Floats, grid: Floats) -> Floats:
    """P(≥ grid) of each run, (S, K, points)."""
    beyond = np.where(np.isnan(size)[..., None], np.nan, size[..., None] >= grid[:, None, None, :])
    return mean_of_known(np.moveaxis(beyond, 2, -1))


def _fit_or_unknown(size: Floats) -> PowerLawFit:
    try:
        return fit_power_law(size)
    except InputError:  # fewer than two distinct sizes
        return PowerLawFit(np.nan, np.nan, 0, np.nan, 0, np.nan)


def _quality(exponent: float, n_sites: Integers, grid: Floats, p: Floats, error: Floats) -> float:
    scaled = np.empty_like(grid)
    over_powers(grid, n_sites.astype(np.float64), float(exponent), scaled)
    return collapse_quality(scaled, p, error)


def _best_exponent(n_sites: Integers, grid: Floats, p: Floats, error: Floats) -> float:
    """Exponent whose collapse has the least S."""
    bases, scaled, right = n_sites.astype(np.float64), np.empty_like(grid), np.empty(len(p), np.int64)

    def quality(exponent: float) -> float:
        over_powers(grid, bases, exponent, scaled)
        return float(houdayer_hartmann(scaled, p, error, right))

    return best_collapse(quality, _EXPONENTS)


def _columns(fits: list[PowerLawFit]) -> dict[str, Floats]:
    names = ("alpha", "stderr", "xmin", "ks", "n_tail", "decades")
    return {name: np.array([getattr(fit, name) for fit in fits], np.float64) for name in names}
