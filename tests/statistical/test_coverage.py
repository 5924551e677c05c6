"""Intervals of 95 % cover as often as docs/theory.md says, under the law they assume and under others (`coverage` counts).

A coverage p counted over M studies has a standard deviation of √(p (1 − p) / M), here and in the committed table; three of both
together are allowed.
"""

from dataclasses import replace

import numpy as np
import pytest

from tdu.statistics.resampling import bootstrap, interval
from tdu.statistics.scaling import exponent_of_runs
from tests.statistical.coverage import KINDS, LAWS, N_RESAMPLES, N_SITES, N_STUDIES, PLANTED, committed, coverage, studies

pytestmark = pytest.mark.statistical

N_AGAIN = 100
CASES = [
    *(("exponent of means", law, n) for law in LAWS for n in (3, 6)),
    *(("exponent of the largest", law, n) for law in LAWS for n in (3, 6)),
    ("mean of D(t), of the largest", "log-normal", 6),
    ("least exponent, a scale left out", "log-normal", 6),
    ("R², of means", "log-normal", 6),
    ("CV over settings", "log-normal", 6),
    ("largest of all runs", "log-normal", 6),
    *(("12 pooled studies, of the largest", law, 6) for law in LAWS),
]


@pytest.mark.parametrize(("name", "law", "n_runs"), CASES)
def test_intervals_cover_as_often_as_committed(name, law, n_runs):
    wanted = committed()[name, n_runs, law] / 100
    spread = np.sqrt(max(wanted * (1 - wanted), 0.02) * (1 / N_AGAIN + 1 / N_STUDIES))
    assert coverage(name, law, n_runs, N_AGAIN, seed=2) == pytest.approx(wanted, abs=3 * spread)


def test_where_their_law_holds_intervals_cover_95_percent():
    found = committed()
    three_errors = 300 * np.sqrt(0.95 * 0.05 / N_STUDIES)
    for name in KINDS:
        if name in ("largest of all runs", "CV over settings"):  # no 95 %, and more than 95 %
            continue
        for n_runs in (3, 6):
            short = 2 if name.startswith("R²") else 0  # by which docs/theory.md says that it falls short
            assert found[name, n_runs, "log-normal"] > 95 - short - three_errors, (name, n_runs)
    for law in LAWS:  # no law is assumed of runs
        assert found["12 pooled studies, of the largest", 6, law] == pytest.approx(95, abs=three_errors + 1), law


@pytest.mark.parametrize("statistic", ["mean", "run-peak", "peak"])
def test_a_planted_exponent_comes_back(statistic):
    drawn = studies("log-normal", KINDS["exponent of means"], 6, np.random.default_rng(3), 4000)
    found = exponent_of_runs(N_SITES, statistic)(drawn)
    assert found.mean() == pytest.approx(PLANTED, abs=4 * found.std() / np.sqrt(found.size))


def test_drawing_from_the_runs_at_hand_would_not_do_for_maxima():
    """The reason for the log-normal: where small systems scatter more, as in training, the plain bootstrap falls short."""
    exponent, rng = exponent_of_runs(N_SITES, "peak"), np.random.default_rng(4)
    spread = np.linspace(0.32, 0.09, 8)[:, None]

    def drawn(n):
        return 3 * N_SITES[:, None] ** PLANTED * np.exp(spread * rng.normal(size=(n, 8, 6)))

    truth, values = exponent(drawn(20_000)).mean(), drawn(200)
    held = {}
    for how in ("runs", "maximum"):
        bounds = [interval(bootstrap(v, replace(exponent, depends_on=how), i, N_RESAMPLES)) for i, v in enumerate(values)]
        held[how] = np.mean([low <= truth <= high for low, high in bounds])
    assert held["runs"] == pytest.approx(0.78, abs=0.09)  # as docs/theory.md says; three errors of counting
    assert held["maximum"] == pytest.approx(0.93, abs=0.06)
