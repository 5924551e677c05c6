"""Many studies of one design as one: what the design measures, where a single study cannot tell."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import stdtrit

from tdu.analysis.control import variation_beyond_noise
from tdu.results.published import PUBLISHED
from tdu.results.series import Robustness, Topologies
from tdu.statistics.resampling import RunStatistic, bootstrap
from tdu.types import Estimate, Findings, Floats, SizeStatistic

#: The exponents (settings,) of a study, by the key of their coefficient of variation.
_SETTINGS: dict[str, Callable[[Findings], Floats]] = {
    "synthetic_topology_cv": lambda study: study.series_of(Topologies).dimension.value,
    "synthetic_alpha_cv": lambda study: study.series_of(Robustness).bands["alpha", "synthetic", SizeStatistic.MEAN].value,
    "synthetic_quantile_cv": lambda study: study.series_of(Robustness).bands["quantile", "synthetic", SizeStatistic.MEAN].value,
    "alpha_cv": lambda study: study.series_of(Robustness).bands["alpha", "inline", SizeStatistic.LARGEST].value,
    "quantile_cv": lambda study: study.series_of(Robustness).bands["quantile", "inline", SizeStatistic.LARGEST].value,
}


def analyse(studies: Sequence[Findings], seed: int = 0) -> dict[str, Estimate]:
    """Every quantity over `studies` of other seeds, the values of which alone are used, by its key.

    Most are means over studies with Student's interval. A coefficient of variation is of the exponents' means over studies,
    less what the scatter of studies would make; a share is a ratio of means; of one run's figure, the spread is averaged.
    """
    found = {}
    for key, one in studies[0].estimates.items():
        of_studies = [study.estimates[key] for study in studies]
        if key in _SETTINGS:
            exponents = np.array([_SETTINGS[key](study) for study in studies])
            found[key] = _variation(exponents, one.statistic, seed)
        elif key.startswith("share_"):
            excess = np.array([study.estimates[key.replace("share", "excess")].value for study in studies])
            late = np.array([study.readings["dimension_late"]["mean"].value for study in studies])
            found[key] = _ratio(100 * excess, late - 1, one.statistic)
        elif key in PUBLISHED and PUBLISHED[key].one_run:
            middle, low, high = (np.mean([getattr(e, end) for e in of_studies]) for end in ("value", "low", "high"))
            found[key] = Estimate(float(middle), float(low), float(high), one.statistic, f"means over {len(studies)} studies")
        else:
            found[key] = mean_over_studies(np.array([e.value for e in of_studies]), one.statistic)
    return found


def mean_over_studies(values: Floats, statistic: str) -> Estimate:
    """Mean over the studies (n,) for which a quantity is known, with Student's interval."""
    known = values[np.isfinite(values)]
    said = f"{statistic}, mean over studies"
    if known.size == 0:
        return Estimate(np.nan, np.nan, np.nan, said)
    half = _half_width(known)
    note = f"{known.size} studies, standard deviation {known.std(ddof=1):.3g}" if known.size > 1 else "1 study"
    return Estimate(float(known.mean()), float(known.mean() - half), float(known.mean() + half), said, note)


def _ratio(above: Floats, below: Floats, statistic: str) -> Estimate:
    """Ratio of the means of `above` and `below` (n,), with Student's interval of its linearisation."""
    ratio = above.mean() / below.mean()
    half = _half_width((above - ratio * below) / below.mean())
    return Estimate(
        float(ratio),
        float(ratio - half),
        float(ratio + half),
        f"{statistic}, ratio of means over studies",
        f"{above.size} studies",
    )


def _half_width(values: Floats) -> float:
    if values.size < 2:
        return np.nan
    return float(stdtrit(values.size - 1, 0.975) * values.std(ddof=1) / np.sqrt(values.size))


def _variation(exponents: Floats, statistic: str, seed: int) -> Estimate:
    """CV over the settings of `exponents` (n, settings), means over studies that are resampled whole."""
    by_setting = exponents.T[:, None]  # settings, one scale, studies
    means = RunStatistic(lambda studies: studies.mean(axis=-1)[..., 0], "mean")
    note = f"{len(exponents)} studies"
    return variation_beyond_noise(exponents.mean(axis=0), bootstrap(by_setting, means, seed), statistic, note)
