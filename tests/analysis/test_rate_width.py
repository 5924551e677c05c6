"""Rates and widths: the study at another rate, the edge that parts its runs, and D on each side."""

from dataclasses import replace

import numpy as np
import pytest

from tdu.analysis import rate_width
from tdu.config import StudyConfig
from tdu.types import Log
from tests.planted import SEED, study


@pytest.mark.parametrize("rate", rate_width.RATES)
def test_another_rate_trains_for_the_same_time(rate):
    config = rate_width.at_rate(StudyConfig(), rate, alpha_train=0.0)
    assert config.learning_rate * config.epochs == pytest.approx(250)
    assert config.alpha_train == 0
    assert 50 <= config.epochs / config.snapshot_every <= 63


def test_the_study_at_its_own_rate_is_itself():
    assert rate_width.at_rate(StudyConfig(), 0.5) == StudyConfig()


def trained(sharpness, overshoot):
    sharpness, overshoot = (np.array(values, float) for values in (sharpness, overshoot))
    nothing = np.full(sharpness.shape, np.nan)
    return rate_width.Trained(np.arange(len(sharpness)), sharpness, overshoot, nothing, nothing, [])


def test_the_edge_parts_the_runs_that_overshoot_from_the_others():
    below = trained([[0.5, 1.0, 1.8], [0.7, 1.2, 1.6]], np.ones((2, 3)))
    above = trained([[2.2, 3.0, 4.0], [5.0, 2.5, 9.0]], np.full((2, 3), 1.5))
    found = rate_width.edge_of([above, below], SEED)
    assert found.value == pytest.approx((1.8 * 2.2) ** 0.5)
    assert found.note == "0 of 12 runs on the wrong side; lowest that overshoots 2.20, highest that does not 1.80"
    assert 1.2 < found.low <= found.value <= found.high < 3.1


def test_runs_on_the_wrong_side_of_the_edge_are_counted():
    below = trained([[0.5, 1.0, 1.8], [0.7, 1.2, 1.6]], [[1, 1, 1], [2, 1, 1]])
    above = trained([[2.2, 3.0, 4.0], [5.0, 2.5, 9.0]], [[2, 2, 2], [2, 2, 1]])
    found = rate_width.edge_of([below, above], SEED)
    assert found.value == pytest.approx((1.8 * 2.2) ** 0.5)
    assert found.note.startswith("2 of 12 runs on the wrong side; lowest that overshoots 0.70, highest that does not 9.00")


def test_scales_beyond_the_edge_are_those_whose_mean_is():
    assert trained([[1.0, 2.9], [1.5, 2.7]], np.ones((2, 2))).beyond.tolist() == [False, True]


def with_losses(log):
    """A log whose loss grows at the second epoch of odd runs, to twice its start, and falls otherwise."""
    shape = log.size.shape[:2]
    loss = np.broadcast_to([1.0, 0.5, 0.4, 0.3], (*shape, 4)).copy()
    loss[:, 1::2, 2] = 2.0
    return Log(log.scale, log.n_sites, log.step, log.columns, {}, {"loss": loss}, log.grokking_step, log.seed)


def test_what_runs_show_is_what_was_planted():
    log = with_losses(study(pre=0.9, post=1.2))
    found = rate_width.of_log(log, np.ones(log.size.shape[:2]))
    assert (found.overshoot[:, ::2] == 1).all()
    assert (found.overshoot[:, 1::2] == 2).all()
    assert (found.calm[:, ::2] == 0).all()
    assert (found.calm[:, 1::2] == 2).all()
    per_site = np.array([one.value for one in found.per_site])
    slope = np.polyfit(np.log(log.n_sites), np.log(per_site), 1)[0]
    assert slope == pytest.approx(0.2, abs=0.1)


def test_d_of_some_scales_is_theirs_alone():
    log = study(pre=0.9, post=1.2)
    few = np.arange(len(log.scale)) >= 1
    steep = log.with_size(np.where(few[:, None, None], log.size * log.n_sites[:, None, None] ** 0.5, log.size))
    found, flat = rate_width.late_dimension(steep, few), rate_width.late_dimension(log, few)
    assert found.value - flat.value == pytest.approx(0.5, abs=1e-9)
    assert rate_width.late_dimension(log, few & (np.arange(len(few)) < 3)).note == "2 scales: an exponent needs three"


def test_the_rank_correlation_is_over_runs_that_overshoot_and_grok():
    one = trained([[3.0, 3.0, 3.0], [3.0, 1.0, 3.0]], [[2, 2, 2], [2, 1, 2]])
    grokked, calm = np.array([[10.0, 20, 30], [40, 5, np.nan]]), np.array([[1.0, 2, 3], [4, 9, 0]])
    found = rate_width.correlation(replace(one, grokked=grokked, calm=calm), SEED)
    assert (found.value, found.note) == (pytest.approx(1.0), "4 runs")
    assert found.high == pytest.approx(1.0)
    assert rate_width.correlation(replace(one, grokked=grokked, calm=-calm), SEED).value == pytest.approx(-1.0)
    assert rate_width.correlation(replace(one, grokked=np.full((2, 3), 7.0), calm=calm), SEED).value != 0  # nan: nothing varies
    assert np.isnan(rate_width.correlation(one, SEED).value)
