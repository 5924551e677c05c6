"""Threshold-driven diffusion of a gradient field on a graph: one avalanche (arXiv:2604.04655, eq. 1).

A step has three parts: the active sites are lowered, their shares are pushed to the neighbours, and the sites now above the
threshold are found. Sites above it are all among those that changed, so that after a first look at the whole field only
marked ones are looked at. Every part takes a range of sites, for threads that share one field: each changes its own sites
only, in the same order of additions, and the bits are those of a single thread.

Sites are unsigned 32-bit: with signed ones every access would first ask whether it counts from the end.
"""

from typing import NamedTuple

import numpy as np

from tdu._jit import kernel, trailing_zeros

_ONE, _SIX, _LOW = np.uint32(1), np.uint32(6), np.uint32(63)
_BIT = np.uint64(1)
#: Sites beyond which marks no longer stay in cache: asking first is then cheaper than marking always.
FAR = 1 << 21


class Work(NamedTuple):
    """Work space of an avalanche on n sites, overwritten; only what the avalanche touches is ever written.

    active (n,) uint32, the sites of a step in ascending order; begin and end (n,) int64, their rows; share (n,) what each
    neighbour is due; marks (⌈n/64⌉,) uint64, a bit for every site that came to lie above the threshold; toppled (n,) uint8.
    """

    active: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    share: np.ndarray
    marks: np.ndarray
    toppled: np.ndarray


@kernel
def workspace(n):
    """Work space for n sites."""
    return Work(
        np.empty(n, np.uint32), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n), np.empty((n + 63) // 64, np.uint64),
        np.empty(n, np.uint8),
    )  # fmt: skip


@kernel
def find_above(field, threshold, low, high, active):
    """Write the sites of [low, high) with ``|field| > threshold`` to `active`, in ascending order; return how many."""
    count = 0
    for i in range(np.uint32(low), np.uint32(high)):
        active[count] = i
        count += abs(field[i]) > threshold
    return count


@kernel
def find_marked(field, threshold, marks, low, high, active):
    """As `find_above`, looking at marked sites only, and clearing their marks; `low` is a multiple of 64."""
    count = 0
    for w in range(low // 64, (high + 63) // 64):
        word = marks[w]
        if word != 0:
            marks[w] = 0
            while word != 0:
                i = np.uint32(64 * w + trailing_zeros(word))
                word &= word - _BIT
                active[count] = i
                count += abs(field[i]) > threshold
    return count


@kernel
def lower(field, indptr, alpha, n_active, active, begin, end, share, toppled):
    """Take ``alpha`` of their field from the first `n_active` of `active`; note what each neighbour is due, and their rows.

    All sites are lowered before any share arrives: that is what makes the step synchronous. The share of a site without
    neighbours, which has nobody to go to, is the whole. Returns how many of those there are.
    """
    n_isolated = 0
    for a in range(n_active):
        i = active[a]
        given = alpha * field[i]
        field[i] -= given
        toppled[i] = 1
        begin[a] = indptr[i]
        end[a] = indptr[i + _ONE]
        degree = end[a] - begin[a]
        n_isolated += degree == 0
        share[a] = given / max(degree, 1)
    return n_isolated


@kernel
def shed(n_active, begin, end, share, dissipated):
    """`dissipated` and, added to it one by one, what isolated sites shed out of the system."""
    for a in range(n_active):
        if begin[a] == end[a]:
            dissipated += share[a]
    return dissipated


@kernel
def push(field, indices, threshold, n_active, active, begin, end, share, marks):
    """Add the shares to the neighbours, by ascending active site and along its row; mark what is left above the threshold.

    Marks are set without asking, since a branch that depends on a value from far away is one the processor guesses wrong.
    """
    for a in range(n_active):
        i = active[a]
        marks[i >> _SIX] |= np.uint64(abs(field[i]) > threshold) << np.uint64(i & _LOW)
        for e in range(begin[a], end[a]):
            j = indices[e]
            value = field[j] + share[a]
            field[j] = value
            marks[j >> _SIX] |= np.uint64(abs(value) > threshold) << np.uint64(j & _LOW)


@kernel
def push_far(field, indices, threshold, n_active, active, begin, end, share, marks, low, high):
    """As `push`, to the sites of [low, high) only, and for fields so large that the marks are out of cache as well."""
    for a in range(n_active):
        i = active[a]
        if low <= i < high and abs(field[i]) > threshold:
            marks[i >> _SIX] |= _BIT << np.uint64(i & _LOW)
        for e in range(begin[a], end[a]):
            j = indices[e]
            if j < low:
                continue
            if j >= high:  # rows are sorted
                break
            value = field[j] + share[a]
            field[j] = value
            if abs(value) > threshold:
                marks[j >> _SIX] |= _BIT << np.uint64(j & _LOW)


@kernel
def relax(field, indptr, indices, alpha, threshold, max_steps, profile, work):
    """Let the avalanche run until no site is active, or for `max_steps` steps; `field` (n,) is relaxed in place.

    indptr (n+1,) int64, indices (2E,) uint32, rows sorted. Overwritten: profile (max_steps,) int64, topplings a step, zeros
    behind the last; `work`. Returns size, duration, extent, peak, dissipated, capped.
    """
    n = field.size
    profile[:] = 0
    work.toppled[:] = 0
    work.marks[:] = 0
    size = 0
    duration = 0
    peak = 0
    dissipated = 0.0
    n_active = find_above(field, threshold, 0, n, work.active)
    while n_active > 0 and duration < max_steps:
        # No slices here: making an array costs as much as a step of a small avalanche.
        if lower(field, indptr, alpha, n_active, work.active, work.begin, work.end, work.share, work.toppled) > 0:
            dissipated = shed(n_active, work.begin, work.end, work.share, dissipated)
        if n < FAR:
            push(field, indices, threshold, n_active, work.active, work.begin, work.end, work.share, work.marks)
        else:
            push_far(field, indices, threshold, n_active, work.active, work.begin, work.end, work.share, work.marks, 0, n)
        profile[duration] = n_active
        size += n_active
        peak = max(peak, n_active)
        duration += 1
        n_active = find_marked(field, threshold, work.marks, 0, n, work.active)
    return size, duration, count(work.toppled), peak, dissipated, n_active > 0


@kernel
def copy(source, target):
    """Fill `target` with `source`; a slice assignment would first ask whether the two overlap."""
    for i in range(source.size):
        target[i] = source[i]


@kernel
def count(flags):
    """How many of `flags` (n,) uint8 are set."""
    total = 0
    for i in range(flags.size):
        total += flags[i]
    return total
