"""One field, several threads: each owns a range of sites, and changes no other.

A step has two phases. In the first, a thread lowers its active sites and writes down what they push, for each range apart;
in the second, it adds what all threads have written down for its own range, in their order. Every site thus receives what it
receives in the same order as from a single thread, and the bits are the same.
"""

from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tdu.graphs import Graph
from tdu.kernels.avalanche import (
    Work,
    count,
    deal,
    few,
    find_marked,
    lower,
    mark_above,
    mark_listed,
    receive,
    shed,
    workspace,
)
from tdu.types import Floats, Integers

#: Sites from which on threads are worth it: below, a step takes no longer than waking them.
FAR = 1 << 21
_WORD = 64  # sites of one word of marks, which two threads must not share


class Parcels(NamedTuple):
    """What one thread's sites push: of each range, the first of `places` that many `numbers` are to receive `gifts`."""

    numbers: Integers
    places: np.ndarray
    gifts: Floats


def relax_shared(
    field: Floats, graph: Graph, alpha: float, threshold: float, max_steps: int, profile: Integers, workers: int
) -> tuple[int, int, int, int, float, bool]:
    """As `tdu.kernels.avalanche.relax`, on `workers` threads; `field` (N,) and `profile` (max_steps,) are overwritten."""
    work = workspace(field.size)
    work.toppled[:] = 0
    profile[:] = 0
    cuts = ranges(graph, workers)
    parts = [_stretch(work, low, high) for low, high in cuts]  # no more of its sites can be active
    inner = np.array([low for low, _ in cuts[1:]], np.uint32)
    parcels = [_parcels(len(cuts), 0) for _ in cuts]
    many = few(field.size, graph.targets.size)
    duration, dissipated = 0, 0.0

    def look(cut: tuple[int, int], part: Work) -> int:
        mark_above(field, threshold, *cut, work.marks)
        return int(find_marked(field, threshold, work.marks, *cut, part.active))

    def give(r: int, part: Work, n_active: int) -> int:
        rows = part.begin, part.end, part.share
        n_isolated = lower(field, graph.indptr, alpha, n_active, part.active, *rows, work.toppled)
        n_pushes = int(np.sum(part.end[:n_active] - part.begin[:n_active]))
        if n_pushes > parcels[r].places.shape[1]:
            parcels[r] = _parcels(len(cuts), n_pushes)
        deal(graph.targets, inner, n_active, *rows, *parcels[r])
        return int(n_isolated)

    def take(r: int, part: Work, n_active: int) -> int:
        for numbers, places, gifts in parcels:
            receive(field, numbers[r], places[r], gifts[r])
        if sum(counts) > many:
            return look(cuts[r], part)
        mark_listed(field, threshold, n_active, part.active, work.marks)
        for numbers, places, _ in parcels:
            mark_listed(field, threshold, numbers[r], places[r], work.marks)
        return int(find_marked(field, threshold, work.marks, *cuts[r], part.active))

    with ThreadPoolExecutor(len(cuts)) as executor:
        counts = list(executor.map(look, cuts, parts))
        while sum(counts) > 0 and duration < max_steps:
            if sum(executor.map(give, range(len(cuts)), parts, counts)) > 0:
                for part, n_active in zip(parts, counts, strict=True):
                    dissipated = shed(n_active, part.begin, part.end, part.share, dissipated)
            profile[duration] = sum(counts)
            duration += 1
            counts = list(executor.map(take, range(len(cuts)), parts, counts))
    capped = sum(counts) > 0
    return int(profile.sum()), duration, int(count(work.toppled)), int(profile.max(initial=0)), dissipated, capped


def _stretch(work: Work, low: int, high: int) -> Work:
    lists = {name: getattr(work, name)[low:high] for name in ("active", "begin", "end", "share")}
    return work._replace(**lists)


def _parcels(n_ranges: int, n_pushes: int) -> Parcels:
    """Room for as many pushes to every range; memory is taken as it is filled."""
    shape = n_ranges, n_pushes
    return Parcels(np.empty(n_ranges, np.int64), np.empty(shape, np.uint32), np.empty(shape))


def ranges(graph: Graph, workers: int) -> list[tuple[int, int]]:
    """Ranges of sites, one a worker at most, whole words of marks each, of about as much work.

    A site costs about as much as two ends of edges.
    """
    n = len(graph)

    def work(i: int) -> int:
        """What the sites before `i` cost."""
        return int(graph.indptr[i]) + 2 * i

    cuts = [bisect_left(range(n), work(n) * k // workers, key=work) // _WORD * _WORD for k in range(1, workers)]
    return list(pairwise(sorted({0, *cuts, n})))
