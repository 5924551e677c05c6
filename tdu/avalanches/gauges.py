"""What else is watched in training, of the tensors that the probe sees: columns that D(t) can be laid beside."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tdu import _check
from tdu.kernels.measures import dot
from tdu.types import Fields, Floats

_CHUNK = 1 << 22  # entries of a field made float64 at a time
_LARGEST_SQUARE = 2.0**960  # times any number of examples it is finite

Tensors = Mapping[str, npt.NDArray[np.generic]]


def norm(field: Fields) -> float:
    """Euclidean norm of a field (N,), whose squares are summed in double precision."""
    if field.size <= _CHUNK:
        plain = field.dtype == np.float64 and field.flags.carray  # asked for by `require`, at the price of thousands of sites
        part = field if plain else np.require(field, np.float64, ["C", "A", "W"])
        return math.sqrt(dot(part, part))
    parts = (np.require(field[at : at + _CHUNK], np.float64, ["C", "A", "W"]) for at in range(0, field.size, _CHUNK))
    return math.sqrt(sum(dot(part, part) for part in parts))


def of_weights(weights: Tensors) -> dict[str, float]:
    """Of all weights: their Euclidean norm, the Gini coefficient of |θ|, and the mean effective rank of the matrices."""
    theta = np.concatenate([np.ravel(tensor).astype(np.float64, copy=False) for tensor in weights.values()])
    return {"weight_norm": norm(theta), "gini": gini(theta), "effective_rank": mean_effective_rank(weights)}


def gini(values: Floats) -> float:
    """Gini coefficient of |values| (n,), nan where all are zero: 2 Σ i x_i / (n Σ x) − (n + 1)/n of the sorted ones.

    The kernel of the XOR study, which goes on from an order that hardly changes, could take the square of n for the weights of
    a network that nobody knows.

    >>> from tdu.avalanches.gauges import gini
    >>> gini(np.array([0.0, 0.0, 0.0, -1.0]))
    0.75
    """
    x = np.sort(np.abs(values))
    with np.errstate(invalid="ignore"):
        return float(2 * (np.arange(1, x.size + 1) @ x) / (x.size * x.sum()) - (x.size + 1) / x.size)


def mean_effective_rank(tensors: Tensors) -> float:
    """Mean of `effective_rank` over the tensors of two dimensions or more whose rank can exceed 1; nan where there is none."""
    matrices = [tensor.reshape(tensor.shape[0], -1) for tensor in tensors.values() if tensor.ndim >= 2]
    return float(np.mean([effective_rank(matrix) for matrix in matrices if min(matrix.shape) > 1] or [np.nan]))


def effective_rank(matrix: npt.NDArray[np.generic], precision: npt.DTypeLike = np.float64) -> float:
    """Participation ratio of the squared singular values of a matrix (m, n): (tr GᵀG)² / ‖GᵀG‖²; nan for zeros.

    Rows or columns are multiplied in this precision, and products added up in double.

    1 for one direction, min(m, n) for as many equal ones. A product of matrices and no decomposition: cheap in a training loop.

    >>> from tdu.avalanches.gauges import effective_rank
    >>> effective_rank(np.eye(5)), effective_rank(np.ones((5, 3)))
    (5.0, 1.0)
    """
    g = matrix.astype(precision, copy=False)
    products = g @ g.T if g.shape[0] <= g.shape[1] else g.T @ g
    trace, squares = float(np.trace(products, dtype=np.float64)), float(np.square(products, dtype=np.float64).sum())
    return trace * trace / squares if squares else math.nan


def noise_scale(small_square: float, large_square: float, small: int, large: int) -> float:
    """Simple noise scale of the gradient, in examples: tr Σ / |G|², from squared norms at two batch sizes.

    Parameters
    ----------
    small_square, large_square : |g|² of the gradient of a small and of a large batch, best means over several batches.
    small, large : their sizes in examples, the first below the second.

    Returns
    -------
    float
        B = S / |G|², where |G|² = (large·|g_large|² − small·|g_small|²) / (large − small) and
        S = (|g_small|² − |g_large|²) / (1/small − 1/large); nan where the estimate of |G|² is not positive,
        or so small that the ratio is no number.

    Notes
    -----
    McCandlish, Kaplan, Amodei et al., *An Empirical Model of Large-Batch Training*, arXiv:1812.06162, appendix A.1. Both
    estimates are unbiased, their ratio is not: average the squared norms first.

    Examples
    --------
    With |G|² = 2 and tr Σ = 60, a batch of B has |g|² = 2 + 60 / B on average:

    >>> round(tdu.noise_scale(2 + 60 / 10, 2 + 60 / 30, 10, 30), 6)
    30.0
    """
    small = _check.integer(small, "small", 1, _check.LARGEST_STEPS)
    large = _check.integer(large, "large", small + 1, _check.LARGEST_STEPS)
    small_square = _check.real(small_square, "small_square", 0, _LARGEST_SQUARE)
    large_square = _check.real(large_square, "large_square", 0, _LARGEST_SQUARE)
    signal = (large * large_square - small * small_square) / (large - small)
    noise = (small_square - large_square) / (1 / small - 1 / large)
    scale = noise / signal if signal > 0 else math.nan
    return scale if math.isfinite(scale) else math.nan
