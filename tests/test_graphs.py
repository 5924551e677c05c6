import json
from pathlib import Path

import igraph
import numpy as np
import pytest
from hypothesis import given

import tdu
from tests.strategies import graphs, neighbours

ORACLE = json.loads((Path(__file__).parent / "oracles" / "vectors.json").read_text())["graphs"]

FAMILIES = {
    "ba": lambda n, seed: tdu.barabasi_albert(n, seed=seed),
    "ring": lambda n, seed: tdu.ring(n),
    "small world": lambda n, seed: tdu.small_world(n, p=0.2, seed=seed),
    "random": lambda n, seed: tdu.random_graph(n, seed=seed),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_simple_symmetric_and_seeded(family):
    build = FAMILIES[family]
    graph = build(200, 1)
    assert len(graph) == 200
    assert (graph.indptr.dtype, graph.indices.dtype) == (np.int64, np.int32)
    rows = neighbours(graph)
    for i, row in enumerate(rows):
        assert row == sorted(set(row))
        assert i not in row
        assert all(i in rows[j] for j in row)
    assert np.array_equal(graph.indices, build(200, 1).indices)
    if family != "ring":
        assert not np.array_equal(graph.indices, build(200, 2).indices)
    expected_edges = 397 if family == "ba" else 400
    assert graph.indices.size == 2 * expected_edges


def test_ring_joins_the_nearest():
    assert neighbours(tdu.ring(7, k=4))[0] == [1, 2, 5, 6]
    assert neighbours(tdu.ring(3, k=2)) == [[1, 2], [0, 2], [0, 1]]


def test_small_world_without_rewiring_is_the_ring():
    assert np.array_equal(tdu.small_world(30, p=0).indices, tdu.ring(30).indices)


def test_attachment_is_pure_barabasi_albert():
    """P(k) = 2m(m+1)/(k(k+1)(k+2)): igraph's default attachment ∝ k + 1 gives P(2) = 0.456 instead of 1/2."""
    oracle = ORACLE["ba_degree_distribution_n20000_m2_mean_of_5_seeds"]
    exact = oracle["BA_exact_theory"]["P(k=2..6)"]
    degrees = [tdu.barabasi_albert(20_000, seed=seed).degree for seed in range(5)]
    found = [np.mean([np.mean(d == k) for d in degrees]) for k in range(2, 7)]
    assert np.abs(np.array(found) - exact).max() < 0.004
    assert np.abs(np.array(oracle["igraph_zero_appeal_1_default"]["P(k=2..6)"]) - exact).max() > 0.03
    assert 200 < np.mean([d.max() for d in degrees]) < 600


def test_csr_of_a_known_graph():
    karate = ORACLE["karate"]
    found = tdu.Graph.from_edges(34, igraph.Graph.Famous("Zachary").get_edgelist())
    assert found.indptr.tolist() == karate["indptr"]
    assert found.indices[:12].tolist() == karate["indices_first12"]
    assert found.degree.tolist() == karate["degree"]


@given(graphs())
def test_edges_in_any_order_and_direction_give_the_same_graph(graph):
    edges = np.array([(i, j) for i, row in enumerate(neighbours(graph)) for j in row if i < j], int).reshape(-1, 2)
    again = tdu.Graph.from_edges(len(graph), edges[::-1, ::-1])
    assert np.array_equal(again.indptr, graph.indptr)
    assert np.array_equal(again.indices, graph.indices)


def test_arrays_cannot_be_changed_and_the_callers_stay_theirs():
    indptr, indices = np.array([0, 1, 2]), np.array([1, 0], np.int32)
    graph = tdu.Graph(indptr, indices)
    with pytest.raises(ValueError, match="read-only"):
        graph.indices[0] = 0
    indices[0] = 5
    assert graph.indices[0] == 1


def test_igraphs_own_generator_is_given_back():
    import random

    random.seed(5)
    first = igraph.Graph.Erdos_Renyi(n=50, m=60).get_edgelist()
    random.seed(5)
    tdu.barabasi_albert(50, seed=3)
    assert igraph.Graph.Erdos_Renyi(n=50, m=60).get_edgelist() == first


@pytest.mark.parametrize(
    ("n", "edges", "error", "message"),
    [
        (3, [(0, 1), (2, 2)], ValueError, r"edge 1 = \(2, 2\) is a loop"),
        (3, [(0, 1), (1, 0)], ValueError, r"edge \(0, 1\) is repeated"),
        (3, [(0, 1), (1, 3)], ValueError, r"edge 1 = \(1, 3\) is out of range: `graph` has sites 0 … 2"),
        (3, [(-1, 1)], ValueError, "out of range"),
        (0, [], ValueError, "`n` must be at least 1"),
        (3, [(0, 1, 2)], ValueError, r"must have shape \(E, 2\), but it is \(1, 3\)"),
        (3, [(0.0, 1.0)], TypeError, "must be integers"),
    ],
)
def test_bad_edges_are_named(n, edges, error, message):
    with pytest.raises(error, match=message):
        tdu.Graph.from_edges(n, edges)


@pytest.mark.parametrize(
    ("indptr", "indices", "message"),
    [
        ([0], [], "at least one site"),
        ([0, 1, 3], [1, 0], "must rise from 0 to the 2 entries"),
        ([0, 2, 1, 2], [1, 0], "must rise"),
        ([0, 1, 2], [2, 0], "must lie in 0 … 1, but they span 0 … 2"),
        ([0, 1, 2], [-1, 0], "span -1"),
        ([0, 1, 2], [0, 1], "site 0 is its own neighbour"),
        ([0, 2, 3, 4], [2, 1, 0, 0], "the row of site 0 is not strictly ascending"),
        ([0, 2, 4], [1, 1, 0, 0], "not strictly ascending"),
    ],
)
def test_bad_rows_are_named(indptr, indices, message):
    with pytest.raises(ValueError, match=message):
        tdu.Graph(np.array(indptr), np.array(indices, np.int32))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: tdu.barabasi_albert(2), "`n` must exceed `m`: 2 sites"),
        (lambda: tdu.barabasi_albert(0), "`n` must be at least 1"),
        (lambda: tdu.barabasi_albert(10, seed=-1), "`seed` must be at least 0"),
        (lambda: tdu.ring(10, k=3), "`k` must be even"),
        (lambda: tdu.ring(4), "`n` must exceed `k`: 4 sites cannot have 4 neighbours"),
        (lambda: tdu.small_world(10, p=1.5), "`p` must lie in"),
        (lambda: tdu.random_graph(4, mean_degree=5), "`mean_degree` must lie in"),
    ],
)
def test_impossible_families_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
