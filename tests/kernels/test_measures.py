import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tdu.kernels import measures
from tdu.kernels.measures import sort_magnitudes, sum_by_halves
from tests.reference.training import angle_between, gini_of

vectors = st.lists(st.floats(-100, 100).filter(lambda v: v == 0 or abs(v) > 1e-3), min_size=1, max_size=30)


def gini(magnitudes):
    return measures.gini(magnitudes, np.empty(magnitudes.size))


def angle(a, b):
    return measures.angle(a, b, np.empty(a.size))


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=200))
def test_sum_by_halves_adds_every_value_once(values):
    assert sum_by_halves(np.array(values, float)) == sum(values)


@given(vectors)
def test_gini_is_the_mean_difference(values):
    assert math.isclose(gini(np.sort(np.abs(values))), gini_of(values), abs_tol=1e-12)


def test_gini_of_equal_and_of_concentrated_values():
    assert abs(gini(np.full(7, 2.0))) < 1e-15
    assert gini(np.zeros(7)) == 0
    assert math.isclose(gini(np.sort(np.eye(10)[3])), 0.9)


@given(
    vectors | st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40) | st.lists(st.sampled_from([0.0, 1e-300, 1.0, -1.0]))
)
def test_magnitudes_are_sorted(values):
    field = np.array([*values, 0.5])
    magnitudes = np.empty(field.size)
    sort_magnitudes(field, np.empty(2 * field.size + 1, np.int64), magnitudes)
    assert magnitudes.tolist() == np.sort(np.abs(field)).tolist()


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


def test_magnitudes_that_are_not_finite_do_no_harm():
    for bad in (np.nan, np.inf):
        magnitudes = np.empty(3)
        sort_magnitudes(np.array([1.0, bad, -2.0]), np.empty(7, np.int64), magnitudes)
        assert np.isin([1.0, 2.0], magnitudes).all()


def test_angle_keeps_what_an_arc_cosine_loses():
    assert math.isclose(angle(np.array([1.0, 0.0]), np.array([1.0, 1e-9])), 1e-9, rel_tol=1e-6)
    assert angle(np.array([3.0, 4.0]), np.array([6.0, 8.0])) < 1e-15
    assert math.isclose(angle(np.array([1.0, 0.0]), np.array([-2.0, 0.0])), math.pi)
