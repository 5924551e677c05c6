"""D(t) beside what else people watch: whether it goes with the loss, the norms, the ranks, and whether it changes first."""

import math
from dataclasses import replace

import numpy as np
from scipy.stats import rankdata

from tdu.avalanches.observables import OBSERVABLES, PROFILE
from tdu.results.series_of_logs import Recorded, Watched
from tdu.statistics.resampling import OfRuns, estimate
from tdu.statistics.sampling import mean_of_known
from tdu.statistics.scaling import slopes
from tdu.types import Estimate, Findings, Floats, Integers, Log

_N_RESAMPLES = 2000
_LARGEST = 1 - 1e-12  # where artanh of a perfect correlation is cut off
_FEWEST = 5  # steps below which ranks say nothing


def analyse(log: Log) -> Findings:
    """Rank correlation of D(t) with every recorded column that is no observable of the avalanche, and its lead over it.

    D(t) is of the mean size, a column its mean over runs and scales, over the steps at which every scale has a run. Spearman's
    rank correlation is over steps; beside it stands that of D(t) under a null, since whatever trends correlates. The lead is
    the step at which the column has changed by half of what it changes in all (`half_change`) minus that of D(t): above 0, D(t)
    changes first. Intervals resample runs, sizes and column together.
    """
    names = [name for name in log.columns if name not in OBSERVABLES and not name.startswith(PROFILE)]
    estimates: dict[str, Estimate] = {}
    readings: dict[str, dict[str, Estimate]] = {}
    for name in names:
        steps = np.flatnonzero(log.complete & (~np.isnan(log.columns[name])).any(axis=(0, 1)))
        if steps.size >= _FEWEST:
            correlation, of_nulls, lead = _beside(log, name, steps)
            estimates |= {f"correlation_{name}": correlation, f"lead_{name}": lead}
            readings[f"correlation_{name}"] = of_nulls
    shown = {name: Recorded(mean_of_known(np.moveaxis(log.columns[name], -1, 0).reshape(log.step.size, -1))) for name in names}
    return Findings(estimates, readings, (Watched(log.step, shown),) if shown else ())


def _beside(log: Log, name: str, steps: Integers) -> tuple[Estimate, dict[str, Estimate], Estimate]:
    """Correlation with one column, those of D(t) under the nulls, and the lead."""
    n, step = log.n_sites, log.step[steps].astype(np.float64)
    column = _in_time(log.columns[name], steps)

    def series(v: Floats) -> tuple[Floats, Floats]:
        """D(t) and the column, (B, T) each, of sizes and columns (B, 2, T, S, K)."""
        return slopes(n, mean_of_known(v[:, 0])), mean_of_known(v[:, 1].reshape(len(v), step.size, -1))

    def estimated(sizes: Floats, function: OfRuns, words: str, note: str = "") -> Estimate:
        both = np.stack([_in_time(sizes, steps), column])
        return estimate(both, function, words, log.seed, note, n_resamples=_N_RESAMPLES)

    def fishers_z(v: Floats) -> Floats:
        return np.arctanh(np.clip(rank_correlation(*series(v)), -_LARGEST, _LARGEST))

    def correlated(sizes: Floats) -> Estimate:
        """ρ, by way of artanh ρ, whose interval cannot leave ±1."""
        z = estimated(sizes, fishers_z, f"Spearman's ρ over {steps.size} steps")
        return replace(z, value=math.tanh(z.value), low=math.tanh(z.low), high=math.tanh(z.high))

    def changed(v: Floats) -> Floats:
        return _change(series(v)[0])

    def led(v: Floats) -> Floats:
        dimension, other = series(v)
        return half_change(step, other) - half_change(step, dimension)

    change = estimated(log.size, changed, "")
    still = "D(t) does not change beyond its interval, and leads nothing" if change.low <= 0 <= change.high else ""
    lead = estimated(log.size, led, "steps, half-change to half-change", still)
    return correlated(log.size), {f"of D(t) under {null}": correlated(s.mean(axis=0)) for null, s in log.nulls.items()}, lead


def _in_time(values: Floats, steps: Integers) -> Floats:
    """(S, K, T) → (W, S, K) at W of the steps."""
    return np.moveaxis(values[..., steps], -1, 0)


def rank_correlation(a: Floats, b: Floats) -> Floats:
    """Spearman's rank correlation (B,) of series (B, T), ties given their mean rank; nan where one is constant or unknown."""
    ranks = [np.asarray(rankdata(values, axis=-1, nan_policy="propagate"), np.float64) for values in (a, b)]
    x, y = (ranked - ranked.mean(axis=-1, keepdims=True) for ranked in ranks)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((x * y).sum(axis=-1) / np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1)))


def half_change(step: Floats, values: Floats) -> Floats:
    """The step (B,) at which series (B, T) first cross the middle between their first and their last level, interpolated.

    A level is the mean of a fifth of the series at its end, one value at least. nan where the levels are the same.
    """
    first, last = _levels(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (values - first[:, None]) / (last - first)[:, None]  # 0 to 1
        beyond = part >= 0.5
        at = np.maximum(beyond.argmax(axis=-1), 1)
        before, after = (np.take_along_axis(part, index[:, None], axis=-1)[:, 0] for index in (at - 1, at))
        share = np.clip(np.where(after > before, (0.5 - before) / (after - before), 0.0), 0.0, 1.0)
    return np.where(beyond.any(axis=-1), step[at - 1] + share * (step[at] - step[at - 1]), np.nan)


def _levels(values: Floats) -> tuple[Floats, Floats]:
    """First and last level (B,) of series (B, T)."""
    fifth = max(values.shape[-1] // 5, 1)
    return values[:, :fifth].mean(axis=-1), values[:, -fifth:].mean(axis=-1)


def _change(values: Floats) -> Floats:
    first, last = _levels(values)
    return np.asarray(last - first)
