"""The main job: the paper's study, from training to the table."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tdu import figures, store
from tdu.cascades import gather
from tdu.config import StudyConfig
from tdu.ensembles import finish
from tdu.published import PUBLISHED, compare
from tdu.scaling import dimension_over_time, estimate, exponent, window_dimension
from tdu.types import STATISTICS, CascadeLog, Estimate, Floats, Results, Run

#: Wraps the stream of finished runs of which `int` are to come: the place for a progress bar.
Watch = Callable[[Iterator[Run], int], Iterator[Run]]


def _unwatched(runs: Iterator[Run], _total: int) -> Iterator[Run]:
    return runs


def train_study(path: Path, config: StudyConfig, workers: int, watch: Watch = _unwatched) -> store.RunDirectory:
    """Train what the run directory at `path` misses of the study, on `workers` threads."""
    directory = store.RunDirectory.create(path, config)
    with directory.lock(), ThreadPoolExecutor(workers) as executor:
        for _run in watch(finish(directory, executor), len(directory.missing())):
            pass
    return directory


def load_log(path: Path) -> CascadeLog:
    """The cascade log of the finished study at `path`."""
    directory = store.RunDirectory.open(path)
    return gather(directory.config, directory.runs())


def measure(log: CascadeLog) -> Results:
    """Every quantity of the study with its interval, beside the published one."""
    seed = log.config.seed
    before, after = outside_grokking_window(log)
    quantities = {
        "dimension": exponent(log, "peak", seed),
        "dimension_run_peak": exponent(log, "run-peak", seed),
        "gamma": exponent(log, "mean", seed),
        "dimension_early": window_dimension(log, "peak", before, seed),
        "dimension_late": window_dimension(log, "peak", after, seed),
        "dimension_early_mean": window_dimension(log, "mean", before, seed),
        "dimension_late_mean": window_dimension(log, "mean", after, seed),
        **_grokking_range(log, seed),
        "deviation_angle": estimate(np.degrees(log.deviation_angle), _grand_mean, "mean", seed),
        "steps_mean": estimate(log.duration, _grand_mean, "mean", seed),
        "steps_max": estimate(log.duration, lambda v: v.max(axis=(1, 2, 3)).astype(np.float64), "largest", seed),
    }
    return Results(
        config=log.config,
        quantities={key: compare(value, key) for key, value in quantities.items()},
        epoch=log.epoch,
        dimension_over_time={name: dimension_over_time(log, name, seed) for name in STATISTICS},
    )


def outside_grokking_window(log: CascadeLog) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which snapshots (T,) come before the first run groks, and which after the last has; all-False if none groks."""
    grokked = log.grokking_epoch[log.grokking_epoch >= 0]
    if grokked.size == 0:
        return np.zeros(log.epoch.size, bool), np.zeros(log.epoch.size, bool)
    return log.epoch < grokked.min(), log.epoch > grokked.max()


def _grokking_range(log: CascadeLog, seed: int) -> dict[str, Estimate]:
    """First and last grokking epoch over all runs; ungrokked runs are left out, and counted in the note."""
    ungrokked = int((log.grokking_epoch < 0).sum())
    note = f"{ungrokked} of {log.grokking_epoch.size} runs never grok" if ungrokked else ""
    epoch = np.where(log.grokking_epoch < 0, np.nan, log.grokking_epoch)
    if ungrokked == epoch.size:
        nothing = Estimate(np.nan, np.nan, np.nan, "none", note)
        return {"grokking_first": nothing, "grokking_last": nothing}
    return {
        "grokking_first": estimate(epoch, lambda v: np.nanmin(v, axis=(1, 2)), "earliest", seed, note),
        "grokking_last": estimate(epoch, lambda v: np.nanmax(v, axis=(1, 2)), "latest", seed, note),
    }


def _grand_mean(values: npt.NDArray[np.generic]) -> Floats:
    return np.asarray(values.mean(axis=(1, 2, 3)))


def reproduce(out: Path, config: StudyConfig, workers: int, watch: Watch = _unwatched) -> Results:
    """The whole job in `out`: run directory, results.json, figures."""
    train_study(out, config, workers, watch)
    log = load_log(out)
    results = measure(log)
    store.save_results(out / "results.json", results)
    figures.draw(results, log, out / "figures")
    return results


def table(results: Results) -> str:
    """The verdict table as text: quantity, ours with its 95 % interval, published, agrees or not."""
    verdict = {True: "agrees", False: "does not agree", None: ""}
    rows = [("quantity", "ours [95 % interval]", "published", "")]
    for key, q in results.quantities.items():
        label = PUBLISHED[key].label if key in PUBLISHED else key.replace("_", " ")
        ours = f"{q.value:.3g} [{q.low:.3g}, {q.high:.3g}]"
        rows.append((label, ours, q.published_text, verdict[q.agrees]))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
