from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tdu.statistics.resampling import RunStatistic, bootstrap, estimate, interval
from tdu.statistics.sampling import _draws, _weights, mean_of_known
from tdu.statistics.scaling import exponent_of_runs, without_each_scale
from tdu.types import STATISTICS


def mean_of_runs(values):
    return values.mean(axis=-1)


def test_runs_are_drawn_within_scales_and_the_variance_of_a_mean_is_unbiased():
    values = np.random.default_rng(1).normal(size=(3, 6))
    samples = bootstrap(values, mean_of_runs, seed=4, n_resamples=20_000, stretched=False)
    assert samples.shape == (20_000, 3)
    np.testing.assert_allclose(samples.mean(axis=0), values.mean(axis=1), atol=0.02)
    np.testing.assert_allclose(samples.var(axis=0), values.var(axis=1, ddof=1) / 6, rtol=0.05)


def test_samples_are_stretched_to_students_t_at_the_freedom_of_the_scales():
    equal = np.tile([-1.2, -0.7, -0.1, 0.2, 0.6, 1.2], (8, 1))
    one = equal * np.array([1.0] + [1e-6] * 7)[:, None]
    for values, freedom in ((equal, 8 * 5), (one, 5)):

        def total(v):
            return v.mean(axis=-1).sum(axis=-1)

        plain, stretched = (bootstrap(values, total, stretched=s).std() for s in (False, True))
        ratio = stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975)
        assert stretched / plain == pytest.approx(ratio, rel=0.02)
    constant = bootstrap(np.ones((3, 4)), mean_of_runs)
    assert (constant == 1).all()


def test_the_same_seed_gives_the_same_samples_and_another_others():
    values = np.random.default_rng(1).normal(size=(3, 6))
    samples = bootstrap(values, mean_of_runs, seed=4)
    assert np.array_equal(samples, bootstrap(values, mean_of_runs, seed=4))
    assert not np.array_equal(samples, bootstrap(values, mean_of_runs, seed=5))
    assert samples.shape == (10_000, 3)


def test_what_belongs_to_one_run_is_drawn_together():
    """Leading indices (snapshots, phases) of a run stay with it, also where runs are drawn from the log-normal."""
    first = np.exp(np.random.default_rng(2).normal(size=(2, 5)))
    values = np.stack([first, first**2])  # perfectly correlated
    for how in ("runs", "mean", "maximum"):
        drawn = bootstrap(values, RunStatistic(lambda v: v[..., :1], how), n_resamples=50, stretched=False)
        if how != "mean":  # the square of a mean is not the mean of squares
            np.testing.assert_allclose(drawn[:, 1], drawn[:, 0] ** 2, rtol=1e-10)
    twice = bootstrap(np.stack([first, 2 * first]), RunStatistic(lambda v: v, "mean"), n_resamples=50, stretched=False)
    np.testing.assert_allclose(twice[:, 1], 2 * twice[:, 0], rtol=1e-12)


def test_the_lognormal_has_the_mean_and_the_covariance_of_the_runs():
    logs = np.random.default_rng(3).normal(size=(2, 1, 6)) + np.array([1.0, 2.0])[:, None, None]
    largest = RunStatistic(lambda v: v, "maximum")
    drawn = np.log(bootstrap(np.exp(logs), largest, n_resamples=20_000, stretched=False))  # (B, 2, 1, 1)
    assert drawn.shape == (20_000, 2, 1, 1)
    rng = np.random.default_rng(4)
    wanted = rng.multivariate_normal(logs.mean(axis=-1)[:, 0], np.cov(logs[:, 0]), size=(20_000, 6)).max(axis=1)
    np.testing.assert_allclose(drawn[..., 0, 0].mean(axis=0), wanted.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(np.cov(drawn[..., 0, 0].T), np.cov(wanted.T), rtol=0.06, atol=0.03)


def test_the_mean_is_handed_over_as_the_runs_would_have_been():
    values = np.random.default_rng(5).normal(size=(4, 3, 6))
    values[0, 1, 2] = np.nan  # a run that is unknown takes no part

    def function(v):
        return mean_of_known(v) @ [1.0, 2.0, 3.0]

    for stretched in (False, True):
        one, other = (bootstrap(values, RunStatistic(function, how), 7, 700, stretched=stretched) for how in ("runs", "mean"))
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("how", ["runs", "mean", "maximum"])
def test_a_further_function_depends_on_the_same(how):
    def total(v):
        return v.sum(axis=(-2, -1))

    doubled = RunStatistic(total, how).then(lambda found: 2 * found)
    assert doubled.depends_on == how
    runs = np.arange(1.0, 13).reshape(2, 2, 3)
    np.testing.assert_array_equal(doubled(runs), 2 * total(runs))
    assert RunStatistic.of(total) == RunStatistic(total) == RunStatistic(total, "runs")
    assert RunStatistic.of(doubled) is doubled


def test_a_statistic_of_the_mean_has_the_interval_of_one_told_every_run():
    runs = np.exp(0.3 * np.random.default_rng(6).normal(size=(4, 3, 6))) * np.array([81, 201, 801])[:, None]
    exponents = exponent_of_runs(np.array([81, 201, 801]), "mean")
    assert exponents.depends_on == "mean"
    in_time = exponents.then(lambda found: found.mean(axis=-1))
    one, other = (estimate(runs, replace(in_time, depends_on=how), "D", 3) for how in ("mean", "runs"))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), rel=1e-9)
    assert one.low < one.value < one.high


