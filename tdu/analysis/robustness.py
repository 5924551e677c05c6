"""D and γ over diffusion strengths and threshold levels, in-line and shadow, real and synthetic."""

import numpy as np

from tdu.analysis.control import Control, variation_beyond_noise
from tdu.config import Scope, StudyConfig
from tdu.statistics.resampling import bootstrap, interval
from tdu.statistics.scaling import exponent_of_runs, per_run
from tdu.training.sweeps import Sweeps
from tdu.types import STATISTICS, Estimate, Findings, Floats, Integers, SizeStatistic


def analyse(
    config: StudyConfig, n_sites: Integers, scope: Scope, sweeps: Sweeps, control: Control, *, intervals: bool = True
) -> Findings:
    """Coefficients of variation of D and γ over the sweeps, and the exponents at every setting with intervals."""
    seed = config.seed if intervals else None
    cases: dict[str, tuple[Floats, SizeStatistic]] = {}
    for axis in ("alpha", "quantile"):
        for training in ("inline", "shadow"):
            size = getattr(sweeps, f"{training}_{axis}s")
            if size is None:
                continue
            for statistic in STATISTICS:
                cases[f"{axis}, {training}, {statistic}"] = per_run(size, statistic), statistic
        cases[f"{axis}, synthetic, mean"] = getattr(control, f"{axis}s"), SizeStatistic.MEAN
    found = {name: over_settings(n_sites, *case, seed) for name, case in cases.items()}
    estimates = {
        "alpha_cv": found["alpha, inline, peak"][0],
        "quantile_cv": found["quantile, inline, peak"][0],
        "synthetic_alpha_cv": found["alpha, synthetic, mean"][0],
        "synthetic_quantile_cv": found["quantile, synthetic, mean"][0],
    }
    readings = {
        f"{axis}_cv": {
            name.removeprefix(f"{axis}, "): cv
            for name, (cv, _) in found.items()
            if name.startswith(axis) and name not in (f"{axis}, inline, peak", f"{axis}, synthetic, mean")
        }
        for axis in ("alpha", "quantile")
    }
    table = {name: column for name, (_, column) in found.items()}
    return Findings(
        estimates,
        readings,
        series={"robustness": {"alpha": np.array(scope.alphas), "quantile": np.array(scope.quantiles), **table}},
    )


def over_settings(
    n_sites: Integers, values: Floats, statistic: SizeStatistic, seed: int | None
) -> tuple[Estimate, dict[str, Floats]]:
    """CV (%) of the exponent over the settings in `values` (settings, S, K), and the exponent at each with its interval."""
    exponents = exponent_of_runs(n_sites, statistic)
    samples = bootstrap(values, exponents, seed)
    cv = variation_beyond_noise(exponents(values), samples, f"{statistic}, CV in %")
    low, high = interval(samples)
    return cv, {"value": exponents(values), "low": low, "high": high}
