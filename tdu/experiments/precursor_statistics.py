"""What tells runs that will generalise from runs that have only memorised: changes, matched contrasts, AUROC, selection.

A *block* is a run that generalises with its controls of the same width and replicate. Intervals resample blocks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tdu.analysis.matching import matched
from tdu.analysis.memorising import since_memorisation
from tdu.experiments.precursor_observables import OBSERVABLES
from tdu.rng import Stage, generator
from tdu.types import Booleans, Estimate, Floats, Integers, Log

#: Epochs before grokking in which a run is one that will grok soon.
HORIZON = 300
HALF, MOST = "at 0.5", "at 0.75"
PHASES = ("plateau", HALF, MOST, "after")
_REACHED = {HALF: 0.5, MOST: 0.75}
_PHASE = 3  # snapshots of a phase
_N_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs (R) of one role at T steps: those that `grok` and controls that do not, each of a `kind` and in a `block`.

    `change` (R, T) of each observable by name; indices (R,) of the snapshots at which test accuracy has `reached` what a phase
    is named by, and at which a run groks, −1 where it never does. `left_out`: runs that should have grokked and did not, and
    controls that did.
    """

    step: Integers
    change: dict[str, Floats]
    loss: Floats
    groks: Booleans
    kind: Integers
    block: Integers
    reached: dict[str, Integers]
    grokked: Integers
    left_out: tuple[int, int]


def runs_of(pairs: list[tuple[Log, list[Log]]]) -> Runs:
    """Of logs of runs that should grok, each with those of their controls, on the same steps and addresses."""
    step = pairs[0][0].step
    logs = [(log, kind, p) for p, (one, controls) in enumerate(pairs) for kind, log in enumerate([one, *controls])]
    named: dict[str, list[Floats]] = {one.name: [] for one in OBSERVABLES}
    parts: list[tuple[Any, ...]] = []
    for log, of_kind, p in logs:
        for one in OBSERVABLES:
            named[one.name].append(since_memorisation(log, one.name, of_log=one.of_log).reshape(-1, step.size))
        n = log.grokking_step.size
        at = np.where(log.grokking_step < 0, -1, np.searchsorted(step, log.grokking_step)).ravel()
        loss, test = (log.columns[name].reshape(n, -1) for name in ("loss", "test_accuracy"))
        parts.append((loss, test, at, np.full(n, of_kind), 1000 * p + np.arange(n)))
    loss, test, grokked, kind, block = (np.concatenate([part[k] for part in parts]) for k in range(5))
    should = kind == 0
    kept = should == (grokked >= 0)
    above = {name: test[kept] >= level for name, level in _REACHED.items()}
    reached = {name: np.where(of.any(axis=1), of.argmax(axis=1), -1) for name, of in above.items()}
    change = {name: np.concatenate(values)[kept] for name, values in named.items()}
    left_out = int((should & ~kept).sum()), int((~should & ~kept).sum())
    _, block = np.unique(block[kept], return_inverse=True)
    return Runs(step, change, loss[kept], should[kept], kind[kept], block, reached, grokked[kept], left_out)


def beside(runs: Runs, kind: int) -> Runs:
    """The runs that grok and the controls of one kind, counted from 1."""
    kept = runs.groks | (runs.kind == kind)
    return replace(
        runs,
        change={name: values[kept] for name, values in runs.change.items()},
        reached={name: at[kept] for name, at in runs.reached.items()},
        **{name: getattr(runs, name)[kept] for name in ("loss", "groks", "kind", "block", "grokked")},
    )


def phase(runs: Runs, run: Any, name: str) -> Integers:
    """Snapshots (W,) of a phase of a run that groks, none where it is over before the change since memorisation is known.

    Midway from memorisation to a test accuracy of 0.75; up to that of 0.5 and of 0.75; and from grokking on.
    """
    known = np.flatnonzero(~np.isnan(runs.change["loss"][run]))
    if name == "after":
        return np.asarray(known[known >= runs.grokked[run]][:_PHASE])
    at = runs.reached[MOST if name == "plateau" else name][run]
    if name == "plateau" and known.size:
        at = (known[0] + at) // 2
    return np.asarray(known[(known <= at) & (known > at - _PHASE)])


