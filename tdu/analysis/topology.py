"""Real gradients on other graphs: whether D(t) is of the field or of the graph it is probed on."""

from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from tdu.analysis import dimension
from tdu.analysis.control import TOPOLOGIES
from tdu.analysis.grokking import window
from tdu.avalanches.cascades import sizes_of
from tdu.avalanches.nulls import permuted
from tdu.config import StudyConfig
from tdu.rng import Stage, derived_seed, generator
from tdu.statistics.scaling import window_dimension
from tdu.training.xor import snapshot_fields
from tdu.types import Estimate, Findings, Floats, Integers, Log


@dataclass(frozen=True, eq=False)
class OnGraphs:
    """Avalanche sizes (S, K, T) of the same snapshots on every topology: of the fields, and of their entries permuted."""

    real: dict[str, Integers]
    permuted: dict[str, Integers]


def measure(config: StudyConfig, executor: Executor) -> OnGraphs:
    """Train the runs of a study in shadow, so that no graph has a part in them, and probe their snapshots on each graph."""
    grid = [(hidden, replicate) for hidden in config.hidden for replicate in range(config.replicates)]
    rows = list(executor.map(lambda address: _of_run(replace(config, alpha_train=0.0), *address), grid))
    shape = (len(config.hidden), config.replicates, -1)
    real, null = ({name: np.array([row[kind][name] for row in rows]).reshape(shape) for name in TOPOLOGIES} for kind in (0, 1))
    return OnGraphs(real, null)


def _of_run(config: StudyConfig, hidden: int, replicate: int) -> tuple[dict[str, Integers], dict[str, Integers]]:
    fields, _ = snapshot_fields(config, hidden, replicate)
    n = fields.shape[1]
    seed = derived_seed(config.seed, Stage.SYNTHETIC_GRAPH, hidden, replicate)
    order = permuted(np.arange(n), generator(config.seed, Stage.NULL, hidden, replicate)).astype(int)
    probe = (config.alpha, config.quantile, config.max_steps)
    graphs = {name: build(n, seed) for name, build in TOPOLOGIES.items()}
    return (
        {name: sizes_of(fields, graph, *probe) for name, graph in graphs.items()},
        {name: sizes_of(fields[:, order], graph, *probe) for name, graph in graphs.items()},
    )


def analyse(shadow: Log, sizes: OnGraphs) -> Findings:
    """D(t) over training on each topology, real and permuted, from a log of the same training in `shadow`."""
    after = shadow.step > window(shadow)[1]

    def late(size: Integers) -> Estimate:
        return window_dimension(shadow.with_size(size), "mean", after, shadow.seed)

    def over_time(size: Integers) -> dict[str, Floats]:
        return dict(dimension.over_time(shadow.with_size(size), shadow.seed)["mean"])

    return Findings(
        estimates={key_of(name): late(size) for name, size in sizes.real.items()},
        readings={key_of(name): {"permuted": late(size)} for name, size in sizes.permuted.items()},
        series={
            "on_graphs": {
                "epoch": shadow.step,
                "real": {name: over_time(size) for name, size in sizes.real.items()},
                "permuted": {name: over_time(size) for name, size in sizes.permuted.items()},
            }
        },
    )


def key_of(topology: str) -> str:
    """Key of the late D(t) on a topology."""
    return "dimension_late_" + topology.replace(", p = ", "_").replace(" ", "_").replace("-", "_")
