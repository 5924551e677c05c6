"""Scalar measures of a field or of the parameters, taken while training runs."""

import math

from tdu._jit import kernel


@kernel
def bucket(value, scale, n):
    """Number of the bucket of |value|, the last of n at most; what is not finite goes to the first."""
    position = abs(value) * scale
    return min(int(position), n - 1) if position >= 0.0 and position < math.inf else 0


@kernel
def sort_magnitudes(values, places, magnitudes):
    """Fill `magnitudes` (n,) with |values|, ascending; `places`, a number for each bucket and one more, is overwritten.

    Values are dealt to buckets of equal width, about two a value, and put in order by insertion, which then has only the few in
    a bucket to look at.
    """
    n, n_buckets = values.size, places.size - 1
    largest = 0.0
    for i in range(n):
        largest = max(largest, abs(values[i]))
    scale = (n_buckets - 1) / largest if largest > 0.0 else 0.0
    for k in range(places.size):
        places[k] = 0
    for i in range(n):
        places[bucket(values[i], scale, n_buckets) + 1] += 1
    for k in range(n_buckets):
        places[k + 1] += places[k]
    for i in range(n):
        k = bucket(values[i], scale, n_buckets)
        magnitudes[places[k]] = abs(values[i])
        places[k] += 1
    for i in range(1, n):
        magnitude = magnitudes[i]
        j = i
        while j > 0 and magnitudes[j - 1] > magnitude:
            magnitudes[j] = magnitudes[j - 1]
            j -= 1
        magnitudes[j] = magnitude


@kernel
def sum_by_halves(values):
    """Sum of `values` (n,), which are overwritten: the second half is added to the first until one is left.

    The order is fixed, the additions of a round are independent, and rounding grows with log n.
    """
    n = values.size
    while n > 1:
        half = (n + 1) // 2
        for i in range(n - half):
            values[i] += values[half + i]
        n = half
    return values[0]


@kernel
def gini(magnitudes, scratch):
    """Gini coefficient of `magnitudes` (n,), non-negative and ascending; 0 where all are equal (or all zero)."""
    n = magnitudes.size
    for i in range(n):
        scratch[i] = (i + 1) * magnitudes[i]
    weighted = sum_by_halves(scratch)
    for i in range(n):
        scratch[i] = magnitudes[i]
    total = sum_by_halves(scratch)
    if total == 0.0:
        return 0.0
    return 2.0 * weighted / (n * total) - (n + 1) / n


@kernel
def norm(values, scratch):
    """Euclidean norm of `values` (n,)."""
    for i in range(values.size):
        scratch[i] = values[i] * values[i]
    return math.sqrt(sum_by_halves(scratch))


@kernel
def angle(a, b, scratch):
    """Angle between `a` and `b` (n,) in radians, nan where one of them is zero; `scratch` (n,) is overwritten.

    By the chord between the unit vectors (Kahan), which keeps small angles that an arc cosine would round away.
    """
    norm_a = norm(a, scratch)
    norm_b = norm(b, scratch)
    if norm_a == 0.0 or norm_b == 0.0:
        return math.nan
    scale_a = 1.0 / norm_a
    scale_b = 1.0 / norm_b
    for i in range(a.size):
        difference = a[i] * scale_a - b[i] * scale_b
        scratch[i] = difference * difference
    chord = sum_by_halves(scratch)
    for i in range(a.size):
        both = a[i] * scale_a + b[i] * scale_b
        scratch[i] = both * both
    return 2.0 * math.atan2(math.sqrt(chord), math.sqrt(sum_by_halves(scratch)))
