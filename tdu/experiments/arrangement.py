"""Which design detects what, with six runs; what does it say of grokking that `permuted` does not?"""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from tdu.config import Scope, StudyConfig
from tdu.experiments import arrangement_power as power
from tdu.experiments.arrangement_figure import draw
from tdu.experiments.arrangement_runs import (
    CONTROLS,
    GENERALISES,
    LOW_DATA,
    MEASURED,
    XOR,
    Group,
    transformer_groups,
    xor_groups,
)
from tdu.experiments.arrangement_series import Changes, Contrast
from tdu.experiments.experiment import Experiment, Say, Table, columns
from tdu.statistics.resampling import RunStatistic, estimate
from tdu.statistics.sampling import mean_of_runs
from tdu.training.network import one_blas_thread
from tdu.types import Estimate, Findings, Floats, Results

_SHOWN = 0.2  # strength in the tables of the page
_MEAN = RunStatistic(mean_of_runs, "mean")
_PAIRS = (*((XOR, control) for control in CONTROLS), (GENERALISES, LOW_DATA))


@dataclass(frozen=True)
class _Part:
    """Before grokking, after it, or the change, of runs (S, K)."""

    name: str
    of_runs: Floats


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """Power on planted fields; gradients of XOR and its controls, and of transformers."""
    with one_blas_thread():  # more of them wait for each other
        detected = power.measure(config, scope, executor, say)
        groups = [*xor_groups(config, executor, say), *transformer_groups(config, executor, say)]
    say("intervals")
    return [detected, *(_changes(group, config.seed) for group in groups), _contrasts(groups, config.seed)]


def _changes(group: Group, seed: int) -> Findings:
    """Every statistic before and after grokking, and its change: means over widths and runs."""
    found: dict[str, dict[str, Estimate]] = {}
    for statistic in MEASURED:
        for part in _parts(group, statistic):
            found.setdefault(f"{part.name}_{group.name}", {})[statistic] = _over_runs(part.of_runs, seed)
    return Findings({key: named[MEASURED[0]] for key, named in found.items()}, found, (Changes(group, found),))


def _parts(group: Group, statistic: str) -> list[_Part]:
    before, after = group.change(statistic)
    return [_Part("before", before), _Part("after", after), _Part("change", after - before)]


def _over_runs(values: Floats, seed: int, note: str = "") -> Estimate:
    return estimate(values, _MEAN, "mean over widths and runs", seed, note)


def _contrasts(groups: list[Group], seed: int) -> Findings:
    """The change at grokking less that of each control, run by run."""
    named = {group.name: group for group in groups}
    found: dict[str, dict[str, Estimate]] = {}
    rows = []
    for one, control in _PAIRS:
        key = f"{one}_minus_{control}"
        for statistic in MEASURED:
            difference = _parts(named[one], statistic)[-1].of_runs - _parts(named[control], statistic)[-1].of_runs
            found.setdefault(key, {})[statistic] = value = _over_runs(difference, seed)
            spread = np.sqrt(np.var(difference, axis=-1, ddof=1).mean())
            effect = value.value / float(spread) if spread > 0 else np.nan
            rows.append(Contrast(one, control, statistic, value, effect))
    return Findings({key: of[MEASURED[0]] for key, of in found.items()}, found, tuple(rows))


def tables(results: Results) -> dict[str, Table]:
    """Power and false alarms of every probe, statistics before and after, and against controls; and over training."""
    found = results.series_of(power.Powers)
    groups = results.all_of(Changes)
    return {
        "power": [
            {
                "what": f"{one.layout}: {one.graph} {one.statistic}, {one.plant} {one.strength}",
                "layout": one.layout, "graph": one.graph, "statistic": one.statistic, "planted": one.plant,
                "strength": one.strength, **_with_ends(one.power, "power"),
            }
            for one in found.detected
        ],
        "alarms": [
            {
                "what": f"{one.layout}: {one.graph} {one.statistic}",
                **_with_ends(one.calibrated, "own threshold"), **_with_ends(one.student, "Student's t"),
            }
            for one in found.alarms
        ],
        **{f"planted-{layout}": _planted(found, layout) for layout in power.LAYOUTS},
        "changes": [
            {
                "what": f"{one.group.name}, {statistic}",
                **{
                    name: value
                    for part in ("before", "after", "change")
                    for name, value in _with_ends(one.found[f"{part}_{one.group.name}"][statistic], part).items()
                },
            }
            for one in groups
            for statistic in MEASURED
        ],
        "contrasts": [
            {
                "what": f"{one.one} less {one.control}, {one.statistic}",
                **_with_ends(one.difference, "change"), "standard deviations of a run": one.effect,
            }
            for one in results.all_of(Contrast)
        ],
        "widths": [row for one in groups for row in _by_width(one.group)],
        "runs": [row for one in groups for row in _runs(one.group)],
        "training": [row for one in groups for row in _over_training(one.group)],
        "xor": _side_by_side(groups[: 1 + len(CONTROLS)]),
        "transformers": _side_by_side(groups[1 + len(CONTROLS) :]),
    }  # fmt: skip


