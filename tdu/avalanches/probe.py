"""The probe as a value: graph, diffusion, nulls and seed, said once; and the probe of one run, which it makes."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tdu import _check
from tdu.avalanches import cascades, nulls, observables
from tdu.avalanches.graphs import FAMILIES, Graph
from tdu.avalanches.nulls import Draw
from tdu.config import ALPHA, MAX_STEPS, QUANTILE
from tdu.rng import Stage, derived_seed
from tdu.types import Column, Floats, Integers, Layout


@dataclass(frozen=True)
class Probe:
    """How gradients are measured.

    Parameters
    ----------
    graph : the family (`tdu.avalanches.graphs.FAMILIES`) of which each run has a graph of its own, or one `Graph` for all.
    alpha, quantile, max_steps : as in `tdu.avalanche`.
    nulls : null models whose avalanches are measured beside the real one, by name (`tdu.avalanches.nulls.MODELS`).
    draws : of each null.
    seed : of graphs and nulls, with scale and replicate the address of what is random.

    Raises
    ------
    TypeError, ValueError
        For settings of a wrong kind or out of range, and names that are not known.

    Examples
    --------
    >>> fields = np.random.default_rng(0).normal(size=(2, 50))  # gradients of 50 parameters at two snapshots
    >>> probe = tdu.Probe(nulls=("permuted",), draws=3).of_run(tdu.types.Layout.of({"weight": (8, 5), "bias": (10,)}))
    >>> probe.observables(fields)["size"].shape, probe.null_sizes(fields, np.array([0, 10]))["permuted"].shape
    ((2,), (3, 2))
    """

    graph: str | Graph = "ba"
    alpha: float = ALPHA
    quantile: float = QUANTILE
    max_steps: int = MAX_STEPS
    nulls: tuple[str, ...] = ("permuted", "blocks")
    draws: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.graph, Graph):
            _check.choice(self.graph, "graph", tuple(FAMILIES))
        _check.real(self.alpha, "alpha", 0, 1)
        _check.real(self.quantile, "quantile", 0, 1, open_interval=True)
        _check.integer(self.max_steps, "max_steps", 0)
        _check.integer(self.draws, "draws", 0)
        _check.integer(self.seed, "seed", 0, _check.LARGEST_SEED)
        _check.listed(self.nulls, "nulls", partial(_check.choice, name="nulls", known=tuple(nulls.MODELS)))

    def of_run(self, layout: Layout, scale: int = 0, replicate: int = 0) -> "RunProbe":
        """The probe of one run: its graph, and the draws of the nulls, which serve all its snapshots."""
        graph = self.graph
        if not isinstance(graph, Graph):
            graph = FAMILIES[graph](layout.n_sites, derived_seed(self.seed, Stage.GRAPH, scale, replicate))
        models = [nulls.MODELS[name] for name in self.nulls]
        return RunProbe(self, graph, nulls.prepared(models, self.draws, layout, graph, (self.seed, scale, replicate)))


@dataclass(frozen=True, eq=False)
class RunProbe:
    """A `probe` with the `graph` of one run, and the `draws` of each null by name."""

    probe: Probe
    graph: Graph
    draws: dict[str, list[Draw]]

    def observables(self, fields: npt.ArrayLike) -> dict[str, Column]:
        """Every observable (T,) of the avalanches of fields (T, N), by name."""
        probe = self.probe
        return observables.columns(cascades.avalanches(fields, self.graph, probe.alpha, probe.quantile, probe.max_steps))

    def null_sizes(self, fields: Floats, steps: Integers) -> dict[str, Integers]:
        """Avalanche sizes (D, T) under each draw of each null of fields (T, N) at `steps` (T,), by the null's name."""
        return {name: self.sizes_under(draws, fields, steps) for name, draws in self.draws.items()}

    def sizes_under(self, draws: list[Draw], fields: Floats, steps: Integers) -> Integers:
        """Avalanche sizes (D, T) under some draws."""
        return np.array([self.sizes(draw.apply(fields, steps), draw.graph) for draw in draws]).reshape(len(draws), len(fields))

    def sizes(self, fields: npt.ArrayLike, graph: Graph | None = None) -> Integers:
        """Avalanche sizes (T,) of fields (T, N), on the run's graph or another."""
        probe = self.probe
        return cascades.sizes_of(fields, graph or self.graph, probe.alpha, probe.quantile, probe.max_steps)

    def relaxed(self, gradient: npt.NDArray[np.floating], alpha: float) -> npt.NDArray[np.floating]:
        """What becomes of a gradient (N,) in an avalanche of strength `alpha`, in its own precision: what trains in-line."""
        found = cascades.avalanche(gradient, self.graph, alpha, self.probe.quantile, max_steps=self.probe.max_steps)
        return found.gradient.astype(gradient.dtype)
