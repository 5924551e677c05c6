"""Threshold-driven diffusion of a gradient field on a graph: one avalanche (arXiv:2604.04655, eq. 1).

A step has two parts: the active sites are found and lowered, and then their shares are pushed to the neighbours. Active sites
are found by one bit a site. While shares reach many sites, the bits come from a vectorised scan of all sites; once they reach
few, each share sets the bit of the site it reaches. The parts take a range of sites, so that threads can share one field.

Sites and rows are unsigned: a signed index would be tested for a negative value, which counts from the end, at every access.

Fields are of float64, or of float32 where shares, α and the threshold are too: sums over many sites are of float64 in both.
"""

from typing import NamedTuple

import numpy as np

from tdu._jit import kernel, trailing_zeros
from tdu._llvm import bit_count, prefetch

_SIX, _LOW = np.uint64(6), np.uint64(63)
_NONE, _BIT = np.uint64(0), np.uint64(1)
_ONE_SITE = np.uint32(1)
_AHEAD = 16  # rows from the one pushed to the one prefetched
#: On fewer sites, everything stays in the first levels of the cache, where a branch costs less than a bit set in vain.
_FEW_SITES = 10_000


class Work(NamedTuple):
    """Work space of an avalanche on n sites, overwritten; only what the avalanche touches is ever written.

    begin (n,), of the type of `Graph.begins`, and degree (n,) uint32, the rows of the sites of a step in ascending order;
    share (n,), of the field's type, what each neighbour gains; marks (⌈n/64⌉,) uint64, a bit for every site that came to lie
    above the threshold; toppled (⌈n/64⌉,) uint64, likewise.
    """

    begin: np.ndarray
    degree: np.ndarray
    share: np.ndarray
    marks: np.ndarray
    toppled: np.ndarray


