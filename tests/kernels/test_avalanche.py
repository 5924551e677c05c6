"""The avalanche kernel against its specification, and the properties it is known for."""

from dataclasses import replace
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import TypingError, njit

import tdu
from tdu._jit import OPTIONS
from tdu.avalanches.cascades import sizes_of
from tests.reference import avalanche as reference
from tests.strategies import dyadic_fields, dyadic_graphs, float_fields, graphs, neighbours, orders

COUNTS = ("size", "duration", "extent", "peak")
alphas = st.sampled_from([0.0, 0.125, 0.3, 0.5, 1.0]) | st.floats(0, 1)
steps = st.integers(0, 25)


def thresholds(n):
    return st.none() | st.integers(0, 30).map(lambda k: k / 8)


def expected(field, graph, alpha, threshold, max_steps):
    tau = reference.magnitude_quantile(field.tolist(), 0.9) if threshold is None else threshold
    return tau, reference.relax(field.tolist(), neighbours(graph), alpha, tau, max_steps)


def assert_same(found, tau, wanted):
    assert found.threshold == tau
    assert {name: getattr(found, name) for name in COUNTS} == {name: getattr(wanted, name) for name in COUNTS}
    assert found.profile.tolist() == wanted.profile
    assert found.capped == wanted.capped
    assert found.gradient.tolist() == wanted.gradient
    assert found.dissipated == wanted.dissipated
    assert found.transport == pytest.approx(wanted.transport, rel=1e-12, abs=1e-300)  # of the shares, which were rounded


def all_ways(field, graph, alpha=0.3, threshold=None, **settings):
    """The avalanche as on few sites; as on many that shares reach; and as on many of which they reach few, most being idle."""
    n, tau = len(graph), threshold
    for few in (10**6, 0):
        with mock.patch("tdu.avalanches.tuning.few_sites", return_value=few):
            found = tdu.avalanche(field, graph, alpha, threshold=threshold, **settings)
            tau = found.threshold
            yield found
    n_idle = 8 * graph.indices.size
    among_idle = tdu.Graph(np.append(graph.indptr, np.full(n_idle, graph.indices.size)), graph.indices)
    with mock.patch("tdu.avalanches.tuning.few_sites", return_value=0):
        found = tdu.avalanche(np.append(field, np.zeros(n_idle)), among_idle, alpha, threshold=tau, **settings)
    assert not found.gradient[n:].any()
    yield replace(found, gradient=found.gradient[:n])


@settings(max_examples=300)
@given(st.data(), graphs(), alphas, steps)
def test_equals_the_reference_bit_for_bit_on_dyadic_fields_with_ties(data, graph, alpha, max_steps):
    field, threshold = data.draw(dyadic_fields(len(graph))), data.draw(thresholds(len(graph)))
    wanted = expected(field, graph, alpha, threshold, max_steps)
    for found in all_ways(field, graph, alpha, threshold=threshold, max_steps=max_steps):
        assert_same(found, *wanted)


@given(st.data(), graphs(), alphas, steps)
def test_equals_the_reference_bit_for_bit_on_floats(data, graph, alpha, max_steps):
    field = data.draw(float_fields(len(graph)))
    for found in all_ways(field, graph, alpha, max_steps=max_steps):
        assert_same(found, *expected(field, graph, alpha, None, max_steps))


def in_singles(field, graph, alpha, threshold, max_steps):
    """What is expected in float32: the threshold is interpolated in float64, then rounded, as is what a site gets."""
    single = field.astype(np.float32).tolist()
    tau = reference.Single(reference.magnitude_quantile(single, 0.9) if threshold is None else threshold)
    numbers = list(map(reference.Single, single))
    return float(tau), reference.relax(numbers, neighbours(graph), reference.Single(alpha), tau, max_steps)


@given(st.data(), graphs(), alphas, steps)
def test_in_float32_equals_the_reference_in_that_arithmetic_bit_for_bit(data, graph, alpha, max_steps):
    field = data.draw(dyadic_fields(len(graph)) | float_fields(len(graph)))
    threshold = data.draw(thresholds(len(graph)))
    settings = {"threshold": threshold, "max_steps": max_steps}
    tau, wanted = in_singles(field, graph, alpha, **settings)
    transport = pytest.approx(float(wanted.transport), rel=1e-6, abs=1e-37)  # of the shares, which were rounded
    for found in all_ways(field, graph, alpha, **settings, precision="float32"):
        assert found.gradient.dtype == np.float32
        assert found.transport == transport
        assert_same(replace(found, transport=0.0), tau, replace(wanted, transport=0.0))


