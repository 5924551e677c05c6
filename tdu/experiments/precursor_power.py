"""What each observable of a gradient detects in planted fields, with six runs: thresholds from fields with nothing planted."""

from concurrent.futures import Executor
from functools import cache, partial

import numpy as np

from tdu.avalanches.planted import planted
from tdu.config import GrokkingConfig, Scope
from tdu.executors import as_finished
from tdu.experiments.arrangement_power import LAYOUTS, NOTHING, RUNS, beyond
from tdu.experiments.experiment import Say
from tdu.experiments.precursor_observables import OBSERVABLES, OF_FIELDS, Probes
from tdu.rng import Stage, generator
from tdu.types import Estimate, Floats

STRENGTH = 0.2
#: What is planted, by its name in `tdu.avalanches.planted.KINDS`.
PLANTED = {"values": "units", "magnitudes": "magnitudes", "signs": "signs", "rank 1": "rank-1", "row scale": "row-scale"}
_LAYOUT = LAYOUTS["matrix"]
_LEVEL = 0.05
_NULL = 3  # experiments that set the threshold, for one with something planted; as many say what it costs in false alarms
_STREAM = 100  # apart from those of `arrangement`


def measure(study: GrokkingConfig, scope: Scope, executor: Executor, say: Say) -> dict[str, dict[str, Estimate]]:
    """Share of experiments beyond the threshold, by observable and by what is planted, nothing too, for false alarms."""
    say("planted fields")
    names = ("threshold", NOTHING, *PLANTED)
    jobs = {
        name: partial(means, study.seed, scope.n_draws * (1 if name in PLANTED else _NULL), name, stream)
        for stream, name in enumerate(names, _STREAM)
    }
    found = dict(as_finished(jobs, executor))
    ends = np.quantile(found["threshold"], (_LEVEL / 2, 1 - _LEVEL / 2), axis=0)
    return {
        one: {name: beyond(found[name][:, k], ends[:, k]) for name in (*PLANTED, NOTHING)} for k, one in enumerate(OF_FIELDS)
    }


def means(seed: int, n_experiments: int, plant: str, stream: int) -> Floats:
    """(E, O): every observable's mean over the runs of each experiment."""
    total = np.zeros((n_experiments, len(OF_FIELDS)))
    of_log = np.array([one.of_log for one in OBSERVABLES[: len(OF_FIELDS)]])
    for run in range(RUNS):
        rng = generator(seed, Stage.SYNTHETIC_FIELD, _LAYOUT.n_sites, run, stream)
        fields = planted(PLANTED.get(plant, "gaussian"), _LAYOUT, None, STRENGTH, rng, n_experiments)
        found = np.array([list(probes_of(seed, run).of(field, field).values()) for field in fields])
        total += np.where(of_log, np.log(np.maximum(found, 1)), found)
    return total / RUNS


@cache
def probes_of(seed: int, run: int) -> Probes:
    """With the graphs and draws of one of the runs, the same in all experiments."""
    return Probes(_LAYOUT, seed, _LAYOUT.n_sites, run)
