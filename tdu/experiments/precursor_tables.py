"""The tables of `precursor`: the one that answers, and what stands behind it."""

import numpy as np

from tdu.experiments.experiment import Table
from tdu.experiments.precursor_observables import OBSERVABLES
from tdu.experiments.precursor_runs import DOUBLE, NO_DECAY, SET
from tdu.experiments.precursor_series import Alarmed, Planted, Selected, Told, Trained
from tdu.experiments.precursor_statistics import HALF, PHASES, mean_of_known
from tdu.types import Estimate, Floats, Results

_SHOWN = "fresh"
_IN_TABLE = ("rank 1", "row scale")
_LABELS = {one.name: one.label for one in OBSERVABLES}
_MOVED, _LAST = ("spectral", "spectral_signs", "row_correlation", "column_correlation", "moran"), 10  # snapshots


def tables(results: Results) -> dict[str, Table]:
    """By name of the file."""
    told, planted = results.all_of(Told), results.series_of(Planted)
    of_sets = {(one.runs, one.observable.name): one for one in told}
    return {
        "observables": [_row(of_sets, planted, one.name) for one in OBSERVABLES],
        "transfer": [
            {"observable": one.label, **{of.runs: _alarms(of.alarmed) for of in told if of.observable == one}}
            for one in OBSERVABLES
        ],
        "resolved": [
            {"observable": one.label, **{of.runs: _alarms(of.resolved) for of in told if of.observable == one}}
            for one in OBSERVABLES
        ],
        "told": [
            {
                "what": f"{one.runs}, {one.observable.name}",
                "direction": one.alarmed.alarm.direction,
                **_ends(one.raw, "AUROC"), **_ends(one.matched, "AUROC matched"), "matched": one.matched.note,
                **_tried(one.alarmed, ""), **_tried(one.resolved, "resolved, "),
            }
            for one in told
        ],
        "phases": [
            {
                "what": f"{one.runs}, {one.observable.name}, {phase}",
                **_ends(one.change[phase], "change"), "of": one.change[phase].note,
                **_ends(one.contrast[phase], "less controls"), "matched": one.contrast[phase].note,
            }
            for one in told
            for phase in PHASES
        ],
        "controls": [
            {
                "what": f"{one.runs}, {one.observable.name}",
                **{name: end for control, value in one.against.items() for name, end in _ends(value, control).items()},
            }
            for one in told
        ],
        "selection": [
            {
                "what": f"{one.runs}, {one.among}", "observables": one.number, "best": ", ".join(one.best),
                "AUROC of runs": one.value,
                "in fresh runs": ", ".join(f"{value:.3g}" for value in one.in_fresh), "95 % by chance, one": one.one_by_chance,
                "95 % by chance, best of all": one.best_by_chance, "p of the best": one.p,
            }
            for one in results.all_of(Selected)
        ],
        "precision": [row for one in results.all_of(Trained) if one.kind == NO_DECAY for row in _at_the_end(one)],
        "runs": [row for one in results.all_of(Trained) for row in _runs(one)],
        "power": [
            {"what": f"{name}, {plant}", **_ends(value, "power")}
            for name, of in planted.power.items()
            for plant, value in of.items()
        ],
        "training": [row for one in results.all_of(Trained) if one.role == SET for row in _over_training(one)],
    }  # fmt: skip


def _row(of_sets: dict[tuple[str, str], Told], planted: Planted, name: str) -> dict[str, object]:
    """Of one observable: what it detects, tells and costs, in runs that did not set its alarm."""
    fresh, at_set = of_sets[_SHOWN, name], of_sets[SET, name]
    power = planted.power.get(name)
    return {
        "observable": fresh.observable.label,
        **{f"power, {plant}": _words(power[plant]) if power else "–" for plant in _IN_TABLE},
        "change at test accuracy 0.5, less controls": _words(fresh.contrast[HALF], 3),
        "lead": _words(fresh.alarmed.lead, 0),
        "AUROC raw": _words(fresh.raw),
        "AUROC matched": _words(fresh.matched),
        "false alarms, set": _words(at_set.alarmed.false),
        "false alarms, fresh": _words(fresh.alarmed.false),
        "cost in steps": f"{planted.cost[name]:.2f}",
    }


def _alarms(of: Alarmed) -> str:
    return f"{of.off.note}; {of.false.note}"


def _tried(of: Alarmed, prefix: str) -> dict[str, object]:
    return {
        f"{prefix}threshold": of.alarm.threshold,
        **_ends(of.off, f"{prefix}alarm before grokking"), f"{prefix}runs that grok": of.off.note,
        **_ends(of.false, f"{prefix}false alarms"), f"{prefix}controls": of.false.note, **_ends(of.lead, f"{prefix}lead"),
    }  # fmt: skip


def _ends(found: Estimate, name: str) -> dict[str, object]:
    return {name: found.value, f"{name} low": found.low, f"{name} high": found.high}


def _words(found: Estimate, digits: int = 2) -> str:
    if np.isnan(found.value):
        return "–"
    if np.isnan(found.low):
        return f"{found.value:.{digits}f}"
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def _runs(one: Trained) -> Table:
    return [
        {
            "what": f"{one.role}, {one.kind}, width {width}",
            "runs": int(of.sum()),
            "memorised": int((one.memorised[of] >= 0).sum()),
            "memorised at epoch": _mean_of_reached(one.memorised[of]),
            "grokked": int((one.grokked[of] >= 0).sum()),
            "grokked at epoch": _mean_of_reached(one.grokked[of]),
            "earliest": float(one.grokked[of][one.grokked[of] >= 0].min()) if (one.grokked[of] >= 0).any() else np.nan,
            "latest": float(one.grokked[of].max()) if (one.grokked[of] >= 0).any() else np.nan,
            "loss at the end": float(np.exp(np.log(one.loss[of, -1]).mean())),
            "test accuracy at the end": float(one.test_accuracy[of, -1].mean()),
        }
        for width in np.unique(one.scale)
        for of in [one.scale == width]
    ]


def _at_the_end(one: Trained) -> Table:
    """Of the first run of each width, in single and in double precision: the loss, and what has changed at the end."""
    precision = {SET: "single", DOUBLE: "double"}.get(one.role)
    return [
        {
            "what": f"width {width}, {precision}",
            "loss": float(one.loss[run, -1]),
            **{_LABELS[name]: mean_of_known(one.change[name][run, -_LAST:]) for name in _MOVED},
        }
        for width, run in zip(*np.unique(one.scale, return_index=True), strict=True)
        if precision
    ]


def _mean_of_reached(at: Floats) -> float:
    return float(at[at >= 0].mean()) if (at >= 0).any() else np.nan


def _over_training(one: Trained) -> Table:
    """Means over runs of every change, of test accuracy and of the loss."""
    levels = {"test accuracy": one.test_accuracy, "loss": np.log(one.loss)}
    shown = levels | {f"change of {name}": values for name, values in one.change.items()}
    return [
        {
            "kind": one.kind,
            "epoch": int(epoch),
            **{name: mean_of_known(values[:, t]) for name, values in shown.items()},
        }
        for t, epoch in enumerate(one.step)
    ]
