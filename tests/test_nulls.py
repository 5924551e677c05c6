"""What each null keeps, exactly, and that it destroys the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

import tdu
from tdu.avalanches import nulls
from tdu.avalanches.nulls import MODELS
from tdu.config import NULLS
from tdu.models.mlp import layout
from tdu.types import Layout
from tests.strategies import float_fields, graphs, neighbours

#: The field nulls by name, with the layers of an XOR network of 10 or of 100 hidden units for that which asks for them.
LAYERS = {41: (20, 10, 10, 1), 401: (200, 100, 100, 1)}
FIELD_NULLS = {
    "permuted": tdu.nulls.permuted,
    "blocks": lambda g, rng: tdu.nulls.blocks(g, rng, LAYERS[g.shape[-1]]),
    "signs": tdu.nulls.signs,
    "gaussian": tdu.nulls.gaussian,
}

fields = st.integers(1, 30).flatmap(float_fields)
seeds = st.integers(0, 2**32)


@given(fields, seeds)
def test_permuted_keeps_the_multiset(field, seed):
    found = tdu.nulls.permuted(field, np.random.default_rng(seed))
    assert sorted(found) == sorted(field)


@given(fields, seeds)
def test_signs_keep_magnitudes_where_they_are(field, seed):
    found = tdu.nulls.signs(field, np.random.default_rng(seed))
    assert np.array_equal(np.abs(found), np.abs(field))


@given(st.integers(1, 8), seeds)
def test_blocks_keep_the_multiset_of_each_layers_weights_and_biases(hidden, seed):
    rng = np.random.default_rng(seed)
    field = rng.normal(size=4 * hidden + 1)
    sizes = (2 * hidden, hidden, hidden, 1)
    assert layout(hidden).sizes == sizes
    found = tdu.nulls.blocks(field, rng, sizes)
    for part in np.split(np.arange(field.size), np.cumsum(sizes[:-1])):
        assert sorted(found[part]) == sorted(field[part])


def test_blocks_of_another_network_are_given_by_their_sizes():
    field = np.arange(10.0)
    found = tdu.nulls.blocks(field, np.random.default_rng(0), sizes=(4, 6))
    assert sorted(found[:4]) == [0, 1, 2, 3]
    assert found.tolist() != field.tolist()


@given(graphs(), st.integers(0, 1000))
def test_rewired_keeps_every_degree_and_stays_simple(graph, seed):
    found = tdu.nulls.rewired(graph, seed)
    tdu.Graph(found.indptr, found.indices)  # which refuses loops, repeated edges and rows out of order
    assert found.degree.tolist() == graph.degree.tolist()
    rows = neighbours(found)
    assert all(i in rows[j] for i, row in enumerate(rows) for j in row)


def test_gaussian_has_the_mean_and_variance_of_the_control():
    found = tdu.nulls.gaussian(np.ones(100_000), np.random.default_rng(0))
    assert abs(found.mean()) < 5 * 0.5 / np.sqrt(found.size)
    assert found.std() == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("name", sorted(FIELD_NULLS))
def test_nulls_are_seeded_leave_their_input_alone_and_are_not_the_identity(name):
    null = FIELD_NULLS[name]
    field = np.random.default_rng(1).normal(size=401)
    before = field.copy()
    found = null(field, np.random.default_rng(5))
    assert np.array_equal(found, null(field, np.random.default_rng(5)))
    assert not np.array_equal(found, null(field, np.random.default_rng(6)))
    assert np.array_equal(field, before)
    assert not np.array_equal(found, field)


@pytest.mark.parametrize("name", ["permuted", "blocks", "signs"])
def test_a_draw_is_its_null_put_to_every_snapshot_alike(name):
    fields, graph = np.random.default_rng(1).normal(size=(2, 41)), tdu.barabasi_albert(41)
    draw = MODELS[name].prepare(layout(10), graph, np.random.default_rng(7))
    found = draw.apply(fields, np.array([0, 10]))
    assert draw.graph is graph
    for field, drawn in zip(fields, found, strict=True):
        assert np.array_equal(drawn, FIELD_NULLS[name](field, np.random.default_rng(7)))
        assert np.array_equal(draw.apply(field[None], np.array([3]))[0], drawn)


def test_a_gaussian_draw_is_that_of_its_step_whatever_came_before():
    fields, graph = np.random.default_rng(1).normal(size=(3, 41)), tdu.barabasi_albert(41)
    draw = MODELS["gaussian"].prepare(layout(10), graph, np.random.default_rng(7))
    whole = draw.apply(fields, np.array([0, 10, 20]))
    assert np.array_equal(draw.apply(fields[1:], np.array([10, 20])), whole[1:])
    assert len({row.tobytes() for row in whole}) == 3


def test_block_signs_turn_each_layers_weights_and_biases_as_a_whole():
    fields, graph = np.random.default_rng(1).normal(size=(3, 41)), tdu.barabasi_albert(41)
    turned = set()
    for seed in range(20):
        draw = MODELS["block-signs"].prepare(layout(10), graph, np.random.default_rng(seed))
        ratio = draw.apply(fields, np.arange(3)) / fields
        assert (ratio == ratio[0]).all()
        parts = np.split(ratio[0], np.cumsum(LAYERS[41])[:-1])
        assert {tuple(set(part)) for part in parts} <= {(1.0,), (-1.0,)}
        turned.add(tuple(part[0] for part in parts))
    assert len(turned) > 8
    with pytest.raises(ValueError, match=r"`block-signs` needs the names .* is one array of 41"):
        MODELS["block-signs"].prepare(Layout.unknown(41), graph, np.random.default_rng(0))


def test_a_rewired_draw_leaves_the_field_and_changes_the_graph():
    fields, graph = np.random.default_rng(1).normal(size=(3, 41)), tdu.barabasi_albert(41)
    draw = MODELS["rewired"].prepare(layout(10), graph, np.random.default_rng(7))
    assert np.array_equal(draw.apply(fields, np.arange(3)), fields)
    assert np.array_equal(draw.graph.degree, graph.degree)
    assert not np.array_equal(draw.graph.indices, graph.indices)


def test_streams_of_nulls_and_surrogates_are_their_own():
    from tdu.avalanches.surrogates import SURROGATES

    streams = [null.stream for null in (*MODELS.values(), *SURROGATES.values())]
    assert len(set(streams)) == len(streams)
    assert [MODELS[name].stream for name in NULLS] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["permuted", "blocks", "signs"])
def test_many_fields_are_treated_each_by_itself(name):
    fields = np.random.default_rng(1).normal(size=(3, 41))
    found = FIELD_NULLS[name](fields, np.random.default_rng(2))
    assert np.array_equal(np.sort(np.abs(found), axis=1), np.sort(np.abs(fields), axis=1))
    moved = [np.argsort(np.argsort(np.abs(row))) for row in found - fields]
    assert not np.array_equal(moved[0], moved[1])


def test_rewired_is_seeded_and_another_graph():
    graph = tdu.barabasi_albert(300, seed=1)
    assert np.array_equal(tdu.nulls.rewired(graph, 3).indices, tdu.nulls.rewired(graph, 3).indices)
    assert not np.array_equal(tdu.nulls.rewired(graph, 3).indices, tdu.nulls.rewired(graph, 4).indices)
    assert (tdu.nulls.rewired(graph, 3).indices != graph.indices).mean() > 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        # 4h + 1 entries need not be the XOR network's
        (lambda rng: tdu.nulls.blocks(np.ones(9), rng), "has 9 entries: give `sizes`, .* 2h, h, h, 1 for the h hidden"),
        (
            lambda rng: MODELS["blocks"].prepare(Layout.unknown(9), tdu.barabasi_albert(9), rng),
            "`blocks` needs the names .* is one array of 9 entries: give named tensors, or leave the null out",
        ),
        (lambda rng: tdu.nulls.blocks(np.ones(8), rng, (3, 4)), "`sizes` add up to 7 but `gradient` has 8 entries"),
        (lambda rng: tdu.nulls.permuted([1, np.nan], rng), "entry 1 is nan"),
        (lambda rng: tdu.nulls.signs([], rng), r"has shape \(0,\): a field is \(N,\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


def test_rewiring_is_igraphs_in_distribution():
    """Clustering, assortativity and distance of a rewired scale-free graph, over 30 rewirings of each."""
    import igraph

    from tdu.rng import seeded_igraph

    graph = tdu.barabasi_albert(400, seed=1)
    edges = [(i, int(j)) for i in range(400) for j in graph.indices[graph.indptr[i] : graph.indptr[i + 1]] if i < j]

    def by_igraph(seed):
        other = igraph.Graph(400, edges)
        with seeded_igraph(seed):
            other.rewire(n=10 * len(edges))
        return other

    def ours(seed):
        other = tdu.nulls.rewired(graph, seed)
        rows = [other.indices[other.indptr[i] : other.indptr[i + 1]] for i in range(400)]
        return igraph.Graph(400, [(i, int(j)) for i, row in enumerate(rows) for j in row if i < j])

    for measure in (
        lambda g: len(g.list_triangles()),
        lambda g: g.assortativity_degree(directed=False),
        lambda g: g.average_path_length(),
        lambda g: len(set(map(tuple, g.get_edgelist())) & set(edges)),
    ):
        one, other = (np.array([measure(make(seed)) for seed in range(30)], float) for make in (ours, by_igraph))
        assert abs(one.mean() - other.mean()) <= 4 * np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 30)


def test_random_signs_are_balanced_and_independent_of_the_entries():
    """Half of the entries change their sign, whatever sign they had, and not the same half in every field."""
    n = 20_000
    field = np.where(np.arange(n) % 4 < 3, 1.0, -1.0) * (1 + np.arange(n))
    found = tdu.nulls.signs(np.stack([field, field]), np.random.default_rng(3))
    kept = found == field
    error = 0.5 / np.sqrt(n)
    for chosen in (kept[0], kept[1], kept[0] == kept[1], kept[0][field > 0], kept[0][: n // 2]):
        assert chosen.mean() == pytest.approx(0.5, abs=4 * error * np.sqrt(n / chosen.size))
    assert np.sign(found[0]).mean() == pytest.approx(0, abs=8 * error)


def test_nulls_are_the_generators_own_draws():
    field = np.random.default_rng(0).normal(size=(2, 9))

    def rng():
        return np.random.default_rng(5)

    np.testing.assert_allclose(tdu.nulls.gaussian(field, rng()), 0.5 * ndtri(rng().random((2, 9))), rtol=1e-14)
    assert np.array_equal(tdu.nulls.permuted(field, rng()), rng().permuted(field, axis=1))
    kept = rng().integers(2, size=(2, 9), dtype=bool)
    assert np.array_equal(tdu.nulls.signs(field, rng()), np.where(kept, field, -field))


def test_blocks_are_given_also_those_of_the_xor_network():
    for n, sizes in ((21, (10, 5, 5, 1)), (5, (2, 1, 1, 1))):
        assert [name for name, _ in layout((n - 1) // 4).tensors] == ["W1", "b1", "W2", "b2"]
        assert tdu.nulls.block_sizes(n, layout((n - 1) // 4).sizes) == sizes
        with pytest.raises(ValueError, match=f"`gradient` has {n} entries: give `sizes`"):
            tdu.nulls.block_sizes(n)
    assert tdu.nulls.block_sizes(6, (0, 2, 4)) == (0, 2, 4)
    with pytest.raises(TypeError, match="`sizes`"):
        tdu.nulls.block_sizes(6, (2.0, 4.0))


def test_rewiring_tries_ten_swaps_an_edge_from_its_seed():
    from tdu.kernels.growth import swap_edges

    graph = tdu.barabasi_albert(60, seed=1)
    for seed in (0, 3):
        indices, owner = graph.indices.copy(), np.repeat(np.arange(60, dtype=np.int32), graph.degree)
        swap_edges(graph.begins, indices, owner, np.random.default_rng(seed).random(10 * indices.size))
        found = tdu.nulls.rewired(graph, seed) if seed else tdu.nulls.rewired(graph)
        assert np.array_equal(found.indices, indices)
        assert np.array_equal(found.indptr, graph.indptr)
    with pytest.raises(ValueError, match="`seed` must be at least 0"):
        tdu.nulls.rewired(graph, -1)
    with pytest.raises(ValueError, match="`seed` must be at most"):
        tdu.nulls.rewired(graph, 2**80)


def test_a_shuffle_by_piles_is_a_permutation_and_every_one_is_as_likely(monkeypatch):
    monkeypatch.setattr(nulls, "_SHUFFLED_WHOLE", 2)
    monkeypatch.setattr(nulls, "_PILE", 2)
    rng, counts = np.random.default_rng(0), {}
    for _ in range(12_000):
        values = np.arange(4)
        nulls._shuffle(values, rng)
        counts[tuple(values)] = counts.get(tuple(values), 0) + 1
    assert len(counts) == 24
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 49.7  # χ² of 23 degrees of freedom, one in a thousand


def test_many_entries_are_shuffled_by_piles():
    for dtype in (np.float16, np.float32, np.float64, np.int64):
        entries = np.arange((1 << 17) + 1, dtype=dtype)  # float16 repeats some, and has infinities
        values = entries.copy()
        nulls._shuffle(values, np.random.default_rng(0))
        assert values.dtype == dtype
        assert np.array_equal(np.sort(values), entries)
        if dtype != np.float16:
            assert abs(np.corrcoef(values, np.arange(values.size))[0, 1]) < 0.01
