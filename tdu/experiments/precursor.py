"""Is there an observable of the gradient alone that tells a network which will generalise from one that has only memorised?"""

from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tdu.analysis.alarm import DIRECTIONS, Alarm, save_alarm
from tdu.analysis.memorising import memorised_at, since_memorisation
from tdu.config import GrokkingConfig, Scope
from tdu.experiments import precursor_power as power
from tdu.experiments import precursor_statistics as statistics
from tdu.experiments.experiment import NetworkExperiment, Say
from tdu.experiments.precursor_alarms import Logs, alarmed, frozen, resolved
from tdu.experiments.precursor_costs import costs
from tdu.experiments.precursor_figure import draw
from tdu.experiments.precursor_observables import OBSERVABLES, Observable
from tdu.experiments.precursor_runs import (
    CONTROLS,
    DELAYED,
    DOUBLE,
    FRESH_SEEDS,
    FRESH_WIDTH,
    GROKS,
    GROUPS,
    MLP,
    NO_DECAY,
    PARITY,
    SET,
    SUBTRACTION,
    Group,
    in_double_precision,
    train_all,
)
from tdu.experiments.precursor_series import Planted, Selected, Told, Trained
from tdu.experiments.precursor_statistics import PHASES, Runs, runs_of
from tdu.experiments.precursor_tables import tables
from tdu.types import Estimate, Findings, Floats, Log

#: Sets of runs that are told apart, each of one or more roles.
FRESH = "fresh"
COMPARED = {
    SET: (SET,),
    FRESH: (FRESH_SEEDS, FRESH_WIDTH),
    FRESH_SEEDS: (FRESH_SEEDS,),
    FRESH_WIDTH: (FRESH_WIDTH,),
    DELAYED: (DELAYED,),
    MLP: (MLP,),
    SUBTRACTION: (SUBTRACTION,),
    PARITY: (PARITY,),
}
_AMONG = {
    "gradient": tuple(one.name for one in OBSERVABLES if one.of_gradient),
    "all but test accuracy": tuple(one.name for one in OBSERVABLES if one.name != "test_accuracy"),
}


def measure(study: GrokkingConfig, scope: Scope, executor: Executor, say: Say, directory: Path) -> list[Findings]:
    """Train, or go on with what is in the `directory`; set directions and alarms by some runs, and try them on the others."""
    logs = train_all(study, executor, say, directory)
    double = in_double_precision(study, executor, say, directory)
    detected = power.measure(study, scope, executor, say)
    say("intervals")
    of_sets = {name: _runs(logs, roles) for name, roles in COMPARED.items()}
    seen = {group: resolved(log) for group, log in logs.items()}
    alarms = {
        one.name: (frozen(one, direction, logs), frozen(one, direction, seen))
        for one in OBSERVABLES
        for direction in [_direction(one, of_sets[SET])]
    }
    for name, (alarm, _) in alarms.items():
        save_alarm(directory / f"alarm-{name}.json", alarm)
    jobs = [
        partial(_told, study.seed, logs, name, runs, one, alarms[one.name])
        for name, runs in of_sets.items()
        for one in OBSERVABLES
    ]
    found = list(executor.map(lambda job: job(), jobs))
    return [
        _as_findings(found),
        Findings(series=(Planted(detected, costs(study)),)),
        Findings(series=tuple(_selected(study.seed, of_sets, name, among) for name in (SET, FRESH) for among in _AMONG)),
        Findings(series=tuple(_trained(logs[group], group) for group in GROUPS)),
        Findings(series=(_trained(double, Group(DOUBLE, NO_DECAY)),)),
    ]


def _runs(logs: Logs, roles: tuple[str, ...]) -> Runs:
    pairs = [(logs[Group(role, GROKS)], [logs[Group(role, kind)] for kind in CONTROLS]) for role in roles]
    return runs_of(pairs)


def _direction(observable: Observable, runs: Runs) -> str:
    """In which runs that grok soon differ from all others."""
    return "fall" if statistics.auroc(runs, None, observable.name, None).value < 0.5 else "rise"


