"""How often every kind of interval covers, under the scatter that its law allows for and under scatter that it does not.

``python -m tests.statistical.coverage`` counts over `N_STUDIES` studies and writes coverage.csv, which docs/theory.md shows and
the tests repeat on fewer. What is to be held is the expectation of the estimator over studies of that design and law.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tdu.analysis.control import variation_beyond_noise
from tdu.analysis.pooled import mean_over_studies
from tdu.config import StudyConfig
from tdu.files import read_tables, write_tables
from tdu.statistics.resampling import OfRuns, bootstrap, interval
from tdu.statistics.scaling import exponent_of_runs, over_runs, r2_estimate, slope_and_r2, without_each_scale

TABLE = Path(__file__).with_name("coverage.csv")
N_SITES = np.array([4 * h + 1 for h in StudyConfig().hidden])
N_STUDIES, N_RESAMPLES, N_EXPECTED, N_POOLED = 500, 500, 10_000, 12
PLANTED, PLANTED_CV = 1.1, 3.0
_TILT = PLANTED * (1 + PLANTED_CV / 100 * np.array([-1.0, 0.0, 1.0]))

#: Scatter of log sizes over runs: (generator, shape (…, S, K)) → deviations from the logarithm of N^D.
LAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "log-normal": lambda rng, shape: 0.25 * rng.normal(size=shape),
    "heavy-tailed": lambda rng, shape: rng.exponential(1 / 3, size=shape),  # P(size ≥ x) ~ x^−3
    "bimodal": lambda rng, shape: np.log(2) * (rng.random(shape) < 0.15) + 0.05 * rng.normal(size=shape),
    "one wild scale": lambda rng, shape: np.where(np.arange(8) == 7, 0.8, 0.1)[:, None] * rng.normal(size=shape),
}


@dataclass(frozen=True)
class Kind:
    """A kind of interval: what is estimated from sizes (…, S, K), or (…, settings, S, K), and the ends found for one study."""

    estimator: Callable[[np.ndarray], np.ndarray]
    ends: Callable[[np.ndarray, int], tuple[float, float]]
    leading: tuple[int, ...] = ()
    truth: float | None = None


def _resampled(statistic: OfRuns, leading: tuple[int, ...] = (), **how: object) -> Kind:
    def ends(values: np.ndarray, seed: int) -> tuple[float, float]:
        low, high = interval(bootstrap(values, statistic, seed, N_RESAMPLES, **how))
        return low, high

    return Kind(statistic, ends, leading)


def _r2(statistic: str) -> Kind:
    def z(values: np.ndarray) -> np.ndarray:
        return np.arctanh(np.sqrt(slope_and_r2(N_SITES, over_runs(values, statistic))[1]))

    def ends(values: np.ndarray, seed: int) -> tuple[float, float]:
        found = r2_estimate(N_SITES, values, statistic, seed, N_RESAMPLES)
        return tuple(np.arctanh(np.sqrt([found.low, found.high])))

    return Kind(z, ends)


def _variation(values: np.ndarray, seed: int) -> tuple[float, float]:
    fit = exponent_of_runs(N_SITES, "mean")
    found = variation_beyond_noise(fit(values), bootstrap(values, fit, seed, N_RESAMPLES), "")
    return found.low, found.high


def _pooled(values: np.ndarray, _seed: int) -> tuple[float, float]:
    found = mean_over_studies(exponent_of_runs(N_SITES, "peak")(values), "")
    return found.low, found.high


KINDS = {
    "exponent of means": _resampled(exponent_of_runs(N_SITES, "mean")),
    "exponent of the largest": _resampled(exponent_of_runs(N_SITES, "peak")),
    "mean of D(t), of the largest": _resampled(
        exponent_of_runs(N_SITES, "peak").then(lambda of_time: of_time.mean(axis=-1)), (4,)
    ),
    "least exponent, a scale left out": _resampled(
        without_each_scale(N_SITES, "mean").then(lambda exponents: exponents.min(axis=-1))
    ),
    "R², of means": _r2("mean"),
    "R², of the largest": _r2("peak"),
    "CV over settings": Kind(lambda v: v[..., 0, 0, 0], _variation, (3,), PLANTED_CV),
    "largest of all runs": _resampled(lambda v: np.log(v).max(axis=(-2, -1)), stretched=False),
    "12 pooled studies, of the largest": Kind(
        exponent_of_runs(N_SITES, "peak").then(lambda of_studies: of_studies.mean(axis=-1)), _pooled, (N_POOLED,)
    ),
}


def studies(law: str, kind: Kind, n_runs: int, rng: np.random.Generator, n: int) -> np.ndarray:
    """Sizes (n, …, S, K) of `n` studies; snapshots of a run share half of the variance of its logarithm."""
    shape = (n, *kind.leading, N_SITES.size, n_runs)
    scatter = LAWS[law](rng, shape)
    if kind.leading == (4,):
        scatter = (scatter + LAWS[law](rng, (n, 1, N_SITES.size, n_runs))) / np.sqrt(2)
    exponent = _TILT[:, None, None] if kind.truth is not None else PLANTED
    return 3 * N_SITES[:, None] ** exponent * np.exp(scatter)


def coverage(name: str, law: str, n_runs: int, n_studies: int, seed: int = 1) -> float:
    """Share of studies whose interval holds the expectation of the estimator."""
    kind, truth = KINDS[name], KINDS[name].truth
    if truth is None:
        truth = float(kind.estimator(studies(law, kind, n_runs, np.random.default_rng(0), N_EXPECTED)).mean())
    drawn = studies(law, kind, n_runs, np.random.default_rng(seed), n_studies)
    held = 0
    for number, values in enumerate(drawn):
        low, high = kind.ends(values, number)
        held += bool(low <= truth <= high)
    return held / n_studies


def committed() -> dict[tuple[str, int, str], float]:
    """Coverage (%) by kind, runs a scale and law, as counted last."""
    rows = read_tables(TABLE.parent)[TABLE.stem]
    return {(row["interval"], int(row["runs a scale"]), law): float(row[law]) for row in rows for law in LAWS}


if __name__ == "__main__":
    rows = [
        {"interval": name, "runs a scale": n, **{law: round(100 * coverage(name, law, n, N_STUDIES), 1) for law in LAWS}}
        for name in KINDS
        for n in (3, 6)
    ]
    write_tables(TABLE.parent, {TABLE.stem: rows})
