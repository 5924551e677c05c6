"""Spectra of the language model's gradients beside the loss of held-out text, for a text, for few characters, for noise."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tdu.analysis.alarm import IN_A_ROW, Alarm, watch
from tdu.analysis.matching import matched
from tdu.analysis.memorising import BASELINE
from tdu.analysis.watched import rank_correlation
from tdu.experiments.experiment import Table
from tdu.series import Series
from tdu.statistics.proportions import proportion
from tdu.statistics.resampling import estimate
from tdu.statistics.sampling import mean_of_runs
from tdu.types import Estimate, Findings, Floats, Integers, Log

#: What trains: nine tenths of the text, few characters of these, or nine tenths of its characters in random order.
TEXT, FEW, SHUFFLED = KINDS = ("text", "few", "shuffled")
HELD_OUT = {kind: f"held-out-{kind}" for kind in KINDS}
#: By column, and whether its logarithm is taken; the loss of what trains is the competitor that needs no gradient.
OBSERVED = {
    "spectral": "S", "spectral_signs": "S of signs", "row_correlation": "row correlation",
    "column_correlation": "column correlation", "cosine": "lag-1 cosine", "gradient_norm": "log gradient norm",
    "weight_norm": "log weight norm", "training_loss": "training loss",
}  # fmt: skip
_OF_LOG = ("gradient_norm", "weight_norm")
#: The first step that counts, since no run memorises, from which a precursor would count: decided before any spectrum was seen.
FIRST = 100
_LOSS_CALIPER = 0.05  # of the natural logarithm of the training loss
_ANY_STEP = 1e6
_N_RESAMPLES = 2000
_COLOURS = dict(zip(KINDS, ("C0", "C1", "0.5"), strict=True))


@dataclass(frozen=True, eq=False)
class Watched(Series):
    """The runs of one kind: loss of what trains and of what is held out, and each observable, all (S, K, T)."""

    key = "held-out"
    kind: str
    width: Integers
    n_sites: Integers
    step: Integers
    training_loss: Floats
    held_out_loss: Floats
    observed: dict[str, Floats]


@dataclass(frozen=True)
class Told:
    """What an observable does beside the loss of held-out text, means over runs.

    `with_held_out`, by kind: Spearman's ρ with that loss over a run's steps. `change`, by kind: from the first snapshots that
    count to the last ones. `at_loss`: of few characters less that of the text at the same training loss, while the held-out
    loss of the few rises; `apart`: the share of these pairs in which few are higher; `at_step`: the same at one step. `alarms`:
    how often the precursor's alarm, as it was decided and as set by resolved snapshots, goes off, by kind.
    """

    name: str
    with_held_out: dict[str, Estimate]
    change: dict[str, Estimate]
    at_loss: Estimate
    apart: Estimate
    at_step: Estimate
    alarms: dict[str, tuple[Estimate, Estimate]]


@dataclass(frozen=True, eq=False)
class BesideHeldOut(Series):
    """Those of all observables."""

    key = "beside-held-out"
    rows: list[Told]


def of_logs(logs: Mapping[str, Log], alarms: Mapping[str, Any], seed: int) -> Findings:
    """What spectra do beside the losses of the runs of each kind; `alarms` by column, a direction and two thresholds."""
    watched = {kind: _watched(kind, log) for kind, log in logs.items()}
    rows = [_told(column, watched, logs, alarms.get(column), seed) for column in OBSERVED]
    readings = {
        f"{row.name}, {what}": value
        for row in rows
        for what, value in {
            **{f"with held-out loss, {kind}": row.with_held_out[kind] for kind in KINDS},
            **{f"change, {kind}": row.change[kind] for kind in KINDS},
            "few − text": row.at_loss,
            "few above text": row.apart,
            "few − text, at one step": row.at_step,
        }.items()
    }
    key = "held_out"
    return Findings({key: rows[0].at_loss}, {key: readings}, (*watched.values(), BesideHeldOut(rows)))


def _watched(kind: str, log: Log) -> Watched:
    observed = {name: np.log(log.columns[name]) if name in _OF_LOG else log.columns[name] for name in OBSERVED}
    trains, held_out = (log.columns[f"{part}_loss"] for part in ("training", "held_out"))
    return Watched(kind, log.scale, log.n_sites, log.step, trains, held_out, observed)


def _told(column: str, watched: Mapping[str, Watched], logs: Mapping[str, Log], alarm: Any, seed: int) -> Told:
    counted = watched[TEXT].step >= FIRST
    observed = {kind: one.observed[column][..., counted] for kind, one in watched.items()}
    held_out = {kind: one.held_out_loss[..., counted] for kind, one in watched.items()}
    ends = {kind: x[..., -BASELINE:].mean(axis=-1) - x[..., :BASELINE].mean(axis=-1) for kind, x in observed.items()}
    at_loss, apart, at_step = _few_beside_text(watched, column)
    return Told(
        name=column,
        with_held_out={kind: _over_runs(_correlations(observed[kind], held_out[kind]), seed, (-1, 1)) for kind in KINDS},
        change={kind: _over_runs(of_runs, seed) for kind, of_runs in ends.items()},
        at_loss=_over_runs(at_loss, seed),
        apart=_over_runs(apart, seed, (0, 1)),
        at_step=_over_runs(at_step, seed),
        alarms={kind: _alarms(log, column, *alarm) for kind, log in logs.items()} if alarm else {},
    )


def _correlations(one: Floats, other: Floats) -> Floats:
    """(S, K): Spearman's ρ over the steps of each run."""
    n_steps = one.shape[-1]
    return np.asarray(rank_correlation(one.reshape(-1, n_steps), other.reshape(-1, n_steps))).reshape(one.shape[:-1])


