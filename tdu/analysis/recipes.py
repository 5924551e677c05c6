"""The recipe the paper did not print: D(t), phases and incidental figures of one study, whatever units and weights it had."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tdu.analysis import grokking
from tdu.analysis.phases import split_at_grokking
from tdu.config import ACTIVATIONS, INITIALISATIONS, INPUTS, StudyConfig
from tdu.results.published import PUBLISHED, compare
from tdu.statistics.resampling import estimate
from tdu.statistics.scaling import exponent, exponent_of_runs, over_time, per_run, window_dimension
from tdu.types import Estimate, Floats, Log, SizeStatistic

#: What is compared with the published figures, of which a recipe is compatible with so and so many.
COMPARED = (
    "dimension", "gamma", "dimension_early", "dimension_late", "dimension_pre", "dimension_post",
    "grokking_first", "grokking_last", "deviation_angle", "steps_mean", "gini_rise",
)  # fmt: skip
_N_RESAMPLES = 2000


def configurations(config: StudyConfig) -> list[StudyConfig]:
    """Every recipe, in-line and in shadow."""
    return [
        replace(config, activation=activation, initialisation=initialisation, inputs=inputs, alpha_train=alpha_train)
        for activation, initialisation, inputs, alpha_train in itertools.product(
            ACTIVATIONS, INITIALISATIONS, INPUTS, (config.alpha, 0.0)
        )
    ]


def of_log(log: Log) -> dict[str, Estimate]:
    """The figures of one recipe. D(t) is of the mean size, the smoother statistic; phases are of each run's own split."""
    seed = log.seed
    first, last = grokking.window(log)
    before, after = log.step < first, log.step > last
    phases = split_at_grokking(log)
    pre, post = (_phase(log, phases[name]) for name in ("dimension_pre", "dimension_post"))
    gini_rise = 100 * (log.curves["gini"].max(axis=-1) / log.curves["gini"][..., 0] - 1)
    return {
        **grokking.analyse(log).estimates,
        "dimension": exponent(log, SizeStatistic.LARGEST, seed),
        "gamma": exponent(log, SizeStatistic.MEAN, seed),
        "dimension_early": window_dimension(log, SizeStatistic.MEAN, before, seed),
        "dimension_late": window_dimension(log, SizeStatistic.MEAN, after, seed),
        "rise": _early_and_late(log, before, after, lambda early, late: late - early),
        "distance": _early_and_late(log, before, after, _distance),
        "dimension_pre": pre,
        "dimension_post": post,
        "deviation_angle": _mean(np.degrees(log.columns["deviation_angle"].mean(axis=-1)), seed),
        "steps_mean": _mean(log.columns["duration"].mean(axis=-1), seed),
        "gini_rise": _mean(gini_rise, seed),
    }


def shape_of(found: dict[str, Estimate]) -> str:
    """What D(t) does, in words: it rises or falls if the interval of late minus early leaves out 0.

    Through 1: the interval of early lies wholly on one side, and that of late wholly on the other.
    """
    rise, early, late = found["rise"], found["dimension_early"], found["dimension_late"]
    if np.isnan(rise.value):
        return "a scale never groks"
    if rise.low > 0:
        return "rises through 1" if early.high < 1 < late.low else "rises"
    if rise.high < 0:
        return "falls through 1" if late.high < 1 < early.low else "falls"
    return "undecided"


def n_compatible(found: dict[str, Estimate]) -> int:
    """How many of the published figures in `COMPARED` a study of this recipe does not contradict: more it can seldom tell."""
    known = [key for key in COMPARED if not np.isnan(found[key].low)]
    return sum(compare(found[key], key).verdict in ("agrees", "cannot tell") for key in known)


def _distance(early: Floats, late: Floats) -> Floats:
    """Root mean square distance of D(t) before and after the window from the published 0.90 and 1.20."""
    wanted = [PUBLISHED[key].value or 0.0 for key in ("dimension_early", "dimension_late")]
    return np.asarray(np.sqrt(((early - wanted[0]) ** 2 + (late - wanted[1]) ** 2) / 2))


def _early_and_late(
    log: Log, before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_], combine: Callable[[Floats, Floats], Floats]
) -> Estimate:
    """`combine` of the means of D(t) over the snapshots before and after the window."""
    if not (before.any() and after.any()):
        return Estimate(np.nan, np.nan, np.nan, SizeStatistic.MEAN, "no snapshot in this window")
    n_before = int(before.sum())
    combined = exponent_of_runs(log.n_sites, SizeStatistic.MEAN).then(
        lambda of_time: combine(of_time[..., :n_before].mean(axis=-1), of_time[..., n_before:].mean(axis=-1))
    )
    both = np.concatenate([over_time(log)[before], over_time(log)[after]])
    return estimate(both, combined, SizeStatistic.MEAN, log.seed, n_resamples=_N_RESAMPLES)


def _phase(log: Log, inside: npt.NDArray[np.bool_]) -> Estimate:
    values, fit = per_run(log.size, SizeStatistic.MEAN, inside), exponent_of_runs(log.n_sites, SizeStatistic.MEAN)
    return estimate(values, fit, SizeStatistic.MEAN, log.seed, n_resamples=_N_RESAMPLES)


def _mean(values: Floats, seed: int) -> Estimate:
    return estimate(values, lambda v: v.mean(axis=(-2, -1)), "mean over runs", seed, n_resamples=_N_RESAMPLES)
