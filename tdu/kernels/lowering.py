"""The first part of a step of an avalanche: the active sites are found and lowered, and their rows are kept for their shares.

Found by one bit a site, of those above the threshold: by a vectorised look at all sites, or by marks that shares have left.
All sites are lowered before any share arrives: that is what makes the step synchronous. A range of sites can be lowered alone.
"""

import numpy as np

from tdu._jit import kernel, trailing_zeros
from tdu._llvm import bit_count, bits_above, rest

_SIX, _LOW = np.uint64(6), np.uint64(63)
_NONE, _BIT, _EIGHT = np.uint64(0), np.uint64(1), np.uint64(8)
_ONE_SITE = np.uint32(1)
_STRIP = 2048  # sites that are listed before they are lowered, while they are in the first level of the cache


@kernel
def lower(field, begins, alpha, threshold, i, a, begin, degree, share):
    """Take ``alpha`` of its field from site `i`, the a-th active; record its row and what each neighbour gains.

    A site without neighbours gives all of it away, out of the system. Returns whether the site is still above the threshold,
    and its degree.
    """
    given = alpha * field[i]
    value = field[i] - given
    field[i] = value
    begin[a] = begins[i]
    n_neighbours = np.uint32(begins[i + _BIT] - begins[i])
    degree[a] = n_neighbours
    share[a] = given / max(n_neighbours, _ONE_SITE)
    return np.uint64(abs(value) > threshold), n_neighbours


@kernel
def bits_at_end(field, threshold, first, last):
    """As `bits_above`, of the less than 64 sites [first, last)."""
    word = _NONE
    for bit in range(last - first):
        word |= np.uint64(abs(field[first + bit]) > threshold) << np.uint64(bit)
    return word


@kernel
def mark_above(field, threshold, marks):
    """Mark the sites above the threshold, and no others."""
    n = field.size
    whole = n - n % 64
    for first in range(0, whole, 64):
        marks[first // 64] = bits_above(field, first, threshold)
    if whole < n:
        marks[whole // 64] = bits_at_end(field, threshold, whole, n)


@kernel
def lower_near(field, begins, alpha, threshold, begin, degree, share, marks, toppled):
    """`lower` the sites that are marked and above the threshold, one as soon as it is found; for fields near in the cache.

    All sites are lowered before any share arrives: that is what makes the step synchronous. Marks are set to those that are
    still above. Returns how many were active, how many of these are isolated, and the ends of edges in their rows.
    """
    n_active = _NONE
    n_isolated = 0
    n_ends = 0
    for w in range(marks.size):
        word = marks[w]
        if word != 0:
            active = _NONE
            still = _NONE
            while word != 0:
                bit = np.uint64(trailing_zeros(word))
                word = rest(word)
                i = np.uint64(64 * w) + bit
                if abs(field[i]) > threshold:
                    active |= _BIT << bit
                    above, n_neighbours = lower(field, begins, alpha, threshold, i, n_active, begin, degree, share)
                    still |= above << bit
                    n_isolated += n_neighbours == 0
                    n_ends += n_neighbours
                    n_active += _BIT
            toppled[w] |= active
            marks[w] = still
    return np.int64(n_active), n_isolated, n_ends


@kernel
def list_above(field, threshold, low, high, n_listed, sites, marks, toppled):
    """Append the sites of [low, high) that are above the threshold to the `n_listed`; return their new number.

    Eight of a word at a time, of which those too many are overwritten by the next: a processor guesses wrong where a loop over
    the bits of a word ends. Their marks are taken away. `low` is a multiple of 64.
    """
    whole = high - (high - low) % 64
    for first in range(low, whole, 64):
        word = bits_above(field, first, threshold)
        toppled[first // 64] |= word
        marks[first // 64] = _NONE
        number = bit_count(word)
        for k in range(_NONE, number, _EIGHT):
            for j in range(8):
                sites[n_listed + k + np.uint64(j)] = np.uint64(first) + np.uint64(trailing_zeros(word))
                word = rest(word)
        n_listed += number
    if whole < high:
        word = bits_at_end(field, threshold, whole, high)
        toppled[whole // 64] |= word
        marks[whole // 64] = _NONE
        while word != 0:
            sites[n_listed] = np.uint64(whole) + np.uint64(trailing_zeros(word))
            word = rest(word)
            n_listed += _BIT
    return n_listed


@kernel
def list_marked(field, threshold, low, high, sites, marks, toppled):
    """As `list_above`, of the sites that are marked: shares may have taken them below the threshold again."""
    n_listed = _NONE
    for w in range(low // 64, (high + 63) // 64):
        word = marks[w]
        if word != 0:
            marks[w] = _NONE
            active = _NONE
            while word != 0:
                bit = np.uint64(trailing_zeros(word))
                word = rest(word)
                i = np.uint64(64 * w) + bit
                above = np.uint64(abs(field[i]) > threshold)
                active |= above << bit
                sites[n_listed] = i
                n_listed += above
            toppled[w] |= active
    return n_listed


@kernel
def lower_listed(field, begins, alpha, threshold, first, last, begin, degree, share, marks):
    """`lower` the sites that stand in `begin`, from the `first` up to the `last`; isolated ones, and the ends in all rows."""
    n_isolated = 0
    n_ends = 0
    for a in range(first, last):
        i = np.uint64(begin[a])
        above, n_neighbours = lower(field, begins, alpha, threshold, i, a, begin, degree, share)
        marks[i >> _SIX] |= above << (i & _LOW)
        n_isolated += n_neighbours == 0
        n_ends += n_neighbours
    return n_isolated, n_ends


@kernel
def lower_above(field, begins, alpha, threshold, low, high, begin, degree, share, marks, toppled):
    """As `lower_near`, the sites of [low, high) that are found by a look at all: listed, then lowered, strip by strip."""
    n_active = _NONE
    n_isolated = 0
    n_ends = 0
    for strip in range(low, high, _STRIP):
        before = n_active
        n_active = list_above(field, threshold, strip, min(strip + _STRIP, high), n_active, begin, marks, toppled)
        isolated, ends = lower_listed(field, begins, alpha, threshold, before, n_active, begin, degree, share, marks)
        n_isolated += isolated
        n_ends += ends
    return np.int64(n_active), n_isolated, n_ends


@kernel
def lower_marked(field, begins, alpha, threshold, low, high, begin, degree, share, marks, toppled):
    """As `lower_above`, but only sites that are marked are looked at."""
    n_active = list_marked(field, threshold, low, high, begin, marks, toppled)
    n_isolated, n_ends = lower_listed(field, begins, alpha, threshold, _NONE, n_active, begin, degree, share, marks)
    return np.int64(n_active), n_isolated, n_ends
