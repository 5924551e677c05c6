"""The Gini peak around grokking: rise, length and timing on planted curves."""

import numpy as np
import pytest

from tdu.analysis import concentration
from tdu.results.series import Gini
from tests.planted import NEVER, SEED, all_same, known_mean, log_of, resampled

EPOCHS = np.arange(401)


def triangle(peak, height=0.25, half=32):
    """1 at the start, 1 + height at the peak, at or above half of that rise from −half to half; sums of powers of two."""
    return 1 + height * np.clip(1 - np.abs(EPOCHS - peak) / (2 * half), 0, None)


def gini_log(curves, grokked, seed=SEED):
    curves = 0.5 * np.array(curves)[None]
    size = np.ones((1, curves.shape[1], curves.shape[2]), int)
    return log_of(size, np.array([grokked]), gini=curves, hidden=(21,), seed=seed)


#: Peaks 10 before, 10 after, 11 after and 30 before grokking; one in a run that never groks; one run that never rises; one
#: that stays at its height.
PEAKS, HEIGHTS = (100, 150, 200, 250, 300), (0.25, 0.5, 0.125, 0.25, 1.0)
CURVES = [*map(triangle, PEAKS, HEIGHTS), 2 - triangle(100), 1 + np.minimum(EPOCHS, 256) / 1024]
GROKKED = [110, 140, 189, 280, NEVER, 50, 250]
RISE = np.array([25, 50, 12.5, 25, 100, 0, 25])
LENGTH = np.array([65, 65, 65, 65, 65, np.nan, 401 - 128])
NEAR = np.array([100, 100, 0, 0, np.nan, np.nan, 100])
TRANSIENT = np.array([100, 100, 100, 100, 100, np.nan, 0])
AT = np.array(
    [
        25 * (1 - 10 / 64),
        50 * (1 - 10 / 64),
        12.5 * (1 - 11 / 64),
        25 * (1 - 30 / 64),
        np.nan,
        -25 * (1 - 50 / 64),
        25000 / 1024,
    ]
)
KEYS = ("gini_rise", "gini_duration", "gini_near_grokking", "gini_transient", "gini_at_grokking")
WORDS = (
    "mean over runs, %",
    "mean over runs, epochs",
    "share of runs with the peak within ±10 epochs, %",
    "share of runs whose rise halves again, %",
    "mean over runs, % of the start",
)


def means(columns):
    """The mean over runs (K,) of each measure, with how many runs it is of."""
    return {
        key: resampled(
            values[None], lambda v: known_mean(v)[..., 0], words, f"{np.isfinite(values).sum()} runs", n_resamples=2000
        )
        for key, words, values in zip(KEYS, WORDS, columns, strict=True)
    }


def test_every_measure_of_planted_peaks_comes_back_in_line_and_in_shadow():
    shadow = gini_log([1 + 2 * (curve - 1) for curve in CURVES], GROKKED, seed=SEED + 1)
    found = concentration.analyse(gini_log(CURVES, GROKKED), shadow)
    all_same(found.estimates, means((RISE, LENGTH, NEAR, TRANSIENT, AT)))
    assert list(found.readings) == list(KEYS)
    for key, wanted in means((2 * RISE, LENGTH, NEAR, TRANSIENT, 2 * AT)).items():
        all_same(found.readings[key], {"shadow": wanted})
    assert found.estimates["gini_rise"].value == pytest.approx(237.5 / 7)
    assert found.estimates["gini_near_grokking"].value == pytest.approx(60)
    assert found.estimates["gini_transient"].value == pytest.approx(500 / 6)


