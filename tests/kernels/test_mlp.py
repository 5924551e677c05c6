import itertools
import math

import numpy as np
import pytest

from tdu.config import ACTIVATIONS
from tdu.models import mlp
from tdu.training.xor import PATTERNS, TARGETS
from tests.reference import training as reference

INPUTS = PATTERNS["binary"]
RNG = np.random.default_rng(7)
CASES = {
    "xor": (mlp.initial_parameters(6, RNG), INPUTS, TARGETS),
    "xor, saturated": (8 * mlp.initial_parameters(5, RNG), INPUTS, TARGETS),
    "three inputs": (mlp.initial_parameters(4, RNG, 3), RNG.normal(size=(7, 3)), (RNG.random(7) > 0.5) * 1.0),
    "one unit, one pattern": (mlp.initial_parameters(1, RNG, 1), np.array([[0.7]]), np.array([1.0])),
}


@pytest.fixture(params=itertools.product(CASES, ACTIVATIONS), ids=", ".join)
def case(request):
    name, activation = request.param
    return *CASES[name], activation


def test_loss_and_gradient_are_the_reference(case):
    *problem, activation = case
    loss, gradient = mlp.loss_and_gradient(*problem, activation)
    lists = [array.tolist() for array in problem]
    assert math.isclose(loss, reference.loss_of(*lists, activation), rel_tol=1e-12)
    wanted = reference.gradient_of(*lists, activation)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("block", ["W1", "b1", "W2", "b2"])
def test_gradient_of_every_block_is_the_central_difference(case, block):
    theta, inputs, targets, activation = case
    _, gradient = mlp.loss_and_gradient(theta, inputs, targets, activation)
    d = inputs.shape[1]
    sites = mlp.parameter_views(np.arange(theta.size), d)[block].ravel()
    for site in sites:
        step = np.zeros(theta.size)
        step[site] = 1e-5
        up, _ = mlp.loss_and_gradient(theta + step, inputs, targets, activation)
        down, _ = mlp.loss_and_gradient(theta - step, inputs, targets, activation)
        assert math.isclose(gradient[site], (up - down) / 2e-5, rel_tol=1e-6, abs_tol=1e-9)


def test_extreme_logits_neither_overflow_nor_vanish():
    theta = np.array([0.0, 0.0, 0.0, 0.0, 800.0])
    loss, gradient = mlp.loss_and_gradient(theta, INPUTS, TARGETS)
    assert loss == 400.0  # two of four patterns wrong by 800 nats
    assert gradient[-1] == 0.5
    loss, gradient = mlp.loss_and_gradient(-theta, INPUTS, TARGETS)
    assert (loss, gradient[-1]) == (400.0, -0.5)


def test_initial_parameters_fill_the_bounds_of_their_layer():
    views = mlp.parameter_views(mlp.initial_parameters(400, np.random.default_rng(0)))
    for name, fan_in in (("W1", 2), ("b1", 2), ("W2", 400)):
        bound = fan_in**-0.5
        assert 0.97 * bound < np.abs(views[name]).max() <= bound
        assert abs(views[name].mean()) < 0.1 * bound


@pytest.mark.parametrize(
    ("initialisation", "wanted"),
    [
        ("pytorch", {"W1": 6**-0.5, "b1": 6**-0.5, "W2": 3e4**-0.5}),
        ("xavier", {"W1": (2 / 10_002) ** 0.5, "b1": 0, "W2": (2 / 10_001) ** 0.5, "b2": 0}),
        ("he", {"W1": 1, "b1": 0, "W2": 2e-4**0.5, "b2": 0}),
        ("normal-0.5", {"W1": 0.5, "b1": 0.5, "W2": 0.5}),
        ("normal-1", {"W1": 1, "b1": 1, "W2": 1}),
    ],
)
def test_initial_parameters_have_the_spread_of_their_name(initialisation, wanted):
    theta = mlp.initial_parameters(10_000, np.random.default_rng(1), initialisation=initialisation)
    views = mlp.parameter_views(theta)
    for name, spread in wanted.items():
        assert np.std(views[name]) == pytest.approx(spread, rel=0.02), name


@pytest.mark.parametrize(
    ("theta", "inputs", "targets", "message"),
    [
        (np.zeros(6), INPUTS, TARGETS, r"`theta` has 6 entries, which is not \(d \+ 2\) h \+ 1 for the d = 2"),
        (np.zeros(9), INPUTS, TARGETS[:3], r"`inputs` has shape \(4, 2\) but `targets` has 3 entries"),
        (np.full(9, np.nan), INPUTS, TARGETS, "`theta` must be finite"),
        (np.zeros(9), np.full((4, 2), np.inf), TARGETS, "`inputs` must be finite"),
    ],
)
def test_bad_input_is_named(theta, inputs, targets, message):
    with pytest.raises(ValueError, match=message):
        mlp.loss_and_gradient(theta, inputs, targets)