def _few_beside_text(watched: Mapping[str, Watched], column: str) -> tuple[Floats, Floats, Floats]:
    """(S, K) each: few less text at one training loss, how often few are higher there, and few less text at one step.

    Of one width and replicate, nan without pairs: of the few, snapshots behind the least held-out loss; of the text, any that
    counts.
    """
    few, text = watched[FEW], watched[TEXT]
    difference, share, at_step = np.full((3, *few.held_out_loss.shape[:2]), np.nan)
    late = text.step >= FIRST
    for run in np.ndindex(difference.shape):
        rising = np.flatnonzero((few.step > few.step[few.held_out_loss[run].argmin()]) & (few.step >= FIRST))
        of_text = text.training_loss[run][late][None]
        pairs = matched(
            few.step[rising], few.training_loss[run][rising], text.step[late], of_text,
            loss_caliper=_LOSS_CALIPER, step_caliper=_ANY_STEP,
        )[0]  # fmt: skip
        a, b = few.observed[column][run][rising[pairs >= 0]], text.observed[column][run][late][pairs[pairs >= 0]]
        if a.size:
            difference[run], share[run] = (a - b).mean(), (a > b).mean() + (a == b).mean() / 2
        at_step[run] = (few.observed[column][run] - text.observed[column][run])[rising].mean()
    return difference, share, at_step


def _alarms(log: Log, column: str, direction: str, decided: float, resolved: float) -> tuple[Estimate, Estimate]:
    """How many runs set each of two alarms off, `FIRST` in the place of memorisation."""
    counted = np.broadcast_to(log.step >= FIRST, log.size.shape).astype(float)
    log = replace(log, columns={**log.columns, "accuracy": counted})
    decided_by, last = (math.nan, math.nan, math.nan, 0), int(log.step[-1])
    found = []
    for threshold in (decided, resolved):
        alarm = Alarm(column, direction, column in _OF_LOG, threshold, IN_A_ROW, BASELINE, *decided_by, last, "")
        runs = watch(alarm, log)
        found.append(proportion(sum(run.alarm is not None for run in runs), len(runs)))
    return found[0], found[1]


