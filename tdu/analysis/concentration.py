"""Weight concentration: the Gini coefficient of |θ| around grokking (Fig. 1c)."""

import numpy as np
import numpy.typing as npt

from tdu.analysis.grokking import epochs_of_runs
from tdu.results.series import Gini, GiniAroundGrokking
from tdu.statistics.resampling import estimate
from tdu.statistics.sampling import mean_of_known
from tdu.types import Estimate, Findings, Floats, Log

BEFORE, AFTER = 50, 200  # epochs drawn around grokking
_N_RESAMPLES = 2000  # of a thousand runs
_NEAR = 10  # "within ±10 epochs"
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def analyse(inline: Log, shadow: Log, *, intervals: bool = True) -> Findings:
    """Rise, length and timing of the Gini peak over the many runs of one scale, trained in-line, beside the same in shadow.

    Rise: largest Gini of a run over that at its start. Length: epochs at or above half of that rise, around the peak. Timing:
    epoch of the peak minus the grokking epoch. A rise that never comes back is no transient peak: the share of runs that fall
    by half of their rise before the end stands beside it. Runs that never rise above their start have a rise of 0 and no peak.
    What is drawn goes with the `intervals`.
    """
    seed = inline.seed if intervals else None
    of_inline, of_shadow = _measures(inline), _measures(shadow)
    estimates, readings = {}, {}
    for key, statistic in (
        ("gini_rise", "mean over runs, %"),
        ("gini_duration", "mean over runs, epochs"),
        ("gini_near_grokking", "share of runs with the peak within ±10 epochs, %"),
        ("gini_transient", "share of runs whose rise halves again, %"),
        ("gini_at_grokking", "mean over runs, % of the start"),
    ):
        estimates[key] = _mean(of_inline[key], statistic, seed)
        readings[key] = {"shadow": _mean(of_shadow[key], statistic, seed)}
    return Findings(
        estimates,
        readings,
        series=(Gini({"inline": _drawn(inline, of_inline), "shadow": _drawn(shadow, of_shadow)}),) if intervals else (),
    )


def _mean(values: Floats, statistic: str, seed: int | None) -> Estimate:
    """Mean over the runs (K,) for which the value is known."""
    note = f"{np.isfinite(values).sum()} runs"
    return estimate(values[None], lambda v: mean_of_known(v)[..., 0], statistic, seed, note, n_resamples=_N_RESAMPLES)


def _measures(log: Log) -> dict[str, Floats]:
    gini, grokked = log.curves["gini"][0], epochs_of_runs(log)[0]
    change = gini / gini[:, :1] - 1
    top = change.argmax(axis=-1)
    rise = change[np.arange(len(change)), top]
    high = change >= rise[:, None] / 2
    rises = rise > 0
    known = np.isfinite(grokked) & rises
    at = np.where(np.isfinite(grokked), grokked, 0).astype(int)
    return {
        "gini_rise": 100 * rise,
        "gini_duration": np.where(rises, _length_around(high, top), np.nan),
        "gini_near_grokking": np.where(known, 100.0 * (np.abs(top - grokked) <= _NEAR), np.nan),
        "gini_transient": np.where(rises, 100.0 * ~high[:, -1], np.nan),
        "gini_at_grokking": np.where(np.isfinite(grokked), 100 * change[np.arange(len(change)), at], np.nan),
        "lag": np.where(rises, top - grokked, np.nan),
    }


def _length_around(high: npt.NDArray[np.bool_], top: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Length of the unbroken stretch of `high` (K, E+1) around epoch `top` (K,)."""
    epoch = np.arange(high.shape[1])
    low = ~high
    last_low = np.where(low & (epoch < top[:, None]), epoch, -1).max(axis=1)
    next_low = np.where(low & (epoch > top[:, None]), epoch, high.shape[1]).min(axis=1)
    return np.asarray(next_low - last_low - 1)


def _drawn(log: Log, measures: dict[str, Floats]) -> GiniAroundGrokking:
    """Change of Gini (%) against epochs from grokking: quantiles and mean over runs, one run, and the histogram of the lag."""
    gini, grokked = log.curves["gini"][0], epochs_of_runs(log)[0]
    runs = np.flatnonzero(np.isfinite(grokked))
    offsets = np.arange(-BEFORE, AFTER + 1)
    epoch = grokked[runs, None].astype(int) + offsets
    inside = (epoch >= 0) & (epoch < gini.shape[1])
    change = 100 * (gini / gini[:, :1] - 1)
    aligned = np.where(inside, change[runs[:, None], np.clip(epoch, 0, gini.shape[1] - 1)], np.nan)
    covered = inside.sum(axis=0) >= max(1, 0.5 * runs.size)  # where fewer runs reach, the band would be of another population
    quantiles = np.full((len(_QUANTILES), offsets.size), np.nan)
    if covered.any() and runs.size:
        quantiles[:, covered] = np.nanquantile(aligned[:, covered], _QUANTILES, axis=0)
    lag = measures["lag"][np.isfinite(measures["lag"])]
    counts, edges = np.histogram(lag, bins=np.arange(-100, 521, 20))
    return GiniAroundGrokking(
        offset=offsets,
        quantiles=quantiles,
        mean=np.where(covered, mean_of_known(aligned.T), np.nan),
        example=change[0],
        example_grokking_epoch=float(grokked[0]),
        lag_counts=counts,
        lag_edges=edges,
    )
