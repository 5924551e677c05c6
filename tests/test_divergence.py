"""Alignment at grokking and the alarm between groups, on sizes of which the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tdu.analysis import alignment, divergence
from tdu.analysis.alignment import Aligned
from tdu.config import NULLS

N_SITES = np.array([1000, 3000, 10_000, 30_000])


def sizes(exponent, n_runs, scatter, seed=0):
    """(S, K, T) sizes that scale with `exponent` (T,) or (S, K, T), runs scattered by a log-normal factor each snapshot."""
    rng = np.random.default_rng(seed)
    exponent = np.broadcast_to(exponent, (N_SITES.size, n_runs, np.shape(exponent)[-1]))
    noise = np.exp(scatter * rng.normal(size=exponent.shape))
    return N_SITES[:, None, None] ** exponent * noise


def falling_at(grokking, n_snapshots, before=1.2, after=0.9):
    """Exponents (S, K, T) that step from `before` to `after` at each run's own snapshot."""
    return np.where(np.arange(n_snapshots) < grokking[..., None], before, after)


def runs_of(grokking, n_snapshots=60, scatter=0.01, after=0.9):
    size = sizes(falling_at(grokking, n_snapshots, after=after), grokking.shape[1], scatter)
    permuted = sizes(np.full(n_snapshots, 1.0), grokking.shape[1], scatter, 1)
    flat = np.zeros(size.shape)
    return Aligned(
        n_sites=N_SITES,
        epoch=10 * np.arange(n_snapshots),
        accuracy=flat + (np.arange(n_snapshots) >= 3),
        test_accuracy=flat,
        grokking=grokking,
        size=size,
        null={name: np.stack([permuted, permuted * 1.01]) for name in NULLS},
    )


GROKKING = np.random.default_rng(5).integers(20, 40, size=(N_SITES.size, 4))


def test_runs_are_aligned_at_their_own_grokking():
    values = np.arange(2 * 3 * 10).reshape(2, 3, 10)
    grokking = np.array([[2, 5, -1], [0, 9, 4]])
    found = alignment.at_grokking(values, grokking, np.array([-1, 0, 2]))
    assert found.shape == (3, 2, 3)
    for (s, k), at in np.ndenumerate(grokking):
        for w, offset in enumerate((-1, 0, 2)):
            inside = at >= 0 and 0 <= at + offset < 10
            assert np.array_equal(found[w, s, k], values[s, k, at + offset] if inside else np.nan, equal_nan=True)


def test_memorisation_is_the_first_snapshot_with_a_training_accuracy_of_1():
    runs = runs_of(GROKKING)
    assert (runs.memorised == 3).all()
    assert (replace(runs, accuracy=runs.accuracy * 0.9).memorised == -1).all()


@pytest.mark.parametrize("statistic", ["mean", "run-peak", "peak"])
def test_a_planted_fall_comes_back_with_its_word_and_the_null_stays(statistic):
    runs = runs_of(GROKKING)
    found = alignment.around(runs, "real", statistic, 10)
    assert found["dimension_early"].value == pytest.approx(1.2, abs=0.02)
    assert found["dimension_late"].value == pytest.approx(0.9, abs=0.02)
    assert found["rise"].value == pytest.approx(-0.3, abs=0.02)
    # ten snapshots of four runs that scatter by 1 % leave ± 0.003; D is of a mean, or of the largest of forty
    assert 0.003 < found["rise"].high - found["rise"].low < 0.015
    assert alignment.crossing(found) == "falls through 1"
    null = alignment.around(runs, "permuted", statistic, 10)
    assert null["dimension_early"].value == pytest.approx(1.0, abs=0.02)
    assert alignment.crossing(null) in ("undecided", "falls", "rises")
    assert abs(null["rise"].value) < 0.02
    above = alignment.around(runs_of(GROKKING, after=1.1), "real", statistic, 10)
    assert alignment.crossing(above) == "falls"


