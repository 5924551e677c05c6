"""What the probe itself writes into the field that it measures: the paper's study, trained and measured on other placements."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from tdu.analysis import excess, grokking
from tdu.avalanches.graphs import Graph
from tdu.avalanches.probe import Probe
from tdu.config import StudyConfig
from tdu.logs.log import gather
from tdu.rng import Stage, generator
from tdu.statistics.resampling import estimate
from tdu.statistics.scaling import exponent_of_runs, over_time, window_dimension
from tdu.training.ensembles import over_grid
from tdu.training.sites import laid_over, site_order
from tdu.training.xor import probe_of, with_fields
from tdu.types import Estimate, Fields, Log, Run, SizeStatistic

_N_RESAMPLES = 2000


@dataclass(frozen=True)
class Condition:
    """A way to train and measure: what it `changes` in the study, and a site order in which its fields are only measured.

    `moved`: the field is placed in that order on the graph that trained, as if its parameters were sites elsewhere.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    moved: str = "layer"


OWN = "in-line, own graph"
#: Those after the first that change nothing of its training measure the same fields.
CONDITIONS = (
    Condition(OWN),
    Condition("in-line, measured on a fresh graph", {"measured_on": "fresh"}),
    Condition("in-line, measured in reversed order", moved="reversed"),
    Condition("in-line, measured with units permuted", moved="units-permuted"),
    Condition("in-line in reversed order", {"site_order": "reversed"}),
    Condition("in-line in reversed order, measured on a fresh graph", {"site_order": "reversed", "measured_on": "fresh"}),
    Condition("shadow", {"alpha_train": 0.0}),
    Condition("shadow in reversed order", {"alpha_train": 0.0, "site_order": "reversed"}),
)


def log_of(config: StudyConfig, condition: Condition, executor: Executor) -> Log:
    """The log of a study under a condition, with its nulls through the same probe."""
    changed = replace(config, **condition.changes)
    return gather((run for _, run in over_grid(changed, partial(_run, condition.moved), executor)), config.seed)


def _run(moved: str, config: StudyConfig, hidden: int, replicate: int) -> Run:
    trained = with_fields(config, hidden, replicate)
    return placed(trained.run, trained.fields, trained.probe.graph, moved, probe_of(config, config.n_null_draws))


def placed(run: Run, fields: Fields, graph: Graph, moved: str, probe: Probe) -> Run:
    """A run as its gradients (T, N) are measured on `graph`, in the order `moved`, with their nulls through the same probe."""
    if moved != "layer":
        graph = laid_over(
            graph, site_order(moved, run.layout, generator(probe.seed, Stage.SITE_ORDER, run.scale, run.replicate))
        )
    of_run = replace(probe, graph=graph).of_run(run.layout, run.scale, run.replicate)
    return replace(run, columns={"size": of_run.sizes(fields)}, nulls=of_run.null_sizes(fields, run.step), curves={})


def late(log: Log) -> dict[str, Estimate]:
    """D(t) of the mean size after the grokking window, and its excess over each null, by key."""
    after = log.step > grokking.window(log)[1]
    inside = np.flatnonzero(after & log.complete)
    found = {"dimension_late": window_dimension(log, SizeStatistic.MEAN, after, log.seed)}
    return found | {f"excess_{name}": excess.excess_inside(log, name, inside, log.seed)[0] for name in log.nulls}


def difference(log: Log, other: Log) -> Estimate:
    """Late D of a log minus that of another of the same runs, paired, over the snapshots after the window of the first."""
    after = (log.step > grokking.window(log)[1]) & log.complete
    both = np.stack([over_time(log)[after], over_time(other)[after]])
    mean = exponent_of_runs(log.n_sites, SizeStatistic.MEAN).then(lambda of_time: of_time.mean(axis=-1))
    less = mean.then(lambda found: found[:, 0] - found[:, 1])
    return estimate(both, less, "own graph − moved, mean", log.seed, n_resamples=_N_RESAMPLES)
