"""Where gradient descent overshoots, and what D is on either side: the paper's study at other rates and widths."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import rankdata

from tdu.analysis import edge, grokking
from tdu.config import StudyConfig
from tdu.results.series import EDGE
from tdu.statistics.resampling import estimate
from tdu.statistics.sampling import mean_of_runs
from tdu.statistics.scaling import MIN_SCALES, per_run, window_dimension
from tdu.types import Booleans, Estimate, Floats, Integers, Log, SizeStatistic

#: η, from where no scale of the paper's is beyond the edge to where most are.
RATES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)
#: Of η × epochs, between snapshots.
_BETWEEN = 5.0
_N_RESAMPLES = 2000


def at_rate(config: StudyConfig, rate: float, **changes: Any) -> StudyConfig:
    """The study at another rate for as long a time η × epochs, with about as many snapshots."""
    epochs = round(config.learning_rate * config.epochs / rate)
    return replace(config, learning_rate=rate, epochs=epochs, snapshot_every=max(round(_BETWEEN / rate), 1), **changes)


@dataclass(frozen=True, eq=False)
class Trained:
    """What a study at one rate shows: η·λ₀ and overshoot (S, K), epochs (S, K), and by scale (S,) the late size per site.

    `grokked`: nan for a run that never groks; `calm`: the last epoch at which the loss grew, 0 where it never did.
    """

    scale: Integers
    sharpness: Floats
    overshoot: Floats
    grokked: Floats
    calm: Floats
    per_site: list[Estimate]

    @property
    def beyond(self) -> Booleans:
        """(S,): the scales that start beyond the edge, by the mean over runs."""
        return np.asarray(self.sharpness.mean(axis=1) > EDGE)


def of_log(log: Log, sharpness: Floats) -> Trained:
    """What the log of a study shows, given η·λ₀ (S, K) of its runs."""
    late = log.step > grokking.window(log)[1]
    per_site = per_run(log.size, SizeStatistic.MEAN, late) / log.n_sites[:, None]
    grown = np.diff(log.curves["loss"], axis=-1) > 0
    epochs = np.arange(1, grown.shape[-1] + 1)
    return Trained(
        log.scale,
        sharpness,
        edge.overshoot(log),
        grokking.epochs_of_runs(log),
        np.where(grown, epochs, 0).max(axis=-1, initial=0).astype(np.float64),
        [estimate(row[None], mean_of_runs, "late mean s/N", log.seed, n_resamples=_N_RESAMPLES) for row in per_site],
    )


def late_dimension(log: Log, scales: Booleans) -> Estimate:
    """D(t) of the mean size of some of the scales of a log, after the window in which these grok."""
    if scales.sum() < MIN_SCALES:
        return Estimate(np.nan, np.nan, np.nan, SizeStatistic.MEAN, f"{scales.sum()} scales: an exponent needs three")
    part = _of_scales(log, scales)
    return window_dimension(part, SizeStatistic.MEAN, part.step > grokking.window(part)[1], log.seed)


def _of_scales(log: Log, kept: Booleans) -> Log:
    columns = {name: values[kept] for name, values in log.columns.items()}
    return Log(log.scale[kept], log.n_sites[kept], log.step, columns, {}, {}, log.grokking_step[kept], log.seed)


def edge_of(trained: list[Trained], seed: int) -> Estimate:
    """The η·λ₀ that best parts the runs whose loss exceeds its start from the others, over all rates and widths.

    Below lie as many of the former as above of the latter, as far as runs allow: where these are few, the edge is sharp.
    """
    x = np.concatenate([one.sharpness for one in trained])
    y = np.concatenate([one.overshoot > 1 for one in trained]).astype(np.float64)
    both = np.stack([x, y])
    found = estimate(both, _parting, "η·λ₀ that parts runs", seed, n_resamples=_N_RESAMPLES)
    wrong = int(((x > found.value) != (y > 0)).sum())
    lowest, highest = x[y > 0].min(initial=np.inf), x[y == 0].max(initial=0.0)
    note = (
        f"{wrong} of {x.size} runs on the wrong side; lowest that overshoots {lowest:.2f}, highest that does not {highest:.2f}"
    )
    return replace(found, note=note)


def _parting(values: Floats) -> Floats:
    """(B, 2, S, K) → (B,): of x at 0, y at 1, the x with the fewest y = 1 below and y = 0 above; between two runs."""
    found = np.full(len(values), np.nan)
    for i, (x, y) in enumerate(values.reshape(*values.shape[:2], -1)):
        order = np.argsort(x)
        x, y = x[order], y[order]
        wrong = np.concatenate([[0.0], np.cumsum(y) - np.cumsum(1 - y)])  # up to what stays the same
        best = np.flatnonzero(wrong == wrong.min())
        at = int(best[best.size // 2])
        if 0 < at < x.size:
            found[i] = np.sqrt(x[at - 1] * x[at])
    return found


def correlation(trained: Trained, seed: int) -> Estimate:
    """Rank correlation, over the runs that overshoot and grok, of their grokking epoch with the last at which loss grew."""
    chosen = (trained.overshoot > 1) & np.isfinite(trained.grokked)
    both = np.where(chosen, np.stack([trained.grokked, trained.calm]), np.nan)
    note = f"{chosen.sum()} runs"
    if chosen.sum() < MIN_SCALES:
        return Estimate(np.nan, np.nan, np.nan, "rank correlation", note)
    return estimate(both, _rank_correlation, "rank correlation", seed, note, n_resamples=_N_RESAMPLES)


def _rank_correlation(values: Floats) -> Floats:
    """(B, 2, S, K) → (B,): Spearman's, of the runs that are known; nan where one of the two is the same for all."""
    found = np.full(len(values), np.nan)
    for i, pair in enumerate(values.reshape(*values.shape[:2], -1)):
        ranks = rankdata(pair[:, ~np.isnan(pair).any(axis=0)], axis=1)
        if ranks.shape[1] and (np.ptp(ranks, axis=1) > 0).all():
            found[i] = np.corrcoef(ranks)[0, 1]
    return found
