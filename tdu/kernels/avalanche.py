"""Threshold-driven diffusion of a gradient field on a graph: one avalanche (arXiv:2604.04655, eq. 1).

A step has three parts: the active sites are lowered, their shares are pushed to the neighbours, and the sites now above the
threshold are found, by one bit a site. While many sites are active, the bits come from a vectorised scan of all sites; once few
are, each share sets the bit of the site it reaches. The parts take a range of sites, so that threads can share one field.

Sites and rows are unsigned: a signed index would be tested for a negative value, which counts from the end, at every access.
"""

from typing import NamedTuple

import numpy as np

from tdu._jit import kernel, trailing_zeros

_ONE, _SIX, _LOW = np.uint32(1), np.uint32(6), np.uint32(63)
_NONE, _BIT = np.uint64(0), np.uint64(1)


class Work(NamedTuple):
    """Work space of an avalanche on n sites, overwritten; only what the avalanche touches is ever written.

    active (n,) uint32, the sites of a step in ascending order; begin and end (n,) uint64, their rows; share (n,) what each
    neighbour gains; marks (⌈n/64⌉,) uint64, a bit for every site that came to lie above the threshold; toppled (n,) uint8.
    """

    active: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    share: np.ndarray
    marks: np.ndarray
    toppled: np.ndarray


def workspace(n):
    """Work space for n sites, allocated by NumPy because it puts large arrays in large pages, which kernels do not."""
    return Work(
        np.empty(n, np.uint32), np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n),
        np.empty((n + 63) // 64, np.uint64), np.empty(n, np.uint8),
    )  # fmt: skip


@kernel
def mark_above(field, threshold, low, high, marks):
    """Set the marks of [low, high): on where ``|field| > threshold``, else off; `low` is a multiple of 64."""
    for w in range(low // 64, (high + 63) // 64):
        word = _NONE
        first = 64 * w
        for bit in range(min(64, high - first)):
            word |= np.uint64(abs(field[first + bit]) > threshold) << np.uint64(bit)
        marks[w] = word


@kernel
def find_marked(field, threshold, marks, low, high, active):
    """Write the sites of [low, high) that are marked, and still above the threshold, to `active`, in ascending order.

    Their marks are cleared; `low` is a multiple of 64. Returns how many there are.
    """
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
def lower(field, indptr, alpha, threshold, n_active, active, begin, end, share, marks, toppled):
    """Take ``alpha`` of their field from the first `n_active` of `active`; record their rows and what each neighbour gains.

    All sites are lowered before any share arrives: that is what makes the step synchronous. Those still above the threshold
    are marked. A site without neighbours gives all of it away, out of the system. Returns how many of those there are.
    """
    n_isolated = 0
    for a in range(n_active):
        i = active[a]
        given = alpha * field[i]
        value = field[i] - given
        field[i] = value
        marks[i >> _SIX] |= np.uint64(abs(value) > threshold) << np.uint64(i & _LOW)
        toppled[i] = 1
        begin[a] = indptr[i]
        end[a] = indptr[i + _ONE]
        degree = indptr[i + _ONE] - indptr[i]
        n_isolated += degree == 0
        share[a] = given / max(degree, 1)
    return n_isolated


@kernel
def shed(n_active, begin, end, share, dissipated):
    """`dissipated` plus what isolated sites shed out of the system, added one by one."""
    for a in range(n_active):
        if begin[a] == end[a]:
            dissipated += share[a]
    return dissipated


@kernel
def push(field, indices, n_active, begin, end, share):
    """Add the shares to the neighbours, in ascending order of active sites and along each row."""
    for a in range(n_active):
        due = share[a]
        for e in range(begin[a], end[a]):
            field[indices[e]] += due


@kernel
def add_marking(field, threshold, j, due, marks):
    """Add the share `due` to site `j`, and mark the site if it is then above the threshold.

    Without a branch: one that depends on a value from far away in memory is mispredicted.
    """
    value = field[j] + due
    field[j] = value
    marks[j >> _SIX] |= np.uint64(abs(value) > threshold) << np.uint64(j & _LOW)


@kernel
def push_marking(field, indices, threshold, n_active, begin, end, share, marks):
    """As `push`, marking the sites that are then above the threshold."""
    for a in range(n_active):
        due = share[a]
        for e in range(begin[a], end[a]):
            add_marking(field, threshold, indices[e], due, marks)


@kernel
def push_within(field, indices, threshold, low, high, n_active, begin, end, share, marks):
    """As `push_marking`, but only to the sites of [low, high), while other threads push to theirs.

    Rows are sorted, so each is read from the end where this thread's sites lie, and left at the first site of another thread.
    """
    if low == 0:
        for a in range(n_active):
            for e in range(begin[a], end[a]):
                j = indices[e]
                if j >= high:
                    break
                add_marking(field, threshold, j, share[a], marks)
    else:
        for a in range(n_active):
            e = end[a]
            while e > begin[a]:
                e -= _BIT
                j = indices[e]
                if j < low:
                    break
                if j < high:
                    add_marking(field, threshold, j, share[a], marks)


@kernel
def marking_limit(n_sites, n_ends):
    """Up to how many active sites it costs less to mark what their shares reach than to scan every site."""
    return 16 + n_sites * (n_sites / (8.0 * max(n_ends, 1)))


@kernel
def relax(field, indptr, indices, alpha, threshold, max_steps, profile, work):
    """Let the avalanche run until no site is active, or for `max_steps` steps; `field` (n,) is relaxed in place.

    indptr (n+1,) int64, indices (2E,) uint32, rows sorted. Overwritten: profile (max_steps,) int64, topplings a step, 0
    after the last; `work`. Returns size, duration, extent, peak, dissipated, capped.
    """
    n = field.size
    limit = marking_limit(n, indices.size)
    active, begin, end, share, marks, toppled = work
    toppled[:] = 0
    profile[:] = 0
    duration = 0
    dissipated = 0.0
    mark_above(field, threshold, 0, n, marks)
    n_active = find_marked(field, threshold, marks, 0, n, active)
    # Two loops, not one with a branch: as one, a small avalanche takes twice as long.
    while n_active > limit and duration < max_steps:
        profile[duration] = n_active
        duration += 1
        if lower(field, indptr, alpha, threshold, n_active, active, begin, end, share, marks, toppled) > 0:
            dissipated = shed(n_active, begin, end, share, dissipated)
        push(field, indices, n_active, begin, end, share)
        mark_above(field, threshold, 0, n, marks)
        n_active = find_marked(field, threshold, marks, 0, n, active)
    while n_active > 0 and duration < max_steps:
        profile[duration] = n_active
        duration += 1
        if lower(field, indptr, alpha, threshold, n_active, active, begin, end, share, marks, toppled) > 0:
            dissipated = shed(n_active, begin, end, share, dissipated)
        push_marking(field, indices, threshold, n_active, begin, end, share, marks)
        n_active = find_marked(field, threshold, marks, 0, n, active)
    size = 0
    peak = 0
    for step in range(duration):
        size += profile[step]
        peak = max(peak, profile[step])
    return size, duration, count(toppled), peak, dissipated, n_active > 0


@kernel
def copy(source, target):
    """Fill `target` with `source`; a slice assignment would first check for overlap."""
    for i in range(source.size):
        target[i] = source[i]


@kernel
def count(flags):
    """How many of `flags` (n,) uint8 are set."""
    total = 0
    for i in range(flags.size):
        total += flags[i] != 0
    return total
