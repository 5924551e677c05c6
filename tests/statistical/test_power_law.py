"""The standard error of a power-law exponent, also where xmin is small and the continuous formula does not hold."""

import numpy as np
import pytest
from scipy.special import zeta

import tdu

pytestmark = pytest.mark.statistical

ALPHA, N_SIZES, N_SAMPLES = 2.5, 400, 200


@pytest.mark.parametrize("xmin", [1, 2, 10])
def test_the_standard_error_is_the_scatter_of_the_exponent(xmin):
    x = np.arange(xmin, 10**6)
    cumulative = np.cumsum(x**-ALPHA) / zeta(ALPHA, xmin)
    rng = np.random.default_rng(xmin)
    fits = [
        tdu.fit_power_law(x[np.minimum(np.searchsorted(cumulative, rng.random(N_SIZES)), x.size - 1)], xmin=xmin)
        for _ in range(N_SAMPLES)
    ]
    scatter = np.std([fit.alpha for fit in fits], ddof=1)
    stated = np.mean([fit.stderr for fit in fits])
    assert stated == pytest.approx(scatter, rel=4 / np.sqrt(2 * N_SAMPLES))  # the error of a standard deviation is 1/√(2 M)
    continuous = (ALPHA - 1) / np.sqrt(N_SIZES)
    assert stated / continuous == pytest.approx({1: 1.13, 2: 1.03, 10: 1.0}[xmin], abs=0.03)
