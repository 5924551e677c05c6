"""Scalar measures of a field or of the parameters, taken while training runs."""

import math

from tdu._jit import kernel


@kernel
def sort_magnitudes(values, order, magnitudes):
    """Fill `magnitudes` (n,) with |values|, ascending, and `order` with where each comes from.

    `order` (n,) int64 comes in as the permutation of the last call: values that change little between calls are all but
    sorted by it, and insertion then costs hardly more than a pass. The first call takes ``np.argsort``'s.
    """
    for i in range(values.size):
        site = order[i]
        magnitude = abs(values[site])
        j = i
        while j > 0 and magnitudes[j - 1] > magnitude:
            magnitudes[j] = magnitudes[j - 1]
            order[j] = order[j - 1]
            j -= 1
        magnitudes[j] = magnitude
        order[j] = site


@kernel
def gini(magnitudes):
    """Gini coefficient of `magnitudes` (n,), non-negative and ascending; 0 where all are equal (or all zero)."""
    n = magnitudes.size
    total = 0.0
    weighted = 0.0
    for i in range(n):
        total += magnitudes[i]
        weighted += (i + 1) * magnitudes[i]
    if total == 0.0:
        return 0.0
    return 2.0 * weighted / (n * total) - (n + 1) / n


@kernel
def angle(a, b):
    """Angle between `a` and `b` (n,) in radians, nan where one of them is zero.

    By the chord between the unit vectors (Kahan), which keeps small angles that an arc cosine would round away.
    """
    norm_a = 0.0
    norm_b = 0.0
    for i in range(a.size):
        norm_a += a[i] * a[i]
        norm_b += b[i] * b[i]
    if norm_a == 0.0 or norm_b == 0.0:
        return math.nan
    norm_a = math.sqrt(norm_a)
    norm_b = math.sqrt(norm_b)
    chord = 0.0
    sum_ = 0.0
    for i in range(a.size):
        u = a[i] / norm_a
        v = b[i] / norm_b
        chord += (u - v) * (u - v)
        sum_ += (u + v) * (u + v)
    return 2.0 * math.atan2(math.sqrt(chord), math.sqrt(sum_))
