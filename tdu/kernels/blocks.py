"""A step of an avalanche on a field much larger than the cache: shares are sorted into blocks of sites before they are added.

A share that goes to a random site of a large field waits for memory. Here it is first written to the end of a list for the
block of sites that it goes to, its bin; then block after block is brought into the cache, given its shares, and searched for
the sites that topple next. Every site receives its shares in the order in which they were written, so that the bits are those
of `tdu.kernels.avalanche.relax`.

Shares are written in one or several runs, each to bins of its own, so that threads can share the work: a block takes those of
the first run, then those of the second.
"""

from typing import NamedTuple

import numpy as np

from tdu._jit import kernel
from tdu._llvm import prefetch, prefetch_write
from tdu.kernels.avalanche import add_marking
from tdu.kernels.lowering import lower_above, lower_marked

BLOCK_BITS = 15  # 2¹⁵ sites, 256 KiB of the field: half of a second-level cache
_CHUNK_BITS = np.uint64(12)  # bins are chains of chunks of 2¹² shares, so that together they take the memory of what is written
_FULL = 1 << 12
_CHUNK = np.uint64(_FULL)
_MANY = 20  # a block with a share for one site in so many is looked at as a whole, as it comes into the cache for them anyway
_ONE = np.uint64(1)
_LINE = 8  # numbers to a line of the cache
_ROWS_AHEAD, _SHARES_AHEAD, _SITES_AHEAD = 24, np.uint64(16), np.uint64(64)  # how far ahead to prefetch


class Blocks(NamedTuple):
    """Where the rows of a block's active sites begin in the work space, and how many there are; ends of edges in them.

    Each (n_blocks,) int64.
    """

    first: np.ndarray
    n_active: np.ndarray
    n_ends: np.ndarray


class Bins(NamedTuple):
    """Shares by the block that they go to, and by run: `cursor` (runs, n_blocks) uint64 is where the next one is written.

    share (runs, ·), of the field's type, and site (runs, ·) uint16, counted from the first of the block; link (runs, ·) uint32,
    the chunk that follows a chunk. The first chunk of a block has its number.
    """

    cursor: np.ndarray
    link: np.ndarray
    share: np.ndarray
    site: np.ndarray


def bins_for(n_runs, n_blocks, n_ends, kind=np.float64):
    """Bins of `n_runs` runs that write at most `n_ends` shares each."""
    n_chunks = n_blocks + n_ends // _FULL  # a chunk that is full has a next, were it empty
    n_shares = n_chunks * _FULL
    return Bins(
        np.empty((n_runs, n_blocks), np.uint64), np.empty((n_runs, n_chunks), np.uint32),
        np.empty((n_runs, n_shares), kind), np.empty((n_runs, n_shares), np.uint16),
    )  # fmt: skip


@kernel
def write_run(indices, low, high, work, blocks, bins, run, block_bits):
    """Write the shares of the active sites of blocks [low, high) into the bins of a run, in ascending order of these sites."""
    _, begin, degree, share, _, _ = work
    cursor, link = bins.cursor[run], bins.link[run]
    shares, sites = bins.share[run], bins.site[run]
    bits, within = np.uint64(block_bits), np.uint64((1 << block_bits) - 1)
    free = np.uint64(cursor.size)
    for b in range(cursor.size):
        cursor[b] = np.uint64(b) << _CHUNK_BITS
    for b in range(low, high):
        last = blocks.first[b] + blocks.n_active[b]
        for a in range(blocks.first[b], last):
            prefetch(indices, begin[min(a + _ROWS_AHEAD, last - 1)])
            due = share[a]
            for e in range(begin[a], begin[a] + degree[a]):
                j = np.uint64(indices[e])
                c = cursor[j >> bits]
                prefetch_write(shares, c + _SHARES_AHEAD)
                prefetch_write(sites, c + _SITES_AHEAD)
                shares[c] = due
                sites[c] = np.uint16(j & within)
                c += _ONE
                if c & (_CHUNK - _ONE) == 0:
                    link[(c - _ONE) >> _CHUNK_BITS] = free
                    c = free << _CHUNK_BITS
                    free += _ONE
                cursor[j >> bits] = c


@kernel
def add(field, low, first, last, shares, sites):
    """Add the shares [first, last) to the sites, counted from `low`."""
    for c in range(first, last):
        field[low + np.uint64(sites[c])] += shares[c]


@kernel
def add_and_mark(field, threshold, low, first, last, shares, sites, marks):
    """As `add`, marking the sites that are then above the threshold."""
    for c in range(first, last):
        add_marking(field, threshold, low + np.uint64(sites[c]), shares[c], marks)


@kernel
def take(field, threshold, b, low, bins, run, marking, marks):
    """Add what a run has for block `b`, whose sites begin at `low`, chunk by chunk."""
    link, shares, sites = bins.link[run], bins.share[run], bins.site[run]
    final = bins.cursor[run, b]
    chunk = np.uint64(b)
    more = True
    while more:
        more = chunk != final >> _CHUNK_BITS
        first = chunk << _CHUNK_BITS
        last = first + _CHUNK if more else final
        if marking:
            add_and_mark(field, threshold, low, first, last, shares, sites, marks)
        else:
            add(field, low, first, last, shares, sites)
        chunk = np.uint64(link[chunk])


@kernel
def in_cache(field, low, high):
    """Bring the sites [low, high) into the cache, from end to end. What is read has to be used: prefetches would be dropped."""
    read = 0.0
    for i in range(low, high, _LINE):
        read += field[i]
    return read


@kernel
def number_of_shares(bins, n_runs, b):
    """How many shares the first `n_runs` runs have for block `b`."""
    number = 0
    for run in range(n_runs):
        final = bins.cursor[run, b]
        chunk = np.uint64(b)
        while chunk != final >> _CHUNK_BITS:
            number += _FULL
            chunk = np.uint64(bins.link[run, chunk])
        number += np.int64(final & (_CHUNK - _ONE))
    return number


@kernel
def sweep(field, begins, alpha, threshold, low, high, n_runs, lowering, work, blocks, bins, block_bits):
    """Give the blocks [low, high) what the first `n_runs` runs have for them, and lower the sites that are then active.

    With no runs, sites are lowered that are active at the start. Without `lowering`, none is lowered. Returns how many were
    active, how many of these are isolated, and a number to be ignored.
    """
    n = field.size
    _, begin, degree, share, marks, toppled = work
    position = low << block_bits
    n_active = 0
    n_isolated = 0
    read = 0.0
    for b in range(low, high):
        first = b << block_bits
        last = min(first + (1 << block_bits), n)
        marking = lowering and n_runs > 0 and _MANY * number_of_shares(bins, n_runs, b) < last - first
        if not marking:
            read += in_cache(field, first, last)
        for run in range(n_runs):
            take(field, threshold, b, np.uint64(first), bins, run, marking, marks)
        if lowering:
            rows = begin[position:], degree[position:], share[position:]
            if marking:
                active, isolated, ends = lower_marked(field, begins, alpha, threshold, first, last, *rows, marks, toppled)
            else:
                active, isolated, ends = lower_above(field, begins, alpha, threshold, first, last, *rows, marks, toppled)
            blocks.first[b], blocks.n_active[b], blocks.n_ends[b] = position, active, ends
            position += active
            n_active += active
            n_isolated += isolated
    return n_active, n_isolated, read