def test_over_offsets_the_step_is_at_0():
    found = alignment.over_offsets(runs_of(GROKKING), "real", np.arange(-5, 6))
    np.testing.assert_allclose(found["value"][:5], 1.2, atol=0.02)
    np.testing.assert_allclose(found["value"][5:], 0.9, atol=0.02)
    x = np.log(N_SITES) - np.log(N_SITES).mean()
    width = 2 * stats.t.ppf(0.975, 12) * 0.01 / np.sqrt(4) / np.sqrt(x @ x)
    assert np.mean(found["high"] - found["low"]) == pytest.approx(width, rel=0.2)


def test_excess_is_real_minus_null():
    runs = runs_of(GROKKING)
    before = alignment.excess_at_grokking(runs, "permuted", np.arange(-10, 0))
    after = alignment.excess_at_grokking(runs, "permuted", np.arange(10))
    assert before.value == pytest.approx(0.2, abs=0.02)
    assert after.value == pytest.approx(-0.1, abs=0.02)
    assert "p = " in before.note


def test_runs_that_never_grok_have_no_interval():
    found = alignment.around(replace(runs_of(GROKKING), grokking=np.full_like(GROKKING, -1)), "real", "mean", 10)
    assert alignment.crossing(found) == "no interval"
    assert np.isnan(found["rise"].value)


def test_level_is_the_mean_of_the_exponent():
    assert alignment.level(runs_of(GROKKING), "permuted", np.arange(60)).value == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("signs", "at"),
    [
        ([0, 4, 4, 4, 4, 4, 0], 5),
        ([4, 4, 4, 4, 0, 4, 4, 4, 4, 4], 9),
        ([4, 4, -4, 4, 4, 0, 4], -1),
        ([-4] * 5, 4),
        ([3.0] * 9, -1),
        ([4, 4, 4, 4], -1),
        ([], -1),
    ],
)
def test_the_alarm_is_raised_at_the_fifth_in_a_row_with_one_sign(signs, at):
    assert (divergence.IN_A_ROW, divergence.LEVEL) == (5, 3.0)
    assert divergence.alarm(np.array(signs, float), np.ones(len(signs))) == at


def moved(values):
    return np.moveaxis(values, -1, 0)


def test_the_error_of_the_difference_is_its_scatter():
    found = [
        divergence.difference(N_SITES, *(moved(sizes(np.ones(3), 4, 0.2, seed)) for seed in (k, 1000 + k))) for k in range(400)
    ]
    differences, errors = (np.array(part) for part in zip(*found, strict=True))
    assert differences.std() == pytest.approx(np.sqrt((errors**2).mean()), rel=0.1)


def test_a_planted_parting_is_found_with_its_lead():
    parting, grokking = 20, np.full((N_SITES.size, 6), 400)
    exponent = np.where(np.arange(40) < parting, 1.0, 1.1)
    grokked, control = moved(sizes(exponent, 6, 0.05)), moved(sizes(np.ones(40), 6, 0.05, 1))
    lead = divergence.lead_time(N_SITES, 10 * np.arange(40), grokked, control, grokking)
    assert lead.value == 160
    assert lead.low <= 160 <= lead.high
    assert lead.note == "alarm at epoch 240"
    none = divergence.lead_time(N_SITES, 10 * np.arange(40), control, moved(sizes(np.ones(40), 6, 0.05, 2)), grokking)
    assert (none.value, none.note) == (0.0, "no alarm")


def test_false_alarms_are_rare_unless_what_runs_do_by_chance_lasts():
    def rate(make):
        return divergence.false_alarm_rate(N_SITES, *(moved(make(seed)) for seed in (0, 1)))

    white = rate(lambda seed: sizes(np.ones(300), 4, 0.1, seed))
    assert white.value < 1
    assert white.low <= white.value <= white.high < 2
    # chance that is drawn anew every ten snapshots only, and a difference that is none of chance's
    lasting = rate(lambda seed: np.repeat(sizes(np.full(60, 1 + 0.2 * seed), 4, 0.1, seed), 10, axis=-1))
    assert 5 < lasting.value < 70
    assert lasting.low < lasting.value < lasting.high
