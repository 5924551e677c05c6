"""Spectra and correlations of rows and columns: by definition, of planted matrices, and under the null."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tdu
from tdu.avalanches.lines import row_correlation
from tdu.avalanches.ranked import half_normal, ranked
from tdu.avalanches.ranks import binned, exact
from tdu.avalanches.spectral import log_participation, n_draws, null_of_shape
from tdu.avalanches.spectrum import OF_MATRICES, matrices
from tdu.kernels.ranking import BINS
from tdu.types import Layout
from tests.reference import spectra as reference

SHAPE = (24, 16)
LAYOUT = Layout.of({"weight": SHAPE})


def of(matrix, **settings):
    """The contrasts of one matrix."""
    return tdu.spectrum(np.ravel(matrix), Layout.of({"weight": np.shape(matrix)}), **settings).tensors["weight"]


def z_of(matrix):
    return {name: one.z for name, one in of(matrix).items()}


@st.composite
def small_matrices(draw):
    m, n = draw(st.integers(2, 5)), draw(st.integers(2, 4))
    return np.array(draw(st.lists(st.integers(-9, 9), min_size=m * n, max_size=m * n))).reshape(m, n) / 8


@settings(max_examples=25)
@given(small_matrices())
def test_observables_are_those_of_the_definition(matrix):
    found, null, rows = of(matrix), null_of_shape(*matrix.shape), matrix.tolist()
    by_rank = reference.ranked(rows, half_normal(matrix.size).tolist())
    signs = np.sign(matrix).astype(int).tolist()
    for name, values, chance in zip(OF_MATRICES, (by_rank, signs), null, strict=False):
        wanted = reference.participation(values)
        expected = math.nan if wanted is None else math.log(wanted) - chance.mean
        assert found[name].value == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
        assert (found[name].sd, found[name].error) == (chance.sd, 0)
    ranks = reference.ranks_of_magnitudes(rows)
    for name, values in (("row_correlation", ranks), ("column_correlation", list(zip(*ranks, strict=True)))):
        wanted = reference.row_correlation(values)
        expected = math.nan if wanted is None else float(wanted) + 1 / (matrix.size - 1)
        assert found[name].value == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


@st.composite
def matrices_of_any_scale(draw):
    """Whose entries are zero, alike to the ninth bit or just not, or far below the others."""
    m, n = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    near = st.integers(-1030, 1030).map(lambda k: k / 1024)
    far = st.builds(lambda x, power: x * 2.0**power, near, st.integers(-70, 0))
    entries = st.one_of(near, far, st.floats(-1e6, 1e6, allow_subnormal=False))
    scale = 2.0 ** draw(st.sampled_from((-900, -20, 0, 900)))
    return scale * np.array(draw(st.lists(entries, min_size=m * n, max_size=m * n))).reshape(m, n)


@settings(max_examples=40)
@given(matrices_of_any_scale())
def test_ranks_in_bins_are_those_of_magnitudes_that_are_cut_off(matrix):
    cut_off, found = reference.in_bins(matrix.tolist(), BINS), binned(matrix)
    wanted = reference.ranked(cut_off, half_normal(matrix.size).tolist())
    np.testing.assert_allclose(found.values, wanted, rtol=1e-6)
    assert found.signs.tolist() == np.sign(matrix).tolist()
    twice = 2 * np.array(reference.ranks_of_magnitudes(cut_off))
    assert found.row_sums.tolist() == twice.sum(axis=1).tolist()
    assert found.column_sums.tolist() == twice.sum(axis=0).tolist()
    assert found.powers == tuple(float((twice**power).sum()) for power in (2, 3, 4))


def test_magnitudes_of_every_binary_order_down_to_the_smallest_that_is_told_have_ranks_of_their_own():
    powers = 2.0 ** -np.arange(66.0).reshape(6, 11)
    ranks = exact(powers).values.ravel()
    found = binned(powers).values.ravel()
    np.testing.assert_allclose(found[:64], ranks[:64], rtol=1e-6)
    np.testing.assert_allclose(found[64:], ranks[64:].mean(), rtol=1e-6)  # 2⁻⁶⁴ and 2⁻⁶⁵ share a bin
    least = binned(np.array([[1.0, 0.0], *([2.0**-64 * (1 + k / 256), 0.0] for k in (1, 2, 3))])).row_sums
    assert least.tolist() == [7 - 4, 2 - 4, 2 - 4, 5 - 4]  # of the two lowest above the zeros, ranks are equal


@pytest.mark.parametrize("rows", [20, 60])
def test_spectra_of_ranks_in_bins_differ_by_less_than_a_hundredth_of_what_chance_does(rows):
    rng = np.random.default_rng(4)
    for matrix in (rng.normal(size=(rows, 50)), rng.standard_cauchy((rows, 50)), np.exp(3 * rng.normal(size=(rows, 50)))):
        by_sorting, by_bins = of(matrix), of(matrix, ranks="binned")
        for name, one in by_sorting.items():
            assert by_bins[name].sd == pytest.approx(one.sd, rel=1e-3)
            assert abs(by_bins[name].value - one.value) < 0.01 * one.sd
    estimated = of(matrix, ranks="binned", probes=20)["spectral"]
    assert abs(estimated.value - by_sorting["spectral"].value) < 4 * estimated.error


def test_the_bench_says_from_which_batch_on_a_tenth_of_training_is_enough():
    for row in json.loads((Path(__file__).parent.parent / "bench" / "spectra.json").read_text())["rows"]:
        shares = {of["batch"]: of for of in row["shares"]}
        everything = max(shares)
        assert {batch for batch, of in shares.items() if of["binned"] < 0.1 and of["moment"] < 0.1} == {512, everything}
        assert shares[everything]["exact"] < 0.1
        assert row["off"] < 0.01
    averaging, step = (row["seconds"][name]["median"] for name in ("averaging 10", "step 32"))
    assert averaging > 0.1 * 10 * step


@pytest.mark.parametrize("values", [[[1, 2, 4], [0, 3, 7]], [[1, 1], [1, 5], [2, 0]], [[1, 2, 3, 3, 0, 4]]], ids=str)
def test_moments_of_row_correlations_are_those_over_every_permutation(values):
    flat = [one for row in values for one in row]
    centred = [[one - Fraction(sum(flat), len(flat)) for one in row] for row in values]
    mean, sd = reference.over_all_permutations(centred, reference.row_correlation)
    found = row_correlation(np.array(centred, float))
    assert mean == pytest.approx(-1 / (len(flat) - 1))
    assert found.sd == pytest.approx(sd or math.nan, nan_ok=True)
    assert found.value == pytest.approx(float(reference.row_correlation(centred)) - mean, abs=1e-12)


def test_the_null_of_a_shape_is_that_over_every_order_and_all_signs():
    for found, magnitudes in zip(null_of_shape(2, 2), (half_normal(4).tolist(), [1] * 4), strict=True):
        mean, sd = reference.null_of_log_participation(2, 2, magnitudes)
        assert found.draws == 256
        assert found.mean == pytest.approx(mean, abs=4 * sd / math.sqrt(found.draws))
        assert found.sd == pytest.approx(sd, rel=4 / math.sqrt(2 * found.draws))


@pytest.mark.parametrize("shape", [SHAPE, (5, 60), (80, 80)], ids=str)
def test_the_null_of_a_shape_has_the_moments_that_are_known(shape):
    """Of ‖GᵀG‖² with random signs: pairs in a row or a column add their squares, rectangles have no mean."""
    (m, n), n_entries = shape, math.prod(shape)
    rectangles = 2 * math.sqrt(m * (m - 1) * n * (n - 1))  # standard deviation of their sum, for entries ±1
    for found, magnitudes in zip(null_of_shape(*shape), (half_normal(n_entries), np.ones(n_entries)), strict=True):
        two, four = (magnitudes**2).sum(), (magnitudes**4).sum()
        norm = four + (m + n - 2) * (two**2 - four) / (n_entries - 1)
        assert found.mean == pytest.approx(math.log(two**2 / norm) + found.sd**2 / 2, abs=4 * found.sd / math.sqrt(found.draws))
        if four == n_entries:
            assert found.sd == pytest.approx(rectangles / norm, rel=4 / math.sqrt(2 * found.draws))
    assert null_of_shape(*shape) == null_of_shape(*shape[::-1])


def test_larger_matrices_are_drawn_less_often_but_sixteen_times():
    assert [n_draws(entries) for entries in (4, 65_536, 131_072, 10**7)] == [256, 256, 128, 16]


def test_log_participation_is_that_of_the_singular_values():
    matrix = np.random.default_rng(0).normal(size=SHAPE)
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    wanted = math.log(squares.sum() ** 2 / (squares**2).sum())
    assert log_participation(matrix) == pytest.approx((wanted, 0), rel=1e-12)
    assert log_participation(matrix.T) == pytest.approx((wanted, 0), rel=1e-12)


def test_estimates_of_log_participation_scatter_by_their_error():
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=SHAPE)
    exact = log_participation(matrix).value
    found = np.array([log_participation(matrix, 30, rng) for _ in range(400)])
    off = (found[:, 0] - exact) / found[:, 1]
    assert abs(off.mean()) < 0.5  # the logarithm of a mean lies low, or high, by its variance
    assert off.std() == pytest.approx(1, abs=0.2)
    assert math.isnan(log_participation(np.zeros(SHAPE), 30, rng).value)


def test_estimated_spectra_are_beside_estimated_nulls():
    rng = np.random.default_rng(2)
    exact, estimated = of(low_rank(rng, 2)), of(low_rank(rng, 2), probes=40)
    assert estimated["spectral"].error > 0 == exact["spectral"].error
    assert estimated["spectral"].sd > 2 * exact["spectral"].sd
    assert estimated["spectral"].z < -10
    one, other = (of(np.ones(SHAPE), probes=40, seed=seed)["spectral"] for seed in (0, 0))
    assert one == other != of(rng.normal(size=SHAPE), probes=40)["spectral"]


def low_rank(rng, rank):
    return rng.normal(size=(SHAPE[0], rank)) @ rng.normal(size=(rank, SHAPE[1]))


def test_a_matrix_of_one_direction_has_s_of_minus_the_null():
    row, column = np.array([1.0, -1.0])[np.arange(SHAPE[0]) % 2], np.array([1.0, 1.0, -1.0])[np.arange(SHAPE[1]) % 3]
    matrix = 3 * np.outer(row, column)  # magnitudes are equal, so that ranks keep its rank of 1
    found, null = of(matrix), null_of_shape(*SHAPE)
    for name, chance in zip(OF_MATRICES, null, strict=False):
        assert found[name].value == pytest.approx(-chance.mean, rel=1e-12)
        assert found[name].z < -40
    assert math.isnan(found["row_correlation"].value)


def magnitudes_and_signs(rng):
    return np.abs(rng.normal(size=SHAPE)), rng.choice([-1.0, 1.0], SHAPE)


def fourier(rng):
    rows, columns = (np.arange(size)[:, None] for size in SHAPE)
    return np.cos(2 * math.pi * (3 * rows / SHAPE[0] + 5 * columns.T / SHAPE[1]) + 0.1) + 0.1 * rng.normal(size=SHAPE)


PLANTED = {
    "rank 1": (lambda rng: low_rank(rng, 1), {"spectral", "spectral_signs", "row_correlation", "column_correlation"}),
    "waves": (fourier, {"spectral", "spectral_signs"}),
    "row scale": (lambda rng: rng.normal(size=SHAPE) * np.exp(rng.normal(size=(SHAPE[0], 1))), {"spectral", "row_correlation"}),
    "column scale": (
        lambda rng: rng.normal(size=SHAPE) * np.exp(rng.normal(size=SHAPE[1])),
        {"spectral", "column_correlation"},
    ),
    "signs": (lambda rng: magnitudes_and_signs(rng)[0] * np.sign(low_rank(rng, 1)), {"spectral", "spectral_signs"}),
    "magnitudes": (
        lambda rng: np.abs(low_rank(rng, 1)) * magnitudes_and_signs(rng)[1],
        {"spectral", "row_correlation", "column_correlation"},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_seen_by_those_that_are_about_it_and_by_no_other(name):
    plant, seen_by = PLANTED[name]
    z = np.mean([list(z_of(plant(np.random.default_rng(seed))).values()) for seed in range(4)], axis=0)
    for observable, mean in zip(OF_MATRICES, z, strict=True):
        if observable in seen_by:
            assert mean < -4 if observable.startswith("spectral") else mean > 4
        else:
            assert abs(mean) < 4, observable


def test_under_the_null_z_is_standard_normal():
    rng = np.random.default_rng(3)
    z = np.array([list(z_of(rng.standard_cauchy(SHAPE)).values()) for _ in range(400)])
    assert np.abs(z.mean(axis=0)).max() < 4 * math.sqrt(1 / 400 + 1 / 256)
    assert np.abs(z.std(axis=0) - 1).max() < 4 * math.sqrt(1 / 800 + 1 / 512)
    assert 0.02 < (np.abs(z) > 1.96).mean() < 0.08


@settings(max_examples=20)
@given(st.integers(0, 99))
def test_orders_of_rows_and_columns_and_scales_and_the_sign_of_all_make_no_difference(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=SHAPE) + low_rank(rng, 1)
    found = of(matrix)
    for same in (matrix[rng.permutation(SHAPE[0])][:, rng.permutation(SHAPE[1])], 1e-9 * matrix, -matrix, matrix.astype("f4")):
        other = of(same)
        assert [*other] == [*found] == list(OF_MATRICES)
        for name in found:
            assert other[name] == pytest.approx(found[name], rel=1e-9, abs=1e-12)
    transposed = of(matrix.T)
    assert transposed["spectral"] == pytest.approx(found["spectral"], rel=1e-9)
    assert transposed["row_correlation"] == pytest.approx(found["column_correlation"], rel=1e-9, abs=1e-12)


def test_matrices_are_pooled_with_their_entries_for_weight_and_what_is_none_is_named():
    rng = np.random.default_rng(5)
    shapes = {"a": (8, 6), "bias": (8,), "conv": (4, 3, 2, 2), "dead": (9, 9), "one": (1, 7), "scale": ()}
    layout = Layout.of(shapes)
    field = rng.normal(size=layout.n_sites)
    layout.views(field)["dead"][:] = 0
    found = tdu.spectrum(field, layout)
    assert found.left_out == ("bias", "one", "scale")
    assert matrices(layout) == {"a": (8, 6), "conv": (4, 12), "dead": (9, 9)}
    for name, pooled in found.pooled.items():
        a, conv = (found.tensors[key][name] for key in ("a", "conv"))
        assert pooled.value == pytest.approx((a.value + conv.value) / 2)
        assert pooled.sd == pytest.approx(math.hypot(a.sd, conv.sd) / 2)
        assert math.isnan(found.tensors["dead"][name].value)
    conv = layout.views(ranked(field, layout))["conv"].reshape(4, 12)
    assert found.tensors["conv"]["spectral"].value == log_participation(conv).value - null_of_shape(4, 12)[0].mean


@pytest.mark.parametrize(
    ("field", "layout", "settings", "message"),
    [
        (
            np.ones(9),
            Layout.unknown(9),
            {},
            "spectra need the names and shapes of the tensors, but the field is one array of 9",
        ),
        ([1, np.nan, 0, 0], Layout.of({"w": (2, 2)}), {}, "`field` must be finite, but entry 1 is nan"),
        (np.ones((2, 2)), Layout.of({"w": (2, 2)}), {}, r"`field` must have one dimension, .* but its shape is \(2, 2\)"),
        (np.ones(9), Layout.of({"b": (9,)}), {}, r"a matrix of two rows and columns or more, but the tensors are `b` \(9,\)"),
        (np.ones(9), Layout.of({"w": (2, 3)}), {}, r"the field has shape \(9,\) but its layout 6 entries"),
        (
            np.ones(6),
            Layout.of({"w": (2, 3)}),
            {"probes": 1},
            "`probes` must be 0, for exact spectra, or 2 or more, but it is 1",
        ),
        (np.ones(6), Layout.of({"w": (2, 3)}), {"ranks": "sorted"}, "`ranks` must be one of exact, binned, but it is sorted"),
    ],
)
def test_fields_that_cannot_be_measured_are_errors(field, layout, settings, message):
    with pytest.raises(tdu.InputError, match=message):
        tdu.spectrum(field, layout, **settings)
