"""Is the largest excess off the graph that trained more than the largest of many? It again, of seeds that did not choose it."""

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from tdu.analysis import imprint
from tdu.analysis.imprint import CONDITIONS, OWN
from tdu.config import StudyConfig
from tdu.experiments.experiment import Table
from tdu.series import Series
from tdu.statistics.resampling import estimate
from tdu.statistics.sampling import mean_of_runs
from tdu.types import Estimate

#: The condition and the null that show it, of two seeds.
CHOSEN, NULL = "in-line in reversed order, measured on a fresh graph", "signs"
#: Where the graph that measures has trained the network.
ON_TRAINING_GRAPH = (OWN, "in-line in reversed order")
#: Nulls beyond which a graph that knows nothing of parameters has nothing to see.
BEYOND = ("blocks", "signs")
_RUNS_OF_SEED = 4  # of the study, for one seed more
_ERROR = 0.05  # share of 95 % intervals that leave out what they are of


@dataclass(frozen=True, eq=False)
class Trace(Series):
    """The excess under each further seed, and their mean; by seed and over all."""

    key = "trace"
    of_seeds: dict[int, Estimate]
    mean: Estimate


def measure(config: StudyConfig, first: int, executor: Executor) -> Trace:
    """The study under the chosen condition, of seeds from `first` on."""
    (condition,) = (one for one in CONDITIONS if one.name == CHOSEN)
    found = {}
    for seed in range(first, first + max(config.replicates // _RUNS_OF_SEED, 2)):
        log = imprint.log_of(replace(config, seed=seed, nulls=(NULL,)), condition, executor)
        found[seed] = imprint.late(log)[f"excess_{NULL}"]
    values = np.array([[one.value for one in found.values()]])
    return Trace(found, estimate(values, mean_of_runs, "mean over seeds", config.seed))


def tables(found: Trace, looked_at: list[tuple[str, dict[str, Estimate]]]) -> dict[str, Table]:
    """The excess by seed; and how many intervals off the training graph leave out 0, of those `looked_at` by condition."""
    off = [of[f"excess_{null}"] for name, of in looked_at if name not in ON_TRAINING_GRAPH for null in BEYOND]
    without = sum(one.low > 0 or one.high < 0 for one in off)
    chosen = [of[f"excess_{null}"] for name, of in looked_at if name == CHOSEN for null in BEYOND]
    return {
        "trace": [
            {"seed": seed, "value": one.value, "low": one.low, "high": one.high, "note": one.note}
            for seed, one in found.of_seeds.items()
        ],
        "alarms": [
            {
                "what": "off the training graph", "intervals": len(off), "leave out 0": without,
                "expected": _ERROR * len(off), "of the chosen condition": sum(one.low > 0 or one.high < 0 for one in chosen),
                "further seeds": len(found.of_seeds),
            }
        ],
    }  # fmt: skip