def test_the_curve_around_grokking_is_aligned_run_by_run():
    log = gini_log(CURVES, GROKKED)
    found = concentration.analyse(log, gini_log(CURVES[:2], GROKKED[:2])).series_of(Gini).trainings
    assert list(found) == ["inline", "shadow"]
    drawn = found["inline"]
    assert drawn.offset.tolist() == list(range(-50, 201))
    runs = [k for k, grokked in enumerate(GROKKED) if grokked != NEVER]
    for at, offset in enumerate(range(-50, 201)):
        there = [100 * (CURVES[k][GROKKED[k] + offset] - 1) for k in runs if 0 <= GROKKED[k] + offset <= 400]
        if 2 * len(there) >= len(runs):
            wanted = np.quantile(there, [0.05, 0.25, 0.5, 0.75, 0.95])
            np.testing.assert_allclose(drawn.quantiles[:, at], wanted, atol=1e-10)
            assert drawn.mean[at] == pytest.approx(np.mean(there), abs=1e-10)
        else:
            assert np.isnan(drawn.quantiles[:, at]).all()
            assert np.isnan(drawn.mean[at])
    np.testing.assert_allclose(drawn.example, 100 * (CURVES[0] - 1), atol=1e-10)
    assert drawn.example_grokking_epoch == 110
    assert drawn.lag_edges.tolist() == list(range(-100, 521, 20))
    # lags −10, 10, 11, −30 and 6; a run that never rises or never groks has none
    assert drawn.lag_counts.tolist() == [0, 0, 0, 1, 1, 3] + [0] * 25
    assert found["shadow"].lag_counts.sum() == 2
    assert found["shadow"].example_grokking_epoch == 110


def test_an_offset_is_drawn_where_half_of_the_runs_reach():
    """Runs that grok at 0 … 3 of 7 epochs: offset −1 is reached by three of four, −2 by two, −3 by one."""
    curves = np.tile(1 + 0.1 * np.arange(8.0), (4, 1))
    drawn = concentration.analyse(*[gini_log(curves, [0, 1, 2, 3])] * 2).series_of(Gini).trainings["inline"]
    known = drawn.offset[np.isfinite(drawn.mean)]
    assert known.tolist() == list(range(-2, 7))
    assert np.array_equal(np.isfinite(drawn.quantiles).all(axis=0), np.isfinite(drawn.mean))
    assert drawn.mean[drawn.offset == -2] == pytest.approx(100 * np.mean([0.0, 0.1]))
    assert drawn.mean[drawn.offset == 6] == pytest.approx(100 * np.mean([0.6, 0.7]))  # up to the last epoch


def test_one_run_is_drawn_as_far_as_it_reaches():
    drawn = concentration.analyse(*[gini_log([triangle(100)], [110])] * 2).series_of(Gini).trainings["inline"]
    np.testing.assert_allclose(drawn.mean, 100 * (triangle(100)[60:311] - 1), atol=1e-10)
    np.testing.assert_allclose(drawn.quantiles, np.tile(drawn.mean, (5, 1)), atol=1e-10)


def test_a_rise_from_one_epoch_to_the_next_to_last_has_a_length_and_is_transient():
    step = np.where((EPOCHS > 0) & (EPOCHS < 400), 1.5, 1.0)
    found = concentration.analyse(*[gini_log([step], [1])] * 2)
    assert found.estimates["gini_duration"].value == 399
    assert found.estimates["gini_transient"].value == 100


def test_without_a_grokked_run_nothing_is_aligned():
    found = concentration.analyse(*[gini_log(CURVES[:2], [NEVER, NEVER])] * 2)
    drawn = found.series_of(Gini).trainings["inline"]
    assert np.isnan(drawn.quantiles).all()
    assert np.isnan(drawn.mean).all()
    assert drawn.lag_counts.sum() == 0
    assert found.estimates["gini_near_grokking"].note == found.estimates["gini_at_grokking"].note == "0 runs"
    assert np.isnan(found.estimates["gini_near_grokking"].value)
    assert found.estimates["gini_rise"].value == pytest.approx(37.5)


def test_a_rise_is_of_the_first_of_equal_peaks_and_its_length_of_that_one_alone():
    twice = np.maximum(triangle(100, half=16), triangle(300, half=32))
    found = concentration.analyse(*[gini_log([twice], [300])] * 2)
    assert found.estimates["gini_duration"].value == 33
    assert found.estimates["gini_near_grokking"].value == 0
