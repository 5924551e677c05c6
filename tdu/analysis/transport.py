"""More exponents of the same avalanches: how long they last, and how fast they topple."""

import numpy as np

from tdu.statistics.resampling import RunStatistic, estimate
from tdu.statistics.sampling import mean_of_known, mean_of_runs
from tdu.statistics.scaling import exponent_estimate, exponent_of_runs, per_run
from tdu.types import Findings, Log, SizeStatistic


def analyse(log: Log) -> Findings:
    """z, β and δ of a log, how well they close, and the branching ratio.

    ⟨T⟩ ~ N^z, ⟨s/T⟩ ~ N^β and ⟨s⟩/(N ⟨T⟩) ~ N^δ, over all snapshots; δ = β − 1 where the mean of a ratio is the ratio of
    means, and how far it is not is what the closure says.
    """
    n, seed = log.n_sites, log.seed
    duration = np.where(log.columns["duration"] > 0, log.columns["duration"], np.nan)
    size, steps, rate = (per_run(values, SizeStatistic.MEAN) for values in (log.size, duration, log.size / duration))
    of_means = RunStatistic(_of_ratio_of_means(log), "mean")
    fit = exponent_of_runs(n, SizeStatistic.MEAN)
    closure = RunStatistic(lambda v: of_means(v[:, :2]) - (fit(v[:, 2]) - 1), "mean")
    exponents = {
        "duration_exponent": exponent_estimate(n, steps, SizeStatistic.MEAN, seed),
        "rate_exponent": exponent_estimate(n, rate, SizeStatistic.MEAN, seed),
        "intensive_rate_exponent": estimate(np.stack([size, steps]), of_means, "ratio of means", seed),
        "rate_closure": estimate(np.stack([size, steps, rate]), closure, "δ − (β − 1)", seed, "0 where it closes"),
    }
    if "branching_ratio" in log.columns:
        ratio = mean_of_known(log.columns["branching_ratio"])
        exponents["branching_ratio"] = estimate(ratio, mean_of_runs, "mean over snapshots", seed)
    return Findings(exponents)


def _of_ratio_of_means(log: Log) -> RunStatistic:
    """(…, 2, S, K) → (…): exponent of ⟨s⟩ / (N ⟨T⟩), of mean sizes and mean durations."""
    fit = exponent_of_runs(log.n_sites, SizeStatistic.MEAN)
    return RunStatistic(lambda v: fit(v[:, 0]) - fit(v[:, 1]) - 1, "mean")