def _with_ends(found: Estimate, name: str) -> dict[str, object]:
    return {name: found.value, f"{name} low": found.low, f"{name} high": found.high}


def _planted(found: power.Powers, layout: str) -> Table:
    """A row a probe: power at one strength, and false alarms."""
    rows: Table = []
    for alarms in found.alarms:
        if alarms.layout != layout:
            continue
        of_probe = [
            one for one in found.detected if (one.layout, one.graph, one.statistic) == (layout, alarms.graph, alarms.statistic)
        ]
        power_at = {one.plant: _in_words(one.power) for one in of_probe if one.strength == _SHOWN}
        plants = dict.fromkeys(one.plant for one in found.detected if one.layout == layout)
        rows.append(
            {
                "probe": f"{alarms.graph} {alarms.statistic}",
                **{plant: power_at.get(plant, "–") for plant in plants},
                "false alarms": _in_words(alarms.calibrated),
                "false alarms of t": _in_words(alarms.student),
            }
        )
    return rows


def _in_words(found: Estimate, digits: int = 2) -> str:
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def _side_by_side(groups: list[Changes]) -> Table:
    """A row a statistic: before → after, and the change with its interval, of each task."""
    rows: Table = []
    for statistic in MEASURED:
        row: dict[str, object] = {"statistic": statistic}
        for one in groups:
            before, after, change = (one.found[f"{part}_{one.group.name}"][statistic] for part in ("before", "after", "change"))
            row[one.group.name] = f"{before.value:.3f} → {after.value:.3f}: {_in_words(change, 3)}"
        rows.append(row)
    return rows


def _by_width(group: Group) -> Table:
    return [
        {
            "what": f"{group.name}, {statistic}, N = {n}",
            "before": before[k].mean(),
            "after": after[k].mean(),
            "standard error of the change": _standard_error(after[k] - before[k]),
        }
        for statistic in MEASURED
        for before, after in [group.change(statistic)]
        for k, n in enumerate(group.n_sites)
    ]


def _standard_error(of_runs: Floats) -> Floats:
    """Of the mean over the first axis."""
    return np.asarray(of_runs.std(axis=0, ddof=1) / np.sqrt(len(of_runs)))


def _runs(group: Group) -> Table:
    return [
        {
            "what": f"{group.name}, N = {n}",
            "runs": len(grokked),
            "learnt": int((grokked >= 0).sum()),
            "earliest": int(grokked[grokked >= 0].min()) if (grokked >= 0).any() else "",
            "latest": int(grokked[grokked >= 0].max()) if (grokked >= 0).any() else "",
            "loss at the end": loss.mean(),
            "least test accuracy at the end": test_accuracy.min(),
        }
        for n, grokked, loss, test_accuracy in zip(group.n_sites, group.grokked, group.loss, group.test_accuracy, strict=True)
    ]


def _over_training(group: Group) -> Table:
    rows: Table = []
    for statistic in MEASURED:
        runs = group.measured[statistic].reshape(-1, group.step.size)
        repeated = {"task": [group.name] * group.step.size, "statistic": [statistic] * group.step.size}
        rows += columns(**repeated, epoch=group.step, mean=runs.mean(axis=0), **{"standard error": _standard_error(runs)})
    return rows


_STUDY = StudyConfig(
    hidden=(20, 50, 100, 200),
    replicates=12,
    epochs=400,
    snapshot_every=5,
    alpha_train=0.0,
    parametrisation="mean-field",
    nulls=("blocks", "signs"),
)
_QUICK = {"hidden": (20, 200), "replicates": 2, "epochs": 100, "n_null_draws": 2}
EXPERIMENT = Experiment(measure, tables, draw, _STUDY, _QUICK)
