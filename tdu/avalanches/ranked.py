"""One distribution for all fields: magnitudes by rank."""

from functools import lru_cache

import numpy as np

from tdu.kernels.elementary import quantiles_of_normal
from tdu.kernels.ranking import at_ranks
from tdu.types import Fields, Floats, Layout

_TABLES = 16  # sizes of tensors whose quantiles are kept


def ranked(fields: Fields, layout: Layout) -> Floats:
    """Fields (…, N) with the magnitudes of each tensor replaced by the half-normal quantiles of their ranks, signs kept.

    The k-th smallest |g| of n becomes the quantile at (k − ½)/n of |x|, x ~ N(0, 1): whatever the width, the epoch or the null,
    the distribution within a tensor is the same, and only the arrangement is left to tell fields apart. Where the tensors are
    not known the field is one.

    Notes
    -----
    Equal magnitudes share the mean of the quantiles at their ranks: an order among them would be that of the sites, and put
    arrangement into the field where there is none. A zero has no sign, and stays zero.

    Raises
    ------
    ValueError
        If fields and layout differ in N.

    Examples
    --------
    >>> from tdu.avalanches.ranked import ranked
    >>> field = np.array([3.0, -1e9, 0.1, -5.0, 5.0])
    >>> ranked(field, tdu.types.Layout.of({"weight": (3,), "bias": (2,)})).round(2).tolist()
    [0.67, -1.38, 0.21, -0.73, 0.73]
    """
    values = np.empty(fields.shape)
    for tensor, into in zip(layout.columns(fields), layout.columns(values), strict=True):
        np.multiply(by_rank(np.abs(tensor), half_normal(tensor.shape[-1])), np.sign(tensor), out=into)
    return values


def by_rank(magnitudes: Fields, of_rank: Floats) -> Floats:
    """What `of_rank` (n,) has at the ranks of `magnitudes` (…, n) in their row; equal ones share the mean at theirs."""
    wide = np.require(magnitudes.reshape(-1, of_rank.size), np.float64, ["C", "A", "W"])
    values = np.empty(wide.shape)
    at_ranks(np.argsort(wide), wide, of_rank, values)
    return values.reshape(magnitudes.shape)


@lru_cache(_TABLES)
def half_normal(n: int) -> Floats:
    """(n,): quantiles of |x|, x ~ N(0, 1), at (k − ½)/n for k = 1 … n, to be read only.

    They are those of the lower tail of x with the sign changed, since numbers near 0 have more digits than those near 1.
    """
    values = np.empty(n)
    quantiles_of_normal((n - np.arange(n) - 0.5) / (2 * n), -1.0, values)
    return values  # not locked: a kernel would be compiled once more for arrays that are