def partners(runs: Runs) -> Integers:
    """(G, C, T): the snapshot of each control that matches each of a run that groks, −1 where none does."""
    controls = runs.loss[~runs.groks]
    found = [matched(runs.step, loss, runs.step, controls) for loss in runs.loss[runs.groks]]
    return np.array(found, np.int64).reshape(int(runs.groks.sum()), *controls.shape)


def mean_change(runs: Runs, observable: str, name: str, seed: int) -> Estimate:
    """In a phase, over the runs that grok."""
    change = runs.change[observable]
    which = np.flatnonzero(runs.groks)
    of_runs = np.array([mean_of_known(change[run, phase(runs, run, name)]) for run in which])
    return _resampled(runs, lambda g, _c: mean_of_known(of_runs[g]), seed, f"{np.isfinite(of_runs).sum()} of {which.size} runs")


def contrast(runs: Runs, pairs: Integers, observable: str, name: str, seed: int) -> Estimate:
    """The change in a phase less that of controls matched in loss and epoch, over the runs that have such."""
    change = runs.change[observable]
    controls = change[~runs.groks]
    apart = np.full(pairs.shape[:2], np.nan)
    for g, run in enumerate(np.flatnonzero(runs.groks)):
        for c, control in enumerate(controls):
            inside = phase(runs, run, name)
            inside = inside[pairs[g, c, inside] >= 0]
            apart[g, c] = mean_of_known(change[run, inside] - control[pairs[g, c, inside]])

    known, values = ~np.isnan(apart), np.nan_to_num(apart)

    def statistic(g: Integers, c: Integers) -> float:
        n = known[np.ix_(g, c)].sum(axis=1)
        of_runs = values[np.ix_(g, c)].sum(axis=1)[n > 0] / n[n > 0]
        return float(of_runs.mean()) if of_runs.size else np.nan

    n_matched = int(np.isfinite(apart).any(axis=1).sum())
    return _resampled(runs, statistic, seed, f"{n_matched} of {len(apart)} runs matched")


def auroc(runs: Runs, pairs: Integers | None, observable: str, seed: int | None) -> Estimate:
    """How well a rise of the observable tells snapshots of runs that grok within `HORIZON` from others; 0.5 is chance.

    Without `pairs` the others are all snapshots of controls since memorisation, and those of runs that grok later; with them
    the control's snapshots that match, each with its own.
    """
    change = runs.change[observable]
    groks = np.flatnonzero(runs.groks)
    soon = _soon(runs)
    if pairs is None:
        since = np.arange(runs.step.size) >= runs.grokked[groks][:, None]
        others = np.concatenate([change[~runs.groks], np.where(soon | since, np.nan, change[groks])])
    else:
        others = change[~runs.groks]
    right, weight = np.zeros((groks.size, len(others))), np.zeros((groks.size, len(others)))
    for g, run in enumerate(groks):
        for c, other in enumerate(others):
            mine = np.flatnonzero(soon[g])
            if pairs is None:
                a, b = change[run, mine][:, None], other[None]
            else:
                mine = mine[pairs[g, c, mine] >= 0]
                a, b = change[run, mine], other[pairs[g, c, mine]]
            known = ~np.isnan(a) & ~np.isnan(b)
            weight[g, c] = known.sum()
            right[g, c] = ((a > b) & known).sum() + ((a == b) & known).sum() / 2
    n_controls = int((~runs.groks).sum())

    def statistic(g: Integers, c: Integers) -> float:
        of = np.concatenate([c, n_controls + g]) if pairs is None else c
        total = weight[np.ix_(g, of)].sum()
        return float(right[np.ix_(g, of)].sum() / total) if total else np.nan

    return _resampled(runs, statistic, seed, f"{int((weight.sum(axis=1) > 0).sum())} of {groks.size} runs that grok")


