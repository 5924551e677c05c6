"""How many directions a matrix has: the participation ratio of its squared singular values, and what chance makes it."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tdu.avalanches.gauges import effective_rank
from tdu.avalanches.ranked import half_normal
from tdu.rng import Stage, generator
from tdu.types import Fields

_ENTRIES_DRAWN = 1 << 24  # of all draws of a shape together
_FEWEST_DRAWS, _MOST_DRAWS = 16, 256
_SHAPES = 256  # whose nulls are kept


class LogParticipation(NamedTuple):
    """The log of a participation ratio, and its standard error: 0 where it is exact."""

    value: float
    error: float


class SpectralNull(NamedTuple):
    """Mean and standard deviation of the log participation ratio over `draws` of a null."""

    mean: float
    sd: float
    draws: int


def log_participation(matrix: Fields, probes: int = 0, rng: np.random.Generator | None = None) -> LogParticipation:
    """Log of the participation ratio of the squared singular values of a matrix (m, n): log (tr GᵀG)² / ‖GᵀG‖².

    Parameters
    ----------
    matrix : (m, n); products of one of float32 are in single precision, and added up in double.
    probes : 0: exact, by a product of the smaller side, m n min(m, n) multiplications. Else so many random vectors z of signs,
        whose mean |GᵀG z|² is ‖GᵀG‖² in expectation (Girard 1989; Hutchinson 1990): 2 m n for each. Two or more, which
        differ: the standard error of the logarithm is their standard deviation over √probes and over their mean.
    rng : of the probes.

    Returns
    -------
    LogParticipation
        nan of a matrix of zeros.

    Examples
    --------
    >>> from tdu.avalanches.spectral import log_participation
    >>> log_participation(np.ones((5, 3))).value, round(log_participation(np.eye(5)).value, 6)
    (0.0, 1.609438)
    >>> matrix = np.random.default_rng(0).normal(size=(60, 40))
    >>> found = log_participation(matrix, probes=100, rng=np.random.default_rng(1))
    >>> abs(found.value - log_participation(matrix).value) < 3 * found.error, round(found.error, 2)
    (True, 0.03)
    """
    precision = np.float32 if matrix.dtype == np.float32 else np.float64
    if not probes:
        return LogParticipation(math.log(effective_rank(matrix, precision)), 0.0)
    rng = rng or np.random.default_rng(0)
    g = matrix.astype(precision, copy=False)
    reached = g.T @ (g @ _signs(rng, (g.shape[1], probes)).astype(precision, copy=False))
    squares = np.square(reached, dtype=np.float64).sum(axis=0)
    trace, mean = np.square(g, dtype=np.float64).sum(), squares.mean()
    if not mean > 0:
        return LogParticipation(math.nan, math.nan)
    return LogParticipation(math.log(trace**2 / mean), float(squares.std(ddof=1) / math.sqrt(probes) / mean))


@lru_cache(_SHAPES)
def null_of_shape(rows: int, columns: int, probes: int = 0) -> tuple[SpectralNull, SpectralNull]:
    """The log participation ratio of `ranked` matrices with entries and signs at random, and of the signs alone.

    A constant of the shape, drawn once in a process, always the same, whatever the seed of a study: 256 draws of up to 65,536
    entries, fewer of larger matrices, whose participation scatters less, but 16. Estimates by `probes` are compared with
    estimates.

    Examples
    --------
    Independent signs have a ratio of about m n / (m + n − 1), give or take their share of 2 / (m + n − 1):

    >>> from tdu.avalanches.spectral import null_of_shape
    >>> of_ranked, of_signs = null_of_shape(30, 20)
    >>> [round(float(one), 2) for one in (of_signs.mean, np.log(600 / 49), of_signs.sd, 2 / 49)], of_signs.draws
    ([2.51, 2.51, 0.04, 0.04], 256)
    """
    if rows > columns:  # a matrix and its transpose have one spectrum, and one null
        return null_of_shape(columns, rows, probes)
    n = rows * columns
    rng = generator(0, Stage.SPECTRAL_NULL, rows, columns)
    found = np.empty((n_draws(n), 2))
    for draw in found:
        signs = _signs(rng, (rows, columns))
        ranked = half_normal(n)[rng.permutation(n)].reshape(rows, columns) * signs
        draw[:] = [log_participation(matrix, probes, rng).value for matrix in (ranked, signs)]
    means, deviations = found.mean(axis=0), found.std(axis=0, ddof=1)
    of_ranked, of_signs = (SpectralNull(float(m), float(sd), len(found)) for m, sd in zip(means, deviations, strict=True))
    return of_ranked, of_signs


def n_draws(entries: int) -> int:
    """How many draws the null of matrices of so many entries is of."""
    return min(max(_ENTRIES_DRAWN // entries, _FEWEST_DRAWS), _MOST_DRAWS)


def _signs(rng: np.random.Generator, shape: tuple[int, int]) -> Fields:
    return 2.0 * rng.integers(2, size=shape, dtype=np.int8) - 1.0
