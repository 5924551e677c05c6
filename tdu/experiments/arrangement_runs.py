"""Arrangement in gradients of training: XOR and tasks that need no grokking, and transformers that generalise or do not."""

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tdu.avalanches.probe import Probe
from tdu.avalanches.ranked import ranked
from tdu.avalanches.run_probe import RunProbe
from tdu.config import TARGET_NAMES, NetworkConfig, StudyConfig
from tdu.executors import as_finished
from tdu.experiments.arrangement_statistics import OVER_EDGES, epsilon, over_edges
from tdu.experiments.experiment import Say
from tdu.training.ensembles import over_grid
from tdu.training.network import with_fields as network_with_fields
from tdu.training.xor import with_fields
from tdu.types import Booleans, Fields, Floats, Integers

NULLS = ("blocks", "signs")
#: What is measured of a snapshot, on the graph that means something and on the paper's.
BY_RANK = (*(f"ε over {null}" for null in NULLS), *OVER_EDGES)
ON_BA = tuple(f"BA, ε over {null}" for null in NULLS)
MEASURED = (*BY_RANK, *ON_BA)

RATE_ZERO = "rate 0"
XOR, *CONTROLS = (*TARGET_NAMES, RATE_ZERO)
_SETTLED = 50  # epochs after the last run has grokked
GENERALISES, LOW_DATA = "90 % of pairs", "30 % of pairs"
_FRACTIONS = {GENERALISES: 0.9, LOW_DATA: 0.3}
_WIDTHS = (32, 40, 48)
_RUNS_OF_XOR = 3  # for one of a transformer
_MEMORISED = 0.99  # training accuracy
_FIRST = 3  # snapshots
_LATE = 0.75  # of training


@dataclass(frozen=True)
class Watched:
    """Statistics (T,) of one run at its snapshots, the `first` at which it has memorised, and how its training ended."""

    n_sites: int
    step: Integers
    measured: dict[str, Floats]
    first: int
    grokked: int
    loss: float
    test_accuracy: float = np.nan


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of one task: every statistic (S, K, T) by name, and when it is `before` and `after` (S, K, T) grokking."""

    name: str
    n_sites: Integers
    step: Integers
    measured: dict[str, Floats]
    before: Booleans
    after: Booleans
    grokked: Integers
    loss: Floats
    test_accuracy: Floats

    def change(self, statistic: str) -> tuple[Floats, Floats]:
        """Means (S, K) before and after of a statistic, nan where there is no snapshot."""
        values = self.measured[statistic]
        return _inside(values, self.before), _inside(values, self.after)


def _inside(values: Floats, inside: Booleans) -> Floats:
    """Mean over the last axis of what is inside."""
    n_inside = inside.sum(axis=-1)
    total = np.where(inside, values, 0).sum(axis=-1)
    return np.where(n_inside > 0, total / np.maximum(n_inside, 1), np.nan)


def measured(structural: RunProbe, on_ba: RunProbe, fields: Fields, *, ba_ranked: bool) -> dict[str, Floats]:
    """Everything in `MEASURED` (T,) of fields (T, N), by rank on the structural graph."""
    by_rank = ranked(fields, structural.layout)
    found = {name: epsilon(structural, by_rank, null) for name, null in zip(BY_RANK, NULLS, strict=False)}
    found |= over_edges(by_rank, structural.graph, standardised=False)
    on_sites = by_rank if ba_ranked else fields
    return found | {name: epsilon(on_ba, on_sites, null) for name, null in zip(ON_BA, NULLS, strict=True)}


def xor_groups(config: StudyConfig, executor: Executor, say: Say) -> list[Group]:
    """XOR, its controls, and no learning at all, of the same starts on the same graphs; `before` and `after` are XOR's."""
    found = {}
    for name in (XOR, *CONTROLS):
        say(f"two bits: {name}")
        of_task = replace(config, learning_rate=0.0) if name == RATE_ZERO else replace(config, targets=name)
        found[name] = dict(over_grid(of_task, _xor_run, executor))
    grid = [[(hidden, k) for k in range(config.replicates)] for hidden in config.hidden]
    step = found[XOR][grid[0][0]].step
    groups = []
    for name, runs in found.items():
        before, after = [], []
        for row in grid:
            epochs = [found[XOR][address].grokked for address in row]
            before.append([step < min(epochs)] * len(row))
            after.append([step >= max(epochs) + _SETTLED if min(epochs) >= 0 else np.zeros(step.size, bool)] * len(row))
        groups.append(_group(name, [[runs[address] for address in row] for row in grid], np.array(before), np.array(after)))
    return groups


