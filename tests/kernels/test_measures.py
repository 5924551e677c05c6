import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tdu.kernels.measures import angle, gini, sort_magnitudes
from tests.reference.training import angle_between, gini_of

vectors = st.lists(st.floats(-100, 100).filter(lambda v: v == 0 or abs(v) > 1e-3), min_size=1, max_size=30)


@given(vectors)
def test_gini_is_the_mean_difference(values):
    assert math.isclose(gini(np.sort(np.abs(values))), gini_of(values), abs_tol=1e-12)


def test_gini_of_equal_and_of_concentrated_values():
    assert abs(gini(np.full(7, 2.0))) < 1e-15
    assert gini(np.zeros(7)) == 0
    assert math.isclose(gini(np.sort(np.eye(10)[3])), 0.9)


@given(vectors, st.randoms(use_true_random=False))
def test_magnitudes_are_sorted_from_any_order_and_the_order_says_where_they_were(values, random):
    field = np.array(values)
    order = np.array(random.sample(range(field.size), field.size))
    magnitudes = np.empty(field.size)
    sort_magnitudes(field, order, magnitudes)
    assert magnitudes.tolist() == np.sort(np.abs(field)).tolist()
    assert np.abs(field)[order].tolist() == magnitudes.tolist()
    assert sorted(order.tolist()) == list(range(field.size))


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


def test_angle_keeps_what_an_arc_cosine_loses():
    assert math.isclose(angle(np.array([1.0, 0.0]), np.array([1.0, 1e-9])), 1e-9, rel_tol=1e-6)
    assert angle(np.array([3.0, 4.0]), np.array([6.0, 8.0])) == 0
    assert math.isclose(angle(np.array([1.0, 0.0]), np.array([-2.0, 0.0])), math.pi)
