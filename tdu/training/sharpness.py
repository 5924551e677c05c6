"""η·λ₀: how sharp the loss is where a run starts, in units of what gradient descent can follow."""

import numpy as np

from tdu.config import StudyConfig
from tdu.kernels.mlp import backward, cross_entropy, forward
from tdu.training.xor import start


def sharpness(config: StudyConfig, hidden: int, replicate: int = 0) -> float:
    """η·λ₀ of the run of a study at (`hidden`, `replicate`), λ₀ the largest eigenvalue of the Gauss–Newton matrix at its start.

    Notes
    -----
    Of the loss's Gauss–Newton matrix Jᵀ H J / B, with J (B, N) the gradients of the B logits and H the second derivatives
    p (1 − p) of each pattern's loss, and with the rates η of the coordinates on its rows, the largest eigenvalue is that of
    the B × B matrix H^½ K H^½, K = J diag(η) Jᵀ / B the tangent kernel weighted by the rates. Full-batch gradient descent
    overshoots where it exceeds about 2 (Cohen et al. 2021, edge of stability).

    Examples
    --------
    >>> from tdu.training.sharpness import sharpness
    >>> bool(sharpness(tdu.StudyConfig(), 20) < 2 < sharpness(tdu.StudyConfig(), 500))
    True
    """
    theta, problem = start(config, hidden, replicate)
    n_patterns, d = problem.inputs.shape
    columns, activity, delta = np.empty((d, hidden)), np.empty((n_patterns, hidden)), np.empty(hidden)
    logits, off = np.empty(n_patterns), np.empty(n_patterns)
    forward(theta, problem.inputs, problem.activation, problem.output_scale, columns, activity, logits)
    cross_entropy(logits, problem.targets, off)
    probability = problem.targets + n_patterns * off
    jacobian = np.empty((n_patterns, theta.size))
    for one, row in zip(np.eye(n_patterns), jacobian, strict=True):
        backward(theta, problem.inputs, problem.activation, problem.output_scale, columns, activity, one, delta, row)
    weighted = np.sqrt(probability * (1 - probability))[:, None] * jacobian
    return float(np.linalg.eigvalsh(weighted * problem.rates @ weighted.T / n_patterns)[-1])
