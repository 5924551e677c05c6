"""What pays on this machine: measured once, where it first matters, and kept beside the kernels. The bits are the same.

Processors of one name have caches of several sizes, which others may be using, so that a name would not tell.
"""

import json
import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from tdu import files
from tdu._jit import CONFIG, cache_directory
from tdu.avalanches.graphs import Graph, barabasi_albert
from tdu.avalanches.threads import relax_in_blocks
from tdu.kernels.avalanche import FEW_SITES, Work, copy, relax, workspace

_SIZES = (1 << 21, 1 << 23)  # sites at which bins are measured: in many a last cache, and in few
_MOST_WITH_BRANCHES = 10_000  # beyond, branches have never paid
_ROUNDS, _SHORT_ROUNDS = 3, 15  # of which the best is taken; others may be at work, and what is found is kept
_CLEARLY = 0.9  # ratio below which branches are taken to be faster
_EVERY, _DEGREE = 10, 4  # one site in so many topples, and has so many neighbours: a first step at the study's quantile
_FIELDS, _SITES = 40, 2_001  # on which branches are measured: of the study's largest size, and each another
_SETTINGS = 0.3, 0.95, 2  # α, threshold and steps of one wave of topplings


@lru_cache(maxsize=1)
def sites_from_which_bins_pay() -> float:
    """The least number of sites at which a single thread should bin (`tdu.kernels.blocks`); inf where it never should.

    Bins save waiting for memory, and cost writing every share once more: which weighs more depends on the last cache.
    """
    return _kept("binning", lambda: next((float(n) for n in _SIZES if binned_over_pushed(n) < 1), math.inf))


@lru_cache(maxsize=1)
def sites_up_to_which_branches_pay() -> int:
    """The largest number of sites to be relaxed with branches, at least `FEW_SITES`.

    A branch that is guessed right costs nothing, and one that is not a dozen additions: how often, and how many, differs.
    """
    if CONFIG.DISABLE_JIT:
        return FEW_SITES
    return int(_kept("branches", lambda: float(_MOST_WITH_BRANCHES if branched_over_listed() < _CLEARLY else FEW_SITES)))


def workspace_for(graph: Graph, kind: np.dtype[np.floating] | type[np.floating] = np.float64) -> Work:
    """Work space of an avalanche on `graph`, of a field of a `kind`, in the way that pays."""
    work: Work = workspace(graph.begins, kind, few_sites(len(graph)))
    return work


def few_sites(n: int) -> int:
    """`Work.few` for fields of `n` sites; measured only where it makes a difference."""
    return sites_up_to_which_branches_pay() if FEW_SITES < n <= _MOST_WITH_BRANCHES else FEW_SITES


def _kept(name: str, measure: Callable[[], float]) -> float:
    """A number of sites that is measured where none is remembered."""
    directory = cache_directory()
    path = None if directory is None else directory / f"{name}.json"
    sites = _remembered(path)
    if sites is None:
        sites = measure()
        if path is not None:
            _remember(path, sites)
    return sites


def _remembered(path: Path | None) -> float | None:
    try:
        return None if path is None else float(json.loads(path.read_text())["sites"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _remember(path: Path, sites: float) -> None:
    try:
        with files.atomic(path) as file:
            file.write(json.dumps({"sites": sites}).encode())
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

    def put_back() -> None:
        field[:] = 0.0
        field[_EVERY - 1 :: _EVERY] = 1.0

    return _ratio(
        put_back,
        lambda: relax_in_blocks(field, graph, *_SETTINGS, profile, 1),
        lambda: relax(field, graph.begins, graph.targets, *_SETTINGS, profile, workspace(graph.begins), False),
    )


def branched_over_listed() -> float:
    """How many times as long avalanches on some two thousand sites take with branches as without."""
    graph, rng = barabasi_albert(_SITES), np.random.default_rng(0)
    fields = rng.normal(size=(_FIELDS, _SITES)) * np.exp(rng.normal(size=(_FIELDS, _SITES)))
    thresholds = np.quantile(np.abs(fields), 0.9, axis=1)
    relaxed, profile = np.empty(_SITES), np.empty(20, np.int64)

    def all_of_them(work: Work) -> None:
        for field, threshold in zip(fields, thresholds, strict=True):
            copy(field, relaxed)
            relax(relaxed, graph.begins, graph.targets, 0.3, threshold, 20, profile, work, False)

    branching, listing = (workspace(graph.begins, few=few) for few in (_SITES, 0))
    return _ratio(lambda: None, lambda: all_of_them(branching), lambda: all_of_them(listing), _SHORT_ROUNDS)


def _ratio(before: Callable[[], None], one: Callable[[], object], other: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """The best time of `one` way over that of the `other`, in turns, after what is to be done `before` each."""

    def seconds(way: Callable[[], object]) -> float:
        before()
        began = time.perf_counter()
        way()
        return time.perf_counter() - began

    ours, theirs = np.min([[seconds(way) for way in (one, other)] for _ in range(rounds)], axis=0)
    return float(ours / theirs)
