"""Scalar measures of a field or of the parameters, taken while training runs."""

import math

from tdu._jit import kernel


@kernel
def gini(values, scratch):
    """Gini coefficient of |values| (n,), 0 where all are equal (or all zero); scratch (n,) is overwritten."""
    n = values.size
    for i in range(n):
        scratch[i] = abs(values[i])
    scratch.sort()
    total = 0.0
    weighted = 0.0
    for i in range(n):
        total += scratch[i]
        weighted += (i + 1) * scratch[i]
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
