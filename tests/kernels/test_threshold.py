import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdu.kernels.threshold import magnitude_quantile
from tests.reference.avalanche import magnitude_quantile as reference_quantile

finite = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e300, max_value=1e300)
levels = st.sampled_from([0.5, 0.8, 0.9, 0.95]) | st.floats(0.001, 0.999)


@given(st.lists(finite | st.sampled_from([0.0, 1.0, -1.0]), min_size=1, max_size=80).map(np.array), levels)
def test_gives_the_bits_of_numpy(field, level):
    before = field.copy()
    found = magnitude_quantile(field, level, 0.0, np.empty(field.size))
    assert found == np.quantile(np.abs(field), level)
    assert found == reference_quantile(field.tolist(), level)
    assert np.array_equal(field, before)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 11, 81, 256, 257, 2001])
@pytest.mark.parametrize("shape", ["random", "ascending", "descending", "equal", "organ pipe"])
def test_gives_the_bits_of_numpy_on_awkward_orders(n, shape):
    rng = np.random.default_rng(n)
    field = {
        "random": rng.normal(size=n) * np.exp(rng.normal(size=n)),
        "ascending": np.arange(n) / 3,
        "descending": np.arange(n)[::-1] / 3,
        "equal": np.full(n, 0.1),
        "organ pipe": np.minimum(np.arange(n), np.arange(n)[::-1]) / 7,
    }[shape]
    for level in (0.05, 0.5, 0.8, 0.9, 0.95, 0.999):
        wanted = np.quantile(np.abs(field), level)
        for guess in (0.0, wanted, 0.96 * wanted, 1.04 * wanted, 2 * wanted, 1e-300):
            assert magnitude_quantile(field, level, guess, np.empty(n)) == wanted


@pytest.mark.parametrize("seed", range(20))
def test_gives_the_bits_of_numpy_where_sites_are_bracketed(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(257, 20_000))
    field = rng.normal(size=n) * np.exp(rng.normal(size=n))
    if seed % 2:
        field = np.round(field, 1)  # ties, also with the quantile
    level = float(rng.choice([0.8, 0.9, 0.95, rng.random()]))
    wanted = np.quantile(np.abs(field), level)
    for guess in (0.0, wanted, wanted / 1.04, wanted / 0.96, wanted / 1.06, 3 * wanted):
        assert magnitude_quantile(field, level, guess, np.empty(n)) == wanted


@pytest.mark.parametrize("level", [0.9, 0.9001])
@pytest.mark.parametrize("shift", range(-2, 3))
def test_a_quantile_at_the_edge_of_the_bracket_in_a_bracket(level, shift):
    """Of a hundred candidates in a bracket, those near 1 are in the second: the last of them is the quantile's lower neighbour,
    or one or two before or after it is."""
    near_1 = 1 + np.arange(50) * 1e-6
    field = np.concatenate([np.full(1751 + shift, 0.5), near_1, np.full(50, 1.1), np.full(150 - shift, 5.0)])
    np.random.default_rng(0).shuffle(field)
    assert magnitude_quantile(field, level, 1.0, np.empty(2001)) == np.quantile(field, level)


def test_a_sample_that_misleads_only_costs_time():
    field = np.zeros(10_000)
    field[1::2] = np.linspace(1, 2, 5000)  # whatever even stride samples, it sees zeros
    assert magnitude_quantile(field, 0.9, 0.0, np.empty(10_000)) == np.quantile(field, 0.9)
