"""One field relaxed by several threads, to the same bits as by one.

A step has two phases, and in each a thread changes only the sites of its own range. In the first, it finds those that are
active and lowers them; in the second, it goes through the rows of all active sites, in their order, and pushes to the
neighbours in its range. Every site thus receives its shares in the same order as from a single thread. Each thread reads all
these rows, which costs less than writing down which share goes to which thread.
"""

from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from tdu.avalanches.graphs import Graph
from tdu.kernels.avalanche import Work, count, find_marked, lower, mark_above, push_within, shed, workspace
from tdu.types import Floats, Integers

#: Fields of fewer sites are relaxed on one thread: a step of theirs takes no longer than waking the others.
MIN_SITES_THREADED = 1 << 21
_WORD = 64  # sites to a word of marks, which two threads must not both write
_SITE = 6  # cost of a site to the thread that pushes to it, in ends of edges: its entry is seldom in the cache


def relax_on_threads(
    field: Floats, graph: Graph, alpha: float, threshold: float, max_steps: int, profile: Integers, workers: int
) -> tuple[int, int, int, int, float, bool]:
    """As `tdu.kernels.avalanche.relax`, on `workers` threads; `field` (N,) and `profile` (max_steps,) are overwritten."""
    work = workspace(field.size)
    profile[:] = 0
    found_in, pushed_to = (ranges(graph, workers, per_end) for per_end in (0, 1))
    parts = [_stretch(work, low, high) for low, high in found_in]  # as long as its range: all of it may be active
    looked, owned = (tuple(zip(*cuts, strict=True)) for cuts in (found_in, pushed_to))
    duration, dissipated = 0, 0.0

    def look(low: int, high: int) -> None:
        work.toppled[low:high] = 0
        mark_above(field, threshold, low, high, work.marks)

    def topple(part: Work, low: int, high: int) -> tuple[int, int]:
        """How many sites of a range are active, and how many of these, lowered if a step is left, have no neighbours."""
        n_active = find_marked(field, threshold, work.marks, low, high, part.active)
        if duration == max_steps:
            return n_active, 0
        return n_active, lower(field, graph.indptr, alpha, threshold, n_active, *part)

    def receive(low: int, high: int) -> None:
        for part, n_active in zip(parts, counts, strict=True):
            rows = part.begin, part.end, part.share
            push_within(field, graph.targets, threshold, np.uint32(low), np.uint32(high), n_active, *rows, work.marks)

    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(look, *looked))
        while True:
            counts, isolated = zip(*executor.map(topple, parts, *looked), strict=True)
            if sum(counts) == 0 or duration == max_steps:
                break
            if sum(isolated) > 0:
                for part, n_active in zip(parts, counts, strict=True):
                    dissipated = shed(n_active, part.begin, part.end, part.share, dissipated)
            list(executor.map(receive, *owned))
            profile[duration] = sum(counts)
            duration += 1
        extent = sum(executor.map(lambda low, high: int(count(work.toppled[low:high])), *looked))
    capped = sum(counts) > 0
    return int(profile.sum()), duration, extent, int(profile.max(initial=0)), dissipated, capped


def _stretch(work: Work, low: int, high: int) -> Work:
    lists = {name: getattr(work, name)[low:high] for name in ("active", "begin", "end", "share")}
    return work._replace(**lists)


def ranges(graph: Graph, workers: int, per_end: int) -> list[tuple[int, int]]:
    """At most one range of sites for each worker, in whole words of marks, of about equal work.

    A site costs `_SITE`, and `per_end` more for every edge that ends there.
    """
    n = len(graph)

    def work(i: int) -> int:
        """Cost of the sites before `i`."""
        return per_end * int(graph.indptr[i]) + _SITE * i

    cuts = [bisect_left(range(n), work(n) * k // workers, key=work) // _WORD * _WORD for k in range(1, workers)]
    return list(pairwise(sorted({0, *cuts, n})))
