"""D and γ over all epochs, D(t) over training, and what one avalanche looks like (Figs. 1b and 2c)."""

import numpy as np

from tdu.results.series import DimensionOverTime, ScalingLine, ScalingLines
from tdu.statistics.resampling import estimate
from tdu.statistics.sampling import mean_of_known, mean_of_runs
from tdu.statistics.scaling import (
    dimension_over_time,
    exponent,
    least_r2_over_time,
    over_runs,
    per_run,
    r2_estimate,
    scaling_exponent,
    window_dimension,
)
from tdu.types import Band, Estimate, Findings, Log, SizeStatistic

_DISTINCT = (SizeStatistic.LARGEST, SizeStatistic.MEAN)


def analyse(log: Log, window: tuple[float, float], *, intervals: bool = True) -> Findings:
    """Exponents of a log over all epochs, at each, and before and after the grokking `window` (epochs)."""
    seed = log.seed if intervals else None
    before, after = log.step < window[0], log.step > window[1]
    angle, duration, capped = (log.columns[name] for name in ("deviation_angle", "duration", "capped"))
    readings: dict[str, dict[str, Estimate]] = {
        "dimension_time_average": {"mean": window_dimension(log, SizeStatistic.MEAN, log.step >= 0, seed)},
        "dimension": {"run-peak": exponent(log, SizeStatistic.LARGEST_OF_RUNS, seed)},
        "r2_min": {"mean": least_r2_over_time(log, SizeStatistic.MEAN, seed)},
    }
    for key, inside in (("dimension_early", before), ("dimension_late", after)):
        readings[key] = {"mean": window_dimension(log, SizeStatistic.MEAN, inside, seed)}
    estimates = {
        "dimension": exponent(log, SizeStatistic.LARGEST, seed),
        "gamma": exponent(log, SizeStatistic.MEAN, seed),
        "dimension_early": window_dimension(log, SizeStatistic.LARGEST, before, seed),
        "dimension_late": window_dimension(log, SizeStatistic.LARGEST, after, seed),
        "dimension_r2": r2_estimate(log.n_sites, per_run(log.size, SizeStatistic.LARGEST), SizeStatistic.LARGEST, seed),
        "gamma_r2": r2_estimate(log.n_sites, per_run(log.size, SizeStatistic.MEAN), SizeStatistic.MEAN, seed),
        "dimension_time_average": window_dimension(log, SizeStatistic.LARGEST, log.step >= 0, seed),
        "r2_min": least_r2_over_time(log, SizeStatistic.LARGEST, seed),
        "deviation_angle": estimate(
            np.degrees(mean_of_known(angle)),
            mean_of_runs,
            "mean over snapshots",
            seed,
        ),
        "steps_mean": estimate(mean_of_known(duration), mean_of_runs, "mean over snapshots", seed),
        "steps_capped": estimate(100 * mean_of_known(capped), mean_of_runs, "share of snapshots, %", seed, within=(0, 100)),
        "steps_max": estimate(
            np.fmax.reduce(duration, axis=-1),
            lambda v: np.fmax.reduce(v, axis=(-2, -1)),
            "largest",
            seed,
            "an extreme over runs: resampling cannot go beyond it",
            stretched=False,
        ),
    }
    return Findings(
        estimates,
        readings,
        series=(
            DimensionOverTime(log.step, over_time(log, seed)),
            ScalingLines(log.n_sites, {statistic: line(log, statistic) for statistic in _DISTINCT}),
        ),
    )


def over_time(log: Log, seed: int | None) -> dict[SizeStatistic, Band]:
    """D(t) in its three statistics, of which `run-peak` and `mean` are one: at a snapshot a run has a single size."""
    largest, mean = (dimension_over_time(log, statistic, seed) for statistic in _DISTINCT)
    return {SizeStatistic.LARGEST: largest, SizeStatistic.LARGEST_OF_RUNS: mean, SizeStatistic.MEAN: mean}


def line(log: Log, statistic: SizeStatistic) -> ScalingLine:
    """Sizes of the scales over all steps, and the line through them."""
    values = per_run(log.size, statistic)
    size = over_runs(values, statistic)
    fit = scaling_exponent(log.n_sites, size)
    return ScalingLine(size, values, fit.exponent, fit.intercept)
