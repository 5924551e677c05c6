"""The MLP d → h → 1: its flat parameter vector, initialisation, loss and gradient."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tdu import _check, _validate
from tdu.config import ACTIVATIONS, INITIALISATIONS
from tdu.errors import InputError
from tdu.kernels.mlp import RELU, SIGMOID, TANH, backward, cross_entropy, forward
from tdu.rng import normal
from tdu.types import Floats, Layout

#: The kernels' number of each activation.
ACTIVATION_NUMBER = dict(zip(ACTIVATIONS, (TANH, RELU, SIGMOID), strict=True))


def n_parameters(hidden: int, n_inputs: int = 2) -> int:
    """N = (d + 2) h + 1: 4h + 1 for two inputs."""
    return (n_inputs + 2) * hidden + 1


@lru_cache
def layout(hidden: int, n_inputs: int = 2) -> Layout:
    """Names and shapes of the weights and biases, in the order of the flat vector."""
    return Layout.of({"W1": (hidden, n_inputs), "b1": (hidden,), "W2": (hidden,), "b2": (1,)})


def parameter_views(theta: Floats, n_inputs: int = 2) -> dict[str, Floats]:
    """Named views into the flat vector `theta` (N,): W1 (h, d), b1 (h,), W2 (h,), b2 (1,), in this order."""
    return layout((theta.size - 1) // (n_inputs + 2), n_inputs).views(theta)


def initial_parameters(
    hidden: int, rng: np.random.Generator, n_inputs: int = 2, initialisation: str = INITIALISATIONS[0]
) -> Floats:
    """Initial weights and biases, (N,).

    ``pytorch``: uniform in ±1/√fan_in, biases too, as `torch.nn.Linear` draws them. ``xavier``: weights uniform in
    ±√(6/(fan_in + fan_out)) (Glorot & Bengio 2010), biases 0. ``he``: weights N(0, 2/fan_in) (He et al. 2015), biases 0.
    ``normal-0.5`` and ``normal-1``: N(0, 0.5²) and N(0, 1), biases too.
    """
    n = n_parameters(hidden, n_inputs)
    theta = rng.uniform(-1.0, 1.0, n) if initialisation in ("pytorch", "xavier") else normal(rng, n)
    fans = {"1": (n_inputs, hidden), "2": (hidden, 1)}
    for name, view in parameter_views(theta, n_inputs).items():
        fan_in, fan_out = fans[name[-1]]
        if initialisation == "pytorch":
            view /= np.sqrt(fan_in)
        elif initialisation == "xavier":
            view *= np.sqrt(6 / (fan_in + fan_out)) if name[0] == "W" else 0.0
        elif initialisation == "he":
            view *= np.sqrt(2 / fan_in) if name[0] == "W" else 0.0
        elif initialisation == "normal-0.5":
            view *= 0.5
    return theta


def loss_and_gradient(
    theta: npt.ArrayLike, inputs: npt.ArrayLike, targets: npt.ArrayLike, activation: str = ACTIVATIONS[0]
) -> tuple[float, Floats]:
    """Mean binary cross-entropy (nats) over B patterns, and its gradient (N,) in the order of `theta`.

    Parameters
    ----------
    theta : (N,) parameters, N = (d + 2) h + 1.
    inputs : (B, d) patterns.
    targets : (B,) in {0, 1}.
    activation : of the hidden units: ``tanh``, ``relu`` or ``sigmoid``.

    Raises
    ------
    ValueError
        If the three do not fit each other or are not finite, or no such activation is known.
    """
    number = ACTIVATION_NUMBER[_check.choice(activation, "activation", ACTIVATIONS)]
    patterns = np.require(_validate.finite(_validate.numeric(inputs, "inputs"), "inputs"), requirements=["W"])
    labels = np.require(_validate.field(targets, name="targets"), requirements=["W"])
    parameters = np.require(_validate.field(theta, name="theta"), requirements=["W"])
    if patterns.ndim != 2 or len(patterns) != labels.size:
        raise InputError(f"`inputs` has shape {patterns.shape} but `targets` has {labels.size} entries")
    n_inputs = patterns.shape[1]
    hidden, rest = divmod(parameters.size - 1, n_inputs + 2)
    if hidden < 1 or rest:
        raise InputError(
            f"`theta` has {parameters.size} entries, which is not (d + 2) h + 1 for the d = {n_inputs} of `inputs`"
        )
    activity, columns, delta = np.empty((labels.size, hidden)), np.empty((n_inputs, hidden)), np.empty(hidden)
    logits, dlogits = np.empty(labels.size), np.empty(labels.size)
    gradient = np.empty_like(parameters)
    forward(parameters, patterns, number, 1.0, columns, activity, logits)
    loss, _ = cross_entropy(logits, labels, dlogits)
    backward(parameters, patterns, number, 1.0, columns, activity, dlogits, delta, gradient)
    return float(loss), gradient
