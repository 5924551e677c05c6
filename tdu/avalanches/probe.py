"""The probe as a value: graph, diffusion, nulls and seed, said once; and the probe of one run, which it makes."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tdu import _check
from tdu.avalanches import cascades, nulls, observables, spectrum
from tdu.avalanches.averaging import MOMENT, Averager
from tdu.avalanches.edges import EDGE_STATISTICS, edge_statistics
from tdu.avalanches.families import FAMILIES
from tdu.avalanches.graphs import Graph
from tdu.avalanches.nulls import Draws
from tdu.avalanches.ranked import ranked
from tdu.avalanches.recorder import Recorder
from tdu.avalanches.threads import MIN_SITES_THREADED
from tdu.config import ALPHA, MAX_STEPS, PRECISIONS, QUANTILE
from tdu.logs.store import Store
from tdu.rng import Stage, derived_seed
from tdu.types import Column, Fields, Integers, Layout

#: What measures a field (N,) at a step: every observable, and the sizes (D,) under each null, by name.
Snapshots = Callable[[Fields, int], tuple[dict[str, float], dict[str, Integers]]]
#: What a log of gradients that were not trained here says of its source.
SOURCE = "gradients"
#: What it says of the graph, if that was no family but one `Graph`.
GIVEN = "given"
#: What it says nothing of unless it was asked for, so that logs from before it could be are of the same probe.
UNASKED = {"ranked": False, "edges": False, "precision": "float64", "profiles": False, "window": 0}


@dataclass(frozen=True)
class Probe:
    """How gradients are measured.

    Parameters
    ----------
    graph : the family (`tdu.avalanches.families.FAMILIES`) of which each run has a graph of its own, or one `Graph` for all.
    alpha, quantile, max_steps : as in `tdu.avalanche`.
    nulls : null models whose avalanches are measured beside the real one, by name (`tdu.avalanches.nulls.MODELS`).
    draws : of each null.
    seed : of graphs and nulls, with scale and replicate the address of what is random.
    ranked : measure, and draw nulls of, fields whose magnitudes are by rank (`tdu.avalanches.ranked`), one law for all.
    edges : with the statistics of the graph's edges (`tdu.avalanches.edges`) as columns beside the avalanches.
    precision : of fields in the avalanche, as in `tdu.avalanche`.
    profiles : also record the topplings of every step, a column a step, ``profile_01``, …: what `tdu fit` collapses.
    window : of consecutive steps that end at a snapshot, whose mean gradient has its spectra, rows and columns measured as
        columns ``spectral``, ``spectral_signs``, ``row_correlation``, ``column_correlation`` (`tdu.spectrum`, pooled); and
        ``cosine``, of the last two gradients. ``"moment"``: of the optimiser's first moment, handed in. 0: none of these.

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
    ranked: bool = False
    edges: bool = False
    precision: str = "float64"
    profiles: bool = False
    window: int | str = 0

    def __post_init__(self) -> None:
        if not isinstance(self.graph, Graph):
            _check.choice(self.graph, "graph", tuple(FAMILIES))
        _check.real(self.alpha, "alpha", 0, 1)
        _check.real(self.quantile, "quantile", 0, 1, open_interval=True)
        _check.integer(self.max_steps, "max_steps", 0, _check.LARGEST_STEPS)
        _check.integer(self.draws, "draws", 0)
        _check.integer(self.seed, "seed", 0, _check.LARGEST_SEED)
        _check.choice(self.precision, "precision", PRECISIONS)
        if self.window != MOMENT:
            _check.integer(self.window, "window", 0, _check.LARGEST_STEPS)
        _check.listed(self.nulls, "nulls", partial(_check.choice, name="nulls", known=tuple(nulls.MODELS)))

    def of_run(self, layout: Layout, scale: int = 0, replicate: int = 0) -> "RunProbe":
        """The probe of one run: its graph, and the draws of the nulls, which serve all its snapshots.

        Examples
        --------
        >>> layout = tdu.types.Layout.of({"weight": (8, 5), "bias": (10,)})
        >>> of_run = tdu.Probe(draws=3).of_run(layout, scale=8)
        >>> len(of_run.graph), of_run.sizes(np.eye(2, 50)).shape, {name: len(list(of_run.draws[name])) for name in of_run.draws}
        (50, (2,), {'permuted': 3, 'blocks': 3})
        """
        if self.window:
            spectrum.matrices(layout)  # an error where there is none, before anything is measured
        graph = self.graph
        if not isinstance(graph, Graph):
            graph = FAMILIES[graph](layout, derived_seed(self.seed, Stage.GRAPH, scale, replicate))
        models = [nulls.MODELS[name] for name in self.nulls]
        draws = nulls.prepared(models, self.draws, layout, graph, (self.seed, scale, replicate))
        return RunProbe(self, graph, draws, layout)

    def averager(self, layout: Layout, every: int) -> Averager | None:
        """What means over the window come from, for snapshots at every `every`-th step; None if there is no window.

        >>> layout = tdu.types.Layout.of({"weight": (8, 5)})
        >>> tdu.Probe().averager(layout, every=10) is None, tdu.Probe(window=5).averager(layout, every=10) is None
        (True, False)
        """
        return Averager(layout.n_sites, self.n_averaged, every, self.precision) if self.window else None

    def record(
        self,
        path: str | os.PathLike[str],
        scale: int,
        replicate: int = 0,
        *,
        every: int = 1,
        resume: bool = False,
        keep_gradients: bool = False,
    ) -> Recorder:
        """Begin a run of the log in the directory `path`, which a training loop records its gradients in.

        Parameters
        ----------
        path : of the log, made or added to; its runs are of one probe, by whatever process.
        scale : what the run's size is named by, as a width; runs of one scale have one N.
        replicate : which of the scale's runs this is.
        every : steps between snapshots; others are passed over, or only averaged where they are in the probe's window.
        resume : go on with a run that is there, as after an interruption; snapshots from the first new step on are replaced.
        keep_gradients : also write the gradients of every snapshot, as ``gradients/s{scale}-r{replicate}/{step}.npz`` in the
            directory of the log, which `tdu probe` reads.

        Raises
        ------
        ValueError
            If runs of another probe are there, the run is there already, or another process records it.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> with TemporaryDirectory() as run:
        ...     for width in (20, 40, 80):
        ...         with tdu.Probe(draws=2).record(run, scale=width) as record:
        ...             for step in range(3):
        ...                 record(step, {"w": rng.normal(size=(width, 9)), "b": rng.normal(size=width)}, loss=1 / (step + 1))
        ...     log = tdu.load(run)
        >>> log.n_sites.tolist(), log.size.shape, log.columns["loss"][0, 0].tolist()[:2]
        ([200, 400, 800], (3, 1, 3), [1.0, 0.5])
        """
        _check.integer(scale, "scale", 0)
        _check.integer(replicate, "replicate", 0)
        _check.integer(every, "every", 1)
        store = Store.begin(Path(path), SOURCE, self.settings)
        return Recorder(self, store, scale, replicate, every, resume, keep_gradients)

    @property
    def n_averaged(self) -> int:
        """Steps whose gradients are added up for a snapshot."""
        return 1 if isinstance(self.window, str) else self.window

    @property
    def settings(self) -> dict[str, Any]:
        """What a log keeps of the probe; of a graph that was given, which fits one scale alone, only that it was."""
        graph = GIVEN if isinstance(self.graph, Graph) else self.graph
        return asked_for({item.name: getattr(self, item.name) for item in fields(self)} | {"graph": graph})


def asked_for(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that are `UNASKED`."""
    return {name: value for name, value in settings.items() if name not in UNASKED or value != UNASKED[name]}


@dataclass(frozen=True, eq=False)
class RunProbe:
    """A `probe` with the `graph` of one run, the `draws` of each null by name, and the `layout` of the fields."""

    probe: Probe
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
