"""Studies pooled: planted values of many come back as one with Student's interval."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tdu.analysis import dimension, grokking, pooled
from tdu.config import QUICK_SCOPE, StudyConfig
from tdu.reproduce import measure_pooled, measure_study
from tdu.results.published import PUBLISHED
from tdu.results.series import Robustness, Topologies
from tdu.training.ensembles import train_all
from tdu.types import Band, Estimate, Findings

NAN = float("nan")
T_3 = stats.t.ppf(0.975, 3)


def swept(case, exponents):
    """A sweep of one case."""
    settings = np.arange(exponents.size) / 10
    return Robustness(settings, settings, {case: Band(exponents, exponents, exponents)})


def study(key, value, *, series=None, **others):
    """What one study finds: the value of `key`, and whatever else its pooling needs."""
    estimates = {key: Estimate(value, NAN, NAN, "peak"), **{k: Estimate(v, NAN, NAN, "mean") for k, v in others.items()}}
    return Findings(estimates, series=() if series is None else (series,))


def test_most_quantities_are_means_over_studies_with_students_interval():
    values = np.array([1.0, 1.1, 0.9, 1.2])
    (found,) = pooled.analyse([study("dimension", v) for v in values]).values()
    half = T_3 * values.std(ddof=1) / 2
    assert (found.value, found.low, found.high) == pytest.approx((1.05, 1.05 - half, 1.05 + half))
    assert found.statistic == "peak, mean over studies"
    assert found.note == "4 studies, standard deviation 0.129"


def test_studies_without_a_value_are_left_out_and_one_has_no_interval():
    (found,) = pooled.analyse([study("dimension", v) for v in (1.0, NAN, 1.2)]).values()
    half = stats.t.ppf(0.975, 1) * np.std([1.0, 1.2], ddof=1) / np.sqrt(2)
    assert (found.value, found.low, found.high) == pytest.approx((1.1, 1.1 - half, 1.1 + half))
    assert found.note == "2 studies, standard deviation 0.141"
    (one,) = pooled.analyse([study("dimension", 1.3)]).values()
    assert (one.value, one.note) == (1.3, "1 study")
    assert np.isnan([one.low, one.high]).all()
    (none,) = pooled.analyse([study("dimension", NAN)] * 3).values()
    assert np.isnan([none.value, none.low, none.high]).all()
    assert none.statistic == "peak, mean over studies"


def test_a_share_is_a_ratio_of_means_not_a_mean_of_ratios():
    """An excess of 0.02 and 0.06 over nulls, of D − 1 of 0.1 and 0.3: 20 %, and exactly so in every study."""
    excess, late = np.array([0.02, 0.06, 0.03, 0.05]), np.array([1.1, 1.3, 1.15, 1.25])
    found = [
        replace(study("share_permuted", NAN, excess_permuted=e), readings={"dimension_late": {"mean": Estimate(d, 0, 0, "")}})
        for e, d in zip(excess, late, strict=True)
    ]
    share = pooled.analyse(found)["share_permuted"]
    assert (share.value, share.low, share.high) == pytest.approx((20, 20, 20))
    assert (share.statistic, share.note) == ("peak, ratio of means over studies", "4 studies")
    found[3] = replace(found[3], readings={"dimension_late": {"mean": Estimate(1.05, 0, 0, "")}})  # 100 % of a small D − 1
    share = pooled.analyse(found)["share_permuted"]
    above, below = 100 * excess, np.array([0.1, 0.3, 0.15, 0.05])
    ratio = above.mean() / below.mean()
    half = T_3 * ((above - ratio * below) / below.mean()).std(ddof=1) / 2
    assert (share.value, share.low, share.high) == pytest.approx((ratio, ratio - half, ratio + half))


@pytest.mark.parametrize(
    ("key", "series"),
    [
        ("synthetic_topology_cv", lambda d: Topologies(Band(d, d, d), ("a", "b", "c"))),
        ("synthetic_alpha_cv", lambda d: swept(("alpha", "synthetic", "mean"), d)),
        ("synthetic_quantile_cv", lambda d: swept(("quantile", "synthetic", "mean"), d)),
        ("alpha_cv", lambda d: swept(("alpha", "inline", "peak"), d)),
        ("quantile_cv", lambda d: swept(("quantile", "inline", "peak"), d)),
    ],
)
def test_a_cv_is_of_the_means_over_studies_beyond_what_studies_scatter(key, series):
    settings, n_studies, scatter = np.array([0.9, 1.0, 1.1]), 40, 0.01
    scattered = scatter * np.random.default_rng(0).normal(size=(n_studies, 3))
    scattered *= scatter / scattered.std(axis=0, ddof=1)
    scattered -= scattered.mean(axis=0)

    def pool(truth, *seed):
        return pooled.analyse([study(key, NAN, series=series(d)) for d in truth + scattered], *seed)[key]

    noise = 100 * scatter / np.sqrt(n_studies)  # of a mean over studies, in %
    students = stats.t.ppf(0.975, n_studies - 1) / stats.norm.ppf(0.975)
    found = pool(settings)
    assert found.value == pytest.approx(np.sqrt(10**2 - (noise * students) ** 2), abs=1e-3)
    half = 1.96 * students * noise / np.sqrt(2)  # of (third − first) / 2, on which alone the CV of these three depends
    assert (found.low, found.high) == pytest.approx((10 - half, 10 + half), abs=0.1 * half)
    assert found.statistic == "peak"
    assert found.note == f"raw CV 10.00, of which runs alone make {noise * students:.2f}; 40 studies"
    assert found == pool(settings, 0) != pool(settings, 1)  # resampled from the seed that is asked for
    none = pool(np.ones(3))
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(noise * students * np.sqrt(stats.chi2.ppf(0.975, 2) / 2 - 1), rel=0.05)
    assert "a bound, as runs alone would make as much" in none.note


def test_a_figure_of_one_run_is_compared_with_the_spread_of_runs():
    (key,) = (key for key, published in PUBLISHED.items() if published.one_run)
    of = [Findings({key: Estimate(v, low, high, "median run")}) for v, low, high in ((50, 10, 90), (60, 20, 110))]
    (found,) = pooled.analyse(of).values()
    assert (found.value, found.low, found.high, found.statistic) == (55, 15, 100, "median run")
    assert found.note == "means over 2 studies"


@pytest.mark.slow
def test_studies_of_successive_seeds_are_pooled_their_own_the_first():
    config = StudyConfig(hidden=(5, 10, 20), replicates=3, epochs=60, seed=4)
    scope = replace(QUICK_SCOPE, n_studies=3, n_gini_runs=10)
    with ThreadPoolExecutor(2) as executor:
        log = train_all(config, executor)
        results = measure_study(config, log, scope, executor)
        of_seeds = measure_pooled(config, scope, executor)  # all trained there
        logs = [log, *(train_all(replace(config, seed=seed), executor) for seed in (5, 6))]
    single = [dimension.analyse(one, grokking.window(one)).estimates for one in logs]
    for key in ("dimension", "gamma", "steps_mean", "deviation_angle", "dimension_r2"):
        assert results.pooled[key].value == pytest.approx(np.mean([found[key].value for found in single])), key
    assert set(results.pooled) == set(results.quantities)
    for key, found in results.pooled.items():
        assert (found.value, found.low, found.high) == pytest.approx(
            (of_seeds[key].value, of_seeds[key].low, of_seeds[key].high), rel=1e-12, nan_ok=True
        ), key
    assert results.quantities["dimension"].value == single[0]["dimension"].value
    assert np.isfinite([results.pooled["dimension"].low, results.quantities["dimension"].low]).all()
