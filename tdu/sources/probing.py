"""Fields on disk → runs in a log: each snapshot is read a tensor at a time, measured, and forgotten."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from shlex import quote

import numpy as np

from tdu.avalanches import gauges, spectrum
from tdu.avalanches.averaging import Averager
from tdu.avalanches.probe import GIVEN, SOURCE, SWITCHES, UNASKED, Probe
from tdu.avalanches.run_probe import RunProbe
from tdu.avalanches.threads import MIN_SITES_THREADED
from tdu.errors import InputError
from tdu.executors import Address, Elsewhere, Workers, as_finished, opened, share
from tdu.logs.claims import TakenError
from tdu.logs.filling import filled
from tdu.logs.growing import GrowingRun, in_what_it_differs
from tdu.logs.rows import Row
from tdu.logs.store import Store
from tdu.sources.formats import open_tensors
from tdu.sources.patterns import Snapshot
from tdu.sources.tensors import Tensors
from tdu.types import Fields, Layout


@dataclass(frozen=True)
class Selection:
    """Which tensors of a file make the field, by regular expressions on their names, and whether it is a difference.

    Of a `difference` the files are checkpoints, and the field at a step is what the parameters gain until the next.
    """

    include: str | None = None
    exclude: str | None = None
    difference: bool = False

    def open(self, path: Path) -> Tensors:
        """The chosen tensors of a file; the array of a .npy has the file's name, which tells steps apart and no parameter."""
        tensors = open_tensors(path)
        return (tensors.as_one() if path.suffix == ".npy" else tensors).chosen(self.include, self.exclude)


@dataclass(frozen=True)
class FieldFile:
    """What the field of one step is read from: a snapshot, and for a difference the checkpoint after it."""

    snapshot: Snapshot
    after: Snapshot | None = None

    @property
    def step(self) -> int:
        """Of the field; of a difference, that of its first checkpoint."""
        return self.snapshot.step


@dataclass(frozen=True)
class RunFiles:
    """The files of one run, in order of their steps; the layout of the fields is that of the first."""

    scale: int
    replicate: int
    layout: Layout
    fields: tuple[FieldFile, ...]


def runs_in(snapshots: Iterable[Snapshot], selection: Selection) -> list[RunFiles]:
    """The runs that snapshots make up, the smallest first.

    Raises
    ------
    ValueError
        If a run has one checkpoint only where a difference is asked for, or runs of one scale differ in N.
    """
    found = []
    in_order = sorted(snapshots, key=lambda one: (one.scale, one.replicate, one.step))
    for (scale, replicate), of_run in groupby(in_order, key=lambda one: (one.scale, one.replicate)):
        files = list(of_run)
        fields = [FieldFile(*pair) for pair in pairwise(files)] if selection.difference else [FieldFile(one) for one in files]
        if not fields:
            raise InputError(f"run {replicate} of scale {scale} has one checkpoint, {files[0].path}: a difference needs two")
        found.append(RunFiles(scale, replicate, selection.open(files[0].path).layout, tuple(fields)))
    _check_scales(found)
    return sorted(found, key=lambda run: (run.layout.n_sites, run.scale, run.replicate))


def _check_scales(runs: Sequence[RunFiles]) -> None:
    """Runs of one scale have one N, and another scale has another."""
    of_scale: dict[int, RunFiles] = {}
    of_size: dict[int, RunFiles] = {}
    for run in runs:
        alike, other = of_scale.setdefault(run.scale, run), of_size.setdefault(run.layout.n_sites, run)
        first = alike if alike.layout.n_sites != run.layout.n_sites else other
        if first.scale != run.scale or first.layout.n_sites != run.layout.n_sites:
            said = [f"scale {one.scale} has N = {one.layout.n_sites} in {one.fields[0].snapshot.path}" for one in (first, run)]
            raise InputError(f"{said[0]}, but {said[1]}: each scale has its own N, one for all of its runs")


