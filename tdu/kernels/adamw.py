"""The update of AdamW in one pass over the parameters."""

import math

from tdu._jit import kernel


@kernel
def adamw(theta, gradient, first, second, settings):
    """Update `theta` and its moments `first` and `second`, all (N,), in place.

    `settings`, of the same precision: η/(1 − β₁ᵗ), 1 − η λ, β₁, 1 − β₁, β₂, 1 − β₂, 1/√(1 − β₂ᵗ), ε.
    """
    rate, kept, beta1, rest1, beta2, rest2, correction, epsilon = settings
    for i in range(theta.size):
        first[i] = beta1 * first[i] + rest1 * gradient[i]
        second[i] = beta2 * second[i] + rest2 * (gradient[i] * gradient[i])
        theta[i] = kept * theta[i] - rate * first[i] / (math.sqrt(second[i]) * correction + epsilon)
