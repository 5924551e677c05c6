"""Surrogates share one property with a field, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tdu
from tdu.analysis.marginals import isolated_size
from tdu.cascades import sizes_of
from tdu.surrogates import SURROGATES, moment_ratio
from tests.strategies import float_fields

RNG = np.random.default_rng


def heavy(n=4001, seed=0):
    return RNG(seed).normal(size=(3, n)) * np.exp(RNG(seed + 1).normal(size=(3, n)))


def test_moment_ratio_of_known_distributions():
    n = 400_000
    for values, wanted in ((RNG(0).uniform(-1, 1, n), 4 / 3), (RNG(0).normal(size=n), np.pi / 2), (RNG(0).laplace(size=n), 2)):
        assert moment_ratio(values) == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("name", SURROGATES)
def test_surrogates_keep_the_shape_and_follow_the_generator(name):
    fields = heavy(201)
    one, same, other = (SURROGATES[name](fields, RNG(seed)) for seed in (5, 5, 6))
    assert one.shape == fields.shape
    assert np.isfinite(one).all()
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", ["log-normal", "generalised-gaussian", "student-t"])
@pytest.mark.parametrize("source", ["laplace", "normal"])
def test_parametric_families_have_the_moment_ratio_of_their_snapshot(name, source):
    fields = getattr(RNG(2), source)(size=(1, 300_000))
    assert moment_ratio(SURROGATES[name](fields, RNG(3)))[0] == pytest.approx(moment_ratio(fields)[0], rel=0.04)


def test_a_heavy_tail_is_met_by_the_log_normal_which_has_all_moments():
    fields = RNG(2).normal(size=(1, 10**6)) * 0 + np.exp(0.8 * RNG(4).normal(size=(1, 10**6)))
    assert moment_ratio(SURROGATES["log-normal"](fields, RNG(3)))[0] == pytest.approx(np.exp(0.64), rel=0.03)


def test_resampled_draws_one_arrangement_from_the_snapshots_own_entries():
    fields = heavy(301)
    drawn = SURROGATES["resampled"](fields, RNG(1))
    assert all(set(new) <= set(old) for new, old in zip(drawn, fields, strict=True))
    where = [np.flatnonzero(fields[0] == value)[0] for value in drawn[0]]
    assert np.array_equal(drawn[1], fields[1][where])


def test_own_tail_and_own_bulk_share_the_threshold_and_split_the_magnitudes():
    fields = heavy(1001)
    own = np.sort(np.abs(fields))
    threshold = np.quantile(np.abs(fields), 0.9, axis=-1, keepdims=True)
    tail, bulk = (np.sort(np.abs(SURROGATES[name](fields, RNG(1)))) for name in ("own-tail", "own-bulk"))
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