def probe_runs(
    path: Path,
    runs: Sequence[RunFiles],
    probe: Probe,
    selection: Selection,
    grokking_steps: Mapping[Address, int] | None = None,
    workers: Workers | int = 1,
    part: tuple[int, int] | None = None,
) -> Iterator[RunFiles]:
    """Measure every field of `runs` that the log at `path` does not have yet; a field's run is yielded when it is done.

    Fields that are not finite are left out, and a warning says so. What is measured is written every twenty seconds: the same
    command goes on where it stopped, also with files that have come meanwhile. Threads share the fields of a run; workers
    elsewhere have a run each, and must see files and log. With `part` (K, M), the K-th of M shares of the runs is measured.

    Raises
    ------
    ValueError
        If the log is of another probe, or a file is not readable or of another layout than the first of its run.
    """
    workers = Workers.of(workers)
    if workers.hand_back:
        raise InputError("runs of files are measured and written where the files are: --no-hand-back")
    probe = probe.settled(*(run.layout for run in runs))
    store = log_at(path.absolute(), probe, selection)
    steps = grokking_steps or {}
    jobs = {
        (run.scale, run.replicate): partial(_measured_run, store, run, probe, selection, steps.get((run.scale, run.replicate)))
        for run in runs
    }
    of_address = {(run.scale, run.replicate): run for run in runs}
    with opened(workers, partial(_compile, probe)) as executor:

        def make(missing: list[Address]) -> Iterator[Address]:
            if isinstance(executor, Elsewhere):
                there = {address: partial(_on_worker, jobs[address], store, store.begun()) for address in missing}
                for address, done in as_finished(there, executor):
                    yield from [address] * (len(of_address[address].fields) if done else 0)
                return
            for address in missing:
                with suppress(TakenError):
                    for _ in jobs[address](workers.number):
                        yield address

        wanted = share(of_address, part) if part else list(of_address)
        for address in filled(store, make, wanted, wait=part is None):
            yield of_address[address]


def _compile(probe: Probe) -> None:
    layout = Layout((("weight", (8, 8)), ("bias", (8,))))
    small = replace(probe, graph="ba", draws=min(probe.draws, 1)).of_run(layout)
    small.snapshot(np.linspace(-1, 1, layout.n_sites), 0)


def _on_worker(job: Callable[[int], Iterator[None]], store: Store, begun: bytes) -> bool:
    """Measure a run on one thread; False where another process is at it."""
    store.refuse_another(begun)
    try:
        for _ in job(1):
            pass
    except TakenError:
        return False
    return True


def _measured_run(
    store: Store, run: RunFiles, probe: Probe, selection: Selection, grokking_step: int | None, workers: int
) -> Iterator[None]:
    """Measure what the log does not have of a run; a field after the other."""
    with GrowingRun(store, run.scale, run.replicate) as growing:
        growing.keep_to(run.layout)
        growing.grokking_step = grokking_step
        known = {row.step for row in growing.rows}
        missing = [field for field in run.fields if field.step not in known]
        yield from [None] * (len(run.fields) - len(missing))
        for row in _measured(missing, run, probe, selection, workers) if missing else ():
            if row is not None:
                growing.add(row)
            yield


def log_at(path: Path, probe: Probe, selection: Selection) -> Store:
    """A new log at `path`, or the one of this probe and selection that is there, whether files or a training loop made it.

    What is not chosen stands in no settings, so that whole gradients are one log from wherever they come. A ValueError says in
    the options of `tdu probe` in what the log differs.
    """
    chosen = {name: value for name, value in asdict(selection).items() if value}
    if (path / "manifest.json").exists():
        there = Store.open(path)
        if there.source == SOURCE and there.addresses():
            default = asdict(Selection()) | UNASKED
            before, now = (default | dict(of) for of in (there.settings, probe.settings | chosen))
            pairs = [(_as_options(name, before.get(name)), _as_options(name, now[name])) for name in now]
            if differences := [f"{old} there, {new} here" for old, new in pairs if old != new]:
                raise InputError(
                    f"{path} holds runs of another probe ({'; '.join(differences)}): give the options that are there, or "
                    "another --out"
                )
            return there
    return Store.begin(path, SOURCE, probe.settings | chosen)