@pytest.mark.parametrize("max_steps", [2, 20])
def test_in_float32_equals_the_reference_where_shares_reach_many_sites_and_then_few(max_steps):
    n = 10_007
    graph, rng = tdu.barabasi_albert(n), np.random.default_rng(5)
    field = rng.integers(-40, 41, n) / 8 * 2.0 ** rng.integers(0, 4, n) + rng.normal(size=n)
    found = tdu.avalanche(field, graph, max_steps=max_steps, precision="float32")
    tau, wanted = in_singles(field, graph, 0.3, None, max_steps)
    assert found.transport == pytest.approx(wanted.transport, rel=1e-6)
    assert_same(replace(found, transport=0.0), tau, replace(wanted, transport=0.0))
    sizes = sizes_of(field[None], graph, 0.3, 0.9, max_steps, precision="float32")
    assert sizes.tolist() == [wanted.size]


def test_what_float32_has_no_room_for_is_refused():
    with pytest.raises(tdu.InputError, match="`gradient` must be finite, but entry 1 is inf"):
        tdu.avalanche([0.0, 1e300, 1.0], tdu.ring(3, k=2), precision="float32")
    assert tdu.avalanche([0.0, 1.0, 2.0], tdu.ring(3, k=2), threshold=1e300, precision="float32").size == 0
    with pytest.raises(tdu.InputError, match="`precision` must be one of float32, float64, but it is float16"):
        tdu.avalanche([0.0, 1.0, 2.0], tdu.ring(3, k=2), precision="float16")


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_reference_on_a_scale_free_graph(seed):
    graph = tdu.barabasi_albert(301, seed=seed)
    field = np.random.default_rng(seed).normal(size=301) * np.exp(np.random.default_rng(seed + 9).normal(size=301))
    for found in all_ways(field, graph, 0.3):
        assert_same(found, *expected(field, graph, 0.3, None, 20))


@pytest.mark.parametrize("max_steps", [1, 2, 20])
@pytest.mark.parametrize("build", [tdu.barabasi_albert, tdu.ring, tdu.random_graph], ids=lambda build: build.__name__)
def test_equals_the_reference_where_shares_reach_many_sites_and_then_few(build, max_steps):
    n = 10_007  # in strips, the last of which is no whole one, nor is its last word
    graph, rng = build(n), np.random.default_rng(5)
    field = rng.integers(-40, 41, n) / 8 * 2.0 ** rng.integers(0, 4, n)
    wanted = expected(field, graph, 0.5, 16.0, max_steps)
    for found in all_ways(field, graph, 0.5, threshold=16.0, max_steps=max_steps):
        assert_same(found, *wanted)
    if max_steps == 20:
        assert found.profile[0] > n / 8 > n / 80 > found.profile[-1]


@given(st.data(), dyadic_graphs())
def test_conserves_the_field_exactly_on_dyadic_inputs(data, graph):
    field = data.draw(dyadic_fields(len(graph)))
    threshold = data.draw(st.integers(0, 20)) / 8
    found = tdu.avalanche(field, graph, alpha=0.5, threshold=threshold, max_steps=8)
    total = sum(map(Fraction, found.gradient.tolist())) + Fraction(found.dissipated)
    assert total == sum(map(Fraction, field.tolist()))


@given(st.data(), graphs(), alphas)
def test_conserves_floats_to_rounding_and_never_grows(data, graph, alpha):
    field = data.draw(float_fields(len(graph)))
    found = tdu.avalanche(field, graph, alpha)
    magnitude = np.abs(field).sum()
    assert abs(found.gradient.sum() + found.dissipated - field.sum()) <= 1e-12 * magnitude
    assert np.abs(found.gradient).sum() <= magnitude * (1 + 1e-12)


@given(st.data(), graphs(), alphas)
def test_counts_are_bounded_by_each_other(data, graph, alpha):
    found = tdu.avalanche(data.draw(float_fields(len(graph))), graph, alpha)
    assert found.extent <= found.size <= found.peak * found.duration
    assert found.size == found.profile.sum()
    assert found.duration == found.profile.size <= 20
    assert (found.profile > 0).all()
    assert alpha * found.threshold * found.size <= found.transport * (1 + 1e-12)
    assert found.capped == bool((np.abs(found.gradient) > found.threshold).any())