def test_the_largest_asks_for_other_draws_than_the_mean():
    wanted = {"peak": "maximum", "run-peak": "mean", "mean": "mean"}
    assert {str(word): word.depends_on for word in STATISTICS} == wanted
    for word, depends_on in wanted.items():
        assert exponent_of_runs(np.array([10, 100]), word).depends_on == depends_on
        assert without_each_scale(np.array([10, 100, 1000]), word).depends_on == depends_on


def test_draws_of_maxima_reach_beyond_the_runs_at_hand():
    values = np.exp(np.random.default_rng(4).normal(size=(1, 6)))
    largest = bootstrap(values, RunStatistic(lambda v: v.max(axis=(-2, -1)), "maximum"), stretched=False)
    assert (largest > values.max()).mean() > 0.2
    assert bootstrap(values, lambda v: v.max(axis=(-2, -1)), stretched=False).max() == values.max()


@pytest.mark.parametrize("how", ["runs", "mean", "maximum"])
def test_one_run_a_scale_has_no_interval(how):
    low, high = interval(bootstrap(np.ones((4, 1)), RunStatistic(lambda v: v.mean(axis=(-2, -1)), how)))
    assert np.isnan(low)
    assert np.isnan(high)


def test_unknown_runs_are_left_out():
    values = np.array([[1.0, 3, np.nan], [np.nan] * 3])
    assert mean_of_known(values)[0] == 2
    assert np.isnan(mean_of_known(values)[1])
    some = np.array([[1.0, 2, 4, np.nan], [1, 3, 5, 6]])
    found = estimate(some, RunStatistic(lambda v: np.fmax.reduce(v, axis=(-2, -1)), "maximum"), "largest")
    assert np.isfinite([found.value, found.low, found.high]).all()


@pytest.mark.parametrize("how", ["runs", "mean", "maximum"])
def test_with_a_run_missing_draws_count_the_known_ones(how):
    """Samples of three runs and an unknown one are distributed as those of the three: means over k − 1, the largest of k."""
    logs = 0.3 * np.random.default_rng(0).normal(size=(3, 3))
    missing = np.concatenate([logs, np.full((3, 1), np.nan)], axis=-1)

    def exponent(v):
        of_scales = mean_of_known(np.log(v)) if how != "maximum" else np.log(np.fmax.reduce(v, axis=-1))
        return of_scales @ np.array([-1.0, 0.25, 0.75])

    if how == "mean":
        logs, missing = 1 + logs, 1 + missing

        def exponent(v):
            return mean_of_known(v) @ np.array([-1.0, 0.25, 0.75])

    else:
        logs, missing = np.exp(logs), np.exp(missing)
    wanted, found = (bootstrap(v, RunStatistic(exponent, how), 3, 20_000, stretched=False) for v in (logs, missing))
    assert not np.isnan(found).any()
    assert found.mean() == pytest.approx(wanted.mean(), abs=0.01)
    assert found.std() == pytest.approx(wanted.std(), rel=0.03)
    wanted, found = (bootstrap(v, RunStatistic(exponent, how), 3, 2000) for v in (logs, missing))
    assert found.std() == pytest.approx(wanted.std(), rel=0.08)  # stretched at the same degrees of freedom


