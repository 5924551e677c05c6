"""Ranked fields: one distribution for all, and the arrangement as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import halfnorm

import tdu
from tdu.avalanches.edges import edge_statistics
from tdu.avalanches.ranked import half_normal, ranked
from tdu.avalanches.structure import units
from tdu.models import mlp
from tdu.types import Layout
from tests.reference import arrangement as reference
from tests.strategies import dyadic_fields

LAYOUT = Layout.of({"weight": (4, 3), "bias": (4,), "out": (1,)})


def test_quantiles_are_those_of_a_half_normal():
    for n in (1, 2, 7, 1000):
        np.testing.assert_allclose(half_normal(n), halfnorm.ppf((np.arange(n) + 0.5) / n), rtol=1e-12)


@given(dyadic_fields(LAYOUT.n_sites))
def test_each_tensor_is_ranked_by_itself_with_its_signs(field):
    found, views = LAYOUT.views(ranked(field, LAYOUT)), LAYOUT.views(field)
    for name, tensor in views.items():
        wanted = reference.at_ranks(np.abs(tensor).ravel().tolist(), half_normal(tensor.size).tolist())
        assert found[name].ravel().tolist() == [
            reference.sign(g) * q for g, q in zip(tensor.ravel().tolist(), wanted, strict=True)
        ]


def test_any_field_without_ties_has_the_same_magnitudes():
    rng = np.random.default_rng(0)
    for field in (rng.normal(size=17), np.exp(20 * rng.normal(size=17)), rng.random(17).astype("f4")):
        found = LAYOUT.views(np.sort(np.abs(ranked(field, LAYOUT))))
        assert sorted(np.abs(ranked(field, LAYOUT))) == sorted(np.concatenate([half_normal(n) for n in (12, 4, 1)]))
        assert found["weight"].shape == (4, 3)


def test_only_ranks_and_signs_matter():
    field = np.random.default_rng(1).normal(size=17)
    once = ranked(field, LAYOUT)
    for other in (7.0 * field, field**3, once):
        assert np.array_equal(ranked(other, LAYOUT), once)
    assert np.array_equal(ranked(-field, LAYOUT), -once)


def test_sites_that_tie_are_alike_wherever_they_stand():
    field, order = np.array([2.0, -2.0, 2.0, 1.0, 0.0, 0.0, 5.0]), np.array([6, 4, 2, 0, 1, 3, 5])
    layout = Layout.unknown(7)
    assert np.array_equal(ranked(field[order], layout), ranked(field, layout)[order])
    assert ranked(field, layout)[:2].tolist() == [half_normal(7)[3:6].mean(), -half_normal(7)[3:6].mean()]
    assert ranked(field, layout)[4] == 0


def test_fields_are_ranked_one_by_one():
    fields = np.random.default_rng(4).integers(-3, 4, (2, 3, 17)) / 8  # ties, within fields and between them
    assert ranked(fields, LAYOUT).tolist() == [[ranked(field, LAYOUT).tolist() for field in row] for row in fields]


def test_a_field_of_another_size_is_refused():
    with pytest.raises(tdu.InputError, match="the field has shape \\(16,\\) but its layout 17 entries"):
        ranked(np.ones(16), LAYOUT)


@pytest.mark.parametrize("graph", ["ba", "units", "rook"])
def test_d_of_a_permuted_ranked_field_is_1_whatever_the_field(graph):
    """Of raw fields whose tails are heavier at larger N, D is another; of ranked ones permuted within tensors it is 1."""
    rng, hidden, d = np.random.default_rng(5), (150, 450, 1350, 4050), {}
    fields = [
        rng.choice([-1.0, 1.0], (30, 4 * h + 1)) * np.exp(0.004 * h**0.7 * rng.normal(size=(30, 4 * h + 1))) for h in hidden
    ]
    for by_rank in (True, False):
        probes = [tdu.Probe(graph, nulls=("blocks",), draws=1, ranked=by_rank).of_run(mlp.layout(h), h) for h in hidden]
        sizes = [probe.null_sizes(of, np.arange(30))["blocks"].mean() for probe, of in zip(probes, fields, strict=True)]
        d[by_rank] = tdu.scaling_exponent([4 * h + 1 for h in hidden], sizes).exponent
    assert d[True] == pytest.approx(1, abs=0.01)
    assert abs(d[False] - 1) > 0.03


def test_the_probe_ranks_fields_and_those_of_its_nulls():
    layout, rng = mlp.layout(10), np.random.default_rng(2)
    fields, steps = rng.standard_t(2, size=(3, 41)), np.arange(3)
    by_rank = tdu.Probe(nulls=("blocks", "signs"), draws=2, ranked=True).of_run(layout)
    plain = tdu.Probe(nulls=("blocks", "signs"), draws=2).of_run(layout)
    already = np.array([ranked(field, layout) for field in fields])
    for name, values in by_rank.observables(fields).items():
        np.testing.assert_array_equal(values, plain.observables(already)[name])
    for name, sizes in by_rank.null_sizes(fields, steps).items():
        np.testing.assert_array_equal(sizes, plain.null_sizes(already, steps)[name])
    assert by_rank.sizes(fields).tolist() == plain.sizes(already).tolist()
    assert by_rank.snapshot(fields[1], 1)[0] == plain.snapshot(already[1], 1)[0]


def relabelled(hidden, units_order, within):
    """An order of the sites of the MLP 2 → h → 1 that permutes units, and in each W1[j, 0], W1[j, 1], b1[j], W2[j]."""
    of_unit = np.array([[2 * j, 2 * j + 1, 2 * hidden + j, 3 * hidden + j] for j in range(hidden)])
    order = np.arange(4 * hidden + 1)
    order[of_unit.ravel()] = of_unit[units_order][np.arange(hidden)[:, None], within].ravel()
    return order


HIDDEN = 12
UNITS = units(mlp.layout(HIDDEN))


@given(st.permutations(range(HIDDEN)), st.integers(0, 2**32), st.sampled_from([2.0**-30, 8.0]), st.booleans())
def test_what_units_says_depends_on_what_is_in_a_unit_alone(order, seed, factor, flipped):
    """Relabelling the parameters within a unit, permuting whole units, scaling and turning all signs around change nothing."""
    rng = np.random.default_rng(seed)
    field = rng.normal(size=4 * HIDDEN + 1)
    within = np.argsort(rng.random((HIDDEN, 4)), axis=1)
    other = (-factor if flipped else factor) * field[relabelled(HIDDEN, list(order), within)]
    found, wanted = tdu.avalanche(other, UNITS), tdu.avalanche(field, UNITS)
    assert (found.size, found.duration, found.extent, found.peak) == (wanted.size, wanted.duration, wanted.extent, wanted.peak)
    assert edge_statistics(other, UNITS) == pytest.approx(edge_statistics(field, UNITS), rel=1e-9, abs=1e-12)


def test_what_units_says_is_of_units():
    """Exchanging single parameters between units is seen: otherwise the property above would say nothing."""
    rng = np.random.default_rng(4)
    field = rng.normal(size=4 * HIDDEN + 1)
    mixed = field.copy()
    mixed[:HIDDEN] = rng.permutation(mixed[:HIDDEN])
    assert edge_statistics(mixed, UNITS)["moran"] != pytest.approx(edge_statistics(field, UNITS)["moran"], rel=1e-3)
