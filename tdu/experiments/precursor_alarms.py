"""Alarms that the controls of some runs set, frozen, and what they say of others."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from tdu.analysis.alarm import Alarm, fit_alarm, watch
from tdu.experiments.precursor_observables import Observable
from tdu.experiments.precursor_runs import CONTROLS, GROKS, SET, Group
from tdu.experiments.precursor_series import Alarmed
from tdu.experiments.precursor_statistics import resampled_median
from tdu.statistics.proportions import proportion
from tdu.types import Log

Logs = Mapping[Group, Log]
#: Share of the controls that set an alarm off.
FALSE_ALARMS = 0.1
#: Training loss (nats) below which the gradient is no longer resolved: 1 − p of the right answer is about as large, and known
#: to a hundredth of that at best in single precision, whose numbers next to 1 are 6·10⁻⁸ apart.
RESOLVED = 1e-5


def frozen(observable: Observable, direction: str, logs: Logs) -> Alarm:
    """The alarm on a column in a direction, by the controls that set it."""
    controls = [without_grokking(logs[Group(SET, kind)]) for kind in CONTROLS]
    return fit_alarm(controls, observable.name, direction, FALSE_ALARMS, of_log=observable.of_log)


def alarmed(alarm: Alarm, logs: Logs, roles: Iterable[str], seed: int) -> Alarmed:
    """How often and how early the alarm goes off in the runs of some roles that grok, and how often in their controls."""
    named = tuple(roles)
    grokking = [run for role in named for run in watch(alarm, logs[Group(role, GROKS)]) if run.grokking is not None]
    controls = [
        run
        for role in named
        for kind in CONTROLS
        for run in watch(alarm, without_grokking(logs[Group(role, kind)]))
        if run.memorised is not None
    ]
    leads = np.array([max(run.lead or 0, 0) for run in grokking], np.float64)
    return Alarmed(
        alarm=alarm,
        off=proportion(int((leads > 0).sum()), leads.size),
        false=proportion(sum(run.alarm is not None for run in controls), len(controls)),
        lead=resampled_median(leads, seed, f"{leads.size} runs that grok"),
    )


def without_grokking(log: Log) -> Log:
    """Controls that did not grok after all; of others nothing is known."""
    gone = (log.grokking_step >= 0)[..., None]
    columns = {name: np.where(gone, np.nan, values) for name, values in log.columns.items()}
    return replace(log, columns=columns, grokking_step=np.full_like(log.grokking_step, -1))


def resolved(log: Log) -> Log:
    """The snapshots whose gradient is more than rounding: nan where the loss is below `RESOLVED`."""
    lost = log.columns["loss"] < RESOLVED
    kept = ("accuracy", "test_accuracy")
    columns = {name: values if name in kept else np.where(lost, np.nan, values) for name, values in log.columns.items()}
    return replace(log, columns=columns)