def _as_options(name: str, value: object) -> str:
    """A setting as `tdu probe` is given it."""
    option = "--null" if name == "nulls" else f"--{name.replace('_', '-')}"
    if name == "graph" and value == GIVEN:
        return "a graph given in Python"
    if value is False and name in SWITCHES:
        return f"--no-{name}"
    if value is None or value is False or value in ((), []):
        return f"no {option}"
    if value is True:
        return option
    return " ".join(f"{option} {quote(str(one))}" for one in (value if isinstance(value, list | tuple) else [value]))


def _measured(
    fields: Sequence[FieldFile], run: RunFiles, probe: Probe, selection: Selection, workers: int
) -> Iterator[Row | None]:
    """The rows of fields, in order. Threads share the fields, or each of them in turn if they are large or no more than one."""
    of_run = probe.of_run(run.layout, run.scale, run.replicate)
    within = run.layout.n_sites >= MIN_SITES_THREADED or len(fields) == 1
    row = partial(_row, run=run, probe=of_run, selection=selection, workers=workers if within else 1)
    if within or workers == 1:
        yield from map(row, fields)
        return
    with ThreadPoolExecutor(workers) as executor:
        for start in range(0, len(fields), workers):  # what is not asked for yet need not be waited for when interrupted
            yield from executor.map(row, fields[start : start + workers])


def _row(field: FieldFile, run: RunFiles, probe: RunProbe, selection: Selection, workers: int) -> Row | None:
    """One snapshot measured, None where it is not finite."""
    columns = dict(field.snapshot.metrics)
    values = _read(field.snapshot.path, run.layout, selection)
    if field.after is not None:
        columns |= gauges.of_weights(run.layout.views(values))
        values = _gained(values, field.after, run.layout, selection)
    if not np.isfinite(length := gauges.norm(values)):
        warnings.warn(f"{field.snapshot.path} is not finite: this snapshot is left out", stacklevel=2)
        return None
    if probe.probe.window:
        columns |= _spectra(field, values, run, probe, selection)
    measured, nulls = probe.snapshot(values, field.step, workers)
    return Row(field.step, columns | {"gradient_norm": length} | measured, nulls)


def _spectra(field: FieldFile, values: Fields, run: RunFiles, probe: RunProbe, selection: Selection) -> dict[str, float]:
    """Columns of the mean over the fields of a run up to this one, which are read for every window that they are in."""
    window = probe.probe.n_averaged
    averager = Averager(run.layout.n_sites, window, window, probe.probe.precision)
    end = run.fields.index(field)
    first = max(end + 1 - max(window, 2), 0)
    for step, one in enumerate(
        run.fields[first : end + 1], window - end + first
    ):  # counted so that the window ends at `window`
        part = values
        if one is not field:
            part = _read(one.snapshot.path, run.layout, selection)
            part = part if one.after is None else _gained(part, one.after, run.layout, selection)
        if np.isfinite(gauges.norm(part)):
            averager.add(step, part)
    return spectrum.columns(averager.mean(window), averager.cosine, run.layout)


def _gained(before: Fields, checkpoint: Snapshot, layout: Layout, selection: Selection) -> Fields:
    """What the parameters gain until the next checkpoint."""
    after = _read(checkpoint.path, layout, selection)
    return np.subtract(after, before, dtype=np.result_type(after, np.float32))


def _read(path: Path, layout: Layout, selection: Selection) -> Fields:
    tensors = selection.open(path)
    if tensors.layout != layout:
        raise InputError(f"{path}: {in_what_it_differs(tensors.layout, layout)}")
    return tensors.field()
