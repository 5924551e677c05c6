"""What is asked of any log in Python: D(t), its excess over a null, and intervals of whatever is a function of runs."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike

import numpy as np
import numpy.typing as npt

from tdu import _check, _memory, _validate
from tdu.analysis import excess as nulls
from tdu.analysis import support
from tdu.errors import InputError, InputTypeError
from tdu.logs.log import from_grokking, probed_null
from tdu.statistics import resampling, scaling
from tdu.statistics.resampling import OfRuns, RunStatistic
from tdu.types import Band, Estimate, Floats, Integers, Log, SizeStatistic

#: Steps (first, last) that a mean is taken over, both included; None for all.
Window = tuple[float, float] | None
_LARGEST_STEP = 2.0**53  # of steps that are floats


@dataclass(frozen=True, eq=False)
class DimensionOverTime:
    """D(t) of T steps, with 95 % intervals: all (T,), nan where fewer than three scales have a run.

    Intervals are nan, too, where no scale has two runs. `step` counts from grokking where the runs are aligned there. `r2` is
    that of the fit, `n_scales` the scales behind it, and
    `mean` D(t) averaged over a window.
    """

    step: Integers
    value: Floats
    low: Floats
    high: Floats
    r2: Floats
    n_scales: Integers
    mean: Estimate


@dataclass(frozen=True, eq=False)
class Excess:
    """D(t) minus that of a null, of T steps: `value` with its 95 % interval, all (T,), nan where fewer than three scales run.

    Intervals are nan, too, where no scale has two runs. `window` is its mean over a window with an interval, which resamples
    runs, and `p` the two-sided p-value by permutation, run by run, of the real sizes with the draws of the null.
    """

    step: Integers
    value: Floats
    low: Floats
    high: Floats
    window: Estimate
    p: float


def dimension_over_time(
    log: Log | npt.ArrayLike,
    sizes: npt.ArrayLike | None = None,
    *,
    step: npt.ArrayLike | None = None,
    statistic: SizeStatistic | str = "mean",
    from_grokking: bool = False,
    window: Window = None,
    seed: int | None = None,
) -> DimensionOverTime:
    """D(t): at every step, the exponent of s ~ N^D over the scales that have a run there, three or more.

    Parameters
    ----------
    log : as `tdu.load` gives it, or the system sizes N (S,).
    sizes : (S, K, T) avalanche sizes of K runs a scale at T steps, if `log` is N; nan where a run has none.
    step : (T,) of the sizes, ascending; 0, 1, … if it is not given.
    statistic : "mean" over the runs of a scale, or "peak", the largest of them.
    from_grokking : count steps from each run's own grokking; runs that never grok are left out.
    window : first and last step of `mean`, both included; all steps if it is not given. Only steps at which every scale has a
        run count, so that the mean is of the same scales throughout.
    seed : of the resampling; the log's own if it is not given.

    Raises
    ------
    ValueError
        For arrays that do not fit each other, or a log in which no run groks, if steps are counted from there.

    Notes
    -----
    arXiv:2604.04655, Fig. 1b. Intervals resample runs within their scale, as those of the study (docs/theory.md). A step with
    fewer than three scales has no exponent, which a warning says.

    Examples
    --------
    Three scales, two runs each, whose sizes go with N^1.2:

    >>> n = np.array([100, 400, 1600])
    >>> sizes = n[:, None, None] ** 1.2 * np.array([[[0.9, 1.0]], [[1.1, 1.0]]]).reshape(1, 2, 2)
    >>> found = tdu.dimension_over_time(n, sizes)
    >>> found.value.round(3).tolist(), found.n_scales.tolist(), round(found.mean.value, 3)
    ([1.2, 1.2], [3, 3], 1.2)
    """
    log = as_log(log, sizes, step, from_grokking)
    seed = seed_for(log, seed)
    n_scales = (~np.isnan(log.size)).any(axis=1).sum(axis=0)
    _warn_of_gaps(n_scales)
    warn_of_limit(log)
    band = scaling.dimension_over_time(log, statistic, seed)
    mean = scaling.window_dimension(log, statistic, steps_inside(log, window), seed)
    r2 = np.full(band.value.shape, np.nan) if band.r2 is None else band.r2
    return DimensionOverTime(log.step, band.value, band.low, band.high, r2, n_scales, mean)


def excess(
    log: Log | npt.ArrayLike,
    null: str | npt.ArrayLike,
    sizes: npt.ArrayLike | None = None,
    *,
    step: npt.ArrayLike | None = None,
    from_grokking: bool = False,
    window: Window = None,
    seed: int | None = None,
) -> Excess:
    """D(t) of the mean size minus that of a null, paired run by run.

    Parameters
    ----------
    log : as `tdu.load` gives it, or the system sizes N (S,).
    null : the name of a null that was probed with the runs, or, if `log` is N, its sizes (D, S, K, T) under each of D draws.
    sizes : (S, K, T) of the real fields, if `log` is N; nan where a run has none.
    step, from_grokking, window, seed : as in `tdu.dimension_over_time`.

    Raises
    ------
    ValueError
        If the log has no such null, or arrays do not fit each other.

    Notes
    -----
    The interval is of the mean over runs like these. The p-value tests these runs: under the null, a run's real sizes are one
    more draw. It does not count how runs scatter, and can be small where the interval holds 0. Where real sizes lie far from
    those of the null at every N, exchanging a single run moves the exponent as much as a true excess: p is then large whatever
    the excess, and the interval alone tells.

    Examples
    --------
    >>> n, rng = np.array([100, 400, 1600]), np.random.default_rng(0)
    >>> null = n[:, None, None] * np.exp(0.1 * rng.normal(size=(8, 3, 4, 5)))
    >>> real = n[:, None, None] * (n[:, None, None] / 400) ** 0.3 * np.exp(0.1 * rng.normal(size=(3, 4, 5)))
    >>> found = tdu.excess(n, null, real)
    >>> round(found.window.value, 1), found.window.low < 0.3 < found.window.high, found.p < 0.01
    (0.3, True, True)
    """
    name = null if isinstance(null, str) else "null"
    log = as_log(log, sizes, step, from_grokking, {} if isinstance(null, str) else {name: null})
    seed = seed_for(log, seed)
    over_time = nulls.over_time(log, probed_null(log, name), seed)
    if log.n_sites.size < scaling.MIN_SCALES:
        raise InputError(f"there are runs of {log.n_sites.size} scales: an exponent needs three, since any two lie on a line")
    inside = np.flatnonzero(steps_inside(log, window) & log.complete)
    if inside.size == 0:
        raise InputError(
            f"no step of the window {window} has runs of all scales: the log has steps {log.step[0]} to {log.step[-1]}"
        )
    window_excess, p = nulls.excess_inside(log, name, inside, seed)
    band = over_time.excess
    return Excess(log.step, band.value, band.low, band.high, window_excess, p)


def bootstrap(
    values: Log | npt.ArrayLike, statistic: OfRuns, *, seed: int | None = None, n_resamples: int = resampling.N_RESAMPLES
) -> Band:
    """A function of runs with its 95 % interval, by resampling runs within their scale.

    Parameters
    ----------
    values : (…, S, K), K runs in each of S scales, nan where a run is missing; or a log, whose sizes (T, S, K) are meant.
    statistic : function of (B, …, S, K) that gives (B, …′): vectorised over a first axis of resamples.
    seed : of the resampling; the log's own, or 0.
    n_resamples : number of resamples.

    Returns
    -------
    Band
        Value, low and high, of shape (…′); the last two nan where no scale has two runs.

    Notes
    -----
    k − 1 of k runs are drawn, and the samples stretched by Student's factor: with few runs a scale, percentiles of plain
    resampling are too narrow (docs/theory.md says by how much, and where these are).

    Examples
    --------
    >>> runs = np.array([[1.0, 2.0, 3.0], [4.0, 6.0, 8.0]])  # three runs in each of two scales
    >>> band = tdu.bootstrap(runs, lambda drawn: drawn.mean(axis=(-2, -1)))
    >>> float(band.value), bool(band.low < 4 < band.high)
    (4.0, True)
    """
    if isinstance(values, Log):
        seed = values.seed if seed is None else seed
        values = scaling.over_time(values)
    runs = np.asarray(_validate.numeric(values, "values"))
    if runs.ndim < 2 or not runs.size:
        raise InputError(f"`values` has shape {runs.shape}: it must be (…, S, K), K runs in each of S scales, one or more")
    n_resamples, seed = _check.integer(n_resamples, "n_resamples", 1, _check.LARGEST_STEPS), _check.seed(seed or 0)
    _memory.need(8 * n_resamples, f"`n_resamples` {n_resamples}", "take fewer")
    function = RunStatistic.of(statistic)
    low, high = resampling.interval(resampling.bootstrap(runs, function, seed, n_resamples))
    return Band(np.asarray(function(runs[None])[0]), np.asarray(low), np.asarray(high))


def as_log(
    log: Log | npt.ArrayLike,
    sizes: npt.ArrayLike | None,
    step: npt.ArrayLike | None,
    aligned: bool,
    nulls: Mapping[str, npt.ArrayLike] | None = None,
) -> Log:
    """The log, or one made of arrays, aligned at grokking where that is asked for."""
    if isinstance(log, str | PathLike):
        raise InputTypeError(f"`log` is the path {str(log)!r}: give what `tdu.load` makes of it")
    if isinstance(log, Log):
        if sizes is not None or nulls:
            raise InputError("`sizes` are those of the log: give them with the system sizes N instead of a log")
    else:
        log = _of_arrays(log, sizes, step, nulls or {})
    return from_grokking(log) if aligned else log


def _of_arrays(
    n_sites: npt.ArrayLike, sizes: npt.ArrayLike | None, step: npt.ArrayLike | None, nulls: Mapping[str, npt.ArrayLike]
) -> Log:
    n = _validate.sizes(n_sites, "n_sites").astype(np.int64)
    size = _validate.numeric(sizes if sizes is not None else (), "sizes")
    if n.ndim != 1 or size.ndim != 3 or len(size) != n.size or (np.diff(n) <= 0).any() or not size.size:
        raise InputError(f"`n_sites` has shape {n.shape} and `sizes` {size.shape}: they must be (S,), ascending, and (S, K, T)")
    steps = np.arange(size.shape[-1]) if step is None else _steps(step)
    if steps.shape != size.shape[-1:] or (np.diff(steps) <= 0).any():
        raise InputError(f"`step` must be ascending (T,), but its shape is {steps.shape} and `sizes` has {size.shape}")
    drawn = {name: _validate.numeric(values, "null") for name, values in nulls.items()}
    for values in drawn.values():
        if values.ndim != 4 or values.shape[1:] != size.shape:
            raise InputError(
                f"`null` has shape {values.shape}, but `sizes` {size.shape}: it must be (D, S, K, T), D draws of each"
            )
    ungrokked = np.full(size.shape[:2], -1, np.int64)
    return Log(n, n, steps, {"size": size}, drawn, {}, ungrokked)


def seed_for(log: Log, seed: int | None) -> int:
    """The seed that is given, or the log's own."""
    return log.seed if seed is None else _check.seed(seed)


