"""Elementary functions against decimal arithmetic of eighty digits, in units in the last place."""

import decimal
import math
import re

import llvmlite.binding
import numpy as np
import pytest
from scipy.special import ndtri

from tdu.kernels.elementary import arcsine, exp_minus, geometric, log, log1p, quantiles_of_normal, tanh
from tests.reference import elementary as reference

RNG = np.random.default_rng(5)
SMALL = 10.0 ** RNG.uniform(-40, -1, 300)


def error(found, exact):
    """Of `found` from the decimal number `exact`, in units in the last place of the nearest float."""
    return float(abs(decimal.Decimal(float(found)) - exact) / decimal.Decimal(math.ulp(float(exact))))


def tanh_of(x):
    values = np.array([x])
    tanh(values)
    return values[0]


@pytest.mark.parametrize(
    ("function", "exact", "arguments", "bound"),
    [
        (tanh_of, reference.tanh, [*RNG.normal(size=1000), *RNG.uniform(-21, 21, 2000), *SMALL, 1e300], 7),
        (exp_minus, lambda x: (-x).exp(), [*RNG.uniform(0, 2, 1000), *RNG.uniform(0, 708, 1000), *SMALL, 0.0], 3),
        (log1p, lambda x: (1 + x).ln(), [*RNG.uniform(0, 1, 2000), *SMALL, 1.0, 0.41421356237309503, 0.4142135623730951], 3),
        (log, lambda x: x.ln(), [*RNG.uniform(0.5, 1.5, 1000), *SMALL, 2.0**-54, 3e300], 3),
        (arcsine, reference.arcsine, [*RNG.uniform(0, 0.75, 500), *SMALL, 0.75], 5),
    ],
    ids=["tanh", "exp_minus", "log1p", "log", "arcsine"],
)
def test_a_function_is_right_to_the_stated_units_in_the_last_place(function, exact, arguments, bound):
    with decimal.localcontext(prec=80):
        assert max(error(function(float(x)), exact(decimal.Decimal(float(x)))) for x in arguments) <= bound


def test_tanh_is_odd_and_never_beyond_one():
    x = np.concatenate([RNG.normal(size=3000), RNG.uniform(-21, 21, 30_000), [0.0, -0.0, 1e300, math.inf]])
    found, mirrored = x.copy(), -x
    tanh(found)
    tanh(mirrored)
    assert np.array_equal(found, -mirrored)
    assert np.array_equal(np.signbit(found), np.signbit(x))
    assert (np.abs(found) <= 1).all()
    assert found[-2:].tolist() == [1, 1]


@pytest.mark.parametrize(("low", "high", "n"), [(0.5, 1.5, 40), (0.5, 8.5, 2), (3.0, 3.0, 5), (40.5, 13_000.5, 40)])
def test_a_geometric_sequence_is_that_of_numpy(low, high, n):
    values = np.empty(n)
    geometric(low, high, values)
    assert values[[0, -1]].tolist() == [low, high]
    np.testing.assert_allclose(values, np.geomspace(low, high, n), rtol=1e-14)


def test_functions_at_their_ends():
    assert exp_minus(0.0) == 1
    assert exp_minus(708.0) == pytest.approx(math.exp(-708), rel=1e-15)
    assert exp_minus(math.nextafter(708, 709)) == exp_minus(math.inf) == 0
    assert log1p(0.0) == 0
    assert arcsine(0.0) == 0
    assert [math.isnan(f(math.nan)) for f in (tanh_of, exp_minus, log1p, arcsine)] == [True] * 4


def test_normal_numbers_are_the_quantiles_of_their_uniform_ones():
    ends = [0.0, 2.0**-53, 0.075, 0.0749, np.exp(-25.0) // 2.0**-53 * 2.0**-53, 0.5, 1 - 2.0**-53]
    uniforms = np.concatenate([RNG.random(20_000), 10.0 ** RNG.uniform(-15, 0, 500) // 2.0**-53 * 2.0**-53, ends])
    found = np.empty_like(uniforms)
    quantiles_of_normal(uniforms, 1.0, found)
    below = uniforms < 0.5
    wanted = np.where(below, ndtri(uniforms + 2.0**-54), -ndtri(1 - uniforms - 2.0**-54))
    np.testing.assert_allclose(found, wanted, rtol=3e-15)
    assert found[np.flatnonzero(uniforms == 0)[0]] == pytest.approx(-8.292361075813595, rel=1e-15)
    halved = np.empty_like(uniforms)
    quantiles_of_normal(uniforms, 0.5, halved)
    assert np.array_equal(2 * halved, found)


@pytest.mark.compiled
def test_tanh_is_vectorised():
    from numba import njit

    fresh = njit(error_model="numpy")(tanh.py_func)  # machine code from a cache cannot be looked at
    fresh(np.zeros(8))
    (code,) = fresh.inspect_asm().values()
    assert re.search(r"mulpd|fmul\s+v", code), "the compiler no longer computes several at once"
    if llvmlite.binding.get_host_cpu_features().get("avx512f"):
        assert re.search(r"divpd.*zmm", code), "the compiler no longer takes vectors of 512 bits"
