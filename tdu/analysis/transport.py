"""More exponents of the same avalanches: how long they last, how fast they topple, and how much they carry."""

import numpy as np

from tdu.statistics.resampling import RunStatistic, estimate
from tdu.statistics.sampling import mean_of_known, mean_of_runs
from tdu.statistics.scaling import exponent_estimate, exponent_of_runs, per_run
from tdu.types import Estimate, Findings, Floats, Log, SizeStatistic


def analyse(log: Log) -> Findings:
    """z, β and δ of a log, exponents of transport and efficiency, how well they close, and the branching ratio.

    ⟨T⟩ ~ N^z, ⟨s/T⟩ ~ N^β, ⟨s⟩/(N ⟨T⟩) ~ N^δ, and likewise of transport M = Σ |α g|/τ and efficiency M/s, over all snapshots.
    δ = β − 1, and the exponent of M/s is that of ⟨M⟩/⟨s⟩, where the mean of a ratio is the ratio of means: how far it is not
    is what a closure says.
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
    if "transport" in log.columns:
        exponents |= _carried(log, size)
    if "branching_ratio" in log.columns:
        ratio = mean_of_known(log.columns["branching_ratio"])
        exponents["branching_ratio"] = estimate(ratio, mean_of_runs, "mean over snapshots", seed)
    return Findings(exponents)


def _carried(log: Log, size: Floats) -> dict[str, Estimate]:
    """Exponents of transport and efficiency, and their closure; `size` (S, K) is the mean of each run."""
    n, seed = log.n_sites, log.seed
    moved, by_toppling = (per_run(log.columns[name], SizeStatistic.MEAN) for name in ("transport", "efficiency"))
    fit = exponent_of_runs(n, SizeStatistic.MEAN)
    closure = RunStatistic(lambda v: fit(v[:, 2]) - (fit(v[:, 1]) - fit(v[:, 0])), "mean")
    return {
        "transport_exponent": exponent_estimate(n, moved, SizeStatistic.MEAN, seed),
        "efficiency_exponent": exponent_estimate(n, by_toppling, SizeStatistic.MEAN, seed),
        "efficiency_closure": estimate(
            np.stack([size, moved, by_toppling]), closure, "of ⟨M/s⟩ − of ⟨M⟩/⟨s⟩", seed, "0 where it closes"
        ),
    }


def _of_ratio_of_means(log: Log) -> RunStatistic:
    """(…, 2, S, K) → (…): exponent of ⟨s⟩ / (N ⟨T⟩), of mean sizes and mean durations."""
    fit = exponent_of_runs(log.n_sites, SizeStatistic.MEAN)
    return RunStatistic(lambda v: fit(v[:, 0]) - fit(v[:, 1]) - 1, "mean")
