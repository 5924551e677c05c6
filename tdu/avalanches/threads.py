"""One field, several threads, the bits of one.

A step has two phases, and in each a thread changes no site but its own. In the first, it finds the active sites of its range
and lowers them; in the second, it goes through the rows of all active sites, in their order, and pushes to those of its range.
Every site thus receives what it receives in the same order as from a single thread. Rows are read once a thread, which costs
less than to write down what goes to whom.
"""

from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from tdu.avalanches.graphs import Graph
from tdu.kernels.avalanche import Work, count, find_marked, lower, mark_above, push_within, shed, workspace
from tdu.types import Floats, Integers

#: Sites from which on threads are worth it: below, a step takes no longer than waking them.
MIN_SITES_THREADED = 1 << 21
_WORD = 64  # sites of one word of marks, which two threads must not share
_SITE = 6  # what a site costs the thread that pushes to it, in ends of edges: its place is far away


def relax_on_threads(
    field: Floats, graph: Graph, alpha: float, threshold: float, max_steps: int, profile: Integers, workers: int
) -> tuple[int, int, int, int, float, bool]:
    """As `tdu.kernels.avalanche.relax`, on `workers` threads; `field` (N,) and `profile` (max_steps,) are overwritten."""
    work = workspace(field.size)
    profile[:] = 0
    found_in, pushed_to = (ranges(graph, workers, per_end) for per_end in (0, 1))
    parts = [_stretch(work, low, high) for low, high in found_in]  # no more of its sites can be active
    looked, owned = (tuple(zip(*cuts, strict=True)) for cuts in (found_in, pushed_to))
    duration, dissipated = 0, 0.0

    def look(low: int, high: int) -> None:
        work.toppled[low:high] = 0
        mark_above(field, threshold, low, high, work.marks)

    def topple(part: Work, low: int, high: int) -> tuple[int, int]:
        """Active sites of a range, lowered if a step is left for them, and how many have nobody to push to."""
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
    """Ranges of sites, one a worker at most, whole words of marks each, of about as much work.

    A site costs 6, and `per_end` more for every edge that ends there.
    """
    n = len(graph)

    def work(i: int) -> int:
        """What the sites before `i` cost."""
        return per_end * int(graph.indptr[i]) + _SITE * i

    cuts = [bisect_left(range(n), work(n) * k // workers, key=work) // _WORD * _WORD for k in range(1, workers)]
    return list(pairwise(sorted({0, *cuts, n})))
