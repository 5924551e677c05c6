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
    found = magnitude_quantile(field, level, np.empty(field.size))
    assert found == np.quantile(np.abs(field), level)
    assert found == reference_quantile(field.tolist(), level)
    assert np.array_equal(field, before)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 11, 81, 2001])
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
        assert magnitude_quantile(field, level, np.empty(n)) == np.quantile(np.abs(field), level)
