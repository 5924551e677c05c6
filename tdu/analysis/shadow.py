"""The probe in shadow: whether letting the raw gradient train changes what is measured."""

import numpy as np
import numpy.typing as npt

from tdu.analysis import dimension
from tdu.results.series import ShadowDimensionOverTime
from tdu.statistics.resampling import estimate
from tdu.statistics.scaling import exponent, exponent_of_runs, over_time, window_dimension
from tdu.types import Estimate, Findings, Log, SizeStatistic

_BOTH = (SizeStatistic.LARGEST, SizeStatistic.MEAN)


def analyse(log: Log, shadow: Log, window: tuple[float, float], *, intervals: bool = True) -> Findings:
    """Exponents of a `shadow` log beside those of the in-line `log` of the same initial states and graphs."""
    seed = log.seed if intervals else None
    before, after = log.step < window[0], log.step > window[1]
    early_late = {
        key: {f"shadow, {statistic}": window_dimension(shadow, statistic, inside, seed) for statistic in _BOTH}
        for key, inside in (("dimension_early", before), ("dimension_late", after))
    }
    return Findings(
        estimates={"shadow_change": _change(log, shadow, after, SizeStatistic.LARGEST, seed)},
        readings={
            "dimension": {"shadow": exponent(shadow, SizeStatistic.LARGEST, seed)},
            "gamma": {"shadow": exponent(shadow, SizeStatistic.MEAN, seed)},
            **early_late,
            "shadow_change": {
                "mean": _change(log, shadow, after, SizeStatistic.MEAN, seed),
                "before the window": _change(log, shadow, before, SizeStatistic.LARGEST, seed),
                "before the window, mean": _change(log, shadow, before, SizeStatistic.MEAN, seed),
            },
        },
        series=(ShadowDimensionOverTime(shadow.step, dimension.over_time(shadow, seed)),),
    )


def _change(log: Log, shadow: Log, inside: npt.NDArray[np.bool_], statistic: SizeStatistic, seed: int | None) -> Estimate:
    """Mean of D(t) over the snapshots `inside`, shadow minus in-line, paired by run."""
    if not inside.any():
        return Estimate(np.nan, np.nan, np.nan, statistic, "no snapshot in this window")
    both = np.stack([over_time(log)[inside], over_time(shadow)[inside]])
    exponents = exponent_of_runs(log.n_sites, statistic)  # (…, in-line or shadow, snapshot)
    return estimate(both, exponents.then(lambda found: np.diff(found.mean(axis=-1), axis=-1)[..., 0]), statistic, seed)
