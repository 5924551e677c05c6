"""Which probe detects what: planted fields, six runs an experiment, and a threshold from fields with nothing planted."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy.special import stdtrit

from tdu.avalanches.cascades import sizes_of
from tdu.avalanches.graphs import Graph
from tdu.avalanches.planted import planted, units_of
from tdu.avalanches.probe import Probe
from tdu.avalanches.ranked import ranked
from tdu.avalanches.run_probe import RunProbe
from tdu.config import Scope, StudyConfig
from tdu.executors import as_finished
from tdu.experiments.arrangement_statistics import epsilon, over_edges
from tdu.experiments.experiment import Say
from tdu.models import mlp
from tdu.rng import Stage, generator
from tdu.series import Series
from tdu.types import Estimate, Findings, Floats, Integers, Layout

RUNS = 6  # of an experiment, as in the paper
STRENGTHS = (0.1, 0.2, 0.4)
OWN_GRAPH, NOTHING = "own graph", "nothing"
NEAREST = "nearest"
_LEVEL = 0.05  # false alarms
_NEIGHBOURS = 4  # of a row in the graph of nearest rows
_NULL = 3  # experiments with nothing planted, for one with something
#: The layouts that fields are planted in, what is planted in each, and the graphs that it is looked for on.
LAYOUTS = {"units": mlp.layout(100), "matrix": Layout.of({"weight": (32, 24), "bias": (32,)})}
_PLANTED = {"units": ("values", "magnitudes", "signs"), "matrix": ("rank 1", "row scale")}
#: What the tables call it otherwise than `tdu.avalanches.planted.KINDS`.
_KINDS = {NOTHING: "gaussian", "values": "units", "rank 1": "rank-1", "row scale": "row-scale", OWN_GRAPH: "graph"}
_GRAPHS = {"units": ("ba", "ring", "units", "rook"), "matrix": ("ba", "ring", "rook")}
#: Avalanches of the field as it is and by rank; sums over the edges of ranks of |g|, of signs, and of values by rank.
STATISTICS = ("raw", "ranked", "Moran", "concordance", "values")


@dataclass(frozen=True)
class Condition:
    """Experiments with one thing planted: a `plant` in a layout with a strength; `family` is the graph that it lies along."""

    layout: str
    plant: str
    strength: float
    stream: int
    family: str = ""

    @property
    def graphs(self) -> tuple[str, ...]:
        """On which it is looked for."""
        return (self.family,) if self.family else (*_GRAPHS[self.layout], NEAREST)


@dataclass(frozen=True)
class Detected:
    """Power of a statistic on a graph at what is planted: the share of experiments with a mean beyond the threshold."""

    layout: str
    graph: str
    statistic: str
    plant: str
    strength: float
    power: Estimate


@dataclass(frozen=True)
class Alarms:
    """False alarms of a statistic on a graph: with the threshold from planted nothing, and by Student's t of the six runs."""

    layout: str
    graph: str
    statistic: str
    calibrated: Estimate
    student: Estimate


@dataclass(frozen=True, eq=False)
class Powers(Series):
    """What every probe detects, and its false alarms."""

    key = "power"
    detected: list[Detected]
    alarms: list[Alarms]


def conditions() -> list[Condition]:
    """All that is planted; nothing twice, for thresholds and for false alarms."""
    named = [(layout, plant, r) for layout, plants in _PLANTED.items() for plant in plants for r in STRENGTHS]
    along = [("units", OWN_GRAPH, r, family) for family in _GRAPHS["units"] for r in STRENGTHS]
    found = [Condition(layout, NOTHING, 0.0, k) for k in range(2) for layout in LAYOUTS]
    found += [Condition(*where, stream) for stream, where in enumerate(named, 2)]
    return found + [Condition(*where[:3], stream, where[3]) for stream, where in enumerate(along, 2 + len(named))]


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> Findings:
    """Power of every probe, from `scope.n_draws` experiments each."""
    say("planted fields")
    jobs = conditions()
    found_of = {one: partial(means_and_t, config, scope.n_draws, one) for one in jobs}
    finished = dict(as_finished(found_of, executor))
    measured = {one: finished[one] for one in jobs}
    alarms, detected = [], []
    for layout in LAYOUTS:
        threshold, fresh = (found for one, found in measured.items() if (one.layout, one.plant) == (layout, NOTHING))
        between = {probe: np.quantile(means, (_LEVEL / 2, 1 - _LEVEL / 2)) for probe, (means, _) in threshold.items()}
        alarms += [
            Alarms(layout, *probe, beyond(means, between[probe]), beyond(t, _student())) for probe, (means, t) in fresh.items()
        ]
        detected += [
            Detected(layout, *probe, one.plant, one.strength, beyond(means, between[probe]))
            for one, found in measured.items()
            if one.layout == layout and one.plant != NOTHING
            for probe, (means, _) in found.items()
        ]
    return Findings(series=(Powers(detected, alarms),))


