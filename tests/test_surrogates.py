"""Surrogates share one property with a field, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import gammaln

import tdu
from tdu.analysis.marginals import isolated_size
from tdu.avalanches import surrogates
from tdu.avalanches.cascades import sizes_of
from tdu.avalanches.surrogates import SURROGATES, moment_ratio
from tdu.types import Layout
from tests.strategies import float_fields

BY_NAME = {name: getattr(surrogates, name.replace("-", "_")) for name in SURROGATES}
RNG = np.random.default_rng


def heavy(n=4001, seed=0):
    return RNG(seed).normal(size=(3, n)) * np.exp(RNG(seed + 1).normal(size=(3, n)))


def test_moment_ratio_of_known_distributions():
    n = 400_000
    for values, wanted in ((RNG(0).uniform(-1, 1, n), 4 / 3), (RNG(0).normal(size=n), np.pi / 2), (RNG(0).laplace(size=n), 2)):
        assert moment_ratio(values) == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("name", BY_NAME)
def test_surrogates_keep_the_shape_and_follow_the_generator(name):
    fields = heavy(201)
    one, same, other = (BY_NAME[name](fields, RNG(seed)) for seed in (5, 5, 6))
    assert one.shape == fields.shape
    assert np.isfinite(one).all()
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", ["log-normal", "generalised-gaussian", "student-t"])
@pytest.mark.parametrize("source", ["laplace", "normal"])
def test_parametric_families_have_the_moment_ratio_of_their_snapshot(name, source):
    fields = getattr(RNG(2), source)(size=(1, 300_000))
    assert moment_ratio(BY_NAME[name](fields, RNG(3)))[0] == pytest.approx(moment_ratio(fields)[0], rel=0.04)


def test_a_heavy_tail_is_met_by_the_log_normal_which_has_all_moments():
    fields = RNG(2).normal(size=(1, 10**6)) * 0 + np.exp(0.8 * RNG(4).normal(size=(1, 10**6)))
    assert moment_ratio(surrogates.log_normal(fields, RNG(3)))[0] == pytest.approx(np.exp(0.64), rel=0.03)


def test_resampled_draws_one_arrangement_from_the_snapshots_own_entries():
    fields = heavy(301)
    drawn = surrogates.resampled(fields, RNG(1))
    assert all(set(new) <= set(old) for new, old in zip(drawn, fields, strict=True))
    where = [np.flatnonzero(fields[0] == value)[0] for value in drawn[0]]
    assert np.array_equal(drawn[1], fields[1][where])


def test_own_tail_and_own_bulk_share_the_threshold_and_split_the_magnitudes():
    fields = heavy(1001)
    own = np.sort(np.abs(fields))
    threshold = np.quantile(np.abs(fields), 0.9, axis=-1, keepdims=True)
    tail, bulk = (np.sort(np.abs(BY_NAME[name](fields, RNG(1)))) for name in ("own-tail", "own-bulk"))
    in_tail = np.arange(1001) > 900
    assert np.array_equal(tail[:, in_tail], own[:, in_tail])
    assert np.array_equal(bulk[:, ~in_tail], own[:, ~in_tail])
    for spliced in (tail, bulk):
        np.testing.assert_allclose(np.quantile(spliced, 0.9, axis=-1, keepdims=True), threshold, rtol=0.02)
    assert (tail[:, ~in_tail] <= threshold).all()
    assert (np.abs(bulk[:, in_tail] / threshold).max(axis=-1) < own[:, -1] / threshold[:, 0]).all()  # a Gaussian's is lighter


@given(float_fields(15), st.sampled_from([0.1, 0.3, 0.5]))
def test_isolated_size_is_the_avalanche_of_a_graph_without_edges(field, alpha):
    alone = tdu.Graph.from_edges(15, [])
    threshold = np.quantile(np.abs(field), 0.9)
    if threshold == 0:
        return
    size = sizes_of(field[None], alone, alpha, 0.9, 20)[0]
    # a site that lands on the threshold within rounding may topple once more or less
    assert abs(isolated_size(np.abs(field) / threshold, alpha, 20) - size) <= 1


def test_isolated_size_of_known_fields():
    assert isolated_size(np.array([0.5, 1.0, 1.1, 1.42, 1.43, 1e9]), 0.3, 20) == 0 + 0 + 1 + 1 + 2 + 20


def test_surrogates_without_a_shape_are_the_generators_own_draws():
    fields = heavy(51)
    assert np.array_equal(surrogates.resampled(fields, RNG(5)), fields[:, RNG(5).integers(51, size=51)])
    assert np.array_equal(surrogates.laplace(fields, RNG(5)), RNG(5).laplace(size=(3, 51)))


def shape_with(ratio, wanted, low, high):
    """Where a falling `ratio` takes the wanted value."""
    return optimize.brentq(lambda shape: ratio(shape) - wanted, low, high)


def test_shapes_are_those_of_the_moment_ratio():
    """Each snapshot its own shape: the draws are a generator's at the shape that solves for the ratio, and signs at random."""
    fields = np.stack([RNG(1).standard_t(3, 400), RNG(2).standard_t(6, 400), RNG(3).laplace(size=400)])
    ratios = moment_ratio(fields)

    def of_student(nu):
        return np.pi * (nu - 1) ** 2 / (4 * (nu - 2)) * np.exp(2 * (gammaln(nu / 2) - gammaln((nu + 1) / 2)))

    def of_generalised(beta):
        return np.exp(gammaln(1 / beta) + gammaln(3 / beta) - 2 * gammaln(2 / beta))

    freedom = np.array([shape_with(of_student, ratio, 2 + 1e-4, 1e5) for ratio in ratios])
    np.testing.assert_allclose(
        surrogates.student_t(fields, RNG(5)), RNG(5).standard_t(freedom[:, None], fields.shape), rtol=1e-3
    )
    beta = np.array([shape_with(of_generalised, ratio, 0.1, 100) for ratio in ratios])[:, None]
    rng = RNG(5)
    magnitudes = rng.standard_gamma(1 / beta, fields.shape) ** (1 / beta)
    positive = rng.integers(2, size=fields.shape, dtype=bool)
    np.testing.assert_allclose(
        surrogates.generalised_gaussian(fields, RNG(5)), np.where(positive, magnitudes, -magnitudes), rtol=1e-3
    )
    rng = RNG(5)
    magnitudes = np.exp(np.sqrt(np.log(ratios))[:, None] * rng.normal(size=fields.shape))
    positive = rng.integers(2, size=fields.shape, dtype=bool)
    np.testing.assert_allclose(surrogates.log_normal(fields, RNG(5)), np.where(positive, magnitudes, -magnitudes))


