"""What is planted in a field is there, with the strength asked for, and nothing else is."""

import numpy as np
import pytest
from scipy.stats import kstest, kurtosis

import tdu
from tdu.avalanches.edges import edge_statistics
from tdu.avalanches.planted import KINDS, planted
from tdu.avalanches.structure import hidden_units
from tdu.models import mlp
from tdu.options import PLANTED
from tdu.types import Layout

HIDDEN = 2500
LAYOUT = mlp.layout(HIDDEN)
GRAPH = tdu.ring(LAYOUT.n_sites)
UNITS = hidden_units(LAYOUT)[0]


def field_of(kind, strength, layout=LAYOUT, graph=GRAPH, seed=0):
    return planted(kind, layout, graph, strength, np.random.default_rng(seed))


def correlation(values):
    """Mean correlation of the columns of (n, m), over pairs of them."""
    return np.corrcoef(values.T)[np.triu_indices(values.shape[1], 1)].mean()


def test_the_command_lists_the_kinds():
    assert tuple(KINDS) == PLANTED


@pytest.mark.parametrize("kind", KINDS)
def test_at_no_strength_nothing_is_planted(kind):
    field = field_of(kind, 0.0)
    assert kstest(field, "norm").pvalue > 0.001
    assert abs(correlation(field[UNITS])) < 0.04
    for name, z in edge_statistics(field, GRAPH).items():
        assert not name.endswith("_z") or abs(z) < 4


@pytest.mark.parametrize("kind", ["units", "graph", "signs", "magnitudes"])
def test_what_is_about_arrangement_leaves_every_entry_normal(kind):
    assert kstest(field_of(kind, 0.6), "norm").pvalue > 0.001


def test_units_correlate_in_value_in_magnitude_or_in_sign_alone():
    of_values, of_magnitudes, of_signs = (field_of(kind, 0.7)[UNITS] for kind in ("units", "magnitudes", "signs"))
    assert correlation(of_values) == pytest.approx(0.7, abs=0.03)
    assert correlation(np.abs(of_magnitudes)) == pytest.approx(correlation(np.abs(of_values)), abs=0.05)
    assert correlation(np.sign(of_signs)) == pytest.approx(2 / np.pi * np.arcsin(0.7), abs=0.03)
    for without in (np.sign(of_magnitudes), np.abs(of_signs)):
        assert abs(correlation(without)) < 0.04


def test_a_parameter_of_two_units_has_its_share_of_both():
    layout = Layout.of({"W1": (900, 2), "W2": (4, 900), "W3": (1, 4)})
    drawn = np.array([field_of("units", 0.6, layout, tdu.ring(layout.n_sites), seed) for seed in range(3)])
    first = drawn[:, layout.views(np.arange(layout.n_sites))["W1"]].reshape(-1, 2)
    between = drawn[:, layout.views(np.arange(layout.n_sites))["W2"]]
    assert drawn.std() == pytest.approx(1, abs=0.05)
    assert correlation(first) == pytest.approx(0.6, abs=0.05)
    mixed = np.corrcoef(first[:, 0], np.concatenate([of[k % 4] for k, of in enumerate(between)]))[0, 1]
    assert mixed == pytest.approx(0.6 / np.sqrt(2), abs=0.08)


def test_neighbours_on_the_measuring_graph_correlate_by_their_degrees():
    layout = Layout.of({"weight": (4001, 1)})
    pairs, star = np.arange(2000).reshape(-1, 2), np.column_stack([np.full(2000, 4000), np.arange(2000, 4000)])
    graph = tdu.Graph.from_edges(4001, np.concatenate([pairs, star]))
    field = field_of("graph", 0.8, layout, graph)
    assert correlation(field[pairs]) == pytest.approx(0.8, abs=0.04)
    of_star = [field_of("graph", 0.8, layout, graph, seed)[3900:] for seed in range(20)]
    products = np.mean([values[-1] * values[:-1] for values in of_star])
    assert products == pytest.approx(0.8 / np.sqrt(2000), abs=4 / np.sqrt(20 * 100))


@pytest.mark.parametrize("h", [250, 25_000])
def test_heavy_tails_are_the_same_at_every_n_or_heavier(h):
    layout, of_normal = mlp.layout(h), np.pi / np.sqrt(8)  # the deviation of log |x|
    for kind, n in (("heavy", 1000), ("heavy-n", 4 * h + 1)):
        fields = [field_of(kind, 0.2, layout, tdu.ring(layout.n_sites), seed) for seed in range(3)]
        assert np.log(np.abs(fields)).std() == pytest.approx(np.hypot(of_normal, 0.2 * np.log(n)), rel=0.05), kind


def test_a_matrix_near_rank_1_has_most_in_one_direction_and_the_rest_as_before():
    layout = Layout.of({"weight": (200, 150), "bias": (200,)})
    tensors = layout.views(field_of("rank-1", 0.5, layout, tdu.ring(layout.n_sites)))
    squares = np.linalg.svd(tensors["weight"], compute_uv=False) ** 2
    assert squares[0] / squares.sum() == pytest.approx(0.5, abs=0.1)
    assert kstest(tensors["bias"], "norm").pvalue > 0.001


def test_rows_have_a_scale_each_that_their_biases_share():
    layout = Layout.of({"weight": (400, 300), "bias": (400,), "norm": (50,)})
    tensors = layout.views(field_of("row-scale", 0.8, layout, tdu.ring(layout.n_sites)))
    scale = tensors["weight"].std(axis=1)
    assert np.log(scale).std() == pytest.approx(0.8, rel=0.15)
    assert kstest(tensors["bias"] / scale, "norm").pvalue > 0.001
    assert kurtosis((tensors["weight"] / scale[:, None]).ravel()) == pytest.approx(0, abs=0.1)


def test_a_kind_that_is_not_known_a_strength_and_a_layout_without_units_are_refused():
    for kind, strength, layout, words in (
        ("unit", 0.5, LAYOUT, "`kind` must be one of gaussian, heavy"),
        ("units", 1.5, LAYOUT, r"`strength` must lie in \[0, 1\]"),
        ("units", 0.5, Layout.unknown(LAYOUT.n_sites), "`units` needs the names and shapes of the tensors"),
        ("rank-1", 0.5, Layout.unknown(LAYOUT.n_sites), "`rank-1` needs the names and shapes of the tensors"),
    ):
        with pytest.raises(tdu.InputError, match=words):
            field_of(kind, strength, layout)