def _soon(runs: Runs) -> Booleans:
    """(G, T): the snapshots up to `HORIZON` before grokking of the runs that grok."""
    at = runs.step[runs.grokked[runs.groks]][:, None]
    return np.asarray((runs.step < at) & (runs.step >= at - HORIZON))


def scores(runs: Runs, observable: str) -> Floats:
    """(R,): the mean change in the `HORIZON` before its block's run groks, for the controls of the block at the same epochs."""
    found = np.full(runs.groks.size, np.nan)
    for soon, block in zip(_soon(runs), runs.block[runs.groks], strict=True):
        for run in np.flatnonzero(runs.block == block):
            found[run] = mean_of_known(runs.change[observable][run, soon])
    return found


def of_labels(score: Floats, groks: Booleans) -> float:
    """AUROC of runs by their scores (R,), those of nan left out."""
    a, b = (score[which & ~np.isnan(score)] for which in (groks, ~groks))
    if not a.size or not b.size:
        return np.nan
    return float(((a[:, None] > b).sum() + (a[:, None] == b).sum() / 2) / (a.size * b.size))


def under_permuted_labels(runs: Runs, observables: tuple[str, ...], seed: int, n: int = 500) -> Floats:
    """(n, O): how far from 1/2 each observable's AUROC is where which run of each block groks is drawn at random."""
    rng = generator(seed, Stage.PERMUTATION)
    all_scores = [scores(runs, name) for name in observables]
    blocks = [np.flatnonzero(runs.block == block) for block in runs.block[runs.groks]]
    found = np.empty((n, len(observables)))
    for row in found:
        labels = np.zeros(runs.groks.size, bool)
        labels[[rng.choice(block) for block in blocks]] = True
        row[:] = [abs(of_labels(score, labels) - 0.5) for score in all_scores]
    return found


def resampled_median(values: Floats, seed: int, note: str) -> Estimate:
    """The median over runs with a percentile interval."""
    rng = generator(seed, Stage.BOOTSTRAP)
    if not values.size:
        return Estimate(np.nan, np.nan, np.nan, "median over runs", note)
    drawn = np.median(values[rng.integers(values.size, size=(_N_RESAMPLES, values.size))], axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(np.median(values)), float(low), float(high), "median over runs", note)


def _resampled(runs: Runs, statistic: Callable[[Integers, Integers], float], seed: int | None, note: str) -> Estimate:
    """A statistic of which runs that grok and which controls count, with a percentile interval over blocks."""
    g_block, c_block = runs.block[runs.groks], runs.block[~runs.groks]
    blocks = np.unique(g_block)
    members = [(np.flatnonzero(g_block == block), np.flatnonzero(c_block == block)) for block in blocks]
    alone = np.flatnonzero(~np.isin(c_block, blocks))  # controls of runs that did not grok, always there
    value = statistic(np.arange(g_block.size), np.arange(c_block.size))
    if seed is None or blocks.size < 2 or not np.isfinite(value):
        return Estimate(value, np.nan, np.nan, "over blocks of runs", note)
    rng, drawn = generator(seed, Stage.BOOTSTRAP), []
    for _ in range(_N_RESAMPLES):
        picked = rng.integers(blocks.size, size=blocks.size)
        g, c = (np.concatenate([members[k][part] for k in picked]) for part in (0, 1))
        drawn.append(statistic(g, np.concatenate([c, alone])))
    if np.isnan(drawn).mean() > 0.5:
        return Estimate(value, np.nan, np.nan, "over blocks of runs", note)
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high), "over blocks of runs", note)


def mean_of_known(values: Floats) -> float:
    """Of those that are known, nan where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan
