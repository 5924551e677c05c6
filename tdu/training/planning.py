"""What a study costs before it is trained: hours, disk and memory of its runs, and how long so many workers take."""

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from tdu.config import NetworkConfig, StudyConfig
from tdu.executors import Address
from tdu.training.ensembles import compile_kernels, study_store
from tdu.training.xor import probe_of, run_of_study, with_fields

T = TypeVar("T")

#: Hidden units up to which runs are timed; beyond, time is extrapolated.
TIMED = 250_000
_GROWTH = 1.22  # the power of N that a probe's time grows with up to 10⁸ sites, 1.20 to 1.22 by processor (bench/README.md)
_SECONDS = 0.1  # what is timed is cut short once it takes so long
_BYTES_A_SITE = 100  # graph, parameters, gradient and lists of one run
_BYTES_A_SNAPSHOT = 24  # and site: the gradient is kept for the nulls, whose draw is applied to all snapshots at once
CLUSTERS = (64, 1024)


@dataclass(frozen=True)
class Cost:
    """What the runs of a scale cost that are still to be made: of each the time on one processor, and the bytes."""

    scale: int
    n_sites: int
    runs: int
    seconds: float
    disk: int
    memory: int


@dataclass(frozen=True)
class Schedule:
    """So many workers at all runs, large ones first: seconds until the last ends, and the share in which workers are busy."""

    workers: int
    seconds: float
    efficiency: float


def costs(config: StudyConfig, missing: Iterable[Address]) -> Iterator[Cost]:
    """The cost of each scale's runs among those `missing`.

    Times are of parts of runs here and now, on one thread. Of more than 10⁶ sites it is that of 10⁶, times (N / 10⁶)^1.22.
    """
    compile_kernels(config)
    disk, kept = _bytes_on_disk(config), _BYTES_A_SNAPSHOT * _n_snapshots(config) if config.n_null_draws else 0
    scales = [scale for scale, _ in missing]
    of_largest = None
    for scale in sorted(set(scales)):
        if scale <= TIMED:
            seconds = _seconds(config, scale)
        else:
            of_largest = of_largest or _seconds(config, TIMED)
            seconds = of_largest * (scale / TIMED) ** _GROWTH
        n_sites = 4 * scale + 1
        yield Cost(scale, n_sites, scales.count(scale), seconds, disk, n_sites * (_BYTES_A_SITE + kept))


def schedule(found: Iterable[Cost], workers: int) -> Schedule:
    """Largest first, as the grid is handed out: whoever is free takes the next run."""
    seconds = sorted((cost.seconds for cost in found for _ in range(cost.runs)), reverse=True)
    free = [0.0] * workers
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    end = max(free)
    return Schedule(workers, end, sum(seconds) / (workers * end) if end else 1.0)


def schedules(found: Sequence[Cost], workers: int, **total: float) -> list[dict[str, float]]:
    """How long all of them take, a row for so many workers and for those of two clusters, behind what they take in `total`."""
    scheduled = (schedule(found, number) for number in sorted({workers, *CLUSTERS}))
    return [{"workers": one.workers, **total, "hours": one.seconds / 3600, "efficiency": one.efficiency} for one in scheduled]


def _n_snapshots(config: StudyConfig) -> int:
    return config.epochs // config.snapshot_every + 1


def _seconds(config: StudyConfig, scale: int) -> float:
    """Of a run: what it begins with, its epochs, and under each draw of the nulls an arrangement and its snapshots.

    Each is timed apart, and what is short as often as makes `_SECONDS`: to arrange a null can take longer than all of training.
    """
    bare = replace(config, n_null_draws=0)
    total = seconds_of(lambda epochs: run_of_study(replace(bare, epochs=epochs), scale, 0), config)
    return total + config.n_null_draws * _seconds_of_draw(config, scale) if config.n_null_draws else total


def seconds_of(run: Callable[[int], object], config: StudyConfig | NetworkConfig) -> float:
    """Of the `config`'s epochs of a `run`, which is told how many to train: from parts that are timed."""
    begun, _ = _timed(partial(run, 0))
    epochs, seconds = config.epochs, begun
    for epochs in _longer(config.snapshot_every, config.epochs):
        seconds, _ = _timed(partial(run, epochs))
        if seconds > _SECONDS:
            break
    return begun + max(seconds - begun, 0.0) * config.epochs / max(epochs, 1)


def _seconds_of_draw(config: StudyConfig, scale: int) -> float:
    """Of one draw of every null, for all snapshots of a run."""
    trained = with_fields(replace(config, epochs=0), scale, 0)
    layout, n_snapshots = trained.run.layout, _n_snapshots(config)
    graph, _ = _timed(partial(probe_of(config, 0).of_run, layout, scale, 0))
    arranged, probe = _timed(partial(probe_of(config, 1).of_run, layout, scale, 0))
    count, seconds = n_snapshots, 0.0
    for count in _longer(1, n_snapshots):
        seconds, _ = _timed(partial(probe.null_sizes, np.repeat(trained.fields, count, axis=0), np.arange(count)))
        if seconds > _SECONDS:
            break
    return max(arranged - graph, 0.0) + seconds * n_snapshots / count


def _longer(least: int, most: int) -> Iterator[int]:
    """Numbers that grow fourfold, up to the most."""
    number = min(least, most)
    while number < most:
        yield number
        number *= 4
    yield most


def _timed(job: Callable[[], T]) -> tuple[float, T]:
    """Seconds of this thread, whatever else the machine does meanwhile, and the result."""
    begun = time.thread_time()
    result = job()
    return time.thread_time() - begun, result


def _bytes_on_disk(config: StudyConfig) -> int:
    """Of a run's file, from that of a run of no epochs: arrays are stored as they are, after headers of fixed size."""
    least = replace(config, hidden=(5,), replicates=1, epochs=0)
    run = run_of_study(least, 5, 0)
    with TemporaryDirectory() as directory:
        store = study_store(Path(directory), least)
        store.write(run)
        size = store.file(5, 0).stat().st_size
    curves = sum(np.asarray(curve).nbytes for curve in run.curves.values())
    snapshots = run.step.nbytes + sum(values.nbytes for group in (run.columns, run.nulls) for values in group.values())
    return size + curves * config.epochs + snapshots * (_n_snapshots(config) - 1)
