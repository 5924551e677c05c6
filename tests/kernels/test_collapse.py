"""Houdayer–Hartmann quality against the formula written out point by point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdu.kernels.collapse import houdayer_hartmann, over_powers


def reference(x, y, dy):
    means = []
    for i, row in enumerate(x):
        terms = []
        for j, at in enumerate(row):
            points = []
            for other in range(len(x)):
                below = [p for p in range(len(x[other]) - 1) if other != i and x[other][p] <= at < x[other][p + 1]]
                points += [(other, q) for p in below for q in (p, p + 1)]
            if not points:
                continue
            w = np.array([1 / dy[o][p] ** 2 for o, p in points])
            u = np.array([x[o][p] for o, p in points])
            v = np.array([y[o][p] for o, p in points])
            design = np.stack([np.ones_like(u), u], axis=1)
            covariance = np.linalg.inv(design.T @ (w[:, None] * design))
            line = covariance @ (design.T @ (w * v))
            here = np.array([1, at])
            terms.append((y[i][j] - here @ line) ** 2 / (dy[i][j] ** 2 + here @ covariance @ here))
        if terms:
            means.append(np.mean(terms))
    return np.mean(means) if means else np.nan


@pytest.mark.parametrize("exponent", [-1.5, 0.0, 0.5, 1.0, 2.0])
def test_values_are_divided_by_powers_of_the_base_of_their_row(exponent):
    values, bases, scaled = np.array([[1.0, 2.5], [3.0, 4.0]]), np.array([1.0, 2001.0]), np.empty((2, 2))
    over_powers(values, bases, exponent, scaled)
    np.testing.assert_allclose(scaled, values / bases[:, None] ** exponent, rtol=1e-14)


@given(st.integers(2, 4), st.integers(2, 8), st.integers(0, 2**32))
def test_is_the_formula(k, n, seed):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 2, (k, n)), axis=1) + rng.uniform(0, 1, (k, 1))
    y, dy = rng.normal(size=(k, n)), rng.uniform(0.5, 1, (k, n))
    np.testing.assert_allclose(houdayer_hartmann(x, y, dy, np.full(len(x), -7)), reference(x, y, dy), rtol=1e-6)
