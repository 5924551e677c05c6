"""D and γ over diffusion strengths and threshold levels, in-line and shadow, real and synthetic."""

import numpy as np

from tdu.analysis.control import Control, variation_beyond_noise
from tdu.config import Scope, StudyConfig
from tdu.results.series import Axis, Robustness, Training
from tdu.statistics.resampling import bootstrap, interval
from tdu.statistics.scaling import exponent_of_runs, per_run
from tdu.training.sweeps import Sweeps
from tdu.types import STATISTICS, Band, Estimate, Findings, Floats, Integers, SizeStatistic

#: What is swept over, what trained, and the statistic.
Case = tuple[Axis, Training, SizeStatistic]


def analyse(
    config: StudyConfig, n_sites: Integers, scope: Scope, sweeps: Sweeps, control: Control, *, intervals: bool = True
) -> Findings:
    """Coefficients of variation of D and γ over the sweeps, and the exponents at every setting with intervals."""
    seed = config.seed if intervals else None
    cases: dict[Case, tuple[Floats, SizeStatistic]] = {}
    swept: list[tuple[Axis, Training, Floats | Integers | None]] = [
        ("alpha", "inline", sweeps.inline_alphas),
        ("alpha", "shadow", sweeps.shadow_alphas),
        ("quantile", "inline", sweeps.inline_quantiles),
        ("quantile", "shadow", sweeps.shadow_quantiles),
    ]
    synthetic: dict[Axis, Floats] = {"alpha": control.alphas, "quantile": control.quantiles}
    for axis, of_synthetic in synthetic.items():
        for swept_axis, training, size in swept:
            if swept_axis == axis and size is not None:
                cases |= {(axis, training, s): (per_run(size, s), s) for s in STATISTICS}
        cases[axis, "synthetic", SizeStatistic.MEAN] = of_synthetic, SizeStatistic.MEAN
    found = {name: over_settings(n_sites, *case, seed) for name, case in cases.items()}
    estimates = {
        "alpha_cv": found["alpha", "inline", SizeStatistic.LARGEST][0],
        "quantile_cv": found["quantile", "inline", SizeStatistic.LARGEST][0],
        "synthetic_alpha_cv": found["alpha", "synthetic", SizeStatistic.MEAN][0],
        "synthetic_quantile_cv": found["quantile", "synthetic", SizeStatistic.MEAN][0],
    }
    readings = {
        f"{axis}_cv": {
            f"{training}, {statistic}": cv
            for (of_axis, training, statistic), (cv, _) in found.items()
            if of_axis == axis and (training, statistic) not in (("inline", "peak"), ("synthetic", "mean"))
        }
        for axis in synthetic
    }
    bands = {case: band for case, (_, band) in found.items()}
    return Findings(
        estimates,
        readings,
        series=(Robustness(np.array(scope.alphas), np.array(scope.quantiles), bands),),
    )


def over_settings(n_sites: Integers, values: Floats, statistic: SizeStatistic, seed: int | None) -> tuple[Estimate, Band]:
    """CV (%) of the exponent over the settings in `values` (settings, S, K), and the exponent at each with its interval."""
    exponents = exponent_of_runs(n_sites, statistic)
    samples = bootstrap(values, exponents, seed)
    cv = variation_beyond_noise(exponents(values), samples, f"{statistic}, CV in %")
    low, high = interval(samples)
    return cv, Band(exponents(values), low, high)