@given(st.data(), dyadic_graphs())
def test_relabelling_sites_and_graph_together_changes_nothing(data, graph):
    n = len(graph)
    field = data.draw(dyadic_fields(n))
    order = data.draw(orders(n))  # old site i becomes order[i]
    edges = [(order[i], order[j]) for i, row in enumerate(neighbours(graph)) for j in row if i < j]
    relabelled = tdu.Graph.from_edges(n, np.array(edges, int).reshape(-1, 2))
    moved = np.empty(n)
    moved[order] = field
    one = tdu.avalanche(field, graph, alpha=0.5, threshold=1.0, max_steps=8)
    other = tdu.avalanche(moved, relabelled, alpha=0.5, threshold=1.0, max_steps=8)
    assert [getattr(one, name) for name in COUNTS] == [getattr(other, name) for name in COUNTS]
    assert other.gradient[order].tolist() == one.gradient.tolist()


# an α so small that shares are subnormal is left out: halving those rounds
@given(st.data(), graphs(), alphas.filter(lambda alpha: not 0 < alpha < 2.0**-200), st.integers(-60, 60))
def test_sign_and_power_of_two_scale_change_no_count(data, graph, alpha, power):
    field = data.draw(float_fields(len(graph)))
    one = tdu.avalanche(field, graph, alpha)
    for factor in (-1.0, 2.0**power):
        other = tdu.avalanche(factor * field, graph, alpha)
        assert [getattr(one, name) for name in COUNTS] == [getattr(other, name) for name in COUNTS]
        assert other.gradient.tolist() == (factor * one.gradient).tolist()
        assert other.dissipated == factor * one.dissipated
        assert other.transport == abs(factor) * one.transport


def test_a_site_at_the_threshold_does_not_topple():
    pair = tdu.Graph.from_edges(2, [(0, 1)])
    assert [found.size for found in all_ways([1.0, 0.5], pair, threshold=1.0)] == [0, 0, 0]
    assert [found.size for found in all_ways([np.nextafter(1.0, 2), 0.5], pair, threshold=1.0)] == [1, 1, 1]


def test_a_site_that_shares_lift_and_bring_back_to_the_threshold_does_not_topple():
    path = tdu.Graph.from_edges(3, [(0, 1), (1, 2)])
    for found in all_ways([8.0, 1.0, -8.0], path, alpha=0.5, threshold=1.0, max_steps=2):
        assert found.profile.tolist() == [2, 2]
        assert found.gradient.tolist() == [2.0, 1.0, -2.0]


def test_active_neighbours_topple_at_once():
    pair = tdu.Graph.from_edges(2, [(0, 1)])
    found = tdu.avalanche([4.0, 2.0], pair, alpha=0.5, threshold=1.5, max_steps=1)
    assert found.gradient.tolist() == [3.0, 3.0]  # one after the other would give [4, 2]


def test_shares_are_by_the_degree_of_the_giver():
    star = tdu.Graph.from_edges(3, [(0, 1), (0, 2)])
    assert tdu.avalanche([8.0, 0, 0], star, alpha=0.5, threshold=4.0, max_steps=1).gradient.tolist() == [4.0, 2.0, 2.0]
    assert tdu.avalanche([0, 8.0, 0], star, alpha=0.5, threshold=4.0, max_steps=1).gradient.tolist() == [4.0, 4.0, 0.0]


def test_transport_is_what_all_topplings_give_away_whatever_its_sign():
    path = tdu.Graph.from_edges(3, [(0, 1), (1, 2)])
    found = tdu.avalanche([8.0, 1.0, -8.0], path, alpha=0.5, threshold=1.0, max_steps=2)  # 8 and −8, then 4 and −4
    assert found.transport == 12.0
    alone = tdu.Graph.from_edges(1, [])
    assert tdu.avalanche([-16.0], alone, alpha=0.5, threshold=1.0).transport == 15.0


def test_the_last_step_allowed_is_taken_and_capped_says_that_more_would_follow():
    alone = tdu.Graph.from_edges(1, [])
    found = tdu.avalanche([16.0], alone, alpha=0.5, threshold=1.0, max_steps=4)
    assert (found.size, found.capped, found.dissipated, found.gradient[0]) == (4, False, 15.0, 1.0)
    found = tdu.avalanche([16.0], alone, alpha=0.5, threshold=1.0, max_steps=3)
    assert (found.size, found.capped, found.dissipated, found.gradient[0]) == (3, True, 14.0, 2.0)
    assert tdu.avalanche([16.0], alone, threshold=1.0, max_steps=0).capped


