"""How fast the probe is on this machine: topplings and edges a second, over system sizes and kinds of field."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from tdu import _check
from tdu.avalanches.cascades import avalanche, sizes_of
from tdu.avalanches.graphs import Graph, barabasi_albert
from tdu.config import ALPHA, MAX_STEPS, QUANTILE
from tdu.types import Floats

#: Kinds of synthetic field: the paper's control, and one with a heavy tail.
FIELDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "Gaussian": lambda rng, shape: rng.normal(0.0, 0.5, shape),
    "heavy-tailed": lambda rng, shape: rng.normal(0.0, 0.5, shape) * np.exp(rng.normal(size=shape)),
}
_SITES_A_ROUND = 10_000_000  # in all fields of a round together: enough that waking a thread does not count
_FIELDS_COUNTED = 200  # counting pushes step by step is hundreds of times slower than the probe


@dataclass(frozen=True, eq=False)
class Workload:
    """Fields (T, N) on one graph, to be probed one after the other."""

    name: str
    fields: Floats
    graph: Graph


@dataclass(frozen=True)
class Rate:
    """Median over rounds of the time a probe takes (threshold and avalanche, seconds), and what it does in that time.

    Topplings are the mean over all fields timed, pushes that over the first 200 of them.
    """

    workload: str
    n_sites: int
    threads: int
    seconds: float
    topplings: float
    pushes: float


def synthetic(n: int, kind: str, seed: int = 0) -> Workload:
    """Fields of one kind on a Barabási–Albert graph of `n` sites, as many as make a round of about a tenth of a second."""
    n_fields = max(_SITES_A_ROUND // n, 1)
    fields = FIELDS[kind](np.random.default_rng(seed), (n_fields, n))
    return Workload(f"{kind}, N = {n:,}", fields, barabasi_albert(n, seed=seed))


def probe_all(work: Workload, threads: int) -> int:
    """Probe every field; topplings in total. Threads share the fields, or the one field there is."""
    if len(work.fields) == 1:
        return avalanche(work.fields[0], work.graph, ALPHA, QUANTILE, max_steps=MAX_STEPS, workers=threads).size
    if threads == 1:
        return int(_sizes(work.fields, work.graph).sum())
    with ThreadPoolExecutor(threads) as executor:
        parts = np.array_split(work.fields, threads)
        return int(sum(sizes.sum() for sizes in executor.map(lambda part: _sizes(part, work.graph), parts)))


def _sizes(fields: Floats, graph: Graph) -> npt.NDArray[np.int64]:
    return sizes_of(fields, graph, ALPHA, QUANTILE, MAX_STEPS)


def pushes(work: Workload) -> int:
    """Shares pushed along edges in total: one for every neighbour of every toppling, counted step by step."""
    total = 0
    for field in work.fields:
        threshold = float(np.quantile(np.abs(field), QUANTILE))
        for _ in range(MAX_STEPS):
            active = np.abs(field) > threshold
            if not active.any():
                break
            total += int(work.graph.degree[active].sum())
            field = avalanche(field, work.graph, ALPHA, threshold=threshold, max_steps=1).gradient
    return total


def measure(sizes: tuple[int, ...], threads: int, rounds: int = 7) -> Iterator[Rate]:
    """The rate of every size and kind of field, on one thread and on `threads`, after a warm-up."""
    for n in sizes:
        _check.integer(n, "sizes", 3)
    for n in sizes:
        for kind in FIELDS:
            work = synthetic(n, kind)
            counted = replace(work, fields=work.fields[:_FIELDS_COUNTED])
            n_pushes = pushes(counted) / len(counted.fields)
            for count in sorted({1, threads}):
                topplings = probe_all(work, count) / len(work.fields)
                seconds = median_seconds(partial(probe_all, work, count), rounds) / len(work.fields)
                yield Rate(kind, n, count, seconds, topplings / seconds, n_pushes / seconds)


def median_seconds(run: Callable[[], object], rounds: int) -> float:
    """Median time of `rounds` calls."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))
