"""Optimisers: each updates the parameters in place, and keeps its moments in arrays, so that they can be stored."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from tdu import _check
from tdu.kernels.adamw import adamw
from tdu.models.layers import Array


class Optimiser(Protocol):
    """What training needs of an optimiser; `moments`, arrays (N,) by name, are all its state but the number of steps."""

    moments: dict[str, Array]

    def step(self, theta: Array, gradient: Array, t: int) -> None:
        """Update `theta` (N,) in place by `gradient` (N,); `t` is 1 at the first step."""
        ...


class SGD:
    """θ ← (1 − η λ) θ − η u with u ← μ u + g: gradient descent with momentum μ, and decoupled weight decay λ."""

    def __init__(self, theta: Array, learning_rate: float, weight_decay: float = 0.0, momentum: float = 0.0) -> None:
        self.learning_rate = _check.real(learning_rate, "learning_rate", 0, float("inf"))
        self.weight_decay = _check.real(weight_decay, "weight_decay", 0, float("inf"))
        self.momentum = _check.real(momentum, "momentum", 0, 1)
        self.moments = {"velocity": np.zeros_like(theta)} if self.momentum else {}

    def step(self, theta: Array, gradient: Array, t: int) -> None:
        """Update `theta` (N,) in place by `gradient` (N,)."""
        if self.momentum:
            velocity = self.moments["velocity"]
            velocity *= self.momentum
            velocity += gradient
            gradient = velocity
        theta *= 1 - self.learning_rate * self.weight_decay
        theta -= self.learning_rate * gradient


class AdamW:
    """Adam with bias correction and decoupled weight decay (Loshchilov & Hutter, arXiv:1711.05101)."""

    def __init__(
        self,
        theta: Array,
        learning_rate: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.98),
        epsilon: float = 1e-8,
    ) -> None:
        self.learning_rate = _check.real(learning_rate, "learning_rate", 0, float("inf"))
        self.weight_decay = _check.real(weight_decay, "weight_decay", 0, float("inf"))
        self.betas = (_check.real(betas[0], "betas", 0, 1), _check.real(betas[1], "betas", 0, 1))
        self.epsilon = _check.real(epsilon, "epsilon", 0, 1)
        self.moments = {"first": np.zeros_like(theta), "second": np.zeros_like(theta)}

    def step(self, theta: Array, gradient: Array, t: int) -> None:
        """Update `theta` (N,) in place by `gradient` (N,); `t` is 1 at the first step."""
        beta1, beta2 = self.betas
        settings = (
            self.learning_rate / (1 - beta1**t), 1 - self.learning_rate * self.weight_decay,
            beta1, 1 - beta1, beta2, 1 - beta2, (1 - beta2**t) ** -0.5, self.epsilon,
        )  # fmt: skip
        numbers = tuple(theta.dtype.type(setting) for setting in settings)
        adamw(theta, gradient, self.moments["first"], self.moments["second"], numbers)


_MOMENTUM = 0.9
#: By name, each for parameters (N,), a learning rate and a weight decay. A further one is a class above, a line here, and its
#: name in `tdu.config`.
OPTIMISERS: dict[str, Callable[[Array, float, float], Optimiser]] = {
    "adamw": AdamW,
    "sgd": SGD,
    "momentum": lambda theta, learning_rate, weight_decay: SGD(theta, learning_rate, weight_decay, _MOMENTUM),
}


def optimiser(name: str, theta: Array, learning_rate: float, weight_decay: float) -> Optimiser:
    """An optimiser by name: ``adamw`` (β 0.9, 0.98), ``sgd``, or ``momentum`` (μ 0.9)."""
    return OPTIMISERS[_check.choice(name, "optimiser", tuple(OPTIMISERS))](theta, learning_rate, weight_decay)
