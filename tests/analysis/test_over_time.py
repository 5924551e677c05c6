"""The public functions on planted logs and arrays: D and excess come back, gaps are said, intervals are those of the study."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import tdu
from tdu.analysis import excess as nulls
from tdu.statistics import scaling
from tests import planted

N = np.array([100, 300, 1000, 4000])
STEP = np.arange(0, 80, 10)


def study():
    """A planted study none of whose avalanches is cut short, which would be a warning."""
    log = planted.study()
    return replace(log, columns={**log.columns, "capped": 0 * log.size})


def sizes(exponent, seed=0, n_runs=4, scatter=0.05):
    """(S, K, T) that go with N^exponent (T,), of one level at N = 600."""
    rng = np.random.default_rng(seed)
    middle = (N / 600)[:, None, None] ** np.broadcast_to(exponent, STEP.shape)
    return 500 * middle * np.exp(scatter * rng.normal(size=(N.size, n_runs, STEP.size)))


RISING = np.linspace(0.9, 1.25, STEP.size)


def test_planted_exponents_come_back_at_every_step():
    found = tdu.dimension_over_time(N, sizes(RISING), step=STEP)
    assert found.step.tolist() == STEP.tolist()
    np.testing.assert_allclose(found.value, RISING, atol=0.04)
    assert ((found.high - found.low > 0.02) & (found.high - found.low < 0.15)).all()
    assert ((found.low < RISING + 0.02) & (found.high > RISING - 0.02)).all()
    assert (found.r2 > 0.99).all()
    assert found.n_scales.tolist() == [4] * STEP.size
    assert found.mean.value == pytest.approx(RISING.mean(), abs=0.02)


@pytest.mark.parametrize("statistic", ["mean", "peak"])
def test_intervals_are_those_of_the_study(statistic):
    log = study()
    found, wanted = tdu.dimension_over_time(log, statistic=statistic), scaling.dimension_over_time(log, statistic, planted.SEED)
    for name in ("value", "low", "high", "r2"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    planted.same(found.mean, planted.time_mean(log.n_sites, log.size, statistic, slice(None)))


def test_a_window_has_both_of_its_ends():
    log = study()
    inside = (log.step >= 40) & (log.step <= 90)
    assert inside.sum() == 6
    found = tdu.dimension_over_time(log, window=(40, 90)).mean
    planted.same(found, planted.time_mean(log.n_sites, log.size, "mean", inside))


def test_fewer_than_three_scales_are_a_gap_and_a_word():
    values = sizes(RISING)
    values[0, :, 2] = np.nan
    values[:2, :, 5] = np.nan
    values[1, 0, 4] = np.nan
    with pytest.warns(UserWarning, match="1 of 8 steps have runs of fewer than 3 scales: they have no exponent"):
        found = tdu.dimension_over_time(N, values, step=STEP)
    assert found.n_scales.tolist() == [4, 4, 3, 4, 4, 2, 4, 4]
    assert np.isnan(found.value).tolist() == np.isnan(found.low).tolist() == [False] * 5 + [True] + [False] * 2
    of_three = np.polyfit(np.log(N[1:]), np.log(values[1:, :, 2].mean(axis=1)), 1)[0]
    assert found.value[2] == pytest.approx(of_three)
    assert found.mean.note == "mean of D(t) over 6 snapshots"


def test_steps_are_counted_from_each_runs_own_grokking():
    grokked = np.array([[20, 40], [30, 40], [20, 20], [50, planted.NEVER]])
    epoch = 10 * np.arange(12)
    exponent = np.where(epoch >= grokked[..., None], 1.3, 0.8)
    log = planted.log_of((N[:, None, None] / 10) ** exponent, grokked, epoch, hidden=(25, 75, 250, 1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = tdu.dimension_over_time(log, from_grokking=True)
    assert found.step.tolist() == list(range(-50, 91, 10))
    n = log.n_sites
    for offset, planted_exponent in ((-20, 0.8), (-10, 0.8), (0, 1.3), (60, 1.3)):
        at = found.step.tolist().index(offset)
        wanted = np.polyfit(np.log(n), planted_exponent * np.log(N / 10), 1)[0]
        assert found.value[at] == pytest.approx(wanted), offset
    assert found.n_scales[found.step == -20] == 4
    assert found.n_scales[found.step == -30] == 3
    assert np.isnan(found.value[found.step == -50])
    never = planted.log_of(sizes(1.0), np.full((4, 4), planted.NEVER), STEP, hidden=(25, 75, 250, 1000))
    with pytest.raises(ValueError, match="no run of the log groks"):
        tdu.dimension_over_time(never, from_grokking=True)


def test_a_run_that_groks_between_snapshots_is_aligned_at_the_first_since():
    log = planted.log_of(sizes(1.0), np.full((4, 4), 23), STEP, hidden=(25, 75, 250, 1000))
    found = tdu.dimension_over_time(log, from_grokking=True)
    assert found.step.tolist() == (STEP - 30).tolist()


def test_planted_excess_comes_back_over_time_and_inside_a_window():
    real = sizes(RISING + np.where(STEP < 40, 0.0, 0.2))
    null = np.stack([sizes(RISING, seed=1 + draw) for draw in range(6)])
    found = tdu.excess(N, null, real, step=STEP, window=(40, 70))
    np.testing.assert_allclose(found.value, [0] * 4 + [0.2] * 4, atol=0.05)
    assert ((found.low < found.value) & (found.value < found.high) & (found.high - found.low < 0.15)).all()
    assert found.window.value == pytest.approx(0.2, abs=0.015)
    assert 0.01 < found.window.high - found.window.low < 0.06
    assert found.p < 0.002
    before = tdu.excess(N, null, real, step=STEP, window=(0, 30))
    assert before.window.value == pytest.approx(0, abs=0.02)
    assert before.window.low < 0 < before.window.high
    assert before.p > 0.05


def test_excess_of_a_log_is_that_of_the_analysis():
    log = study()
    rng = np.random.default_rng(3)
    null = log.size * np.exp(0.1 * rng.normal(size=(5, *log.size.shape)))
    log = tdu.Log(log.scale, log.n_sites, log.step, log.columns, {"signs": null}, log.curves, log.grokking_step, log.seed)
    found, wanted = tdu.excess(log, "signs"), nulls.at_all_steps(log, "signs").estimates["excess_at_all_steps_signs"]
    planted.same(found.window, wanted)
    assert f"p = {found.p:.4f}" in wanted.note
    arrays = tdu.excess(log.n_sites, null, log.size, step=log.step, seed=planted.SEED)
    planted.same(arrays.window, wanted)
    np.testing.assert_array_equal(arrays.low, found.low)


def test_bootstrap_is_that_of_the_study_and_leaves_unknown_runs_out():
    log = study()
    fit = planted.exponent(log.n_sites, "mean")
    band = tdu.bootstrap(log, fit)
    low, high = planted.band(planted.in_time(log.size), fit)
    np.testing.assert_array_equal(band.low, low)
    np.testing.assert_array_equal(band.high, high)
    runs = np.array([[1.0, 2.0, 3.0, np.nan], [4.0, 6.0, 8.0, 10.0]])
    band = tdu.bootstrap(runs, lambda drawn: np.nanmean(drawn, axis=-1).sum(axis=-1))
    assert band.value == 9
    assert 4 < band.high - band.low < 12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tdu.dimension_over_time(N), r"`n_sites` has shape \(4,\) and `sizes` \(0,\): they must be \(S,\), ascending"),
        (lambda: tdu.dimension_over_time(N[::-1], sizes(1.0)), "must be .*ascending"),
        (lambda: tdu.dimension_over_time(N, sizes(1.0)[:3]), r"`sizes` \(3, 4, 8\)"),
        (
            lambda: tdu.dimension_over_time(N, sizes(1.0), step=[1, 2]),
            r"`step` must be ascending \(T,\), but its shape is \(2,\)",
        ),
        (lambda: tdu.dimension_over_time(planted.study(), sizes(1.0)), "`sizes` are those of the log"),
        (lambda: tdu.excess(planted.study(), "permuted"), "the log has no null `permuted`, but none: probe its runs with it"),
        (
            lambda: tdu.excess(N, sizes(1.0), sizes(1.0)),
            r"`null` has shape \(4, 4, 8\), but `sizes` \(4, 4, 8\): it must be \(D,",
        ),
        (lambda: tdu.excess(N, sizes(1.0)[None], sizes(1.0), window=(90, 99)), r"no step of the window \(90, 99\) has runs"),
        (lambda: tdu.bootstrap([1.0, 2.0], np.mean), r"`values` has shape \(2,\): it must be \(…, S, K\)"),
        (lambda: tdu.dimension_over_time(N, sizes(1.0), statistic="median"), "must be 'peak', 'run-peak' or 'mean'"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_step_limit_that_bends_the_exponent_is_a_warning():
    with pytest.warns(UserWarning, match=r"28.8 % of the avalanches at N = 2001 are stopped .* exponents are bent"):
        tdu.dimension_over_time(planted.study())


def test_two_scales_have_no_excess():
    with pytest.raises(ValueError, match="there are runs of 2 scales: an exponent needs three, since any two lie on a line"):
        tdu.excess(N[:2], sizes(1.0)[None, :2], sizes(1.0)[:2])


def test_a_path_is_no_log():
    with pytest.raises(TypeError, match=r"`log` is the path 'RUN': give what `tdu.load` makes of it"):
        tdu.dimension_over_time("RUN")
