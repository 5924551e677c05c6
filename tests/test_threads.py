"""Threads that share one field give the bits of one."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tdu
from tdu.avalanches.threads import even_cuts, relax_in_blocks
from tdu.kernels.avalanche import relax, workspace
from tests.strategies import float_fields, graphs


def used(begins, kind=np.float64):
    """Work space as it lies in memory that was something else before."""
    work = workspace(begins, kind)
    for array in work[1:]:
        array.view(np.uint8)[:] = 0xFF
    return work


def both(field, graph, alpha, threshold, max_steps, workers, block_bits):
    alone, shared = field.copy(), field.copy()
    profiles = np.full((2, max_steps), -1)
    alpha, threshold = field.dtype.type(alpha), field.dtype.type(threshold)
    work = used(graph.begins, field.dtype)
    one = relax(alone, graph.begins, graph.targets, alpha, threshold, max_steps, profiles[0], work, True)
    with mock.patch("tdu.avalanches.threads.workspace", used):
        other = relax_in_blocks(shared, graph, alpha, threshold, max_steps, profiles[1], workers, block_bits)
    assert tuple(one) == tuple(other)
    assert np.array_equal(profiles[0], profiles[1])
    assert alone.tolist() == shared.tolist()


@given(st.data(), graphs(), st.sampled_from([0.3, 0.5, 1.0]), st.integers(0, 20), st.integers(1, 3))
def test_small_graphs_with_isolated_sites(data, graph, alpha, max_steps, workers):
    field = data.draw(float_fields(len(graph)))
    both(field, graph, alpha, float(np.quantile(np.abs(field), 0.7)), max_steps, workers, 6)


@pytest.mark.parametrize("block_bits", [6, 9, 15])
@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("build", [tdu.barabasi_albert, tdu.ring, tdu.random_graph], ids=lambda build: build.__name__)
def test_graphs_of_many_blocks(build, workers, block_bits):
    graph, rng = build(12_345), np.random.default_rng(3)  # so many that sites are looked at one and all as well as by marks
    field = rng.normal(size=12_345) * np.exp(rng.normal(size=12_345))
    both(field, graph, 0.3, float(np.quantile(np.abs(field), 0.9)), 20, workers, block_bits)


def test_fields_of_float32_in_many_blocks():
    graph, field = tdu.barabasi_albert(12_345), np.random.default_rng(3).standard_t(2, 12_345).astype(np.float32)
    both(field, graph, 0.3, float(np.quantile(np.abs(field), 0.9)), 20, 2, 9)


@pytest.mark.parametrize(
    ("costs", "n_parts", "wanted"),
    [
        ([1, 1, 1, 1], 2, [(0, 2), (2, 4)]),
        ([3, 1, 1, 1], 2, [(0, 1), (1, 4)]),
        ([1, 1], 5, [(0, 1), (1, 2)]),
        ([0, 0, 0], 2, [(0, 3)]),
        ([5], 3, [(0, 1)]),
    ],
)
def test_parts_cover_every_block_once_and_cost_about_the_same(costs, n_parts, wanted):
    assert even_cuts(np.array(costs), n_parts) == wanted


@pytest.mark.slow
def test_a_field_of_millions_is_the_same_for_any_number_of_workers_and_with_bins_or_without():
    n = (1 << 21) + 5
    graph, field = tdu.barabasi_albert(n), np.random.default_rng(0).standard_cauchy(n)
    found = []
    for workers, bins_from in [(1, np.inf), (1, 0), (2, np.inf)]:
        with mock.patch("tdu.avalanches.cascades.sites_from_which_bins_pay", lambda bins_from=bins_from: bins_from):
            found.append(tdu.avalanche(field, graph, workers=workers))
    one, *others = found
    for other in others:
        assert (one.size, one.duration, one.extent, one.peak) == (other.size, other.duration, other.extent, other.peak)
        assert np.array_equal(one.gradient, other.gradient)
        assert np.array_equal(one.profile, other.profile)
