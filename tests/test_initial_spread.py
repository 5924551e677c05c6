"""Initial parameters: the spread and the shape that each name stands for, block by block."""

import numpy as np
import pytest
from scipy.special import ndtri

from tdu.config import INITIALISATIONS
from tdu.models.mlp import initial_parameters, n_parameters, parameter_views

HIDDEN, INPUTS = 4000, 2
#: Half-width of a uniform or standard deviation of a normal distribution, of W1, b1, W2 and b2 of 2 → h → 1.
SPREAD = {
    "pytorch": ("uniform", 1 / np.sqrt(2), 1 / np.sqrt(2), 1 / np.sqrt(HIDDEN), 1 / np.sqrt(HIDDEN)),
    "xavier": ("uniform", np.sqrt(6 / (2 + HIDDEN)), 0, np.sqrt(6 / (HIDDEN + 1)), 0),
    "he": ("normal", np.sqrt(2 / 2), 0, np.sqrt(2 / HIDDEN), 0),
    "normal-0.5": ("normal", 0.5, 0.5, 0.5, 0.5),
    "normal-1": ("normal", 1, 1, 1, 1),
}


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_every_block_has_its_spread(name):
    law, *spread = SPREAD[name]
    theta = initial_parameters(HIDDEN, np.random.default_rng(0), initialisation=name)
    assert theta.size == n_parameters(HIDDEN) == 4 * HIDDEN + 1
    for (block, view), wanted in zip(parameter_views(theta).items(), spread, strict=True):
        if wanted == 0:
            assert (view == 0).all(), block
            continue
        deviation = wanted / np.sqrt(3) if law == "uniform" else wanted
        if law == "uniform":
            assert np.abs(view).max() <= wanted
        if view.size > 1:
            assert view.mean() == pytest.approx(0, abs=5 * deviation / np.sqrt(view.size)), block
            assert view.std() == pytest.approx(deviation, rel=0.05), block
            # a quarter of a uniform, and 1.15 of a normal distribution's entries lie beyond the quartiles of their own law
            beyond = np.mean(np.abs(view) > (0.75 * wanted if law == "uniform" else 1.1503 * wanted))
            assert beyond == pytest.approx(0.25, abs=0.04), block


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_parameters_are_the_generators_draws_scaled_block_by_block(name):
    law, *_ = SPREAD[name]
    rng = np.random.default_rng(3)
    drawn = rng.uniform(-1, 1, 5 * 3 + 1) if law == "uniform" else ndtri(rng.random(5 * 3 + 1))
    theta = initial_parameters(3, np.random.default_rng(3), 3, name)
    scale = {
        "pytorch": (1 / np.sqrt(3), 1 / np.sqrt(3), 1 / np.sqrt(3), 1 / np.sqrt(3)),
        "xavier": (1, 0, np.sqrt(6 / 4), 0),
        "he": (np.sqrt(2 / 3), 0, np.sqrt(2 / 3), 0),
        "normal-0.5": (0.5,) * 4,
        "normal-1": (1,) * 4,
    }[name]
    np.testing.assert_allclose(theta, drawn * np.repeat(scale, (9, 3, 3, 1)))


def test_the_default_is_pytorchs_for_two_inputs():
    one = initial_parameters(5, np.random.default_rng(1))
    assert np.array_equal(one, initial_parameters(5, np.random.default_rng(1), 2, "pytorch"))
