"""The probe of one run: its graph and the draws of its nulls, put to one field or to many."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tdu.avalanches import cascades, observables
from tdu.avalanches.edges import EDGE_STATISTICS, edge_statistics
from tdu.avalanches.graphs import Graph
from tdu.avalanches.nulls import Draws
from tdu.avalanches.ranked import ranked
from tdu.avalanches.threads import MIN_SITES_THREADED
from tdu.types import Column, Fields, Integers, Layout

if TYPE_CHECKING:
    from tdu.avalanches.probe import Probe

#: What measures a field (N,) at a step: every observable, and the sizes (D,) under each null, by name.
Snapshots = Callable[[Fields, int], tuple[dict[str, float], dict[str, Integers]]]


@dataclass(frozen=True, eq=False)
class RunProbe:
    """A `probe` with the `graph` of one run, the `draws` of each null by name, and the `layout` of the fields."""

    probe: "Probe"
    graph: Graph
    draws: Mapping[str, Draws]
    layout: Layout

    def observables(self, fields: Fields, workers: int = 1) -> dict[str, Column]:
        """Every observable (T,) of the avalanches of fields (T, N), by name, and the edge statistics if they are asked for."""
        measured = self._measured(fields)
        found = cascades.avalanches(measured, self.graph, **self._settings, workers=workers)
        columns = observables.columns(found, profiles=self.probe.profiles)
        if self.probe.edges:
            of_edges = [edge_statistics(field, self.graph) for field in measured]
            columns |= {name: np.array([one[name] for one in of_edges]) for name in EDGE_STATISTICS}
        return columns

    def snapshot(self, field: Fields, step: int, workers: int = 1) -> tuple[dict[str, float], dict[str, Integers]]:
        """Every observable of one field (N,) of any precision, and the sizes (D,) under each null, by name."""
        return self.snapshots(workers)(field, step)

    def snapshots(self, workers: int = 1) -> Snapshots:
        """As `snapshot`, of fields one after the other in one thread, with work space that is kept."""
        meter = cascades.Meter(self.graph, **self._settings, workers=workers)

        def snapshot(field: Fields, step: int) -> tuple[dict[str, float], dict[str, Integers]]:
            measured = self._measured(field)
            columns = observables.columns(meter(measured), profiles=self.probe.profiles)
            numbers = {name: float(value) for name, value in columns.items()}
            if self.probe.edges:
                numbers |= edge_statistics(measured, self.graph)
            return numbers, {
                name: self._sizes_under(draws, measured[None], np.array([step]), workers)[:, 0]
                for name, draws in self.draws.items()
            }

        return snapshot

    def null_sizes(self, fields: Fields, steps: Integers, workers: int = 1) -> dict[str, Integers]:
        """Avalanche sizes (D, T) under each draw of each null of fields (T, N) at `steps` (T,), by the null's name.

        Threads share a field of millions of sites, and of smaller ones the draws.
        """
        measured = self._measured(fields)
        return {name: self._sizes_under(draws, measured, steps, workers) for name, draws in self.draws.items()}

    def sizes_under(self, draws: Draws, fields: Fields, steps: Integers, workers: int = 1) -> Integers:
        """Avalanche sizes (D, T) under the draws of one null."""
        return self._sizes_under(draws, self._measured(fields), steps, workers)

    def sizes(self, fields: Fields, graph: Graph | None = None, workers: int = 1) -> Integers:
        """Avalanche sizes (T,) of fields (T, N), on the run's graph or another."""
        return self._sizes(self._measured(fields), graph or self.graph, workers)

    @property
    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self.probe, name) for name in ("alpha", "quantile", "max_steps", "precision")}

    def _measured(self, fields: Fields) -> Fields:
        """What is measured of fields (…, N), and what nulls are drawn of."""
        return ranked(fields, self.layout) if self.probe.ranked else fields

    def _sizes_under(self, draws: Draws, measured: Fields, steps: Integers, workers: int) -> Integers:
        if workers > 1 and draws.kept and len(self.graph) < MIN_SITES_THREADED:
            with ThreadPoolExecutor(workers) as executor:
                return np.stack(list(executor.map(lambda d: self._sizes(d.apply(measured, steps), d.graph), draws.kept)))
        return np.stack([self._sizes(drawn, graph, workers) for drawn, graph in draws.applied(measured, steps)])

    def _sizes(self, measured: Fields, graph: Graph, workers: int = 1) -> Integers:
        return cascades.sizes_of(measured, graph, **self._settings, workers=workers)

    def relaxed(self, gradient: npt.NDArray[np.floating], alpha: float) -> npt.NDArray[np.floating]:
        """What becomes of a gradient (N,) in an avalanche of strength `alpha`, in its own precision: what trains in-line."""
        found = cascades.avalanche(gradient, self.graph, alpha, self.probe.quantile, max_steps=self.probe.max_steps)
        return found.gradient.astype(gradient.dtype)
