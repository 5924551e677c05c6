"""When the runs grok (Fig. 1a)."""

import numpy as np

from tdu.results.series import GrokkingEpochs, OneRun
from tdu.statistics.resampling import estimate
from tdu.statistics.sampling import mean_of_known
from tdu.types import Estimate, Findings, Floats, Log


def epochs_of_runs(log: Log) -> Floats:
    """(S, K) grokking epochs, nan for an ungrokked run."""
    return np.where(log.grokking_step < 0, np.nan, log.grokking_step)


def window(log: Log) -> tuple[float, float]:
    """Earliest and latest mean grokking epoch of a scale over its grokked runs; nan if a scale has none."""
    of_scales = mean_of_known(epochs_of_runs(log))
    return float(of_scales.min()), float(of_scales.max())


def analyse(log: Log, *, intervals: bool = True) -> Findings:
    """The grokking window of a study.

    The paper's inset gives one epoch per scale, "spanning 12–134": the window is read as earliest and latest mean of a scale
    over its grokked runs. Over single runs the range is wider, and grows with their number; that reading stands beside it.
    """
    seed = log.seed if intervals else None
    epoch = epochs_of_runs(log)
    ungrokked = int(np.isnan(epoch).sum())
    note = f"{ungrokked} of {epoch.size} runs never grok" if ungrokked else "every run groks"
    extreme = f"{note}; an extreme over runs: resampling cannot go beyond it"
    first = estimate(epoch, lambda v: mean_of_known(v).min(axis=-1), "earliest scale mean", seed, note)
    last = estimate(epoch, lambda v: mean_of_known(v).max(axis=-1), "latest scale mean", seed, note)
    return Findings(
        estimates={
            "grokking_first": first,
            "grokking_last": last,
        },
        readings={
            "grokking_first": {"earliest run": _extreme(epoch, np.fmin, "earliest run", seed, extreme)},
            "grokking_last": {"latest run": _extreme(epoch, np.fmax, "latest run", seed, extreme)},
        },
        series=(series(log),),
    )


def series(log: Log) -> GrokkingEpochs:
    """When each run groks, and the mean of each scale."""
    epoch = epochs_of_runs(log)
    return GrokkingEpochs(log.n_sites, epoch, mean_of_known(epoch))


def _extreme(epoch: Floats, reduce: np.ufunc, statistic: str, seed: int | None, note: str) -> Estimate:
    return estimate(epoch, lambda v: np.asarray(reduce.reduce(v, axis=(-2, -1))), statistic, seed, note, stretched=False)


def one_run(log: Log) -> Findings:
    """The first run of a log of one scale, among its like, to see whether the paper's one run could be such."""
    alike = epochs_of_runs(log)[0]
    known = alike[np.isfinite(alike)]
    middle, low, high = (float(q) for q in np.quantile(known, [0.5, 0.025, 0.975])) if known.size else (np.nan,) * 3
    note = f"the interval holds 95 % of {known.size} runs of h = {log.scale[0]}"
    return Findings(
        estimates={"grokking_example": Estimate(middle, low, high, "median run", note)},
        series=(OneRun(log.curves["accuracy"][0, 0], log.curves["loss"][0, 0], float(alike[0])),),
    )