def _steps(values: npt.ArrayLike) -> Integers:
    """Whole numbers, of whatever type they are."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    known = _validate.finite(_validate.numeric(array, "step"), "step")
    if known.size and not (np.abs(known).max() <= _LARGEST_STEP and (known == np.floor(known)).all()):
        raise InputError("`step` must hold whole numbers of steps")
    return known.astype(np.int64)


def steps_inside(log: Log, window: Window) -> npt.NDArray[np.bool_]:
    """Which steps (T,) lie in the window."""
    if window is None:
        return np.ones(log.step.shape, np.bool_)
    if not (isinstance(window, Sequence) and len(window) == 2 and all(isinstance(step, Real) for step in window)):
        raise InputTypeError(f"`window` must be (first, last), two steps, but it is {window!r}")
    return np.asarray((window[0] <= log.step) & (log.step <= window[1]))


def _warn_of_gaps(n_scales: Integers) -> None:
    if gaps := int((n_scales < scaling.MIN_SCALES).sum()):
        warnings.warn(
            f"{gaps} of {n_scales.size} steps have runs of fewer than {scaling.MIN_SCALES} scales: they have no exponent",
            stacklevel=3,
        )


def warn_of_limit(log: Log) -> None:
    """Warn where so many avalanches are cut short that exponents are bent."""
    if "capped" in log.columns and (said := support.bent(support.scales_of(log))):
        warnings.warn(said, stacklevel=3)
