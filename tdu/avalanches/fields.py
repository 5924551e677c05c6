"""Synthetic gradient fields: the paper's control."""

import numpy as np

from tdu import _check
from tdu.rng import normal
from tdu.types import Floats

#: Standard deviation of the paper's synthetic gradients, g_i ~ N(0, 0.5²).
SYNTHETIC_SCALE = 0.5


def gaussian(n: int, rng: np.random.Generator, n_fields: int = 1, scale: float = SYNTHETIC_SCALE) -> Floats:
    """(n_fields, n) fields of independent normal entries with mean 0 and standard deviation `scale`."""
    n, n_fields = _check.integer(n, "n", 1), _check.integer(n_fields, "n_fields", 0)
    return normal(rng, (n_fields, n), _check.real(scale, "scale", 0, float("inf")))