def test_the_input_is_left_alone_whatever_its_kind():
    graph = tdu.ring(8)
    field = np.arange(16.0)[::2]
    wanted = tdu.avalanche(field.copy(), graph)
    readonly = field.copy()
    readonly.setflags(write=False)
    variants = [field, readonly, field.astype(np.float32), field.astype(int), field.astype(">f8"), field.tolist()]
    for variant in variants:
        before = np.array(variant)
        assert tdu.avalanche(variant, graph).gradient.tolist() == wanted.gradient.tolist()
        assert np.array_equal(before, variant)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"gradient": [1.0, 2, 3, 4]}, ValueError, "`graph` has 5 sites but `gradient` has 4 entries"),
        ({"gradient": np.ones((5, 1))}, ValueError, r"one dimension.*\(5, 1\)"),
        ({"gradient": [0, 1, np.nan, 3, 4]}, ValueError, "must be finite, but entry 2 is nan"),
        ({"gradient": [0, 1, 2, -np.inf, 4]}, ValueError, "must be finite, but entry 3 is -inf"),
        ({"gradient": [1j] * 5}, TypeError, "complex128"),
        ({"gradient": ["a"] * 5}, TypeError, "real numbers"),
        ({"graph": [[0, 1]]}, TypeError, "must be a tdu.Graph, but it is a list"),
        ({"alpha": 1.5}, ValueError, r"`alpha` must lie in \[0, 1\], but it is 1.5"),
        ({"alpha": -0.1}, ValueError, "`alpha`"),
        ({"alpha": np.nan}, ValueError, "`alpha`"),
        ({"alpha": "0.3"}, TypeError, "`alpha` must be a real number"),
        ({"quantile": 0.0}, ValueError, r"`quantile` must lie in \(0, 1\), but it is 0"),
        ({"quantile": 1.0}, ValueError, "`quantile`"),
        ({"threshold": -1.0}, ValueError, "`threshold`"),
        ({"threshold": np.inf}, ValueError, "`threshold`"),
        ({"max_steps": -1}, ValueError, "`max_steps` must be at least 0"),
        ({"max_steps": 2.0}, TypeError, "`max_steps` must be an integer"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    good = {"gradient": np.ones(5), "graph": tdu.ring(5)}
    with pytest.raises(error, match=message):
        tdu.avalanche(**{**good, **arguments})


def test_many_fields_topple_as_each_alone_whatever_their_thresholds():
    graph, rng = tdu.barabasi_albert(500, seed=3), np.random.default_rng(3)
    scales = [1.0, 1.02, 1e-9, 1e9, 0.0, 1.0]  # the threshold of a field is where that of the next is looked for first
    fields = np.array([scale * rng.normal(size=500) * np.exp(rng.normal(size=500)) for scale in scales])
    found = sizes_of(fields, graph, 0.3, 0.9, 20)
    assert found.tolist() == [tdu.avalanche(field, graph).size for field in fields]
    assert len(set(found.tolist())) > 3


def test_of_many_fields_the_largest_entries_that_are_accepted_are_measured():
    fields, ring = np.zeros((2, 70)), tdu.ring(70)
    fields[:, 3] = 2.0**960, -(2.0**960)
    assert sizes_of(fields, ring, 0.3, 0.9, 20).tolist() == [tdu.avalanche(field, ring).size for field in fields]


def test_one_of_many_fields_that_is_not_finite_is_named():
    fields = np.ones((3, 70))
    fields[1, 65] = np.inf
    with pytest.raises(ValueError, match="`fields` must be finite, but entry 1, 65 is inf"):
        sizes_of(fields, tdu.ring(70), 0.3, 0.9, 20)
    fields[1, 65], fields[2, 69] = 1.0, -np.nan
    with pytest.raises(ValueError, match="entry 2, 69 is nan"):
        sizes_of(fields, tdu.ring(70), 0.3, 0.9, 20)


@pytest.mark.compiled
def test_a_kernel_that_makes_an_array_is_refused():
    """So that none counts references to arrays, which costs a probe of 81 sites a tenth of its time."""
    makes = njit(**OPTIONS)(lambda n: np.empty(n).size)
    with pytest.raises(TypingError, match="Only accept returning of array passed into the function as argument"):
        makes(3)
