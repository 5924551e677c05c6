"""Threads that share one field give the bits of one."""

from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tdu
from tdu.avalanches.threads import ranges, relax_on_threads
from tdu.kernels.avalanche import relax, workspace
from tests.strategies import float_fields, graphs


def used(n):
    """Work space as it lies in memory that was something else before."""
    work = workspace(n)
    for array in work:
        array.view(np.uint8)[:] = 0xFF
    return work


def both(field, graph, alpha, threshold, max_steps, workers):
    alone, shared = field.copy(), field.copy()
    profiles = np.full((2, max_steps), -1)
    one = relax(alone, graph.indptr, graph.targets, alpha, threshold, max_steps, profiles[0], used(field.size))
    with mock.patch("tdu.avalanches.threads.workspace", used):
        other = relax_on_threads(shared, graph, alpha, threshold, max_steps, profiles[1], workers)
    assert tuple(one) == tuple(other)
    assert np.array_equal(profiles[0], profiles[1])
    assert alone.tolist() == shared.tolist()


@given(st.data(), graphs(), st.sampled_from([0.3, 0.5, 1.0]), st.integers(0, 20), st.integers(2, 3))
def test_small_graphs_with_isolated_sites(data, graph, alpha, max_steps, workers):
    field = data.draw(float_fields(len(graph)))
    both(field, graph, alpha, float(np.quantile(np.abs(field), 0.7)), max_steps, workers)


@pytest.mark.parametrize("workers", [2, 3, 7])
@pytest.mark.parametrize("build", [tdu.barabasi_albert, tdu.ring, tdu.random_graph], ids=lambda build: build.__name__)
def test_graphs_of_many_words(build, workers):
    graph, rng = build(5000), np.random.default_rng(3)
    field = rng.normal(size=5000) * np.exp(rng.normal(size=5000))
    both(field, graph, 0.3, float(np.quantile(np.abs(field), 0.9)), 20, workers)


@pytest.mark.parametrize("per_end", [0, 1])
@pytest.mark.parametrize("n", [5, 64, 65, 1000])
def test_ranges_cover_every_site_once_in_whole_words(n, per_end):
    found = ranges(tdu.barabasi_albert(n), 3, per_end)
    assert found[0][0] == 0
    assert found[-1][1] == n
    assert all(one[1] == other[0] and other[0] % 64 == 0 for one, other in pairwise(found))


def test_ranges_are_of_as_many_sites_or_of_as_much_work():
    graph = tdu.barabasi_albert(100_000)
    (_, middle), _ = ranges(graph, 2, per_end=0)
    assert middle == 100_000 // 2 // 64 * 64
    cost = [6 * (high - low) + graph.indptr[high] - graph.indptr[low] for low, high in ranges(graph, 2, per_end=1)]
    assert cost[0] == pytest.approx(cost[1], rel=0.01)


@pytest.mark.slow
def test_a_field_of_millions_is_the_same_for_any_number_of_workers():
    n = (1 << 21) + 5
    graph, field = tdu.barabasi_albert(n), np.random.default_rng(0).standard_cauchy(n)
    one, two = (tdu.avalanche(field, graph, workers=workers) for workers in (1, 2))
    assert (one.size, one.duration, one.extent, one.peak) == (two.size, two.duration, two.extent, two.peak)
    assert np.array_equal(one.gradient, two.gradient)
    assert np.array_equal(one.profile, two.profile)
