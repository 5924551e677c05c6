"""A probe's power and false alarms are shares of planted fields, and means of runs are of their own snapshots."""

import numpy as np
import pytest

from tdu.avalanches.graphs import Graph
from tdu.avalanches.planted import units_of
from tdu.config import StudyConfig
from tdu.experiments.arrangement_power import LAYOUTS, Condition, beyond, means_and_t, nearest_rows
from tdu.experiments.arrangement_runs import Group
from tdu.experiments.arrangement_statistics import over_edges

UNITS = units_of(LAYOUTS["units"])
N = LAYOUTS["units"].n_sites
RHO = 0.4


def test_the_field_draws_its_own_edges_in_a_graph_of_nearest_rows():
    field = np.random.default_rng(0).normal(size=N)
    graph = nearest_rows(field, UNITS)
    rows = field[UNITS]
    near = [set(np.argsort(((rows - row) ** 2).sum(axis=1))[1:5]) for row in rows]  # a row is nearest to itself
    wanted = {(i, j) for i in range(len(rows)) for j in range(len(rows)) if j in near[i] or i in near[j]}
    edges = [(UNITS[i, p], UNITS[j, p]) for i, j in wanted if i < j for p in range(4)]
    assert Graph.from_edges(N, edges).indices.tolist() == graph.indices.tolist()
    assert over_edges(field[None], graph)["concordance"][0] > 5


def test_moran_of_values_is_the_mean_product_over_edges():
    graph = Graph.from_edges(4, [(0, 1), (1, 2)])
    fields = np.array([[1.0, 2.0, -3.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert over_edges(fields, graph)["values"] == pytest.approx([(2 - 6) / 2 / (14 / 4), 1.0])


def test_shares_have_wilsons_interval():
    found = beyond(np.array([-3.0, 0.0, 0.5, 3.0]), np.array([-1.0, 1.0]))
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.150, 0.850), abs=1e-3)


def test_means_before_and_after_are_of_their_own_snapshots():
    values = np.arange(8.0).reshape(1, 2, 4)
    before = np.array([[[True, True, False, False], [False] * 4]])
    group = Group("", np.array([5]), np.arange(4), {"ε": values}, before, ~before, *np.zeros((3, 1, 2)))
    first, last = group.change("ε")
    assert first[0, 0] == 0.5
    assert np.isnan(first[0, 1])
    assert last.tolist() == [[2.5, 5.5]]


def test_what_is_planted_within_units_is_seen_on_units_and_not_on_ba():
    config = StudyConfig(n_null_draws=4)
    found = means_and_t(config, 20, Condition("units", "values", RHO, 2))
    assert set(found) == {(graph, of) for graph in ("ba", "ring", "units", "rook") for of in OF_GRAPH} | NEAREST_ROWS
    means, t = found["units", "values"]
    assert means == pytest.approx(np.full(20, RHO), abs=0.1)
    assert (t > 10).all()
    assert abs(found["ba", "values"][0]).max() < 0.1


OF_GRAPH = ("raw", "ranked", "Moran", "concordance", "values")
NEAREST_ROWS = {("nearest", of) for of in OF_GRAPH[1:]}
