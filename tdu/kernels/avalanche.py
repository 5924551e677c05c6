"""Threshold-driven diffusion of a gradient field on a graph: one avalanche (arXiv:2604.04655, eq. 1).

A step has two parts: the active sites are found and lowered (`tdu.kernels.lowering`), and then their shares are pushed to the
neighbours. While shares reach many sites, active ones are found by a look at all of them; once they reach few, each share
marks the site it lifts above the threshold. Fields of few sites are marked by branches, and lowered as they are found.

Sites and rows are unsigned: a signed index would be tested for a negative value, which counts from the end, at every access.

Fields are of float64, or of float32 where shares, α and the threshold are too: sums over many sites are of float64 in both.
"""

from typing import NamedTuple

import numpy as np

from tdu._jit import kernel
from tdu._llvm import bit_count, prefetch
from tdu.kernels.lowering import lower_above, lower_marked, lower_near, mark_above

_SIX, _LOW = np.uint64(6), np.uint64(63)
_BIT = np.uint64(1)
_ONE_SITE = np.uint32(1)
_AHEAD = 16  # rows from the one pushed to the one prefetched
_MANY = 8  # a look at every site costs less than to mark one in so many
#: Up to so many sites, everything is near and the last field is like the next: branches are then guessed right, and cost less
#: than bits set in vain. `workspace` is told where a machine has another bound.
FEW_SITES = 512


class Work(NamedTuple):
    """Work space of an avalanche on n sites, overwritten; only what the avalanche touches is ever written.

    begin (n,), of the type of `Graph.begins`, and degree (n,) uint32, the rows of the sites of a step in ascending order;
    share (n,), of the field's type, what each neighbour gains; marks (⌈n/64⌉,) uint64, a bit for every site that came to lie
    above the threshold; toppled (⌈n/64⌉,) uint64, likewise. Up to `few` sites are relaxed with branches.
    """

    few: int
    begin: np.ndarray
    degree: np.ndarray
    share: np.ndarray
    marks: np.ndarray
    toppled: np.ndarray


def workspace(begins, kind=np.float64, few=FEW_SITES):
    """Work space for the n sites of a graph with a field of a `kind`.

    By NumPy, which puts large arrays in large pages, as kernels do not.
    """
    n = begins.size - 1
    words = (n + 63) // 64
    return Work(
        few, np.empty(n, begins.dtype), np.empty(n, np.uint32), np.empty(n, kind),
        np.empty(words, np.uint64), np.empty(words, np.uint64),
    )  # fmt: skip


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
    few, begin, degree, share, marks, toppled = work
    near = n <= few
    toppled[:] = 0
    profile[:] = 0
    duration = 0
    dissipated = 0.0
    transport = 0.0
    many = True  # sites that are reached by shares, so that a look at every site costs less than to mark those
    if near:
        mark_above(field, threshold, marks)
    while duration < max_steps:
        if near:
            n_active, n_isolated, n_ends = lower_near(field, begins, alpha, threshold, begin, degree, share, marks, toppled)
        elif many:
            n_active, n_isolated, n_ends = lower_above(
                field, begins, alpha, threshold, 0, n, begin, degree, share, marks, toppled
            )
        else:
            n_active, n_isolated, n_ends = lower_marked(
                field, begins, alpha, threshold, 0, n, begin, degree, share, marks, toppled
            )
        if n_active == 0:
            break
        profile[duration] = n_active
        duration += 1
        if n_isolated > 0:
            dissipated = shed(n_active, degree, share, dissipated)
        if carrying:
            transport = carry(n_active, degree, share, transport)
        many = _MANY * n_ends > n
        if near:
            push_near(field, indices, threshold, n_active, begin, degree, share, marks)
        elif many:
            push(field, indices, n_active, begin, degree, share)
        else:
            push_marking(field, indices, threshold, n_active, begin, degree, share, marks)
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
