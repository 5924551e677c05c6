"""What `tdu probe PATTERN --out RUN` does: the runs that are asked for, a plan of the work, and the work."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from tdu.avalanches.nulls import kept_together
from tdu.avalanches.probe import Probe
from tdu.avalanches.threads import MIN_SITES_THREADED
from tdu.errors import InputError
from tdu.executors import Workers, share
from tdu.models import mlp
from tdu.sources.patterns import found
from tdu.sources.probing import RunFiles, Selection, probe_runs, runs_in
from tdu.types import Fields, Layout

#: Up to so many sites a scale's own field is timed; beyond, time is extrapolated from such a network's.
_MEASURED = mlp.layout(250_000)
_GROWTH = 1.2  # the power of N that it grows with from there on, as more and more of the field lies outside of caches
_BYTES_A_SITE = 60  # graph, field and lists of one probe


@dataclass(frozen=True)
class Asked:
    """The runs whose fields are to be measured into the log `out`, and how."""

    out: Path
    runs: tuple[RunFiles, ...]
    probe: Probe
    selection: Selection
    grokking_steps: Mapping[tuple[int, int], int]
    workers: Workers
    part: tuple[int, int] | None = None

    @property
    def n_fields(self) -> int:
        """Of all runs, or the share that is asked for; those in the log already included."""
        of_address = {(run.scale, run.replicate): run for run in self.runs}
        return sum(len(of_address[address].fields) for address in (share(of_address, self.part) if self.part else of_address))

    @property
    def found(self) -> str:
        """What there is to measure, in a line."""
        sizes = list(dict.fromkeys(run.layout.n_sites for run in self.runs))
        fields = "difference" if self.selection.difference else "snapshot"
        scales = f"{_counted(len(sizes), 'scale')} (N = {', '.join(map(str, sizes))})"
        return f"found {scales}, {_counted(len(self.runs), 'run')}, {_counted(self.n_fields, fields)}"

    def measured(self) -> Iterator[RunFiles]:
        """Measure them; yield when one is done."""
        return probe_runs(self.out, self.runs, self.probe, self.selection, self.grokking_steps, self.workers, self.part)

    def plan(self) -> Iterator[dict[str, Any]]:
        """One row a scale: runs, fields, N, avalanches with those of the nulls, and about how long and how much memory.

        Times are of an avalanche of the scale's first field. Of more than a million sites it is that of a Gaussian field of as
        many, times (N / 10⁶)^1.2.
        """
        of_million = None
        for scale, group in groupby(self.runs, key=lambda run: run.scale):
            runs = list(group)
            n_fields, n_sites = sum(len(run.fields) for run in runs), runs[0].layout.n_sites
            avalanches = n_fields * (1 + self.probe.draws * len(self.probe.nulls))
            if n_sites <= _MEASURED.n_sites:
                seconds = self._seconds(self.selection.open(runs[0].fields[0].snapshot.path).field(), runs[0].layout)
            else:
                of_million = of_million or self._seconds(np.random.default_rng(0).normal(size=_MEASURED.n_sites), _MEASURED)
                seconds = of_million * (n_sites / _MEASURED.n_sites) ** _GROWTH
            yield {
                "scale": scale,
                "n": n_sites,
                "runs": len(runs),
                "fields": n_fields,
                "avalanches": avalanches,
                "seconds": avalanches * seconds / self.workers.number,
                "memory_gib": self._bytes(n_sites) / 2**30,
            }

    def _seconds(self, field: Fields, layout: Layout) -> float:
        """Of one avalanche of a field."""
        of_run = replace(self.probe, draws=0).of_run(layout)
        of_run.sizes(field[None])  # compiled, and the graph read, before it counts
        begun = time.perf_counter()
        of_run.sizes(field[None])
        return time.perf_counter() - begun

    def _bytes(self, n_sites: int) -> float:
        at_once = 1 if n_sites >= MIN_SITES_THREADED else self.workers.number
        return n_sites * (_BYTES_A_SITE * at_once + 8 * kept_together(len(self.probe.nulls) * self.probe.draws, n_sites))


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def asked(
    patterns: tuple[str, ...],
    *,
    out: Path,
    null: tuple[str, ...],
    draws: int | None,
    difference: bool,
    include: str | None,
    exclude: str | None,
    workers: Workers,
    part: tuple[int, int] | None,
    graph: str,
    seed: int,
    threshold: float | None,
    **settings: Any,
) -> Asked:
    """What the options of the command ask for; a ValueError if they do not go together, or nothing is found."""
    if len(patterns) > 1:
        raise InputError(f"--out takes one pattern, but {len(patterns)} are given: put it in quotes, as shells read braces")
    if threshold is not None:
        raise InputError("--threshold is for single files: the threshold of a log's fields is a --quantile of each")
    given: dict[str, Any] = {"nulls": null or None, "draws": draws}
    probe = replace(Probe(graph, **settings, seed=seed), **{name: value for name, value in given.items() if value is not None})
    selection = Selection(include, exclude, difference)
    here = found(patterns[0])
    runs = tuple(runs_in(here.snapshots, selection))
    return Asked(out, runs, probe, selection, here.grokking_steps, workers, part)