def _over_runs(of_runs: Floats, seed: int, within: tuple[float, float] = (-np.inf, np.inf)) -> Estimate:
    """The mean of what is known of runs (S, K), resampled within widths; an interval that stays `within`."""
    note = f"{np.isfinite(of_runs).sum()} of {of_runs.size} runs"
    return estimate(of_runs, mean_of_runs, "mean over runs", seed, note, within=within, n_resamples=_N_RESAMPLES)


def tables(watched: list[Watched], beside: BesideHeldOut) -> dict[str, Table]:
    """The runs by kind and width; what each observable does; its alarms; and means over runs at every step."""
    return {
        "held-out-runs": [row for one in watched for row in _runs(one)],
        "held-out": [_row(one) for one in beside.rows],
        "held-out-alarms": [
            {"observable": OBSERVED[one.name], **{kind: _both(found) for kind, found in one.alarms.items()}}
            for one in beside.rows
            if one.alarms
        ],
        "held-out-steps": [
            {
                "what": f"{one.kind}, N = {n}, step {step}", "training loss": one.training_loss[s, :, t].mean(),
                "held-out loss": one.held_out_loss[s, :, t].mean(),
                **{OBSERVED[name]: values[s, :, t].mean() for name, values in one.observed.items() if name != "training_loss"},
            }
            for one in watched
            for s, n in enumerate(one.n_sites)
            for t, step in enumerate(one.step)
        ],
    }  # fmt: skip


def _runs(one: Watched) -> Table:
    least = one.held_out_loss.argmin(axis=-1)
    return [
        {
            "what": f"{one.kind}, N = {n}",
            "runs": one.held_out_loss.shape[1],
            "training loss at the end": one.training_loss[s, :, -1].mean(),
            "held-out loss at the end": one.held_out_loss[s, :, -1].mean(),
            "least held-out loss": one.held_out_loss[s].min(axis=-1).mean(),
            "at step": float(one.step[least[s]].mean()),
            **{
                f"{OBSERVED[name]} at step {one.step[t]}": one.observed[name][s, :, t].mean()
                for name in ("spectral", "spectral_signs")
                for t in (int(np.searchsorted(one.step, FIRST)), -1)
            },
        }
        for s, n in enumerate(one.n_sites)
    ]


def _row(one: Told) -> dict[str, object]:
    return {
        "observable": OBSERVED[one.name],
        **{f"ρ with held-out loss, {kind}": _words(one.with_held_out[kind]) for kind in KINDS},
        **{f"change, {kind}": _words(one.change[kind], 3) for kind in KINDS},
        "few − text at one training loss": _words(one.at_loss, 3),
        "few above text": _words(one.apart),
        "few − text at one step": _words(one.at_step, 3),
    }


def _words(found: Estimate, digits: int = 2) -> str:
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def _both(found: tuple[Estimate, Estimate]) -> str:
    return "; ".join(one.note for one in found)


def draw(panels: list[Axes], watched: list[Watched]) -> None:
    """Losses over the steps, of what trains dashed and held out solid; S over the steps, and by the training loss."""
    losses, over_steps, by_loss = panels
    for one in watched:
        colour, label = _COLOURS[one.kind], one.kind
        for values, dashes in ((one.held_out_loss, "-"), (one.training_loss, "--")):
            losses.plot(one.step, values.mean(axis=(0, 1)), dashes, color=colour, label=label if dashes == "-" else None)
        s = one.observed["spectral"]
        runs = s.reshape(-1, one.step.size)
        over_steps.plot(one.step, runs.T, color=colour, linewidth=0.4, alpha=0.5)
        over_steps.plot(one.step, runs.mean(axis=0), color=colour, linewidth=1.4)
        for loss, values in zip(one.training_loss.mean(axis=1), s.mean(axis=1), strict=True):
            by_loss.plot(loss, values, color=colour, marker="o", markersize=1.5, linewidth=0.8)
    by_loss.invert_xaxis()
    losses.set(xlabel="step", ylabel="loss (nats a character)")
    losses.legend(fontsize="x-small")
    over_steps.set(xlabel="step", ylabel="$S$")
    by_loss.set(xlabel="training loss", ylabel="$S$")
