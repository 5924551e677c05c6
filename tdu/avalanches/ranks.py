"""A matrix by the ranks of its magnitudes: sorted, or in bins of equal leading bits, in time that is linear."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tdu.avalanches.ranked import half_normal
from tdu.kernels.ranking import BINS, at_ranks, rank_by_bins
from tdu.types import Fields, Floats

_TABLES = 16  # sizes of matrices whose sums of quantiles are kept


class ByRank(NamedTuple):
    """A matrix (m, n) of half-normal quantiles at the ranks of magnitudes, with signs, and the signs alone.

    `row_sums` (m,) and `column_sums` (n,) are of twice the ranks less their mean, `powers` the sums of their squares, cubes and
    fourth powers.
    """

    values: Fields
    signs: Fields
    row_sums: Floats
    column_sums: Floats
    powers: tuple[float, float, float]


def exact(matrix: Floats) -> ByRank:
    """Of a matrix (m, n), whose magnitudes are sorted once; equal ones share the mean at their ranks.

    >>> from tdu.avalanches.ranks import exact
    >>> found = exact(np.array([[0.5, -2.0], [4.0, 0.0]]))
    >>> found.values.round(2).tolist(), found.row_sums.tolist(), found.powers
    ([[0.49, -0.89], [1.53, 0.0]], [0.0, 0.0], (20.0, 0.0, 164.0))
    """
    n = matrix.size
    magnitudes = np.abs(matrix).reshape(1, n)
    order = np.argsort(magnitudes)
    values, ranks = np.empty((1, n)), np.empty((1, n))
    at_ranks(order, magnitudes, half_normal(n), values)
    at_ranks(order, magnitudes, np.arange(1.0 - n, n, 2.0), ranks)  # whole numbers
    signs, of_matrix, squares = np.sign(matrix), ranks.reshape(matrix.shape), ranks * ranks
    powers = float(squares.sum()), float((squares * ranks).sum()), float((squares * squares).sum())
    return ByRank(values.reshape(matrix.shape) * signs, signs, of_matrix.sum(axis=1), of_matrix.sum(axis=0), powers)


def binned(matrix: Floats) -> ByRank:
    """Of a matrix (m, n) whose magnitudes are equal if their leading nine bits are, in time m n; values in single precision.

    It is `exact` of magnitudes that are cut off there; those below 2⁻⁶⁴ of the largest are equal, too
    (`tdu.kernels.ranking.rank_by_bins`).

    >>> from tdu.avalanches.ranks import binned
    >>> found = binned(np.array([[0.5, -2.0], [2.001, 0.0]]))
    >>> found.values.astype(float).round(2).tolist(), found.row_sums.tolist(), found.powers
    ([[0.49, -1.21], [1.21, 0.0]], [1.0, -1.0], (18.0, -12.0, 114.0))
    """
    words = np.ascontiguousarray(matrix, np.float64).view(np.int64)
    values, signs = np.empty(matrix.shape, np.float32), np.empty(matrix.shape, np.float32)
    row_sums, column_sums = (np.empty(size) for size in matrix.shape)
    scratch = np.empty(BINS, np.int64), np.empty((3, 2 * BINS)), np.empty(matrix.shape, np.uint16)
    powers = rank_by_bins(words, _up_to(matrix.size), *scratch, values, signs, row_sums, column_sums)
    return ByRank(values, signs, row_sums, column_sums, powers)


@lru_cache(_TABLES)
def _up_to(n: int) -> Floats:
    """(n + 1,): sums of the quantiles at the first ranks."""
    return np.concatenate([[0.0], np.cumsum(half_normal(n))])


#: By name, as settings have it.
RANKS: dict[str, Callable[[Floats], ByRank]] = {"exact": exact, "binned": binned}
