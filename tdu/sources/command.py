"""What `tdu probe PATTERN --out RUN` does: the runs that are asked for, a plan of the work, and the work."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from tdu.avalanches.nulls import kept_together
from tdu.avalanches.probe import Probe
from tdu.avalanches.protocol import OF_ARRAYS, Choices, chosen, word_on
from tdu.avalanches.threads import MIN_SITES_THREADED
from tdu.errors import InputError
from tdu.executors import Workers, share
from tdu.models import mlp
from tdu.sources.formats import layout_in
from tdu.sources.patterns import found
from tdu.sources.probing import RunFiles, Selection, probe_runs, runs_in
from tdu.types import Fields, Layout

#: Up to so many sites a scale's own field is timed; beyond, time is extrapolated from such a network's.
_MEASURED = mlp.layout(250_000)
_GROWTH = 1.2  # the power of N that it grows with from there on, as more and more of the field lies outside of caches
_BYTES_A_SITE = 60  # graph, field and lists of one probe
_BYTES_OF_RANKS = 32  # a site: magnitudes, their order, the quantiles, and the field that they make


def choices_for(
    files: Sequence[Path],
    graph: str | None,
    ranked: bool | None,
    edges: bool | None = None,
    nulls: tuple[str, ...] = (),
    threshold: float | None = None,
) -> tuple[Choices, str | None]:
    """What is measured of files that make no log, the same of all as they are one table, and what is to be said of it.

    A threshold that is given is one of |g|, not of ranks.
    """
    if ranked is None and threshold is not None:
        ranked = False
    of_named = OF_ARRAYS.nulls if graph else None  # of a file alone, which need not have a layout
    choices = chosen((layout_in(path, 1) for path in files), graph, ranked, edges, nulls or of_named)
    return choices, word_on(graph, choices)


@dataclass(frozen=True)
class Asked:
    """The runs whose fields are to be measured into the log `out`, and how; a `word` on that, if there is one to say."""

    out: Path
    runs: tuple[RunFiles, ...]
    probe: Probe
    selection: Selection
    grokking_steps: Mapping[tuple[int, int], int]
    workers: Workers
    part: tuple[int, int] | None = None
    word: str | None = None

    @property
    def n_fields(self) -> int:
        """Of all runs, or the share that is asked for; those in the log already included."""
        of_address = {(run.scale, run.replicate): run for run in self.runs}
        return sum(len(of_address[address].fields) for address in (share(of_address, self.part) if self.part else of_address))

    @property
    def found(self) -> str:
        """What there is to measure, in a line, and in another what is to be said of how."""
        sizes = list(dict.fromkeys(run.layout.n_sites for run in self.runs))
        fields = "difference" if self.selection.difference else "snapshot"
        scales = f"{_counted(len(sizes), 'scale')} (N = {', '.join(map(str, sizes))})"
        found = f"found {scales}, {_counted(len(self.runs), 'run')}, {_counted(self.n_fields, fields)}"
        return f"{found}\n{self.word}" if self.word else found

    def measured(self) -> Iterator[RunFiles]:
        """Measure them; yield when one is done."""
        return probe_runs(self.out, self.runs, self.probe, self.selection, self.grokking_steps, self.workers, self.part)

    def plan(self) -> Iterator[dict[str, Any]]:
        """One row a scale: runs, fields, N, avalanches with those of the nulls, and about how long and how much memory.

        Times are of the scale's first field, with ranks and edge statistics if they are chosen, and of a draw of each null.
        Of more than a million sites they are those of a Gaussian field of as many, times (N / 10⁶)^1.2.
        """
        of_million = None
        for scale, group in groupby(self.runs, key=lambda run: run.scale):
            runs = list(group)
            n_fields, n_sites = sum(len(run.fields) for run in runs), runs[0].layout.n_sites
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
                "avalanches": n_fields * (1 + self.probe.draws * len(self.probe.choices.nulls)),
                "seconds": n_fields * seconds / self.workers.number,
                "memory_gib": self._bytes(n_sites) / 2**30,
            }

    def _seconds(self, field: Fields, layout: Layout) -> float:
        """Of one field, and its draws, each taken for as long as the first."""
        seconds = []
        for draws in range(min(self.probe.draws, 1) + 1):
            of_run = replace(self.probe, draws=draws).of_run(layout)
            of_run.snapshot(field, 0)  # compiled, and the graph read, before it counts
            begun = time.perf_counter()
            of_run.snapshot(field, 0)
            seconds.append(time.perf_counter() - begun)
        return seconds[0] + self.probe.draws * max(seconds[-1] - seconds[0], 0.0)

    def _bytes(self, n_sites: int) -> float:
        choices = self.probe.choices
        at_once = 1 if n_sites >= MIN_SITES_THREADED else self.workers.number
        of_one = _BYTES_A_SITE + _BYTES_OF_RANKS * choices.ranked
        return n_sites * (of_one * at_once + 8 * kept_together(len(choices.nulls) * self.probe.draws, n_sites))


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
    graph: str | None,
    threshold: float | None,
    **settings: Any,
) -> Asked:
    """What the options of the command ask for; a ValueError if they do not go together, or nothing is found."""
    if len(patterns) > 1:
        raise InputError(f"--out takes one pattern, but {len(patterns)} are given: put it in quotes, as shells read braces")
    if threshold is not None:
        raise InputError("--threshold is for single files: the threshold of a log's fields is a --quantile of each")
    probe = Probe(graph, nulls=null or None, **settings if draws is None else settings | {"draws": draws})
    selection = Selection(include, exclude, difference)
    here = found(patterns[0])
    runs = tuple(runs_in(here.snapshots, selection))
    settled = probe.settled(*(run.layout for run in runs))
    return Asked(out, runs, settled, selection, here.grokking_steps, workers, part, word_on(graph, settled.choices))