def _student() -> Floats:
    """Ends of what Student's t of six runs is within, but for the level."""
    return np.asarray(stdtrit(RUNS - 1, np.array([_LEVEL / 2, 1 - _LEVEL / 2])))


def beyond(values: Floats, between: Floats) -> Estimate:
    """Share of `values` (E,) outside of two ends, with Wilson's interval."""
    from scipy.stats import binomtest  # slow to load

    found = int(((values < between[0]) | (values > between[1])).sum())
    wilson = binomtest(found, values.size).proportion_ci(method="wilson")
    return Estimate(found / values.size, wilson.low, wilson.high, "share", f"{values.size} experiments of {RUNS} runs")


def means_and_t(config: StudyConfig, n_experiments: int, one: Condition) -> dict[tuple[str, str], tuple[Floats, Floats]]:
    """Mean over runs and Student's t (E,) of every statistic on every graph, by (graph, statistic)."""
    n_experiments *= _NULL if one.plant == NOTHING else 1
    of_runs = [_of_run(config, n_experiments, one, k) for k in range(RUNS)]
    found = {}
    for probe in of_runs[0]:
        values = np.stack([of_run[probe] for of_run in of_runs])
        means = values.mean(axis=0)
        found[probe] = means, means / (values.std(axis=0, ddof=1) / np.sqrt(RUNS))
    return found


def _of_run(config: StudyConfig, n_experiments: int, one: Condition, run: int) -> dict[tuple[str, str], Floats]:
    """Every statistic (E,) of the fields of one run in all experiments."""
    layout = LAYOUTS[one.layout]
    rng = generator(config.seed, Stage.SYNTHETIC_FIELD, layout.n_sites, run, one.stream, RUNS)
    along = probe_on(one.family, config, one.layout, run).graph if one.family else None
    fields = planted(_KINDS.get(one.plant, one.plant), layout, along, one.strength, rng, n_experiments)
    by_rank = ranked(fields, layout)
    found: dict[tuple[str, str], Floats] = {}
    for graph in one.graphs:
        if graph == NEAREST:
            found |= _on_nearest(config, one.layout, run, fields, by_rank)
            continue
        of_run = probe_on(graph, config, one.layout, run)
        found[graph, "raw"] = epsilon(of_run, fields)
        found[graph, "ranked"] = epsilon(of_run, by_rank)
        found |= _named(graph, over_edges(by_rank, of_run.graph))
    return found


def _named(graph: str, of_edges: Mapping[str, Floats]) -> dict[tuple[str, str], Floats]:
    return {(graph, name): values for name, values in of_edges.items()}


@cache
def probe_on(family: str, config: StudyConfig, layout: str, run: int) -> RunProbe:
    """The probe of one of the runs, with its graph and its draws, the same in all experiments."""
    probe = Probe(family, config.alpha, config.quantile, config.max_steps, ("blocks",), config.n_null_draws, config.seed)
    return probe.of_run(LAYOUTS[layout], LAYOUTS[layout].n_sites, run)


def _on_nearest(config: StudyConfig, layout: str, run: int, fields: Floats, by_rank: Floats) -> dict[tuple[str, str], Floats]:
    """The same on a graph that is made of each field itself."""
    draws = probe_on("ring", config, layout, run).draws["blocks"]
    units = units_of(LAYOUTS[layout])
    found: dict[str, list[float]] = {name: [] for name in STATISTICS[1:]}
    for field, one in zip(fields, by_rank, strict=True):
        graph = nearest_rows(field, units)
        many = np.concatenate([one[None], *(draw.apply(one[None], np.zeros(1, int)) for draw in draws)])
        log_size = np.log(sizes_of(many, graph, config.alpha, config.quantile, config.max_steps))
        found["ranked"].append(log_size[0] - log_size[1:].mean())
        for name, value in over_edges(one[None], graph).items():
            found[name].append(value[0])
    return _named(NEAREST, {name: np.array(values) for name, values in found.items()})


def nearest_rows(field: Floats, units: Integers) -> Graph:
    """Each unit's parameters joined to the same ones of the four units that are nearest, by the field (N,) itself."""
    rows = field[units]
    squares = (rows**2).sum(axis=1)
    distance = squares[:, None] + squares - 2 * rows @ rows.T
    np.fill_diagonal(distance, np.inf)
    near = np.argpartition(distance, _NEIGHBOURS)[:, :_NEIGHBOURS]
    joined = np.zeros(distance.shape, bool)
    np.put_along_axis(joined, near, True, axis=1)
    one, other = np.nonzero(np.triu(joined | joined.T))
    return Graph.from_edges(field.size, np.column_stack([units[one].ravel(), units[other].ravel()]))
