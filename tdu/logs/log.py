"""From runs to the log: scales in order of N, the union of all steps, nan where a run has nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tdu.errors import InputError
from tdu.types import Column, Floats, Integers, Log, Run


def gather(runs: Iterable[Run], seed: int = 0) -> Log:
    """The log of runs, in whatever order they come. Runs may be missing, and steps need not align.

    Columns, nulls and curves that some of the runs lack are nan for these; draws beyond those of a run too.

    Raises
    ------
    ValueError
        If there is no run, a run is given twice, or runs of one scale differ in N.
    """
    by_scale = _by_scale(runs)
    scales = sorted(by_scale, key=lambda scale: (by_scale[scale][0].n_sites, scale))
    grid = [sorted(by_scale[scale], key=lambda run: run.replicate) for scale in scales]
    step = np.unique(np.concatenate([run.step for row in grid for run in row]))
    shape = (len(grid), max(map(len, grid)))
    grokking = np.full(shape, -1, np.int64)
    for s, row in enumerate(grid):
        grokking[s, : len(row)] = [run.grokking_step for run in row]
    return Log(
        scale=np.array(scales),
        n_sites=np.array([row[0].n_sites for row in grid], np.int64),
        step=step,
        columns=_filled(grid, lambda run: run.columns, step),
        nulls={name: np.moveaxis(sizes, 2, 0) for name, sizes in _filled(grid, lambda run: run.nulls, step).items()},
        curves=_filled(grid, lambda run: run.curves),
        grokking_step=grokking,
        seed=seed,
    )


def _by_scale(runs: Iterable[Run]) -> dict[int, list[Run]]:
    by_scale: dict[int, list[Run]] = {}
    seen: set[tuple[int, int]] = set()
    for run in runs:
        others = by_scale.setdefault(run.scale, [])
        if (run.scale, run.replicate) in seen:
            raise InputError(f"run {run.replicate} of scale {run.scale} is there twice")
        seen.add((run.scale, run.replicate))
        if others and run.n_sites != others[0].n_sites:
            raise InputError(
                f"run {run.replicate} of scale {run.scale} has {run.n_sites} sites but run {others[0].replicate} "
                f"{others[0].n_sites}: they are not of one scale"
            )
        others.append(run)
    if not by_scale:
        raise InputError("there is no run: a log needs at least one")
    return by_scale


def _filled(
    grid: Sequence[Sequence[Run]], of_run: Callable[[Run], Mapping[str, Column]], step: Integers | None = None
) -> dict[str, Floats]:
    """(S, K, …, T) by name; of curves, without `step`, the last axis is as long as the longest."""
    runs = [run for row in grid for run in row]
    whole = len({len(row) for row in grid}) == 1 and (step is None or all(run.step.size == step.size for run in runs))
    found = {}
    for name in dict.fromkeys(name for run in runs for name in of_run(run)):
        shapes = [of_run(run)[name].shape for run in runs if name in of_run(run)]
        if whole and len(shapes) == len(runs) and len(set(shapes)) == 1:  # nothing is missing: the grid as it is
            found[name] = np.array([[of_run(run)[name] for run in row] for row in grid], np.float64)
            continue
        largest = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
        filled = np.full((len(grid), max(map(len, grid)), *largest[:-1], largest[-1] if step is None else step.size), np.nan)
        for s, row in enumerate(grid):
            for k, run in enumerate(row):
                if name in of_run(run):
                    values = of_run(run)[name]
                    at = np.arange(values.shape[-1]) if step is None else np.searchsorted(step, run.step)
                    filled[s, k][(*map(slice, values.shape[:-1]), at)] = values
        found[name] = filled
    return found


def every_epoch(log: Log) -> Log | None:
    """The same runs with their sizes at every epoch as snapshots, None where they were not recorded."""
    size = log.curves.get("size")
    if size is None or size.shape[-1] == 0:
        return None
    return Log(log.scale, log.n_sites, np.arange(size.shape[-1]), {"size": size}, {}, log.curves, log.grokking_step, log.seed)


def first_runs(log: Log, n: int) -> Log:
    """The log of the first `n` runs of every scale."""
    return replace(
        log,
        columns={name: values[:, :n] for name, values in log.columns.items()},
        nulls={name: sizes[:, :, :n] for name, sizes in log.nulls.items()},
        curves={name: values[:, :n] for name, values in log.curves.items()},
        grokking_step=log.grokking_step[:, :n],
    )


def from_grokking(log: Log) -> Log:
    """The same runs with steps counted from each one's first snapshot since it has grokked; those that never grok are left out.

    Raises
    ------
    ValueError
        If no run groks.
    """
    known = ~np.isnan(log.size)
    since = known & (log.step >= log.grokking_step[..., None]) & (log.grokking_step >= 0)[..., None]
    groks = since.any(axis=-1)
    if not groks.any():
        raise InputError("no run of the log groks, as far as it says: steps cannot be counted from there")
    zero = log.step[since.argmax(axis=-1)]  # (S, K)
    offset = np.unique(np.concatenate([log.step[known[s, k]] - zero[s, k] for s, k in np.argwhere(groks)]))

    def moved(values: Floats) -> Floats:  # (…, S, K, T) → (…, S, K, T′)
        found = np.full((*values.shape[:-1], offset.size), np.nan)
        for s, k in np.argwhere(groks):
            at = np.searchsorted(offset, log.step[known[s, k]] - zero[s, k])
            found[..., s, k, at] = values[..., s, k, known[s, k]]
        return found

    columns = {name: moved(values) for name, values in log.columns.items()}
    nulls = {name: moved(values) for name, values in log.nulls.items()}
    grokked = np.where(groks, 0, -1)
    return Log(log.scale, log.n_sites, offset, columns, nulls, {}, grokked, log.seed)


def probed_null(log: Log, name: str) -> str:
    """The `name`, if it is that of a null of the log."""
    if name not in log.nulls:
        raise InputError(f"the log has no null `{name}`, but {', '.join(log.nulls) or 'none'}: probe its runs with it")
    return name
