"""Structural graphs: who is joined to whom, from the names and shapes of tensors."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tdu
from tdu.avalanches.families import FAMILIES
from tdu.avalanches.structure import rook, units
from tdu.models import mlp
from tdu.types import Layout
from tests.reference import arrangement as reference
from tests.strategies import neighbours

XOR = mlp.layout(3)


def edges(graph):
    return set(reference.edges_of(neighbours(graph)))


def cycles(graph, sites):
    """Lengths of the cycles that the graph has among `sites`; a single edge or site counts with its own length."""
    rows, left, found = neighbours(graph), set(sites), []
    while left:
        reached, frontier = set(), {min(left)}
        while frontier:
            reached |= frontier
            frontier = {j for i in frontier for j in rows[i] if j in left} - reached
        left -= reached
        found.append(len(reached))
    return sorted(found)


@given(st.integers(1, 9), st.integers(1, 4))
def test_units_are_the_cliques_of_the_definition(hidden, n_inputs):
    assert edges(units(mlp.layout(hidden, n_inputs))) == reference.units(hidden, n_inputs)


def test_the_order_and_the_names_of_an_mlps_tensors_do_not_matter():
    by_name = Layout.of({"fc.0.bias": (3,), "fc.0.weight": (3, 2), "fc.2.bias": (1,), "fc.2.weight": (1, 3)})
    site = {name: view.ravel() for name, view in by_name.views(np.arange(13)).items()}
    of_xor = np.concatenate([site[f"fc.{name}"] for name in ("0.weight", "0.bias", "2.weight", "2.bias")])
    assert edges(units(by_name)) == {tuple(sorted((int(of_xor[i]), int(of_xor[j])))) for i, j in edges(units(XOR))}


def test_layers_follow_each_other_by_number_where_names_sort_otherwise():
    sizes = {"fc10": (1, 4), "fc2": (3, 2), "fc9": (4, 3)}
    layout = Layout.of({f"{name}.weight": shape for name, shape in sizes.items()})
    graph = units(layout)
    middle = layout.views(np.arange(layout.n_sites))["fc9.weight"]
    assert set(graph.degree[middle.ravel()]) == {2 + 4 - 1 + 3 + 1 - 1}  # in both of its units


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ({"": (12,)}, "the graph `units` needs the names and shapes of the tensors, but the field is one array of 12"),
        ({"weight": (4, 3), "bias": (4,)}, "the one layer `weight` has none: `rook`"),
        ({"W1": (4, 3), "W2": (2, 5)}, "`W1` has 4 outputs but `W2` 5 inputs; it is for the layers of an MLP, `rook` for"),
        ({"W1": (4, 3), "W2": (2, 4), "scale": (7,)}, "outputs but `scale` 7 inputs|outputs but `W1` 3 inputs"),
        ({"W1": (50, 300), "W2": (10, 50)}, "join the 310 parameters of a hidden unit each to all others: `rook` is sparse"),
    ],
)
def test_units_refuses_what_has_none_to_be_told(shapes, said):
    with pytest.raises(tdu.InputError, match=said):
        units(Layout.of(shapes))


def test_rook_asks_for_tensors():
    with pytest.raises(tdu.InputError, match="the graph `rook` needs the names and shapes of the tensors"):
        rook(Layout.unknown(9))


SHAPES = st.dictionaries(
    st.sampled_from(["a.weight", "a.bias", "b.weight", "b.bias", "c", "norm", "w"]),
    st.lists(st.integers(1, 5), min_size=0, max_size=3).map(tuple),
    min_size=1,
)


@given(SHAPES, st.integers(0, 5))
def test_rook_is_one_cycle_through_every_row_and_every_column(shapes, seed):
    layout = Layout.of(shapes)
    graph = rook(layout, seed)
    tdu.Graph(indptr=graph.indptr.copy(), indices=graph.indices.copy())  # simple, and both ways
    lines = []
    sites = layout.views(np.arange(layout.n_sites))
    owned = {}
    for name, of in sites.items():
        weight = name.replace("bias", "weight")
        rows = np.shape(sites.get(weight, 0))[0] if np.ndim(sites.get(weight, 0)) > 1 else 1
        if name.endswith("bias") and weight in sites and of.shape == (rows,):
            owned[weight] = of
    biases = {id(of) for of in owned.values()}
    for name, of in sites.items():
        if id(of) not in biases:
            matrix = of.reshape(len(of), -1) if of.ndim > 1 else of.reshape(1, -1)
            lines += [[*row, *owned[name][j : j + 1]] if name in owned else [*row] for j, row in enumerate(matrix)]
            lines += [[*column] for column in matrix.T]
    wanted = sum(len(line) if len(line) > 2 else len(line) - 1 for line in lines)
    found = edges(graph)
    assert len(found) == wanted == graph.indices.size // 2
    for line in lines:
        inside = [edge for edge in found if set(edge) <= {int(site) for site in line}]
        ends = Counter(site for edge in inside for site in edge)
        assert set(ends.values()) <= {2} if len(line) > 2 else len(inside) == len(line) - 1
        assert cycles(graph, [int(site) for site in line]) == [len(line)]


def test_rook_is_random_and_seeded():
    layout = Layout.of({"weight": (30, 20), "bias": (30,)})
    assert edges(rook(layout, 1)) == edges(rook(layout, 1)) != edges(rook(layout, 2))
    joined = np.mean([rook(layout, seed).indices.reshape(-1)[0] for seed in range(200)])
    assert 0 < joined < layout.n_sites


def test_a_neighbour_in_a_row_is_any_other_of_it_as_often():
    layout, counts = Layout.of({"weight": (1, 6)}), np.zeros((6, 6))
    for seed in range(600):
        for i, row in enumerate(neighbours(rook(layout, seed))):
            counts[i, row] += 1
    off = counts[~np.eye(6, dtype=bool)]
    assert np.abs(off / 600 - 2 / 5).max() < 4 * np.sqrt(0.4 * 0.6 / 600)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_made_of_a_layout(name):
    assert len(FAMILIES[name](mlp.layout(20), 3)) == 81
