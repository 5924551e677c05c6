"""One large field relaxed in blocks of the cache's size, by one thread or several, to the same bits as in one go.

A step has two phases. In the first, the shares of the active sites are written down by the block of sites they go to, each
thread writing those of a run of blocks. In the second, a thread gives a block the shares that all runs have for it, in their
order, and lowers the sites of the block that are active next. Every site thus receives its shares in the order in which a
single thread would push them.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from tdu.avalanches.graphs import Graph
from tdu.kernels.avalanche import any_above, carry, count, shed, workspace
from tdu.kernels.blocks import BLOCK_BITS, Blocks, bins_for, sweep, write_run
from tdu.types import Fields, Integers

#: Fields of fewer sites are relaxed in one go on one thread: a step of theirs takes no longer than waking the others.
MIN_SITES_THREADED = 1 << 21
#: Size, duration, extent, peak, dissipated, capped and transport of an avalanche.
Relaxed = tuple[int, int, int, int, float, bool, float]
_SITE = 6  # cost of a site to the thread whose block it is in, in ends of edges
_ROW = 2  # cost of a row to the thread that writes its shares, likewise
_PARTS = 4  # of the blocks for each thread: one that has finished takes the next, as threads are seldom equally fast


def relax_in_blocks(
    field: Fields, graph: Graph, alpha: float, threshold: float, max_steps: int, profile: Integers, workers: int = 1,
    block_bits: int = BLOCK_BITS,
) -> Relaxed:  # fmt: skip
    """As `tdu.kernels.avalanche.relax`, on `workers` threads; `field` (N,) and `profile` (max_steps,) are overwritten."""
    n_blocks = -(-field.size >> block_bits)
    work = workspace(graph.begins, field.dtype)
    blocks = Blocks(*np.zeros((3, n_blocks), np.int64))
    room, bins = 0, bins_for(workers, n_blocks, 0, field.dtype)
    owned = even_cuts(_costs(graph, n_blocks, block_bits), workers * _PARTS if workers > 1 else 1)
    work.toppled[:] = 0
    profile[:] = 0
    duration, dissipated, transport = 0, 0.0, 0.0

    def swept(n_runs: int, lowering: bool) -> tuple[Integers, Integers]:
        """How many sites of each part are active, and how many of these, now lowered, have no neighbours."""

        def one(part: tuple[int, int]) -> tuple[int, int]:
            settings = (n_runs, lowering, work, blocks, bins, block_bits)
            n_active, n_isolated, _ = sweep(field, graph.begins, alpha, threshold, *part, *settings)
            return n_active, n_isolated

        n_active, n_isolated = np.transpose(list(executor.map(one, owned)))
        return n_active, n_isolated

    def written(run: int, part: tuple[int, int]) -> None:
        write_run(graph.targets, *part, work, blocks, bins, run, block_bits)

    with ThreadPoolExecutor(workers) as executor:
        active, isolated = swept(0, lowering=max_steps > 0)
        while active.sum() > 0:
            for (low, _), n_active in zip(owned, active, strict=True):
                rows = slice(low << block_bits, (low << block_bits) + int(n_active))
                transport = carry(n_active, work.degree[rows], work.share[rows], transport)
                if isolated.sum() > 0:
                    dissipated = shed(n_active, work.degree[rows], work.share[rows], dissipated)
            profile[duration] = active.sum()
            duration += 1
            runs = even_cuts(blocks.n_ends + _ROW * blocks.n_active, workers)
            most = max(int(blocks.n_ends[low:high].sum()) for low, high in runs)
            if most > room:
                room, bins = most, bins_for(workers, n_blocks, most, field.dtype)
            list(executor.map(written, range(len(runs)), runs))
            active, isolated = swept(len(runs), lowering=duration < max_steps)
    capped = duration == max_steps and bool(any_above(field, threshold))
    return int(profile.sum()), duration, int(count(work.toppled)), int(profile.max(initial=0)), dissipated, capped, transport


def _costs(graph: Graph, n_blocks: int, block_bits: int) -> Integers:
    """Cost of receiving in every block, in ends of edges."""
    edges = np.minimum(np.arange(n_blocks + 1) << block_bits, len(graph))
    before: Integers = graph.begins[edges] + _SITE * edges
    return np.diff(before)


def even_cuts(costs: Integers, n_parts: int) -> list[tuple[int, int]]:
    """At most `n_parts` ranges that cover all blocks, of about equal cost."""
    before = np.concatenate([[0], np.cumsum(costs)])
    cuts = np.searchsorted(before, before[-1] * np.arange(1, n_parts) / n_parts)
    return list(pairwise(sorted({0, *cuts.tolist(), costs.size})))
