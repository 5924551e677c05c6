"""What is planted in fields is there, with the strength asked for, and nothing else is."""

import numpy as np
import pytest
from scipy.stats import kstest

import tdu
from tdu.avalanches.edges import edge_statistics
from tdu.avalanches.families import FAMILIES
from tdu.avalanches.planted import KINDS, mixing, planted, units_of
from tdu.models import mlp
from tdu.options import PLANTED
from tdu.types import Layout

LAYOUT = mlp.layout(100)
GRAPH = tdu.ring(LAYOUT.n_sites)
UNITS = units_of(LAYOUT)
RHO = 0.4
#: Of entries of one unit: correlation of values, of |g|, mean product of signs, correlation of log |g|, as the kind implies.
IMPLIED = {
    "gaussian": (0.0, 0.0, 0.0, 0.0),
    "heavy": (0.0, 0.0, 0.0, 0.0),
    "units": (RHO, None, 2 / np.pi * np.arcsin(RHO), None),
    "magnitudes": (0.0, None, 0.0, None),
    "signs": (2 / np.pi * RHO, 0.0, RHO, 0.0),
    "rank-1": (0.0, None, 0.0, None),
    "row-scale": (0.0, None, 0.0, RHO),
}


def fields_of(kind, strength, layout=LAYOUT, n_fields=2000, graph=GRAPH, seed=0):
    return planted(kind, layout, graph, strength, np.random.default_rng(seed), n_fields)


def test_the_command_lists_the_kinds():
    assert tuple(KINDS) == PLANTED


def test_units_are_the_rows_of_the_tensors():
    assert units_of(mlp.layout(2)).tolist() == [[0, 1, 4, 6], [2, 3, 5, 7]]
    matrix = Layout.of({"weight": (32, 24), "bias": (32,)})
    assert units_of(matrix)[1].tolist() == [*range(24, 48), 32 * 24 + 1]


@pytest.mark.parametrize("kind", KINDS)
def test_at_no_strength_nothing_is_planted(kind):
    fields = fields_of(kind, 0.0, n_fields=25)
    assert kstest(fields.ravel(), "norm").pvalue > 0.001
    found = [edge_statistics(field, tdu.Graph.from_edges(401, UNITS[:, :2])) for field in fields]
    for name in ("moran_z", "concordance_z"):
        assert abs(np.mean([one[name] for one in found])) < 4 / np.sqrt(25)


@pytest.mark.parametrize("kind", IMPLIED)
def test_a_planted_field_has_what_is_planted_within_units_and_nothing_between_them(kind):
    fields = fields_of(kind, RHO)
    one, same, other = fields[:, UNITS[:, 0]].ravel(), fields[:, UNITS[:, 3]].ravel(), fields[:, UNITS[::-1, 3]].ravel()
    for partner, implied in ((same, IMPLIED[kind]), (other, (0.0, 0.0, 0.0, 0.0))):
        found = (
            np.corrcoef(one, partner)[0, 1],
            np.corrcoef(abs(one), abs(partner))[0, 1],
            np.mean(np.sign(one * partner)),
            np.corrcoef(np.log(abs(one)), np.log(abs(partner)))[0, 1],
        )
        for value, wanted in zip(found, implied, strict=True):
            if wanted is not None:
                assert value == pytest.approx(wanted, abs=0.04)
    if kind not in ("row-scale", "heavy"):
        assert fields.std() == pytest.approx(1, abs=0.01)


def test_magnitudes_have_the_scores_of_entries_that_correlate():
    """The normal scores of |g| are the field of values from the same generator, whatever the signs."""
    from scipy.special import ndtr, ndtri

    scores = ndtri(2 * ndtr(abs(fields_of("magnitudes", RHO, n_fields=3))) - 1)
    np.testing.assert_allclose(scores, fields_of("units", RHO, n_fields=3), atol=1e-6)


@pytest.mark.parametrize("family", ["ba", "ring", "units", "rook"])
def test_a_field_along_a_graph_correlates_over_its_edges(family):
    graph = FAMILIES[family](mlp.layout(30), 1)
    lies_along = mixing(graph, 0.3)
    covariance = lies_along @ lies_along.T
    owner = np.repeat(np.arange(len(graph)), graph.degree)
    assert np.diag(covariance) == pytest.approx(np.ones(len(graph)))
    assert covariance[owner, graph.indices].mean() == pytest.approx(0.3, abs=1e-4)
    fields = fields_of("graph", 0.3, mlp.layout(30), 3, graph)
    np.testing.assert_array_equal(fields, fields_of("gaussian", 0.0, mlp.layout(30), 3) @ lies_along.T)


@pytest.mark.parametrize("h", [250, 25_000])
def test_heavy_tails_have_their_share_of_the_variance_of_the_log_at_every_n_or_more(h):
    layout, of_normal = mlp.layout(h), np.pi**2 / 8  # the variance of log |x|
    for kind, growth in (("heavy", 1.0), ("heavy-n", np.log(4 * h + 1) / np.log(1000))):
        found = np.log(abs(fields_of(kind, RHO, layout, 4))).var()
        assert found == pytest.approx(of_normal * (1 + growth**2 * RHO / (1 - RHO)), rel=0.05), kind


def test_units_near_rank_1_have_their_share_in_one_direction():
    layout = Layout.of({"weight": (200, 150), "bias": (200,), "norm": (50,)})
    fields = fields_of("rank-1", 0.5, layout, 3)
    for field in fields:
        squares = np.linalg.svd(field[units_of(layout)], compute_uv=False) ** 2
        assert squares[0] / squares.sum() == pytest.approx(0.5, abs=0.1)
    assert kstest(fields[:, -50:].ravel(), "norm").pvalue > 0.001


@pytest.mark.parametrize(
    ("kind", "strength", "layout", "graph", "words"),
    [
        ("unit", 0.5, LAYOUT, GRAPH, "`kind` must be one of gaussian, heavy"),
        ("units", 1.5, LAYOUT, GRAPH, r"`strength` must lie in \[0, 1\]"),
        ("row-scale", 1.0, LAYOUT, GRAPH, "`strength` is 1, but what is planted cannot be all that varies"),
        ("units", 0.5, Layout.unknown(401), GRAPH, "`units` needs the names and shapes of the tensors"),
        ("rank-1", 0.5, Layout.unknown(401), GRAPH, "`rank-1` needs the names and shapes of the tensors"),
        ("graph", 0.5, LAYOUT, None, "`graph` plants along the edges of a graph, but none is given"),
        ("graph", 0.5, LAYOUT, tdu.ring(2501), "planted in at most 2500 sites, but it has 2501"),
        ("graph", 0.9, LAYOUT, tdu.barabasi_albert(401), r"neighbours on this graph correlate by 0\.\d+ at most"),
    ],
)
def test_what_cannot_be_planted_is_refused(kind, strength, layout, graph, words):
    with pytest.raises(tdu.InputError, match=words):
        fields_of(kind, strength, layout, 1, graph)
