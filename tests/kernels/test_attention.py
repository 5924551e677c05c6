"""Mixing rows by attention, and AdamW, against sums written out."""

import math

import numpy as np
import pytest

from tdu.kernels.adamw import adamw
from tdu.kernels.attention import mix, mix_backward
from tests.reference.transformer import softmax

SHAPES = [(1, 1, 1, 1, 1), (5, 4, 2, 3, 2), (7, 3, 4, 2, 5)]  # B, R, H, L, k


def inputs(shape, seed=0):
    n, n_rows, n_heads, n_places, width = shape
    rng = np.random.default_rng(seed)
    places = rng.integers(n_rows, size=(n, n_places)).astype(np.int32)
    return rng.normal(size=(n_rows, n_heads)), rng.normal(size=(n_rows, n_heads, width)), places


def mixed_by(scores, values, places):
    n, n_places = places.shape
    n_heads, width = values.shape[1:]
    weights, mixed = np.empty((n, n_heads, n_places)), np.empty((n, n_heads, width))
    mix(scores, values, places, weights, mixed)
    return weights, mixed


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_mixed_by_the_softmax_of_their_scores(shape):
    scores, values, places = inputs(shape)
    weights, mixed = mixed_by(scores, values, places)
    for b, rows in enumerate(places.tolist()):
        for h in range(values.shape[1]):
            wanted = softmax([float(scores[row, h]) for row in rows])
            np.testing.assert_allclose(weights[b, h], wanted, rtol=1e-14)
            for k in range(values.shape[2]):
                total = math.fsum(w * float(values[row, h, k]) for w, row in zip(wanted, rows, strict=True))
                assert mixed[b, h, k] == pytest.approx(total, rel=1e-13, abs=1e-15)


def test_large_scores_do_not_overflow():
    _, values, _ = inputs((5, 4, 2, 3, 2))
    places = np.array([[0, 1, 2], [2, 1, 0], [1, 2, 0]], np.int32)
    scores = np.array([[0.0, 1e4], [1e4, 1e4], [-1e4, 1e4], [0.0, 0.0]])
    weights, mixed = mixed_by(scores, values, places)
    np.testing.assert_array_equal(weights[:, 0], [[0, 1, 0], [0, 1, 0], [1, 0, 0]])
    np.testing.assert_allclose(weights[:, 1], 1 / 3)
    np.testing.assert_array_equal(mixed[:, 0], np.repeat(values[1:2, 0], 3, axis=0))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_backward_pass_is_that_of_central_differences(shape):
    scores, values, places = inputs(shape)
    due = np.random.default_rng(1).normal(size=(len(places), *values.shape[1:]))
    weights, _ = mixed_by(scores, values, places)
    dscores, dvalues = np.zeros_like(scores), np.zeros_like(values)
    mix_backward(due, weights, values, places, dscores, dvalues)
    for array, gradient in ((scores, dscores), (values, dvalues)):
        for i in np.ndindex(array.shape):
            kept = array[i]
            array[i] = kept + 1e-6
            above = (mixed_by(scores, values, places)[1] * due).sum()
            array[i] = kept - 1e-6
            below = (mixed_by(scores, values, places)[1] * due).sum()
            array[i] = kept
            assert gradient[i] == pytest.approx((above - below) / 2e-6, abs=1e-8)


def test_gradients_are_added_to_what_is_there():
    scores, values, places = inputs((5, 4, 2, 3, 2))
    weights, mixed = mixed_by(scores, values, places)
    once = np.zeros_like(scores), np.zeros_like(values)
    twice = np.zeros_like(scores), np.zeros_like(values)
    for target, n in ((once, 1), (twice, 2)):
        for _ in range(n):
            mix_backward(mixed, weights, values, places, *target)
    for one, two in zip(once, twice, strict=True):
        np.testing.assert_allclose(two, 2 * one, atol=1e-14)


def test_adamw_on_dyadic_numbers_is_exact():
    theta, gradient = np.array([1.0, -2.0, 0.5]), np.array([0.25, -0.5, 1.0])
    first, second = np.array([0.5, 0.0, 1.0]), np.array([0.25, 0.0, 1.0])
    # η/(1 − β₁ᵗ) = 1/2, 1 − η λ = 3/4, β₁ = β₂ = 1/2; the square root of the second moment is as it is
    adamw(theta, gradient, first, second, (0.5, 0.75, 0.5, 0.5, 0.5, 0.5, 1.0, 0.0))
    assert first.tolist() == [0.375, -0.25, 1.0]
    assert second.tolist() == [0.15625, 0.125, 1.0]
    wanted = [0.75 - 0.1875 / math.sqrt(0.15625), -1.5 + 0.125 / math.sqrt(0.125), 0.375 - 0.5]
    assert theta.tolist() == pytest.approx(wanted, rel=1e-15)
