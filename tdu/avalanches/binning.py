"""From how many sites on bins make one thread faster: measured once on every machine, and kept beside the kernels.

Bins (`tdu.kernels.blocks`) save waiting for memory, and cost writing every share once more. Which weighs more depends on how
large and how fast the last cache is, and not only by the processor's name: others may use that cache as well.
"""

import json
import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from tdu import files
from tdu._jit import cache_directory
from tdu.avalanches.graphs import Graph
from tdu.avalanches.threads import relax_in_blocks
from tdu.kernels.avalanche import relax, workspace

_SIZES = (1 << 21, 1 << 23)  # sites at which it is measured: in many a last cache, and in few
_NAME = "binning.json"
_ROUNDS = 3  # of which the best is taken
_EVERY, _DEGREE = 10, 4  # one site in so many topples, and has so many neighbours: a first step at the study's quantile


@lru_cache(maxsize=1)
def sites_from_which_bins_pay() -> float:
    """The least number of sites at which a single thread should bin; inf where it never should. The bits are the same."""
    directory = cache_directory()
    path = None if directory is None else directory / _NAME
    remembered = _remembered(path)
    if remembered is None:
        remembered = next((float(n) for n in _SIZES if binned_over_pushed(n) < 1), math.inf)
        if path is not None:
            _remember(path, remembered)
    return remembered


def _remembered(path: Path | None) -> float | None:
    try:
        return None if path is None else float(json.loads(path.read_text())["from_sites"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _remember(path: Path, from_sites: float) -> None:
    try:
        with files.atomic(path) as file:
            file.write(json.dumps({"from_sites": from_sites}).encode())
    except OSError:  # a full disk is no reason to stop: the next process measures again
        return


def binned_over_pushed(n: int) -> float:
    """How many times as long a step on `n` sites takes with bins as without."""
    rows = np.arange(n + 1)
    rows //= _EVERY
    rows *= _DEGREE
    ends = np.random.default_rng(0).integers(n, size=int(rows[-1]), dtype=np.int32)
    graph = Graph.of_rows(rows, ends)  # not all edges both ways, which no kernel asks for
    field = np.empty(n)
    profile = np.empty(2, np.int64)

    def seconds(relaxed: Callable[[], object]) -> float:
        field[:] = 0.0
        field[_EVERY - 1 :: _EVERY] = 1.0
        began = time.perf_counter()
        relaxed()
        return time.perf_counter() - began

    settings = 0.3, 0.95, 2, profile
    ways = (
        lambda: relax_in_blocks(field, graph, *settings, 1),
        lambda: relax(field, graph.begins, graph.targets, *settings, workspace(graph.begins), False),
    )
    binned, pushed = np.min([[seconds(way) for way in ways] for _ in range(_ROUNDS)], axis=0)
    return float(binned / pushed)
