"""Scalar measures of a field or of the parameters, taken while training runs."""

import math

import numpy as np

from tdu._jit import kernel
from tdu._llvm import LANES, sums, sums_of_products, sums_of_squares
from tdu.kernels.elementary import arcsine

_ONE = np.uint32(1)
_CANCELLED = 0.01  # share of a difference of squares below which its rounding would show in an angle
STRIP = 512  # entries whose differences are held at a time
_MOST_SORTED_BY_INSERTION = 512  # up to so many values, insertion sort from the previous order beats bucketing


@kernel
def added(lanes):
    """The sum of eight `lanes`: first those four apart, then two apart, then the two."""
    a, b, c, d, e, f, g, h = lanes
    return ((a + e) + (c + g)) + ((b + f) + (d + h))


@kernel
def add_up(values):
    """Sum of `values` (n,): in eight lanes, and then those beyond the last whole eight one by one."""
    total = added(sums(values)[0])
    for i in range(values.size - values.size % LANES, values.size):
        total += values[i]
    return total


@kernel
def dot(a, b):
    """Sum of the products of `a` and `b` (n,), in the order of `add_up`."""
    total = added(sums_of_products(a, b)[0])
    for i in range(a.size - a.size % LANES, a.size):
        total += np.float64(a[i]) * b[i]
    return total


@kernel
def largest_by_halves(values):
    """Largest of `values` (n,), which are overwritten: halves are reduced to their pairwise maxima until one value is left."""
    n = values.size
    while n > 1:
        half = (n + 1) // 2
        for i in range(n - half):
            values[i] = values[half + i] if values[half + i] > values[i] else values[i]
        n = half
    return values[0]


@kernel
def all_within(values, largest):
    """Whether all of `values` (n,) are numbers, of at most the `largest` magnitude."""
    good = 0
    for i in range(values.size):
        good += abs(values[i]) <= largest
    return good == values.size


@kernel
def fill_buckets(values, largest, places, magnitudes):
    """Fill `magnitudes` (n,) with |values|, sorted into buckets of equal width; return the size of the fullest bucket.

    The values are finite, and the `largest` magnitude is not 0. `places`, uint32, one entry a bucket, is overwritten. Within a
    bucket the order is that of `values`.
    """
    scale = (places.size - 1) / max(largest, 1e-290)  # finite for subnormal numbers, too
    for k in range(places.size):
        places[k] = 0
    for i in range(values.size):
        places[np.uint32(abs(values[i]) * scale)] += _ONE
    begin = np.uint32(0)
    fullest = np.uint32(0)
    for k in range(places.size):
        number = places[k]
        fullest = number if number > fullest else fullest
        places[k] = begin
        begin += number
    for i in range(values.size):
        k = np.uint32(abs(values[i]) * scale)
        magnitudes[places[k]] = abs(values[i])
        places[k] += _ONE
    return int(fullest)


@kernel
def put_in_order(values, order, magnitudes):
    """Sort the permutation `order` (n,) uint32 by |values| (n,), which fill `magnitudes`; fast if it is nearly sorted."""
    largest = 0.0
    for k in range(values.size):
        i = order[k]
        magnitude = abs(values[i])
        place = k
        if magnitude < largest:
            while place > 0 and magnitudes[place - 1] > magnitude:
                magnitudes[place] = magnitudes[place - 1]
                order[place] = order[place - 1]
                place -= 1
        else:
            largest = magnitude
        magnitudes[place] = magnitude
        order[place] = i


