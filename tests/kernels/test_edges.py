"""Ranks and sums over edges against the plain reference, and their z against every permutation there is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tdu
from tdu.avalanches.edges import EDGE_STATISTICS, edge_statistics
from tdu.kernels.edges import sums_over_edges
from tdu.kernels.ranking import at_ranks
from tests.reference import arrangement as reference
from tests.strategies import dyadic_fields, graphs, neighbours


@given(st.data(), st.randoms(use_true_random=False))
def test_values_stand_at_ranks_of_their_row_and_ties_share_their_mean(data, random):
    n = data.draw(st.integers(1, 40))
    rows = data.draw(st.lists(st.lists(st.integers(0, 6), min_size=n, max_size=n), min_size=1, max_size=3))
    of_rank = np.sort([random.randrange(-64, 64) / 8 for _ in range(n)])
    order = [sorted(range(n), key=lambda i: (row[i], random.random())) for row in rows]
    values = np.empty((len(rows), n))
    at_ranks(np.array(order), np.array(rows, float), of_rank, values)
    assert values.tolist() == [reference.at_ranks(row, of_rank.tolist()) for row in rows]


@given(st.data())
def test_sums_over_edges_are_exact_on_dyadic_values(data):
    graph = data.draw(graphs())
    values, field = (data.draw(dyadic_fields(len(graph))) for _ in range(2))
    signs = np.sign(field).astype(np.int8)
    rows = neighbours(graph)
    wanted = reference.sum_over_edges(rows, values.tolist()), reference.sum_over_edges(rows, signs.tolist())
    assert sums_over_edges(graph.begins, graph.targets, values, signs) == wanted


def exact(value):
    return np.nan if value is None else float(value)


@given(st.data())
def test_edge_statistics_are_those_of_the_definition(data):
    graph = data.draw(graphs(max_large=70))
    field = data.draw(dyadic_fields(len(graph)))
    found, rows = edge_statistics(field, graph), neighbours(graph)
    assert tuple(found) == EDGE_STATISTICS
    assert found["moran"] == pytest.approx(exact(reference.moran(rows, field.tolist())), rel=1e-12, abs=1e-15, nan_ok=True)
    assert found["concordance"] == pytest.approx(exact(reference.concordance(rows, field.tolist())), abs=1e-15, nan_ok=True)


@settings(max_examples=12)
@given(st.data())
def test_z_is_that_over_every_permutation(data):
    n = data.draw(st.integers(4, 6))
    pairs = [(i, j) for i in range(n) for j in range(i)]
    some = data.draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=len(pairs) - 1, unique=True))
    graph, field = tdu.Graph.from_edges(n, some), data.draw(dyadic_fields(n))
    found = edge_statistics(field, graph)
    for name in ("moran", "concordance"):
        wanted = reference.z_over_all_permutations(neighbours(graph), field.tolist(), getattr(reference, name))
        assert found[f"{name}_z"] == pytest.approx(exact(wanted), rel=1e-9, abs=1e-9, nan_ok=True)


def test_of_independent_entries_z_is_standard_normal():
    rng, graph = np.random.default_rng(2), tdu.barabasi_albert(400, seed=1)
    found = [edge_statistics(field, graph) for field in rng.normal(size=(500, 400))]
    z = np.array([[one["moran_z"], one["concordance_z"]] for one in found])
    assert np.abs(z.mean(axis=0)).max() < 4 / np.sqrt(500)
    assert np.abs(z.std(axis=0) - 1).max() < 4 / np.sqrt(2 * 500)


def test_edges_between_alike_are_seen_by_the_statistic_that_is_about_them():
    rng, graph = np.random.default_rng(3), tdu.Graph.from_edges(2000, np.arange(2000).reshape(-1, 2))
    magnitude, sign = np.abs(rng.normal(size=2000)), rng.choice([-1.0, 1.0], 2000)
    of_magnitudes = edge_statistics(np.repeat(magnitude[:1000], 2) * sign, graph)
    of_signs = edge_statistics(magnitude * np.repeat(sign[:1000], 2), graph)
    assert of_magnitudes["moran"] == pytest.approx(1)
    assert of_magnitudes["moran_z"] > 20 > 4 > abs(of_magnitudes["concordance_z"])
    assert of_signs["concordance"] == 0.5
    assert of_signs["concordance_z"] > 20 > 4 > abs(of_signs["moran_z"])
