"""Intervals by resampling runs: snapshots of one run are not independent of each other, runs are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from tdu.rng import Stage, generator
from tdu.statistics.sampling import (
    Sampler,
    largest_alone,
    lognormal_maxima,
    mean_alone,
    means_alone,
    which_known,
    with_replacement,
)
from tdu.types import DependsOn, Estimate, Floats

N_RESAMPLES = 10_000
_BLOCK = 500  # resamples held in memory at a time
_N_VARIANCE = 100  # resamples of one scale, for its share of the variance

#: A function of K runs in each of S scales: (…, S, K) → (…), vectorised over the leading axes.
OfRuns = Callable[[Floats], Floats]


@dataclass(frozen=True)
class RunStatistic:
    """A function of runs (…, S, K) → (…) that says what of the K runs of a scale it depends on.

    Where it is their mean or the largest of them, resampling hands over that alone, (…, S, 1), which is the same to the
    function: of the mean the samples are the same, and sooner found; of the largest they are drawn as maxima ask for.
    """

    function: OfRuns
    depends_on: DependsOn = "runs"

    @classmethod
    def of(cls, function: OfRuns) -> "RunStatistic":
        """`function` as it is if it says what it depends on; one that does not depends on every run."""
        return function if isinstance(function, RunStatistic) else cls(function)

    def __call__(self, runs: Floats) -> Floats:
        """The value of `runs` (…, S, K)."""
        return self.function(runs)

    def then(self, function: Callable[[Floats], Floats]) -> "RunStatistic":
        """A further `function` of the value, which depends on the runs through the same."""
        return RunStatistic(lambda runs: np.asarray(function(self(runs))), self.depends_on)


def bootstrap(
    values: npt.ArrayLike,
    statistic: OfRuns,
    seed: int | None = 0,
    n_resamples: int = N_RESAMPLES,
    *,
    stretched: bool = True,
    reflected: bool | None = None,
) -> Floats:
    """`statistic` of resampled runs: (n_resamples, …) from `values` (…, S, K), K runs in each of S scales, nan for no value.

    Runs are drawn with replacement within their scale, k − 1 of the k known (McCarthy & Snowden 1985; Rao & Wu 1988): with few
    runs a scale, drawing k would make the variance of a mean too small by (k − 1)/k. And their spread is itself uncertain:
    samples are stretched about their median by the ratio of Student's to the normal quantile (the expanded percentile
    interval of Hesterberg 2015), at the degrees of freedom that Satterthwaite's rule finds in the scales' shares of the
    variance. Not `stretched` are extremes over runs, which cannot lie beyond them.

    Where the statistic `depends_on` the largest of the runs, drawing from those at hand fails: no draw exceeds their largest,
    and intervals of nominal 95 % cover 78 % where small systems scatter more. As many runs as are known are then drawn from
    the log-normal with the mean and the covariance (over the leading indices: snapshots, phases, settings) of those at hand.

    `reflected` are the samples of statistics that resampling shifts, as it does R² and, which is why it is their default,
    maxima: their deviations from their own mean are taken off the value found (the basic interval of Davison & Hinkley 1997).
    The shift is the fitted law's, not the runs', and would set the interval off its value.

    One run a scale has no spread to resample, and `seed` None asks for none: a single sample of nan.

    Examples
    --------
    >>> from tdu.statistics.resampling import bootstrap
    >>> from tdu.statistics.sampling import mean_of_runs
    >>> bootstrap([[1, 2, 3], [4, 6, 8]], mean_of_runs, n_resamples=500).shape  # three runs in each of two scales
    (500,)
    """
    runs = np.asarray(values, np.float64)
    if runs.shape[-1] < 2 or seed is None:
        return np.full((1, *np.shape(statistic(runs[None]))[1:]), np.nan)
    statistic = RunStatistic.of(statistic)
    reflected = statistic.depends_on == "maximum" and stretched if reflected is None else reflected
    draw = {"runs": with_replacement, "mean": means_alone, "maximum": lognormal_maxima}[statistic.depends_on](runs)
    blocks = [(seed, start, min(_BLOCK, n_resamples - start)) for start in range(0, n_resamples, _BLOCK)]
    samples = np.concatenate([statistic(draw(block)) for block in blocks])
    if reflected:
        samples = statistic(runs[None]) - (samples - _middle(samples, np.mean, np.nanmean))
    if not stretched:
        return samples
    middle = statistic(runs[None]) if reflected else _middle(samples, np.median, np.nanmedian)
    return np.asarray(middle + (samples - middle) * _students_stretch(runs, statistic, seed, draw))


def _middle(samples: Floats, reduce: Callable[..., Any], reduce_known: Callable[..., Any]) -> Floats:
    """Mean or median over the first axis."""
    if np.isnan(samples).any():
        return _of_known(samples, partial(reduce_known, axis=0))
    return np.asarray(reduce(samples, axis=0))


def _students_stretch(runs: Floats, statistic: RunStatistic, seed: int, draw: Sampler) -> Floats:
    """Ratio of the 97.5 % quantiles of Student's t and of the normal distribution, per entry of the statistic."""
    known, depends_on = which_known(runs), statistic.depends_on
    if depends_on == "maximum":
        others = largest_alone(runs)
        fitted = draw((seed, 0, _N_VARIANCE))
    else:
        others = mean_alone(runs) if depends_on == "mean" else runs
        rng = generator(seed, Stage.BOOTSTRAP, replicate=1)
    variances = []
    for resampled, known_runs in enumerate(known):
        drawn = np.broadcast_to(others, (_N_VARIANCE, *others.shape)).copy()
        if depends_on == "maximum":
            drawn[..., resampled, :] = fitted[..., resampled, :]
        else:
            n_known = int(known_runs.sum())
            choice = np.flatnonzero(known_runs)[rng.integers(max(n_known, 1), size=(_N_VARIANCE, n_known))]
            chosen = np.moveaxis(runs[..., resampled, choice], -2, 0)
            drawn[..., resampled, : chosen.shape[-1]] = mean_alone(chosen) if depends_on == "mean" else chosen
            drawn[..., resampled, chosen.shape[-1] :] = np.nan
        variances.append(_of_known(statistic(drawn), partial(np.nanvar, axis=0)))
    shares = np.stack(variances)
    own_freedom = known.sum(axis=1).reshape(-1, *(1,) * (shares.ndim - 1)) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = shares.sum(axis=0) ** 2 / (shares**2 / own_freedom).sum(axis=0)
    finite = np.where(np.isfinite(freedom), freedom, np.inf)  # nothing varies, or nothing is known
    return np.asarray(stdtrit(finite, 0.975) / ndtri(0.975))