@kernel
def gini(values, order, magnitudes, scratch):
    """Gini coefficient of |values| (n,); 0 where all are equal or zero, nan where one is not finite.

    Of sorted values it is 2 Σ i x_i / (n Σ x) − (n + 1)/n. A few values are sorted. Many are only bucketed: the sum Σ i x_i
    then falls short by x_j − x_i for every inverted pair, x_j > x_i with j before i. Both are in one bucket, so that they
    are close together, and the corrections need no branch.

    `order` (n,) uint32 is a permutation, best that of the previous call, whose values differ little.
    `magnitudes` and `scratch` (n,) are overwritten.
    """
    n = values.size
    for i in range(n):
        scratch[i] = abs(values[i])
    total = add_up(scratch)
    if total == 0.0 or not total < math.inf:
        return 0.0 if total == 0.0 else math.nan
    if n <= _MOST_SORTED_BY_INSERTION:
        fullest = 1
        put_in_order(values, order, magnitudes)
    else:
        for i in range(n):
            scratch[i] = abs(values[i])
        fullest = fill_buckets(values, largest_by_halves(scratch), order, magnitudes)
    for i in range(n):  # 32 bits, as those of `order`, become float64 by an instruction of vectors; 64 only on few processors
        scratch[i] = np.float64(np.uint32(i + 1)) * magnitudes[i]
    for apart in range(1, fullest):
        earlier, later, shortfall = magnitudes[: n - apart], magnitudes[apart:], scratch[apart:]
        for i in range(n - apart):
            wrong = earlier[i] - later[i]
            shortfall[i] += wrong if wrong > 0.0 else 0.0
    return 2.0 * add_up(scratch) / (n * total) - (n + 1) / n


@kernel
def squares(a, b):
    """Σ a², Σ b² and Σ (a − b)² of `a` and `b` (n,), read once, each in the order of `add_up`."""
    lanes_a, lanes_b, lanes_difference = sums_of_squares(a, b)
    of_a, of_b, of_difference = added(lanes_a), added(lanes_b), added(lanes_difference)
    for i in range(a.size - a.size % LANES, a.size):
        x, y = np.float64(a[i]), np.float64(b[i])
        of_a += x * x
        of_b += y * y
        of_difference += (x - y) * (x - y)
    return of_a, of_b, of_difference


@kernel
def distance(a, scale_a, b, scale_b, strip):
    """Euclidean distance of `a` times `scale_a` from `b` times `scale_b`, both (n,): squares are added up strip by strip.

    strip (`STRIP`,) float64, or of n entries if these are fewer, is overwritten.
    """
    total = 0.0
    for first in range(0, a.size, STRIP):
        rest = min(STRIP, a.size - first)
        of_a, of_b = a[first : first + rest], b[first : first + rest]
        for i in range(rest):
            strip[i] = np.float64(of_a[i]) * scale_a - np.float64(of_b[i]) * scale_b
        total += dot(strip[:rest], strip[:rest])
    return math.sqrt(total)


@kernel
def angle(a, b, strip):
    """Angle between `a` and `b` (n,) in radians, nan where one of them is zero."""
    return angle_of(half_chord(a, b, strip))


@kernel
def angle_of(half):
    """The angle of a half chord, as `half_chord` gives it."""
    acute = 2.0 * arcsine(abs(half))
    return math.pi - acute if math.copysign(1.0, half) < 0.0 else acute


@kernel
def half_chord(a, b, strip):
    """Half the chord between the unit vectors along `a` and `b`; if nearly opposed, minus half of that to the opposite of one.

    nan where one of them is zero. The chord is (|a − b|² − (|a| − |b|)²) / |a| |b| when squared. Where nearly all of that
    cancels, as of vectors that are nearly parallel, the unit vectors are subtracted entry by entry (Kahan), which keeps small
    angles; so they are, to the opposite, where they are nearly opposed.
    """
    of_a, of_b, of_difference = squares(a, b)
    if of_a == 0.0 or of_b == 0.0:
        return math.nan
    norm_a, norm_b = math.sqrt(of_a), math.sqrt(of_b)
    along = (of_a - of_b) / (norm_a + norm_b)
    across = of_difference - along * along
    chord = math.sqrt(max(across, 0.0) / norm_a / norm_b)
    if across < _CANCELLED * of_difference:
        chord = distance(a, 1.0 / norm_a, b, 1.0 / norm_b, strip)
    if chord <= math.sqrt(2.0):
        return 0.5 * chord
    return -0.5 * distance(a, 1.0 / norm_a, b, -1.0 / norm_b, strip)
