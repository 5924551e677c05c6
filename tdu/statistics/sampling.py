"""How runs are drawn anew within their scale: all of them, their mean alone, or the largest alone."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from tdu.kernels.resampling import means_of_picks
from tdu.rng import Stage, generator
from tdu.types import Booleans, Floats, Integers

#: Blocks of random numbers: the twenty of one interval and that of its variances. Every quantity of a study asks for them in
#: turn, so that with one block less none would still be there.
_REMEMBERED = 21

# Samplers lay the runs out first in memory and hand them over last: reducing over a short last axis would be slow.


#: Seed, first resample and number of resamples of those held in memory at a time.
Block = tuple[int, int, int]
Sampler = Callable[[Block], Floats]


@lru_cache(_REMEMBERED)
def _draws(block: Block, n_scales: int, n_runs: int) -> Integers:
    """Which runs are drawn, (K − 1, count, S): the same for every quantity, and remembered for the next."""
    seed, start, count = block
    return generator(seed, Stage.BOOTSTRAP, start).integers(n_runs, size=(n_runs - 1, count, n_scales))


@lru_cache(_REMEMBERED)
def _weights(block: Block, n_scales: int, n_runs: int) -> Floats:
    """Standard normals (K, S, K, count), the same for every quantity as well."""
    seed, start, count = block
    return generator(seed, Stage.BOOTSTRAP, start).standard_normal((n_runs, n_scales, n_runs, count))


def _picks(block: Block, known: Booleans) -> Integers:
    """Which runs are drawn, (K − 1, count, S): k − 1 of the k known of a scale, and for what is left K, which is none."""
    n_scales, n_runs = known.shape
    picks = _draws(block, n_scales, n_runs)
    if known.all():
        return picks
    picks = picks.copy()
    for scale, known_runs in enumerate(known):
        n_known = int(known_runs.sum())
        if n_known < n_runs:
            picks[:, :, scale] = n_runs
        if 1 < n_known < n_runs:
            picks[: n_known - 1, :, scale] = np.flatnonzero(known_runs)[_draws(block, n_scales, n_known)[..., scale]]
    return picks


def with_replacement(runs: Floats) -> Sampler:
    """Runs drawn with replacement, (count, …, S, K − 1)."""
    n_scales, n_runs = runs.shape[-2:]
    known = which_known(runs)
    by_run = np.moveaxis(runs.reshape(-1, n_scales, n_runs), 0, -1)  # (S, K, L)
    by_run = np.concatenate([by_run, np.full_like(by_run[:, :1], np.nan)], axis=1)  # and a run that is none
    scale = np.arange(n_scales)

    def draw(block: Block) -> Floats:
        of_runs = by_run[scale, _picks(block, known)]  # (K − 1, count, S, L)
        return np.asarray(of_runs.transpose(1, 3, 2, 0).reshape(-1, *runs.shape[:-1], n_runs - 1))

    return draw


def means_alone(runs: Floats) -> Sampler:
    """The means of such runs as the one run (count, …, S, 1), without laying the runs out."""
    n_scales, n_runs = runs.shape[-2:]
    known = which_known(runs)
    padded = np.concatenate([runs, np.full_like(runs[..., :1], np.nan)], axis=-1)  # a last run that is none
    rows = np.ascontiguousarray(padded.reshape(-1, n_scales * (n_runs + 1)).T)  # (S · (K + 1), L)
    first = (n_runs + 1) * np.arange(n_scales)

    def draw(block: Block) -> Floats:
        return picked_means(rows, first + _picks(block, known)).reshape(-1, *runs.shape[:-1], 1)

    return draw


def picked_means(rows: Floats, picks: Integers) -> Floats:
    """Means (B, L, S) of `rows` (R, L) over the `picks` (M, B, S), of what is known."""
    known = ~np.isnan(rows)
    means = np.empty((*picks.shape[1:], rows.shape[1]))
    means_of_picks(np.where(known, rows, 0.0), known.astype(np.float64), picks, means, np.empty(rows.shape[1]))
    return means.swapaxes(1, 2)


def lognormal_maxima(runs: Floats) -> Sampler:
    """The largest of as many runs as are known, whose logarithms are the mean plus a normal combination of the deviations.

    With independent standard weights over √(k − 1) the covariance of such runs is the sample covariance of the k at hand.
    """
    n_scales, n_runs = runs.shape[-2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.moveaxis(np.log(runs).reshape(-1, n_scales, n_runs), 0, 1)  # (S, L, K)
        mean = mean_of_known(logs)[..., None]
        n_known = (~np.isnan(logs)).sum(axis=-1, keepdims=True)  # (S, L, 1)
        deviations = np.where(np.isnan(logs), 0.0, logs - mean) / np.sqrt(n_known - 1)
    fewest = n_known.min()

    def draw(block: Block) -> Floats:
        weights = _weights(block, n_scales, n_runs)
        largest = deviations @ weights[0]  # (S, L, count)
        for number, weights_of_run in enumerate(weights[1:], start=1):
            drawn = deviations @ weights_of_run
            np.maximum(largest, drawn if number < fewest else np.where(number < n_known, drawn, -np.inf), out=largest)
        with np.errstate(invalid="ignore"):
            maxima = np.exp(mean + largest).transpose(2, 1, 0)
        return np.asarray(maxima.reshape(-1, *runs.shape[:-1], 1))

    return draw


def which_known(runs: Floats) -> Booleans:
    """(S, K): which runs have any value."""
    return np.asarray(~np.isnan(runs).reshape(-1, *runs.shape[-2:]).all(axis=0))


def largest_alone(runs: Floats) -> Floats:
    """Runs (…, K) as the one run (…, 1) that is their largest."""
    return np.asarray(np.fmax.reduce(runs, axis=-1, keepdims=True))


def mean_of_known(values: Floats) -> Floats:
    """Mean over the last axis of what is not nan; nan where nothing is known."""
    if values.shape[-1] == 1:
        return values[..., 0]
    total = values.sum(axis=-1)
    if values.shape[-1] and not np.isnan(total).any():
        return np.asarray(total / values.shape[-1])
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=-1) / known.sum(axis=-1))


def mean_of_runs(values: Floats) -> Floats:
    """Mean over all runs (…, S, K) that are known; shape (…)."""
    return mean_of_known(values.reshape(*values.shape[:-2], -1))


def mean_alone(runs: Floats) -> Floats:
    """Runs (…, K) as the one run (…, 1) that is their mean."""
    return mean_of_known(runs)[..., None]
