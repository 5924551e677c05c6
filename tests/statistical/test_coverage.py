"""Planted exponents come back, and intervals of 95 % cover as often as they say, within the error of counting.

Each case is repeated over independent studies of the paper's shape (8 scales × 6 runs). A coverage of 0.95 counted over M
studies has a standard deviation of √(0.95 · 0.05 / M); three of them are allowed.
"""

import numpy as np
import pytest

from tdu.config import StudyConfig
from tdu.resampling import bootstrap, interval, through
from tdu.scaling import exponent_of_runs, over_runs, without_each_scale

pytestmark = pytest.mark.statistical

N_SITES = np.array([4 * h + 1 for h in StudyConfig().hidden])
N_STUDIES = 500
TOLERANCE = 3 * np.sqrt(0.95 * 0.05 / N_STUDIES)
PLANTED = 1.1
N_RESAMPLES = 1000

#: Scatter of a run around N^D: as large as that of real training, whose run maxima scatter by 9 to 32 %, and of other shapes.
SCATTER = {
    "log-normal": lambda rng, shape: np.exp(0.25 * rng.normal(size=shape)),
    "gamma": lambda rng, shape: rng.gamma(16, 1 / 16, size=shape),
    "wider for small N": lambda rng, shape: np.exp(np.linspace(0.32, 0.09, 8)[:, None] * rng.normal(size=shape)),
}


def studies(kind, n_runs=6, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(N_STUDIES):
        yield 3 * N_SITES[:, None] ** PLANTED * SCATTER[kind](rng, (N_SITES.size, n_runs))


def coverage(kind, statistic, truth):
    functional = exponent_of_runs(N_SITES, statistic)
    hits, found = 0, []
    for number, values in enumerate(studies(kind)):
        low, high = interval(bootstrap(values, functional, number, N_RESAMPLES, through=through(statistic)))
        hits += low <= truth <= high
        found.append(functional(values))
    return hits / N_STUDIES, np.array(found)


@pytest.mark.parametrize("kind", SCATTER)
def test_the_exponent_of_means_comes_back_and_its_interval_covers(kind):
    expected = PLANTED
    covered, found = coverage(kind, "mean", _expected(kind, "mean"))
    assert abs(found.mean() - _expected(kind, "mean")) < 4 * found.std() / np.sqrt(N_STUDIES)
    assert abs(covered - 0.95) < TOLERANCE
    if kind != "wider for small N":
        assert _expected(kind, "mean") == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("kind", SCATTER)
def test_the_exponent_of_maxima_covers_too(kind):
    truth = _expected(kind, "peak")
    covered, found = coverage(kind, "peak", truth)
    assert abs(found.mean() - truth) < 4 * found.std() / np.sqrt(N_STUDIES)
    assert abs(covered - 0.95) < TOLERANCE + 0.02  # a log-normal is a model of the runs, not their distribution


def test_drawing_from_the_runs_at_hand_would_not_do_for_maxima():
    """The reason for the log-normal: the plain bootstrap of a maximum over six runs falls short of its 95 %."""
    functional = exponent_of_runs(N_SITES, "peak")
    kind = "wider for small N"
    truth = _expected(kind, "peak")
    bounds = [interval(bootstrap(v, functional, i, N_RESAMPLES)) for i, v in enumerate(studies(kind))]
    plain = np.mean([low <= truth <= high for low, high in bounds])
    assert plain < 0.95 - 2 * TOLERANCE
    assert plain < coverage(kind, "peak", truth)[0]


def test_leaving_a_scale_out_covers_as_well():
    functional = without_each_scale(N_SITES, "mean")
    truth = _expected("log-normal", "mean")
    bounds = [interval(bootstrap(v, functional, i, N_RESAMPLES)) for i, v in enumerate(studies("log-normal"))]
    covered = np.mean([(low <= truth) & (truth <= high) for low, high in bounds], axis=0)
    assert covered.shape == (8,)
    assert np.abs(covered - 0.95).max() < TOLERANCE


def _expected(kind, statistic):
    """Expectation of the estimator, which for maxima and for scatter that depends on N is not the planted exponent."""
    rng = np.random.default_rng(99)
    values = 3 * N_SITES[:, None, None] ** PLANTED * SCATTER[kind](rng, (8, 20_000 * 6)).reshape(8, -1, 6)
    return float(np.mean(exponent_of_runs(N_SITES, statistic)(np.moveaxis(values, 0, 1))))


def test_expectations_are_of_the_planted_exponent_where_scatter_is_the_same_for_all_scales():
    for kind in ("log-normal", "gamma"):
        for statistic in ("mean", "run-peak", "peak"):
            assert _expected(kind, statistic) == pytest.approx(PLANTED, abs=0.005)
    assert over_runs(np.ones((8, 6)), "mean").tolist() == [1.0] * 8
