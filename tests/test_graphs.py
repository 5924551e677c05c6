import json
from pathlib import Path

import igraph
import numpy as np
import pytest
from hypothesis import given

import tdu
from tdu.avalanches.graphs import kind_of_begins
from tdu.avalanches.threads import relax_in_blocks
from tdu.rng import seeded_igraph
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
    assert (graph.indptr.dtype, graph.indices.dtype, graph.begins.dtype) == (np.int64, np.int32, np.uint32)
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


def by_igraph(n, m, seed):
    with seeded_igraph(seed):
        return igraph.Graph.Barabasi(n, m, power=1, zero_appeal=0, implementation="psumtree")


def as_igraph(graph):
    edges = [(i, j) for i, row in enumerate(neighbours(graph)) for j in row if i < j]
    return igraph.Graph(len(graph), edges)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_growth_is_igraphs_in_distribution(m):
    """Degrees, triangles, assortativity and the largest hub over 40 graphs of each, within the scatter of both."""
    ours = [as_igraph(tdu.barabasi_albert(600, m=m, seed=seed)) for seed in range(40)]
    theirs = [by_igraph(600, m, seed) for seed in range(40)]
    measures = {
        "largest degree": lambda g: max(g.degree()),
        "degree of the first site": lambda g: g.degree(0),
        "degree of site 20": lambda g: g.degree(20),
        "sites of least degree": lambda g: g.degree().count(m),
        "triangles": lambda g: len(g.list_triangles()),
        "assortativity": lambda g: g.assortativity_degree(directed=False),
        "mean distance": lambda g: g.average_path_length(),
    }
    for name, measure in measures.items():
        one, other = (np.array([measure(g) for g in graphs], float) for graphs in (ours, theirs))
        error = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 40)
        assert abs(one.mean() - other.mean()) <= 4 * error + 1e-12, name


@pytest.mark.parametrize("m", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [6, 7, 50])
def test_every_site_brings_its_edges_to_older_ones(n, m):
    graph = tdu.barabasi_albert(n, m=m, seed=3)
    rows = neighbours(graph)
    assert [sum(j < i for j in row) for i, row in enumerate(rows)] == [min(i, m) for i in range(n)]
    assert all(row == sorted(set(row)) for row in rows)
    assert all(i in rows[j] for i, row in enumerate(rows) for j in row)
    assert tdu.Graph(graph.indptr, graph.indices).indices.tolist() == graph.indices.tolist()  # stands the checks


def test_growth_goes_on_where_random_numbers_ran_out(monkeypatch):
    from tdu.avalanches import graphs as module

    monkeypatch.setattr(module, "_UNIFORMS", 7)
    graph = tdu.barabasi_albert(300, m=3, seed=1)
    assert graph.indices.size == 2 * (3 * 300 - 6)
    assert tdu.Graph(graph.indptr, graph.indices).degree.min() == 3


@pytest.mark.parametrize(("n", "k"), [(3, 2), (5, 4), (6, 4), (9, 8), (30, 6)])
def test_ring_is_igraphs_lattice(n, k):
    lattice = igraph.Graph.Lattice([n], nei=k // 2, circular=True)
    assert neighbours(tdu.ring(n, k)) == [sorted(lattice.neighbors(i)) for i in range(n)]


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
    for array in (graph.indices, graph.indptr, graph.begins):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    indices[0], indptr[1] = 5, 5
    assert graph.indices[0] == graph.indptr[1] == 1


def test_rows_begin_at_numbers_of_32_bits_up_to_the_last_that_there_is():
    assert [kind_of_begins(n_ends) for n_ends in (0, 2**32 - 1, 2**32)] == [np.uint32, np.uint32, np.int64]


def test_rows_that_begin_at_numbers_of_64_bits_give_the_same(monkeypatch):
    """In graphs of 2³² ends of edges and more, of which a machine of tests has no memory."""
    n = 12_345  # so many that sites are looked at one and all as well as by marks
    graph, field = tdu.barabasi_albert(n), np.random.default_rng(3).standard_cauchy(n)
    monkeypatch.setattr("tdu.avalanches.graphs._ENDS_OF_64_BITS", 0)
    wide = tdu.barabasi_albert(n)
    assert (graph.begins.dtype, wide.begins.dtype) == (np.uint32, np.int64)
    assert np.array_equal(wide.begins, graph.begins)
    assert np.array_equal(wide.indices, graph.indices)
    assert np.array_equal(tdu.nulls.rewired(wide).indices, tdu.nulls.rewired(graph).indices)
    one, other = (tdu.avalanche(field, rows) for rows in (graph, wide))
    assert (other.size, other.gradient.tolist()) == (one.size, one.gradient.tolist())
    blocked, threshold = field.copy(), np.quantile(np.abs(field), 0.9)
    assert relax_in_blocks(blocked, wide, 0.3, threshold, 20, np.empty(20, np.int64), 2, 9)[0] == one.size
    assert blocked.tolist() == one.gradient.tolist()


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
