"""Real gradients on other graphs: whether D(t) is of the field or of the graph it is probed on."""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from tdu.analysis import dimension
from tdu.analysis.control import TOPOLOGIES
from tdu.analysis.grokking import window
from tdu.avalanches.nulls import permuted
from tdu.rng import Stage, derived_seed, generator
from tdu.series import Series
from tdu.statistics.scaling import window_dimension
from tdu.training.ensembles import Ensemble
from tdu.training.xor import Trained
from tdu.types import Band, Estimate, Findings, Integers, Log, SizeStatistic


@dataclass(frozen=True, eq=False)
class OnGraphs:
    """Avalanche sizes (S, K, T) of the same snapshots on every topology: of the fields, and of their entries permuted."""

    real: dict[str, Integers]
    permuted: dict[str, Integers]


@dataclass(frozen=True, eq=False)
class DimensionOnGraphs(Series):
    """D(t) of the mean size at the snapshots (T,) on every topology: of the fields, and of their entries permuted."""

    key = "on_graphs"
    epoch: Integers
    real: dict[str, Band]
    permuted: dict[str, Band]


def measure(shadow: Ensemble, executor: Executor) -> OnGraphs:
    """Probe the snapshots of an ensemble trained in shadow, so that no graph has a part in them, on each graph."""
    rows = list(shadow.measured(partial(_of_run, shadow.config.seed), executor).values())
    shape = (len(shadow.config.hidden), shadow.config.replicates, -1)
    real, null = ({name: np.array([row[kind][name] for row in rows]).reshape(shape) for name in TOPOLOGIES} for kind in (0, 1))
    return OnGraphs(real, null)


def _of_run(seed: int, trained: Trained) -> tuple[dict[str, Integers], dict[str, Integers]]:
    run, n_sites = trained.run, trained.run.n_sites
    order = permuted(np.arange(n_sites), generator(seed, Stage.NULL, run.scale, run.replicate)).astype(int)
    of_graphs = derived_seed(seed, Stage.SYNTHETIC_GRAPH, run.scale, run.replicate)
    graphs = {name: build(n_sites, of_graphs) for name, build in TOPOLOGIES.items()}
    return (
        {name: trained.probe.sizes(trained.fields, graph) for name, graph in graphs.items()},
        {name: trained.probe.sizes(trained.fields[:, order], graph) for name, graph in graphs.items()},
    )


def analyse(shadow: Log, sizes: OnGraphs) -> Findings:
    """D(t) over training on each topology, real and permuted, from a log of the same training in `shadow`."""
    after = shadow.step > window(shadow)[1]

    def late(size: Integers) -> Estimate:
        return window_dimension(shadow.with_size(size), SizeStatistic.MEAN, after, shadow.seed)

    def over_time(size: Integers) -> Band:
        return dimension.over_time(shadow.with_size(size), shadow.seed)[SizeStatistic.MEAN]

    return Findings(
        estimates={key_of(name): late(size) for name, size in sizes.real.items()},
        readings={key_of(name): {"permuted": late(size)} for name, size in sizes.permuted.items()},
        series=(
            DimensionOnGraphs(
                shadow.step,
                real={name: over_time(size) for name, size in sizes.real.items()},
                permuted={name: over_time(size) for name, size in sizes.permuted.items()},
            ),
        ),
    )


def key_of(topology: str) -> str:
    """Key of the late D(t) on a topology."""
    return "dimension_late_" + topology.replace(", p = ", "_").replace(" ", "_").replace("-", "_")
