import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdu.kernels import measures
from tdu.kernels.measures import STRIP, add_up, distance, dot, fill_buckets, largest_by_halves, put_in_order, squares
from tests.reference.elementary import sum_in_lanes
from tests.reference.training import angle_between, gini_of

vectors = st.lists(st.floats(-100, 100).filter(lambda v: v == 0 or abs(v) > 1e-3), min_size=1, max_size=30)


def gini(values):
    n = values.size
    return measures.gini(values, np.arange(n).astype(np.uint32), np.empty(n), np.empty(n))


def angle(a, b):
    return measures.angle(a, b, np.full(min(a.size, STRIP), np.nan))


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=200))
def test_sums_add_every_value_once(values):
    assert add_up(np.array(values, float)) == sum(values)
    assert dot(np.array(values, float), np.full(len(values), 2.0)) == 2 * sum(values)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=70))
def test_sums_are_added_in_the_order_of_lanes_to_the_last_bit(values):
    a, b = np.array(values), np.array(values[::-1])
    assert add_up(a) == sum_in_lanes(values)
    assert dot(a, b) == sum_in_lanes((a * b).tolist())
    assert squares(a, b) == tuple(sum_in_lanes((c * c).tolist()) for c in (a, b, a - b))


@pytest.mark.parametrize("n", [3, 8, 29, 1100])
def test_sums_of_float32_are_those_of_the_same_numbers_in_float64(n):
    a, b = np.random.default_rng(n).normal(size=(2, n)).astype(np.float32)
    wide = a.astype(float), b.astype(float)
    assert (dot(a, b), squares(a, b), angle(a, b)) == (dot(*wide), squares(*wide), angle(*wide))
    assert angle(a, a + np.float32(1e-4)) == angle(wide[0], (a + np.float32(1e-4)).astype(float))


@pytest.mark.parametrize("n", [3, 511, 512, 513, 1100])
def test_a_distance_is_added_up_strip_by_strip(n):
    a, b = np.random.default_rng(n).normal(size=(2, n))
    strips = [(a * 0.5 - b * 3.0)[first : first + 512] ** 2 for first in range(0, n, 512)]
    found = distance(a, 0.5, b, 3.0, np.full(min(n, STRIP), np.nan))
    assert found == math.sqrt(sum(sum_in_lanes(strip.tolist()) for strip in strips))


@given(vectors)
def test_gini_is_the_mean_difference(values):
    assert math.isclose(gini(np.array(values)), gini_of(values), abs_tol=1e-12)


def test_gini_of_equal_and_of_concentrated_values():
    assert abs(gini(np.full(7, 2.0))) < 1e-15
    assert gini(np.zeros(7)) == 0
    assert math.isclose(gini(np.eye(10)[3]), 0.9)


@given(
    vectors | st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40) | st.lists(st.sampled_from([0.0, 1e-300, 1.0, -1.0]))
)
def test_magnitudes_are_dealt_so_that_only_near_ones_are_out_of_order(values):
    field = np.array([*values, 0.5])
    magnitudes = np.empty(field.size)
    fullest = fill_buckets(field, np.abs(field).max(), np.empty(field.size, np.uint32), magnitudes)
    assert sorted(magnitudes.tolist()) == sorted(np.abs(field).tolist())
    for apart in range(fullest, field.size):
        assert (magnitudes[apart:] >= magnitudes[:-apart]).all()


@given(vectors)
def test_largest_by_halves(values):
    assert largest_by_halves(np.array(values)) == max(values)


@given(vectors, st.randoms(use_true_random=False))
def test_an_order_is_put_right_from_any_permutation(values, random):
    field = np.array(values)
    order, magnitudes = np.array(random.sample(range(field.size), field.size), np.uint32), np.empty(field.size)
    put_in_order(field, order, magnitudes)
    assert magnitudes.tolist() == sorted(np.abs(field).tolist())
    assert np.abs(field[order]).tolist() == magnitudes.tolist()
    assert sorted(order.tolist()) == list(range(field.size))


@pytest.mark.parametrize("n", [511, 512, 513, 700])  # few are put in order, many dealt to buckets
@pytest.mark.parametrize("shape", ["normal", "one outlier", "two clusters", "descending", "subnormal"])
def test_gini_of_many_values_in_any_order(shape, n):
    rng = np.random.default_rng(1)
    values = {
        "normal": rng.normal(size=n),
        "one outlier": np.append(rng.normal(size=n - 1), 1e6),
        "two clusters": np.concatenate([rng.normal(size=200), 1e-4 * rng.normal(size=n - 200)]),
        "descending": np.arange(float(n))[::-1],
        "subnormal": 5e-324 * np.arange(float(n)),
    }[shape]
    assert gini(values) == pytest.approx(gini_of(values.tolist()), abs=1e-12)


@given(vectors, st.integers(0, 2**32))
def test_angle_is_the_arc_cosine(values, seed):
    a = np.array(values)
    b = np.random.default_rng(seed).normal(size=a.size)
    found = angle(a, b)
    if a.any():
        # the arc cosine is the less accurate of the two near 0 and π
        assert math.isclose(found, angle_between(a, b), abs_tol=1e-7)
    else:
        assert math.isnan(found)


def test_values_that_are_not_finite_do_no_harm():
    for bad in (np.nan, np.inf):
        assert math.isnan(gini(np.array([1.0, bad, -2.0])))


def test_angle_keeps_what_an_arc_cosine_loses():
    assert math.isclose(angle(np.array([1.0, 0.0]), np.array([1.0, 1e-9])), 1e-9, rel_tol=1e-6)
    assert math.isclose(math.pi - angle(np.array([1.0, 0.0]), np.array([-1.0, 1e-9])), 1e-9, rel_tol=1e-5)
    assert angle(np.array([3.0, 4.0]), np.array([6.0, 8.0])) < 1e-15
    for turn in (1e-12, 1e-3, 0.05, 0.2, 1.0, 1.57, 1.58, 3.0, math.pi - 1e-6):  # by other formulas where much cancels
        assert angle(np.array([2.0, 0.0]), 7 * np.array([math.cos(turn), math.sin(turn)])) == pytest.approx(turn, rel=1e-13)
    assert math.isclose(angle(np.array([1.0, 0.0]), np.array([-2.0, 0.0])), math.pi)
