"""The main job: the paper's study, from training to the table."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tdu import figures, store
from tdu.cascades import gather
from tdu.config import StudyConfig
from tdu.ensembles import finish
from tdu.models.xor import checked
from tdu.published import PUBLISHED, compare
from tdu.scaling import dimension_over_time, estimate, exponent, least_r2_over_time, window_dimension
from tdu.types import STATISTICS, CascadeLog, Estimate, Floats, Quantity, Results, Run

#: Wraps the stream of finished runs of which `int` are to come: the place for a progress bar.
Watch = Callable[[Iterator[Run], int], Iterator[Run]]


def _unwatched(runs: Iterator[Run], _total: int) -> Iterator[Run]:
    return runs


def train_study(path: Path, config: StudyConfig, workers: int, watch: Watch = _unwatched) -> store.RunDirectory:
    """Train what the run directory at `path` misses of the study, on `workers` threads."""
    directory = store.RunDirectory.create(path, checked(config))
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
    window = _grokking_window(log, seed)
    before = log.epoch < window["grokking_first"].value
    after = log.epoch > window["grokking_last"].value
    quantities = {
        "dimension": exponent(log, "peak", seed),
        "dimension_run_peak": exponent(log, "run-peak", seed),
        "gamma": exponent(log, "mean", seed),
        "dimension_early": window_dimension(log, "peak", before, seed),
        "dimension_late": window_dimension(log, "peak", after, seed),
        "dimension_early_mean": window_dimension(log, "mean", before, seed),
        "dimension_late_mean": window_dimension(log, "mean", after, seed),
        "r2_min": least_r2_over_time(log, "peak", seed),
        **window,
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


def grokking_by_scale(log: CascadeLog) -> Floats:
    """(S, K) grokking epochs, nan for an ungrokked run."""
    return np.where(log.grokking_epoch < 0, np.nan, log.grokking_epoch)


def _grokking_window(log: CascadeLog, seed: int) -> dict[str, Estimate]:
    """Earliest and latest grokking epoch over the scales, each scale's the mean over its grokked runs.

    The paper's inset gives one epoch per scale, "spanning 12–134". Over single runs the range is wider, and grows with
    their number; that reading stands beside it.
    """
    epoch = grokking_by_scale(log)
    ungrokked = int(np.isnan(epoch).sum())
    note = f"{ungrokked} of {epoch.size} runs never grok" if ungrokked else "every run groks"
    readings = {
        "grokking_first": ("earliest scale mean", lambda v: _mean_of_grokked(v).min(axis=-1)),
        "grokking_last": ("latest scale mean", lambda v: _mean_of_grokked(v).max(axis=-1)),
        "grokking_first_run": ("earliest run", lambda v: np.fmin.reduce(v, axis=(1, 2))),
        "grokking_last_run": ("latest run", lambda v: np.fmax.reduce(v, axis=(1, 2))),
    }
    return {key: estimate(epoch, function, statistic, seed, note) for key, (statistic, function) in readings.items()}


def _mean_of_grokked(epoch: npt.NDArray[np.generic]) -> Floats:
    """Mean over the runs (…, K) that grok; nan if none does, and then the window, too, is unknown."""
    grokked = ~np.isnan(epoch)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(grokked, epoch, 0).sum(axis=-1) / grokked.sum(axis=-1))


def _grand_mean(values: npt.NDArray[np.generic]) -> Floats:
    return np.asarray(values.mean(axis=(1, 2, 3)))


def reproduce(out: Path, config: StudyConfig, workers: int, watch: Watch = _unwatched) -> Results:
    """The whole job in `out`: run directory, results.json, figures."""
    train_study(out, config, workers, watch)
    log = load_log(out)
    results = measure(log)
    store.save_results(out / "results.json", results)
    figures.draw(results, out / "figures")
    return results


def _with_interval(q: Quantity) -> str:
    """Value and interval, to two digits of the interval's half-width."""
    half = (q.high - q.low) / 2
    decimals = max(0, 1 - math.floor(math.log10(half))) if half > 0 else 0 if float(q.value).is_integer() else 3
    return f"{q.value:.{decimals}f} [{q.low:.{decimals}f}, {q.high:.{decimals}f}]"


def table(results: Results) -> str:
    """The verdict table as text: quantity, ours with its 95 % interval, published, agrees or not."""
    verdict = {True: "agrees", False: "does not agree", None: ""}
    rows = [("quantity", "ours [95 % interval]", "published", "")]
    for key, q in results.quantities.items():
        label = PUBLISHED[key].label if key in PUBLISHED else key.replace("_", " ")
        ours = _with_interval(q)
        rows.append((label, ours, q.published_text, verdict[q.agrees]))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    paper = replace(StudyConfig(), seed=results.config.seed)
    other = [field.name for field in fields(paper) if getattr(paper, field.name) != getattr(results.config, field.name)]
    if other:
        lines.append(f"\nnot the paper's setting in {', '.join(other)}: read the verdicts accordingly")
    return "\n".join(lines)
