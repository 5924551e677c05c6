import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import tdu
from tdu.logs.grokking import grokking_epochs
from tdu.statistics.scaling import (
    dimension_over_time,
    exponent,
    exponent_estimate,
    least_r2_over_time,
    mean_exponent,
    over_runs,
    over_time,
    per_run,
    slope_and_r2,
    slopes,
    window_dimension,
    without_each_scale,
)
from tdu.types import Log
from tests import planted as reference

ORACLE = json.loads((Path(__file__).parent / "oracles" / "vectors.json").read_text())["scaling_exponent"]
N_SITES = np.array([81, 201, 401, 2001])


def log_of(size, n_sites=N_SITES):
    """A log that holds nothing but sizes (S, K, T)."""
    never = np.full(size.shape[:2], -1)
    return Log(n_sites // 4, n_sites, np.arange(size.shape[2]), {"size": np.asarray(size, float)}, {}, {}, never)


def planted(exponents, n_runs=6, spread=0.1, seed=0):
    """Sizes N^D(t) with log-normal scatter between runs."""
    rng = np.random.default_rng(seed)
    scatter = np.exp(spread * rng.normal(size=(N_SITES.size, n_runs, len(exponents))))
    return 3 * N_SITES[:, None, None] ** np.array(exponents) * scatter


def test_agrees_with_other_peoples_regression():
    wanted = ORACLE["s_max"]["linregress"]
    fit = tdu.scaling_exponent(ORACLE["N"], ORACLE["s_max"]["y"])
    assert fit.exponent == pytest.approx(wanted["slope"], abs=1e-10)
    assert fit.intercept == pytest.approx(wanted["intercept"], abs=1e-10)
    assert fit.stderr == pytest.approx(wanted["stderr"], abs=1e-10)
    assert fit.r2 == pytest.approx(wanted["r2"], abs=1e-10)


@given(st.floats(-2, 3), st.floats(0.1, 100))
def test_a_pure_power_law_comes_back(dimension, amplitude):
    fit = tdu.scaling_exponent(N_SITES, amplitude * N_SITES**dimension)
    assert fit.exponent == pytest.approx(dimension, abs=1e-9)
    assert np.exp(fit.intercept) == pytest.approx(amplitude, rel=1e-6)
    assert fit.stderr < 1e-9


def test_two_sizes_have_a_slope_but_no_standard_error():
    fit = tdu.scaling_exponent([10, 100], [1, 10])
    assert fit.exponent == pytest.approx(1)
    assert np.isnan(fit.stderr)


@pytest.mark.parametrize(
    ("n", "s", "message"),
    [
        ([1, 2, 3], [1, 2], r"`n` has shape \(3,\) but `s` has \(2,\)"),
        ([1, 2], [1, -2], "`s` must not be negative, but entry 1 is -2"),
        ([1, 2], [0, 2], "`s` must be positive to be fitted in log–log, but entry 0 is 0"),
        ([1, 2], [1, np.inf], "`s` must be finite, but entry 1 is inf"),
        ([5, 5], [1, 2], "at least two distinct system sizes"),
        ([5], [1], "at least two distinct"),
    ],
)
def test_bad_sizes_are_named(n, s, message):
    with pytest.raises(ValueError, match=message):
        tdu.scaling_exponent(n, s)


def test_the_three_statistics():
    size = np.array([[[1, 5, 3], [2, 2, 9]]])  # one scale, two runs, three snapshots
    assert over_runs(per_run(size, "peak"), "peak").tolist() == [9]
    assert over_runs(per_run(size, "run-peak"), "run-peak").tolist() == [7]
    assert over_runs(per_run(size, "mean"), "mean").tolist() == [22 / 6]
    in_time = over_time(log_of(size, np.array([81])))
    assert over_runs(in_time, "peak").tolist() == [[2], [5], [9]]
    assert over_runs(in_time, "mean").tolist() == over_runs(in_time, "run-peak").tolist() == [[1.5], [3.5], [6]]
    with pytest.raises(ValueError, match="'peak', 'run-peak' or 'mean', but it is 'median'"):
        over_runs(in_time, "median")


def test_snapshots_outside_a_phase_do_not_count_and_a_run_without_any_is_unknown():
    size = np.array([[[1, 5, 30], [2, 2, 9]]])
    inside = np.array([[[True, True, False], [False, False, False]]])
    assert per_run(size, "mean", inside)[0, 0] == 3
    assert np.isnan(per_run(size, "mean", inside)[0, 1])
    assert over_runs(per_run(size, "peak", inside), "peak").tolist() == [5]
    assert over_runs(per_run(size, "run-peak", inside), "run-peak").tolist() == [5]


def test_leaving_each_scale_out_agrees_with_other_peoples_regression():
    sample = ORACLE["s_max"]
    left_out = without_each_scale(np.array(ORACLE["N"]), "mean")(np.array(sample["y"])[:, None])
    np.testing.assert_allclose(left_out, sample["leave_one_out_slopes"], atol=1e-10)


@given(st.floats(0.1, 10))
def test_r2_is_that_of_the_correlation(scale):
    y = np.array([1.0, 7, 3, 30]) * scale
    assert slope_and_r2(N_SITES, y)[1] == pytest.approx(np.corrcoef(np.log(N_SITES), np.log(y))[0, 1] ** 2)
    assert slope_and_r2(N_SITES, np.full(4, scale))[1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("statistic", ["peak", "run-peak", "mean"])
def test_a_planted_dimension_comes_back_within_its_interval(statistic):
    log = log_of(planted([1.1] * 20, spread=0.05))
    found = exponent(log, statistic)
    assert found.value == pytest.approx(1.1, abs=0.03)
    assert found.low < 1.1 < found.high
    # six runs of twenty snapshots each: of the mean ± t σ / √120 over the spread of log N, of maxima about twice that
    x = np.log(N_SITES) - np.log(N_SITES).mean()
    width = 2 * stats.t.ppf(0.975, 20) * 0.05 / np.sqrt(120) / np.sqrt(x @ x)
    if statistic != "peak":
        assert found.high - found.low == pytest.approx(width * (1 if statistic == "mean" else 2), rel=0.6)
    wanted = same_estimate(log, statistic)
    assert (found.value, found.low, found.high) == pytest.approx((wanted.value, wanted.low, wanted.high))
    assert (found.statistic, found.note) == (statistic, wanted.note)


def same_estimate(log, statistic, seed=0):
    return reference.exponent_of(N_SITES, reference.of_runs(log.size, statistic), statistic, seed=seed)


def test_seeds_are_0_unless_they_are_given():
    log = log_of(planted([1.0, 1.2, 1.1], spread=0.2))
    values = per_run(log.size, "mean")
    for of in (
        lambda *seed: exponent(log, "mean", *seed),
        lambda *seed: exponent_estimate(N_SITES, values, "mean", *seed),
        lambda *seed: window_dimension(log, "mean", log.step > 0, *seed),
        lambda *seed: mean_exponent(N_SITES, over_time(log), "mean", *seed),
        lambda *seed: least_r2_over_time(log, "mean", *seed),
    ):
        none, zero, other = of(), of(0), of(5)
        assert none == zero
        assert none.value == other.value
        assert none.low != other.low
    none, zero, other = (dimension_over_time(log, "mean", *seed).low for seed in ((), (0,), (5,)))
    assert np.array_equal(none, zero)
    assert not np.array_equal(none, other)


def test_sizes_that_cannot_be_fitted_are_unknown_and_say_why():
    found = exponent_estimate(N_SITES, np.array([[1.0, 2], [0, 0], [3, 4], [5, 6]]), "mean")
    assert np.isnan([found.value, found.low, found.high]).all()
    assert (found.statistic, found.note) == ("mean", "`s` must be positive to be fitted in log–log, but entry 1 is 0")
    found = mean_exponent(N_SITES, np.zeros((0, 4, 2)), "peak")
    assert np.isnan([found.value, found.low, found.high]).all()
    assert (found.statistic, found.note) == ("peak", "no snapshot in this window")


def test_a_slope_of_silence_is_unknown_and_a_flat_line_explains_nothing():
    slope, r2 = slope_and_r2(N_SITES, np.array([[1.0, 2, 0, 4], [3, 3, 3, 3], [np.nan, 2, 3, 4], N_SITES**2.0]))
    assert np.isnan(slope[[0, 2]]).all()
    assert np.isnan(r2[[0, 2]]).all()
    assert (slope[1], r2[1]) == pytest.approx((0, 0), abs=1e-12)
    assert (slope[3], r2[3]) == pytest.approx((2, 1))
    assert slopes(N_SITES, np.array([[1.0, 2, 0, 4], [np.nan, 2, 3, 4], N_SITES**2.0])).tolist() == pytest.approx(
        [np.nan, np.nan, 2], nan_ok=True
    )


def test_a_single_run_is_its_own_largest():
    assert over_runs(np.array([[3.0], [4.0]]), "peak").tolist() == [3, 4]
    assert over_runs(np.array([[3.0, np.nan], [np.nan, np.nan]]), "peak").tolist() == pytest.approx([3, np.nan], nan_ok=True)


@pytest.mark.parametrize("statistic", ["peak", "run-peak", "mean"])
def test_a_planted_crossover_comes_back_in_time(statistic):
    planted_d = np.linspace(0.9, 1.2, 13)
    log = log_of(planted(planted_d, spread=0.02))
    series = dimension_over_time(log, statistic)
    assert np.abs(series.value - planted_d).max() < 0.03
    # six runs that scatter by σ: ± t σ / √6 over the spread of log N, less at some snapshots and more at others
    x = np.log(N_SITES) - np.log(N_SITES).mean()
    width = 2 * stats.t.ppf(0.975, 20) * 0.02 / np.sqrt(6) / np.sqrt(x @ x)
    assert np.mean(series.high - series.low) == pytest.approx(width, rel=0.2 if statistic != "peak" else 0.8)
    assert np.mean((series.low <= planted_d) & (planted_d <= series.high)) > 0.75
    assert (series.r2 > 0.99).all()
    assert (series.r2 < 1).all()
    late = window_dimension(log, statistic, log.step >= 10)
    assert late.value == pytest.approx(planted_d[10:].mean(), abs=0.03)
    assert "3 snapshots" in late.note
    least = least_r2_over_time(log, statistic)
    assert least.value == pytest.approx(series.r2.min(), abs=1e-12)
    wide = 2 if statistic == "peak" else 1  # scatter of 2 %, of which a largest of six keeps more than a mean
    assert (1 - least.low, 1 - least.high) == pytest.approx((1.8e-4 * wide, 4e-5 * wide), rel=0.4)


def test_an_empty_window_and_a_silent_snapshot_are_unknown_not_zero():
    size = planted([1.0, 1.0])
    size[0, :, 1] = 0
    log = log_of(size)
    assert np.isnan(window_dimension(log, "peak", log.step > 99).value)
    series = dimension_over_time(log, "mean")
    assert np.isfinite(series.value[0])
    assert np.isnan(series.value[1])


def test_grokking_epoch_is_where_accuracy_starts_to_stay_at_one():
    accuracy = np.array([[0.5, 1, 0.75, 1, 1], [1, 1, 1, 1, 1], [0.5, 0.5, 1, 1, 0.75], [0, 0, 0, 0, 1]])
    assert grokking_epochs(accuracy).tolist() == [3, 0, -1, 4]
    assert tdu.train_xor(5, epochs=0).grokking_epoch is None