def _told(seed: int, logs: Logs, name: str, runs: Runs, one: Observable, alarms: tuple[Alarm, Alarm]) -> Told:
    """In the direction of the alarms, that by all snapshots and that by those which are resolved."""
    pairs = statistics.partners(runs)
    sign = DIRECTIONS[alarms[0].direction]
    oriented = replace(runs, change={**runs.change, one.name: sign * runs.change[one.name]})
    seen = {group: resolved(log) for group, log in logs.items()}
    return Told(
        runs=name,
        observable=one,
        change={phase: statistics.mean_change(runs, one.name, phase, seed) for phase in PHASES},
        contrast={phase: statistics.contrast(runs, pairs, one.name, phase, seed) for phase in PHASES},
        raw=statistics.auroc(oriented, None, one.name, seed),
        matched=statistics.auroc(oriented, pairs, one.name, seed),
        against={
            control: statistics.auroc(of_kind, statistics.partners(of_kind), one.name, seed)
            for kind, control in enumerate(CONTROLS, 1)
            for of_kind in [statistics.beside(oriented, kind)]
        },
        alarmed=alarmed(alarms[0], logs, COMPARED[name], seed),
        resolved=alarmed(alarms[1], seen, COMPARED[name], seed),
    )


def _as_findings(found: list[Told]) -> Findings:
    """What is known of AUROC, contrasts and leads, by set of runs: S heads, and every observable is a reading."""
    readings: dict[str, dict[str, Estimate]] = {}
    for told in found:
        of_told = {"auroc": told.raw, "auroc_matched": told.matched, "lead": told.alarmed.lead}
        of_told |= {"false_alarms": told.alarmed.false, "alarms_before_grokking": told.alarmed.off}
        of_told |= {"lead_resolved": told.resolved.lead, "false_alarms_resolved": told.resolved.false}
        of_told |= {f"change_{phase}": value for phase, value in told.contrast.items()}
        for key, value in of_told.items():
            if np.isfinite(value.value):
                readings.setdefault(f"{key}_{told.runs}", {})[told.observable.name] = value
    return Findings({key: of["spectral"] for key, of in readings.items() if "spectral" in of}, readings, tuple(found))


def _selected(seed: int, of_sets: dict[str, Runs], name: str, among: str) -> Selected:
    """The best of several observables, and what the best of as many would be by chance."""
    names = _AMONG[among]
    runs, fresh = of_sets[name], of_sets[FRESH]
    found = np.array([statistics.of_labels(statistics.scores(runs, one), runs.groks) for one in names])
    chance = statistics.under_permuted_labels(runs, names, seed)
    apart = np.nan_to_num(np.abs(found - 0.5))
    best = [k for k in range(len(names)) if apart[k] == apart.max()]
    in_fresh = [statistics.of_labels(np.sign(found[k] - 0.5) * statistics.scores(fresh, names[k]), fresh.groks) for k in best]
    of_best = np.nan_to_num(chance).max(axis=1)
    return Selected(
        runs=name,
        among=among,
        number=len(names),
        best=tuple(names[k] for k in best),
        value=0.5 + float(apart.max()),
        in_fresh=tuple(in_fresh),
        one_by_chance=0.5 + float(np.quantile(np.nan_to_num(chance), 0.95)),
        best_by_chance=0.5 + float(np.quantile(of_best, 0.95)),
        p=float((1 + (of_best >= apart.max()).sum()) / (1 + of_best.size)),
    )


def _trained(log: Log, group: Group) -> Trained:
    at = memorised_at(log).ravel()

    def flat(values: Floats) -> Floats:
        return values.reshape(-1, log.step.size)

    return Trained(
        role=group.role,
        kind=group.kind,
        scale=np.repeat(log.scale, log.grokking_step.shape[1]),
        step=log.step,
        memorised=np.where(at >= 0, log.step[at], -1),
        grokked=log.grokking_step.ravel(),
        test_accuracy=flat(log.columns["test_accuracy"]),
        loss=flat(log.columns["loss"]),
        change={one.name: flat(since_memorisation(log, one.name, of_log=one.of_log)) for one in OBSERVABLES},
    )


_STUDY = GrokkingConfig(
    widths=(32, 40, 48), moduli=(47,), replicates=3, epochs=1200, train_fraction=0.5, few_fraction=0.25, learning_rate=2e-3,
    weight_decay=2.0,
)  # fmt: skip
_QUICK = {
    "widths": (40,), "moduli": (23,), "replicates": 1, "epochs": 100, "snapshot_every": 5, "train_fraction": 0.9,
    "few_fraction": 0.3, "learning_rate": 8e-3, "weight_decay": 1.5, "delayed_epochs": 100, "delayed_fraction": 0.9,
    "delayed_learning_rate": 8e-3,
}  # fmt: skip
EXPERIMENT = NetworkExperiment(measure, tables, draw, _STUDY, _QUICK)
