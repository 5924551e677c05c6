"""One field, several threads: each owns a range of sites, and changes no other.

A thread pushes the shares of all active sites, but adds only those that fall into its own range. Every site thus receives
what it receives in the same order as from a single thread, and the bits are the same; what is paid is that each thread reads
all rows of active sites. Ranges are cut so that each holds as many ends of edges.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np

from tdu.graphs import Graph
from tdu.kernels.avalanche import Work, count, find_above, find_marked, lower, push_far, shed, workspace
from tdu.types import Floats, Integers

_WORD = 64  # sites of one word of marks, which two threads must not share


def relax_shared(
    field: Floats, graph: Graph, alpha: float, threshold: float, max_steps: int, profile: Integers, workers: int
) -> tuple[int, int, int, int, float, bool]:
    """As `tdu.kernels.avalanche.relax`, on `workers` threads; `field` (N,) and `profile` (max_steps,) are overwritten."""
    work = workspace(field.size)
    work.marks[:] = 0
    work.toppled[:] = 0
    profile[:] = 0
    cuts = ranges(graph, workers)
    parts = [_stretch(work, low, high) for low, high in cuts]  # no more of its sites can be active
    size, duration, dissipated = 0, 0, 0.0
    with ThreadPoolExecutor(len(cuts)) as executor:

        def each(phase: Callable[[tuple[int, int], Work], int], works: list[Work]) -> list[int]:
            return list(executor.map(phase, cuts, works))

        def find(cut: tuple[int, int], part: Work) -> int:
            return int(find_above(field, threshold, *cut, part.active))

        def find_again(cut: tuple[int, int], part: Work) -> int:
            return int(find_marked(field, threshold, work.marks, *cut, part.active))

        def lower_own(_cut: tuple[int, int], part: Work) -> int:
            n = part.active.size
            return int(lower(field, graph.indptr, alpha, n, part.active, part.begin, part.end, part.share, work.toppled))

        counts = each(find, parts)
        while sum(counts) > 0 and duration < max_steps:
            active = [_stretch(part, 0, number) for part, number in zip(parts, counts, strict=True)]
            if sum(each(lower_own, active)) > 0:
                for part in active:
                    dissipated = shed(part.share.size, part.begin, part.end, part.share, dissipated)
            list(executor.map(partial(_push, field, graph, threshold, active), cuts))
            profile[duration] = sum(counts)
            size += sum(counts)
            duration += 1
            counts = each(find_again, parts)
    return size, duration, int(count(work.toppled)), int(profile.max(initial=0)), dissipated, sum(counts) > 0


def _push(field: Floats, graph: Graph, threshold: float, active: list[Work], cut: tuple[int, int]) -> None:
    """Add the shares of all active sites to those of one range, in the order of a single thread."""
    for part in active:
        lists = (part.active, part.begin, part.end, part.share)
        push_far(field, graph.targets, threshold, part.active.size, *lists, part.marks, *cut)


def _stretch(work: Work, low: int, high: int) -> Work:
    lists = {name: getattr(work, name)[low:high] for name in ("active", "begin", "end", "share")}
    return work._replace(**lists)


def ranges(graph: Graph, workers: int) -> list[tuple[int, int]]:
    """Ranges of sites, one a worker at most, whole words of marks each, with about as many ends of edges."""
    n = len(graph)
    wanted = graph.indptr[-1] * np.arange(1, workers) / workers
    cuts = np.searchsorted(graph.indptr, wanted) // _WORD * _WORD
    edges = np.unique(np.concatenate([[0], cuts, [n]]))
    return [(int(low), int(high)) for low, high in pairwise(edges)]
