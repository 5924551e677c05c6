"""What is measured of a training run at a snapshot: everything that can be seen in a gradient, and the plain competitors."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tdu.avalanches import gauges
from tdu.avalanches.edges import edge_statistics
from tdu.avalanches.probe import Probe
from tdu.avalanches.ranked import ranked
from tdu.avalanches.run_probe import RunProbe
from tdu.avalanches.spectrum import OF_MATRICES, columns
from tdu.logs.amplitude import amplitude
from tdu.models.layers import Array
from tdu.types import Fields, Layout

#: Consecutive gradients, the snapshot's the last, whose mean the spectra are of.
WINDOW = 10
_NULL, N_DRAWS = "blocks", 4


@dataclass(frozen=True)
class Observable:
    """A column of the log: the word for it, whether it is of the gradient alone, and whether its logarithm is taken."""

    name: str
    label: str
    of_gradient: bool = True
    of_log: bool = False


OBSERVABLES = (
    Observable("ba_size", "log s, BA", of_log=True),
    Observable("ba_epsilon", "ε, BA"),
    Observable("size", "log s, rook, ranked", of_log=True),
    Observable("epsilon", "ε, rook, ranked"),
    Observable("moran", "Moran's I, rook"),
    Observable("concordance", "concordance, rook"),
    Observable("spectral", "S"),
    Observable("spectral_signs", "S of signs"),
    Observable("row_correlation", "row correlation"),
    Observable("column_correlation", "column correlation"),
    Observable("cosine", "lag-1 cosine"),
    Observable("gradient_norm", "gradient norm", of_log=True),
    Observable("weight_norm", "weight norm", False, True),
    Observable("effective_rank", "effective rank of weights", False, True),
    Observable("gini", "Gini of weights", False),
    Observable("loss", "training loss", False, True),
    Observable("test_accuracy", "test accuracy", False),
)
#: Those that planted fields have, too: one gradient, no training.
OF_FIELDS = tuple(one.name for one in OBSERVABLES[:10])


class Probes:
    """The probes of one run: the paper's, on a BA graph, and ranked on `rook`; each with draws of its null `blocks`."""

    def __init__(self, layout: Layout, seed: int, scale: int, replicate: int) -> None:
        self.layout = layout
        ba = Probe("ba", nulls=(_NULL,), draws=N_DRAWS, seed=seed)
        rook = Probe("rook", nulls=(_NULL,), draws=N_DRAWS, seed=seed)
        self.on_ba, self.on_rook = (probe.of_run(layout, scale, replicate) for probe in (ba, rook))

    def of(self, field: Fields, mean: Fields | None) -> dict[str, float]:
        """`OF_FIELDS` of a gradient (N,) and of the mean over its window, nan where there is none."""
        return {name: value for measure in self.measures(field, mean) for name, value in measure().items()}

    def measures(self, field: Fields, mean: Fields | None) -> list[Callable[[], Mapping[str, float]]]:
        """What measures them, each apart, so that it can be timed."""

        def on_rook() -> dict[str, float]:
            return _of_avalanche(self.on_rook, ranked(field, self.layout))

        def over_edges() -> dict[str, float]:
            found = edge_statistics(ranked(field, self.layout), self.on_rook.graph)
            return {name: found[name] for name in ("moran", "concordance")}

        def of_matrices() -> dict[str, float]:
            found = columns(mean, math.nan, self.layout)
            return {name: found[name] for name in OF_MATRICES}

        def on_ba() -> dict[str, float]:
            return {f"ba_{name}": value for name, value in _of_avalanche(self.on_ba, field).items()}

        return [on_ba, on_rook, over_edges, of_matrices]


def _of_avalanche(probe: RunProbe, field: Fields) -> dict[str, float]:
    """Size, and ε over the draws of the null, of a field as it is to be measured."""
    fields = field[None]
    size, drawn = probe.sizes(fields), probe.sizes_under(probe.draws[_NULL], fields, np.zeros(1, int))
    return {"size": float(size[0]), "epsilon": float(amplitude(size, drawn).epsilon[0])}


def of_weights(theta: Array, layout: Layout) -> dict[str, float]:
    """Norm, Gini coefficient and effective rank of parameters (N,)."""
    return gauges.of_weights(layout.views(theta))


def seconds_of(job: Callable[[], Any], times: int = 15) -> float:
    """Least time of this thread that a job takes, once it has run."""
    job()
    found = []
    for _ in range(times):
        begun = time.thread_time()
        job()
        found.append(time.thread_time() - begun)
    return min(found)
