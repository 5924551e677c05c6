"""The self-organizing threshold: a quantile of |g| by selection, with the bits of ``np.quantile``."""

import numpy as np

from tdu._jit import kernel


@kernel
def select(values, rank):
    """Reorder `values` (n,) in place so that ``values[rank]`` is its rank-th smallest, all before it ≤, all behind it ≥."""
    low = 0
    high = values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i = low
        j = high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            return


@kernel
def magnitude_quantile(field, level, scratch):
    """Quantile of |field| at `level` in (0, 1), linear between order statistics: ``np.quantile(np.abs(field), level)``.

    field (n,) float64, n ≥ 1, is left alone; scratch (n,) float64 is overwritten.
    """
    n = field.size
    for i in range(n):
        scratch[i] = abs(field[i])
    position = (n - 1) * level
    rank = int(position)
    weight = position - rank
    select(scratch, rank)
    below = scratch[rank]
    if rank + 1 == n:
        return below
    above = np.inf
    for i in range(rank + 1, n):
        if scratch[i] < above:
            above = scratch[i]
    # NumPy interpolates from the nearer end, which decides the last bit.
    if weight >= 0.5:
        return above - (above - below) * (1 - weight)
    return below + (above - below) * weight
