"""One run of a log, all that is known of it over time: means over runs hide when a column changes."""

import numpy as np

from tdu.analysis.memorising import memorised_at
from tdu.avalanches.observables import PROFILE
from tdu.logs.amplitude import amplitude
from tdu.results.series_of_logs import OneOfLog, Recorded
from tdu.types import Findings, Floats, Log


def analyse(log: Log) -> Findings:
    """Every column that changes, and ε over each null, of one run of the largest scale: the first that groks, if one does."""
    runs = np.flatnonzero((~np.isnan(log.size[-1])).any(axis=-1))
    groks = runs[log.grokking_step[-1, runs] >= 0]
    found = of(log, -1, int([*groks, *runs][0]))
    return Findings(series=(found,) if found.columns else ())


def of(log: Log, scale: int, run: int) -> OneOfLog:
    """Every column that changes, and ε over each null, of the `run`-th run of the `scale`-th scale."""
    columns = {name: values[scale, run] for name, values in log.columns.items() if not name.startswith(PROFILE)}
    for name, drawn in log.nulls.items():
        columns[f"epsilon, {name}"] = amplitude(log.size[scale, run], drawn[:, scale, run]).epsilon
    shown = {name: Recorded(np.array(values)) for name, values in columns.items() if _changes(values)}
    memorised = int(memorised_at(log)[scale, run]) if "accuracy" in log.columns else -1
    when = float(log.step[memorised]) if memorised >= 0 else np.nan
    grokked = float(log.grokking_step[scale, run]) if log.grokking_step[scale, run] >= 0 else np.nan
    return OneOfLog(float(log.scale[scale]), float(run), when, grokked, log.step, shown)


def _changes(values: Floats) -> bool:
    return np.unique(values[~np.isnan(values)]).size > 1