def test_runs_unknown_in_one_phase_count_in_the_other():
    """Six runs of which two have no first phase: its largest is over four draws, that of the second over six."""
    runs = np.exp(0.5 * np.random.default_rng(1).normal(size=(2, 1, 6)))
    runs[0, 0, 4:] = np.nan
    drawn = np.log(bootstrap(runs, RunStatistic(lambda v: v, "maximum"), n_resamples=40_000, stretched=False))[..., 0, 0]
    for phase, n_known, of_normals in ((0, 4, 1.02938), (1, 6, 1.26721)):  # expected largest of as many standard normals
        logs = np.log(runs[phase, 0, :n_known])
        assert drawn[:, phase].mean() == pytest.approx(logs.mean() + of_normals * logs.std(ddof=1), abs=0.01)


def test_a_scale_with_one_known_run_has_no_spread_and_no_interval():
    runs = np.array([[1.0, np.nan, np.nan], [1, 2, 3]])
    for how in ("runs", "mean", "maximum"):
        found = estimate(runs, RunStatistic(lambda v: mean_of_known(np.fmax.reduce(v, axis=-1)), how), "")
        assert np.isfinite(found.value) or how == "mean"
        low, high = interval(bootstrap(runs, replace(exponent_of_runs(np.array([10, 100]), "mean"), depends_on=how)))
        assert np.isnan([low, high]).all()
    mostly = np.where(np.arange(100)[:, None] < [60, 40], np.nan, 1.0)
    assert np.array_equal(interval(mostly), [[np.nan, 1.0], [np.nan, 1.0]], equal_nan=True)


def test_the_interval_of_a_maximum_lies_about_its_value():
    """Of bimodal runs the log-normal puts the largest too low: reflected, this shift does not move the interval."""
    runs = np.where(np.arange(6) < 1, 2.0, 1.0) * np.exp(0.05 * np.random.default_rng(2).normal(size=(8, 6)))
    runs = runs * np.array([81, 121, 201, 281, 401, 481, 801, 2001])[:, None]
    fit = exponent_of_runs(np.array([81, 121, 201, 281, 401, 481, 801, 2001]), "peak")
    samples = bootstrap(runs, fit)
    assert samples.mean() == pytest.approx(float(fit(runs)), abs=1e-9)
    shifted = bootstrap(runs, RunStatistic(lambda v: np.log(v).max(axis=-1).mean(axis=-1), "maximum"), stretched=False)
    assert shifted.mean() < np.log(runs).max(axis=-1).mean() - 0.15
    centred = bootstrap(runs, RunStatistic(lambda v: np.log(v).max(axis=-1).mean(axis=-1), "maximum"))
    low, high = interval(centred)
    assert (low + high) / 2 == pytest.approx(np.log(runs).max(axis=-1).mean(), abs=0.02)


@pytest.mark.parametrize(("wild", "freedom"), [(1.0, 8 * 5), (1e-6, 5)])
def test_samples_of_maxima_are_stretched_at_the_freedom_of_the_scales(wild, freedom):
    """Eight scales that scatter alike have 8 · (6 − 1) degrees of freedom, one that scatters alone has 5."""
    logs = np.tile([-1.2, -0.7, -0.1, 0.2, 0.6, 1.2], (8, 1)) * np.array([1.0] + [wild] * 7)[:, None]

    def total(v):
        return np.log(v).max(axis=-1).sum(axis=-1)

    plain, stretched = (
        bootstrap(np.exp(logs), RunStatistic(total, "maximum"), stretched=s, reflected=True).std() for s in (False, True)
    )
    assert stretched / plain == pytest.approx(stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975), rel=0.02)


@pytest.mark.parametrize(("statistic", "remembered"), [("mean", _draws), ("peak", _weights)])
def test_the_random_numbers_of_an_interval_are_still_there_for_the_next(statistic, remembered):
    sizes = np.random.default_rng(0).lognormal(size=(3, 4))
    exponent = exponent_of_runs(np.array([100, 200, 400]), statistic)
    remembered.cache_clear()
    bootstrap(sizes, exponent, seed=5)
    drawn = remembered.cache_info().misses
    bootstrap(2 * sizes, exponent, seed=5)
    assert remembered.cache_info().misses == drawn