def interval(samples: Floats) -> tuple[Floats, Floats]:
    """Central 95 % of bootstrap `samples` (B, …), by percentiles; shapes (…).

    Resamples without a value, as where only runs that never grok were drawn, are left out; where they are most, it is nan. One
    sample has no spread, and no interval.

    Examples
    --------
    >>> from tdu.statistics.resampling import interval
    >>> low, high = interval(np.arange(101.0))
    >>> float(low), float(high)
    (2.5, 97.5)
    """
    if len(samples) == 1:
        return np.full(samples.shape[1:], np.nan), np.full(samples.shape[1:], np.nan)
    if np.isnan(samples).any():
        low, high = (_of_known(samples, partial(np.nanpercentile, q=q, axis=0)) for q in (2.5, 97.5))
    else:
        low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    return low, high


def _of_known(samples: Floats, reduce: Callable[..., Any]) -> Floats:
    """`reduce`, which leaves out what is nan, over the first axis of (B, …) where at least half are known; elsewhere nan."""
    enough = (~np.isnan(samples)).mean(axis=0) >= 0.5
    return np.where(enough, reduce(np.where(enough, samples, 0.0)), np.nan)


def estimate(
    values: npt.ArrayLike,
    statistic: OfRuns,
    words: str,
    seed: int | None = 0,
    note: str = "",
    *,
    stretched: bool = True,
    within: tuple[float, float] = (-np.inf, np.inf),
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """A scalar `statistic` of the runs in `values` (…, S, K) with its bootstrap interval (`bootstrap` says how).

    `words` say what it is. `seed` None: the value alone, its interval unknown. `within`, as 0 and 1 for a share, are ends that
    the statistic cannot pass: stretched samples could, and the interval is cut there.

    Examples
    --------
    >>> from tdu.statistics.resampling import estimate
    >>> from tdu.statistics.sampling import mean_of_runs
    >>> found = estimate([[1, 2, 3], [4, 6, 8]], mean_of_runs, "mean over runs")
    >>> found.value, found.low < 4 < found.high
    (4.0, True)
    """
    runs = np.asarray(values, np.float64)
    low, high = np.clip(interval(bootstrap(runs, statistic, seed, n_resamples, stretched=stretched)), *within)
    return Estimate(float(statistic(runs[None])[0]), float(low), float(high), str(words), note)