def _xor_run(config: StudyConfig, hidden: int, replicate: int) -> Watched:
    trained = with_fields(config, hidden, replicate)
    run, on_ba = trained.run, replace(trained.probe.probe, nulls=NULLS, draws=config.n_null_draws)
    structural = replace(on_ba, graph="units")
    of_runs = [probe.of_run(run.layout, hidden, replicate) for probe in (structural, on_ba)]
    found = measured(of_runs[0], of_runs[1], trained.fields, ba_ranked=False)
    return Watched(run.n_sites, run.step, found, 0, run.grokking_step, float(run.loss[-1]))


def transformer_groups(config: StudyConfig, executor: Executor, say: Say) -> list[Group]:
    """Transformers on addition that generalise, and the same on few pairs, which only memorise.

    `before`: the first snapshots from each run's memorisation on; `after`: the last quarter of training, the same for all. They
    are of one width less than the study of XOR.
    """
    say("transformers")
    n_runs = max(config.replicates // _RUNS_OF_XOR, 2)
    grid = [[(width, k) for k in range(n_runs)] for width in _WIDTHS[: len(config.hidden) - 1]]
    jobs = {
        (name, width, k): partial(_transformer_run, config, fraction, width, k)
        for name, fraction in _FRACTIONS.items()
        for row in grid
        for width, k in row
    }
    found = dict(as_finished(jobs, executor))
    groups = []
    for name in _FRACTIONS:
        rows = [[found[name, *address] for address in row] for row in grid]
        index = np.arange(rows[0][0].step.size)
        before = [[(index >= one.first) & (index < one.first + _FIRST) & (one.first >= 0) for one in row] for row in rows]
        after = np.broadcast_to(rows[0][0].step >= _LATE * config.epochs, np.shape(before))
        groups.append(_group(name, rows, np.array(before), after))
    return groups


def _transformer_run(config: StudyConfig, fraction: float, width: int, replicate: int) -> Watched:
    settings = NetworkConfig(
        modulus=23, width=width, train_fraction=fraction, learning_rate=4e-3, weight_decay=1.5, layer_norm=False, nulls=(),
        epochs=config.epochs, snapshot_every=config.snapshot_every, alpha=config.alpha, quantile=config.quantile,
        max_steps=config.max_steps, seed=config.seed, replicate=replicate,
    )  # fmt: skip
    run, fields = network_with_fields(settings)
    probe = Probe("rook", config.alpha, config.quantile, config.max_steps, NULLS, config.n_null_draws, config.seed)
    of_runs = [one.of_run(run.layout, width, replicate) for one in (probe, replace(probe, graph="ba"))]
    known = np.flatnonzero(run.columns["accuracy"] >= _MEMORISED)
    first = int(known[0]) if known.size else -1
    found = measured(of_runs[0], of_runs[1], fields, ba_ranked=True)
    loss, test_accuracy = (float(run.columns[name][-1]) for name in ("loss", "test_accuracy"))
    return Watched(run.n_sites, run.step, found, first, run.grokking_step, loss, test_accuracy)


def _group(name: str, rows: list[list[Watched]], before: Booleans, after: Booleans) -> Group:
    found = np.array([[[one.measured[statistic] for one in row] for row in rows] for statistic in MEASURED])
    n_sites, step = np.array([row[0].n_sites for row in rows]), rows[0][0].step
    ended = (np.array([[getattr(one, of) for one in row] for row in rows]) for of in ("grokked", "loss", "test_accuracy"))
    return Group(name, n_sites, step, dict(zip(MEASURED, found, strict=True)), before, after, *ended)