def test_shapes_end_where_a_family_ends():
    """A tail lighter than the Gaussian's is met by the Gaussian, and degrees of freedom end at 2.0001."""
    light = RNG(1).uniform(-1, 1, (1, 4001))
    gaussian = surrogates.student_t(light, RNG(3))
    np.testing.assert_allclose(gaussian, RNG(3).standard_t(2 + 1e6, (1, 4001)))
    spike = surrogates.generalised_gaussian(np.eye(1, 20_000), RNG(3))
    rng = RNG(3)
    np.testing.assert_allclose(np.abs(spike), rng.standard_gamma(10, (1, 20_000)) ** 10)
    np.testing.assert_allclose(surrogates.student_t(np.eye(1, 20_000), RNG(3)), RNG(3).standard_t(2.0001, (1, 20_000)))
    flat = surrogates.generalised_gaussian(np.ones((1, 50)), RNG(3))
    np.testing.assert_allclose(np.abs(flat), RNG(3).standard_gamma(0.01, (1, 50)) ** 0.01)


@pytest.mark.parametrize(("name", "own_above"), [("own-tail", True), ("own-bulk", False)])
def test_spliced_magnitudes_are_joined_at_the_threshold_by_rank(name, own_above):
    fields = heavy(43)
    rng = RNG(5)
    own, normal = np.sort(np.abs(fields)), np.sort(np.abs(rng.normal(size=fields.shape)))
    normal *= np.quantile(own, 0.9, axis=1, keepdims=True) / np.quantile(normal, 0.9, axis=1, keepdims=True)
    above = np.arange(43) >= 38  # 0.9 · 42 lies between two ranks
    magnitudes = np.where(above == own_above, own, normal)
    positive = rng.integers(2, size=fields.shape, dtype=bool)
    wanted = rng.permuted(np.where(positive, magnitudes, -magnitudes), axis=1)
    np.testing.assert_allclose(BY_NAME[name](fields, RNG(5)), wanted)


def test_signs_of_surrogates_are_balanced():
    found = surrogates.own_tail(heavy(20_001), RNG(4))
    assert np.abs(np.sign(found).mean(axis=1)).max() < 4 / np.sqrt(20_001)


def test_a_field_of_zeros_has_no_moment_ratio():
    assert np.isnan(moment_ratio(np.zeros((2, 3)))).all()
    assert moment_ratio(np.array([[1.0, -3.0], [2.0, 2.0]])).tolist() == [5 / 4, 1]


@pytest.mark.parametrize("name", SURROGATES)
def test_a_draw_is_one_of_its_generator_and_the_same_however_often_it_is_asked(name):
    fields, graph = heavy(41), tdu.barabasi_albert(41)
    draw = SURROGATES[name].prepare(Layout.unknown(41), graph, RNG(7))
    wanted = BY_NAME[name](fields, RNG(int(RNG(7).integers(2**63))))
    assert np.array_equal(draw.apply(fields, np.arange(3)), wanted)
    assert np.array_equal(draw.apply(fields, np.arange(3)), wanted)
    assert draw.graph is graph
