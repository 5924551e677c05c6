"""The probe as a value: graph, diffusion, nulls and seed, said once; and the probe of one run, which it makes."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from tdu import _check
from tdu.avalanches import nulls, protocol, spectrum
from tdu.avalanches.averaging import MOMENT, Averager
from tdu.avalanches.families import FAMILIES
from tdu.avalanches.graphs import Graph
from tdu.avalanches.protocol import Choices
from tdu.avalanches.ranks import RANKS
from tdu.avalanches.recorder import Recorder
from tdu.avalanches.run_probe import RunProbe
from tdu.config import ALPHA, MAX_STEPS, PRECISIONS, QUANTILE
from tdu.logs.store import Store
from tdu.rng import Stage, derived_seed
from tdu.types import Layout

#: What a log of gradients that were not trained here says of its source.
SOURCE = "gradients"
#: What it says of the graph, if that was no family but one `Graph`.
GIVEN = "given"
#: What it says nothing of unless it was asked for, so that logs from before it could be are of the same probe.
UNASKED = {"ranked": False, "edges": False, "precision": "float64", "profiles": False, "window": 0, "ranks": "exact"}
#: Of these, what the protocol asks for, so that the command line says it both ways.
SWITCHES = ("ranked", "edges")


@dataclass(frozen=True)
class Probe:
    """How gradients are measured.

    Where no graph is named, tensors with their names are measured by the protocol of docs/what-d-measures.md: ranked fields on
    ``rook``, with its edge statistics, beside ``blocks`` and ``signs``. A lone array, of whose parts nothing is known, is
    measured on the paper's graph, as it is, with a warning. A graph that is named measures the field as it is. In each case
    what else is said is done (`tdu.avalanches.protocol.chosen`), and a log keeps what was measured, not what was said.

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
    ranks : of the magnitudes in these, ``exact`` or, several times as fast, ``binned``, as in `tdu.spectrum`.

    Raises
    ------
    TypeError, ValueError
        For settings of a wrong kind or out of range, and names that are not known.

    Examples
    --------
    >>> fields = np.random.default_rng(0).normal(size=(2, 50))  # gradients of 50 parameters at two snapshots
    >>> probe = tdu.Probe(draws=3).of_run(tdu.types.Layout.of({"weight": (8, 5), "bias": (10,)}))
    >>> probe.observables(fields)["size"].shape, probe.null_sizes(fields, np.array([0, 10]))["blocks"].shape
    ((2,), (3, 2))
    """

    graph: str | Graph | None = None
    alpha: float = ALPHA
    quantile: float = QUANTILE
    max_steps: int = MAX_STEPS
    nulls: tuple[str, ...] | None = None
    draws: int = 8
    seed: int = 0
    ranked: bool | None = None
    edges: bool | None = None
    precision: str = "float64"
    profiles: bool = False
    window: int | str = 0
    ranks: str = "exact"

    def __post_init__(self) -> None:
        if isinstance(self.graph, str):
            _check.choice(self.graph, "graph", tuple(FAMILIES))
        if self.graph is not None:
            for name, value in vars(self._chosen()).items():
                object.__setattr__(self, name, value)
        _check.fractions(self, "alpha")
        _check.levels(self, quantile=1)
        _check.integers(self, max_steps=0, draws=0)
        _check.steps(self.max_steps)
        _check.truths(self, *(name for name in ("ranked", "edges", "profiles") if getattr(self, name) is not None))
        _check.integer(self.seed, "seed", 0, _check.LARGEST_SEED)
        _check.choice(self.precision, "precision", PRECISIONS)
        _check.choice(self.ranks, "ranks", tuple(RANKS))
        if self.window != MOMENT:
            _check.integer(self.window, "window", 0, _check.LARGEST_STEPS)
        if self.nulls is not None:
            _check.listed(self.nulls, "nulls", partial(_check.choice, name="nulls", known=tuple(nulls.MODELS)))
        _check.room(1, 0, 1, self.draws * len(self.nulls or ("blocks",)))

    @classmethod
    def paper(cls, **settings: Any) -> Self:
        """A probe with the paper's graph, of the field as it is, beside ``permuted`` and ``blocks``, but for the `settings`.

        It is no setting of its own, which could contradict the others: a log of such a probe is one of ``graph="ba"``.

        Examples
        --------
        >>> tdu.Probe.paper(seed=3) == tdu.Probe("ba", seed=3, nulls=("permuted", "blocks"), ranked=False, edges=False)
        True
        """
        return cls(**vars(protocol.PAPER) | settings)

    def settled(self, *layouts: Layout) -> Self:
        """The probe with what was left open decided for fields of these layouts; without any, as the protocol has it.

        Examples
        --------
        >>> tdu.Probe(draws=3).settled(tdu.types.Layout.of({"weight": (8, 5), "bias": (10,)})).settings["graph"]
        'rook'
        """
        return replace(self, **vars(self._chosen(*layouts)))

    @property
    def choices(self) -> Choices:
        """What is measured, of a probe that is settled; of another what the protocol has."""
        return self._chosen()

    def _chosen(self, *layouts: Layout) -> Choices:
        return protocol.chosen(layouts, self.graph, self.ranked, self.edges, self.nulls)

    def of_run(self, layout: Layout, scale: int = 0, replicate: int = 0) -> "RunProbe":
        """The probe of one run: its graph, and the draws of the nulls, which serve all its snapshots.

        Examples
        --------
        >>> layout = tdu.types.Layout.of({"weight": (8, 5), "bias": (10,)})
        >>> of_run = tdu.Probe(draws=3).of_run(layout, scale=8)
        >>> len(of_run.graph), of_run.sizes(np.eye(2, 50)).shape, {name: len(list(of_run.draws[name])) for name in of_run.draws}
        (50, (2,), {'blocks': 3, 'signs': 3})
        """
        if self.window:
            spectrum.matrices(layout)  # an error where there is none, before anything is measured
        settled = self.settled(layout)
        chosen = settled.choices
        if word := protocol.word_on(self.graph, chosen):
            warnings.warn(word, stacklevel=2)
        graph = chosen.graph
        if not isinstance(graph, Graph):
            graph = FAMILIES[graph](layout, derived_seed(self.seed, Stage.GRAPH, scale, replicate))
        return settled.on(graph, layout, scale, replicate)

    def on(self, graph: Graph, layout: Layout, scale: int, replicate: int) -> "RunProbe":
        """As `of_run`, of a probe that is settled, on a graph that is there, whatever the probe's own is.

        Examples
        --------
        >>> layout = tdu.types.Layout.of({"weight": (8, 5), "bias": (10,)})
        >>> tdu.Probe.paper(draws=3).on(tdu.ring(50), layout, scale=8, replicate=0).sizes(np.eye(2, 50)).tolist()
        [675, 675]
        """
        models = [nulls.MODELS[name] for name in self.choices.nulls]
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
        scale, replicate = _check.integer(scale, "scale", 0), _check.integer(replicate, "replicate", 0)
        every = _check.integer(every, "every", 1)
        return Recorder(self, self.log_at(_check.path(path, "path")), scale, replicate, every, resume, keep_gradients)

    def log_at(self, path: Path) -> Store:
        """The log at `path`, begun or there already; of a probe that is not settled only the one there, whatever settled it.

        Examples
        --------
        >>> with TemporaryDirectory() as run:
        ...     tdu.Probe.paper().log_at(pathlib.Path(run)).settings["graph"]
        'ba'
        """
        if self.graph is not None:
            return Store.begin(path, SOURCE, self.settings)
        if not (path / "manifest.json").exists():
            return Store(path, SOURCE, {})  # begun when the first gradients settle the probe
        of_arrays = self.settled(Layout.unknown(1))
        return (of_arrays if of_arrays.settings == Store.open(path).settings else self.settled()).log_at(path)

    @property
    def n_averaged(self) -> int:
        """Steps whose gradients are added up for a snapshot."""
        return 1 if isinstance(self.window, str) else self.window

    @property
    def settings(self) -> dict[str, Any]:
        """What a log keeps of the probe; of a graph that was given, which fits one scale alone, only that it was."""
        graph = GIVEN if isinstance(self.graph, Graph) else self.graph
        known = {item.name: getattr(self, item.name) for item in fields(self)}
        return asked_for(known | {"graph": graph, "nulls": list(self.choices.nulls)})


def asked_for(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that are `UNASKED`."""
    return {name: value for name, value in settings.items() if name not in UNASKED or value != UNASKED[name]}