def workspace(begins, kind=np.float64):
    """Work space for the n sites of a graph with a field of a `kind`.

    By NumPy, which puts large arrays in large pages, as kernels do not.
    """
    n = begins.size - 1
    words = (n + 63) // 64
    return Work(
        np.empty(n, begins.dtype), np.empty(n, np.uint32), np.empty(n, kind),
        np.empty(words, np.uint64), np.empty(words, np.uint64),
    )  # fmt: skip


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
def lower_above(field, begins, alpha, threshold, low, high, begin, degree, share, marks, toppled):
    """`lower` the sites of [low, high) that are above the threshold, found by a look at all; `low` is a multiple of 64.

    All sites are lowered before any share arrives: that is what makes the step synchronous. Marks are set to those that are
    still above. Returns how many were active, how many of these are isolated, and the ends of edges in their rows.
    """
    n_active = _NONE
    n_isolated = 0
    n_ends = 0
    for w in range(low // 64, (high + 63) // 64):
        word = _NONE
        first = 64 * w
        for bit in range(min(64, high - first)):
            word |= np.uint64(abs(field[first + bit]) > threshold) << np.uint64(bit)
        toppled[w] |= word
        still = _NONE
        while word != 0:
            bit = np.uint64(trailing_zeros(word))
            word &= word - _BIT
            above, n_neighbours = lower(field, begins, alpha, threshold, np.uint64(first) + bit, n_active, begin, degree, share)
            still |= above << bit
            n_isolated += n_neighbours == 0
            n_ends += n_neighbours
            n_active += _BIT
        marks[w] = still
    return np.int64(n_active), n_isolated, n_ends


@kernel
def lower_marked(field, begins, alpha, threshold, low, high, begin, degree, share, marks, toppled):
    """As `lower_above`, but only sites that are marked are looked at: shares may have taken them below the threshold again."""
    n_active = _NONE
    n_isolated = 0
    n_ends = 0
    for w in range(low // 64, (high + 63) // 64):
        word = marks[w]
        if word != 0:
            active = _NONE
            still = _NONE
            while word != 0:
                bit = np.uint64(trailing_zeros(word))
                word &= word - _BIT
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
def shed(n_active, degree, share, dissipated):
    """`dissipated` plus what isolated sites shed out of the system, added one by one."""
    for a in range(n_active):
        if degree[a] == 0:
            dissipated += np.float64(share[a])
    return dissipated


@kernel
def carry(n_active, degree, share, transport):
    """`transport` plus what the active sites gave away, without its sign, added one by one."""
    for a in range(n_active):
        transport += abs(share[a]) * max(degree[a], _ONE_SITE)
    return transport


@kernel
def push_row(field, indices, begin, degree, due):
    """Add the share `due` to the neighbours in a row."""
    for e in range(begin, begin + degree):
        field[indices[e]] += due


@kernel
def push(field, indices, n_active, begin, degree, share):
    """Add the shares to the neighbours, in ascending order of active sites and along each row."""
    near = max(n_active - _AHEAD, 0)
    for a in range(near):
        prefetch(indices, begin[a + _AHEAD])
        push_row(field, indices, begin[a], degree[a], share[a])
    for a in range(near, n_active):
        push_row(field, indices, begin[a], degree[a], share[a])


@kernel
def add_marking(field, threshold, j, due, marks):
    """Add the share `due` to site `j`, and mark the site if it is then above the threshold.

    Without a branch: one that depends on a value from far away in memory is mispredicted.
    """
    value = field[j] + due
    field[j] = value
    marks[j >> _SIX] |= np.uint64(abs(value) > threshold) << (j & _LOW)


@kernel
def push_row_marking(field, indices, threshold, begin, degree, due, marks):
    """As `push_row`, marking the sites that are then above the threshold."""
    for e in range(begin, begin + degree):
        add_marking(field, threshold, np.uint64(indices[e]), due, marks)


@kernel
def push_marking(field, indices, threshold, n_active, begin, degree, share, marks):
    """As `push`, marking the sites that are then above the threshold."""
    near = max(n_active - _AHEAD, 0)
    for a in range(near):
        prefetch(indices, begin[a + _AHEAD])
        push_row_marking(field, indices, threshold, begin[a], degree[a], share[a], marks)
    for a in range(near, n_active):
        push_row_marking(field, indices, threshold, begin[a], degree[a], share[a], marks)


@kernel
def push_near(field, indices, threshold, n_active, begin, degree, share, marks):
    """As `push_marking`, for fields that are near in the cache: a branch costs less there than a bit set in vain."""
    for a in range(n_active):
        due = share[a]
        for e in range(begin[a], begin[a] + degree[a]):
            j = np.uint64(indices[e])
            value = field[j] + due
            field[j] = value
            if abs(value) > threshold:
                marks[j >> _SIX] |= _BIT << (j & _LOW)


@kernel
def reaches_many(n_sites, n_ends):
    """Whether shares reach so many sites that it costs less to look at every site than to mark those reached."""
    return n_sites > _FEW_SITES and 8 * n_ends > n_sites


@kernel
def any_above(field, threshold):
    """Whether a site is above the threshold."""
    i = 0
    while i < field.size and not abs(field[i]) > threshold:
        i += 1
    return i < field.size


@kernel
def relax(field, begins, indices, alpha, threshold, max_steps, profile, work, carrying):
    """Let the avalanche run until no site is active, or for `max_steps` steps; `field` (n,) is relaxed in place.

    begins (n+1,) and indices (2E,) uint32, as a graph has them. Overwritten: profile (max_steps,) int64, topplings a step, 0
    after the last; `work`. Returns size, duration, extent, peak, dissipated, capped, and the transport, Σ |α g_i| over all
    topplings, which is 0 where it is not asked for by `carrying`.
    """
    n = field.size
    begin, degree, share, marks, toppled = work
    toppled[:] = 0
    profile[:] = 0
    duration = 0
    dissipated = 0.0
    transport = 0.0
    n_active, n_isolated, n_ends = 0, 0, 0
    if max_steps > 0:
        n_active, n_isolated, n_ends = lower_above(field, begins, alpha, threshold, 0, n, begin, degree, share, marks, toppled)
    while n_active > 0:
        profile[duration] = n_active
        duration += 1
        if n_isolated > 0:
            dissipated = shed(n_active, degree, share, dissipated)
        if carrying:
            transport = carry(n_active, degree, share, transport)
        if reaches_many(n, n_ends):
            push(field, indices, n_active, begin, degree, share)
            if duration == max_steps:
                break
            n_active, n_isolated, n_ends = lower_above(
                field, begins, alpha, threshold, 0, n, begin, degree, share, marks, toppled
            )
        else:
            if n > _FEW_SITES:
                push_marking(field, indices, threshold, n_active, begin, degree, share, marks)
            else:
                push_near(field, indices, threshold, n_active, begin, degree, share, marks)
            if duration == max_steps:
                break
            n_active, n_isolated, n_ends = lower_marked(
                field, begins, alpha, threshold, 0, n, begin, degree, share, marks, toppled
            )
    capped = duration == max_steps and any_above(field, threshold)
    size = 0
    peak = 0
    for step in range(duration):
        size += profile[step]
        peak = max(peak, profile[step])
    return size, duration, count(toppled), peak, dissipated, capped, transport


@kernel
def copy(source, target):
    """Fill `target` with `source`; a slice assignment would first check for overlap."""
    for i in range(source.size):
        target[i] = source[i]


@kernel
def count(words):
    """How many bits of `words` are set."""
    total = 0
    for w in range(words.size):
        total += np.int64(bit_count(words[w]))
    return total
