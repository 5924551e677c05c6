"""The runs of `precursor`: those that generalise long after they memorise, their controls, and how they are watched."""

import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tdu.avalanches.averaging import Averager
from tdu.avalanches.gauges import norm
from tdu.config import GROKKED, GrokkingConfig, NetworkConfig
from tdu.executors import as_finished
from tdu.experiments.experiment import Say
from tdu.experiments.precursor_observables import N_DRAWS, OBSERVABLES, WINDOW, Probes, of_weights
from tdu.logs.log import gather
from tdu.logs.rows import stacked
from tdu.logs.store import Store
from tdu.models import networks
from tdu.models.layers import Array
from tdu.models.optimisers import optimiser
from tdu.rng import Stage, generator
from tdu.training import loop
from tdu.training.network import one_blas_thread, task_of
from tdu.types import Integers, Log, Run

GROKS, LOW_DATA, NO_DECAY, SHUFFLED = "grokking", "low data", "no decay", "shuffled labels"
CONTROLS = (LOW_DATA, NO_DECAY, SHUFFLED)
#: Which runs set directions and thresholds, and which have no part in that.
SET, FRESH_SEEDS, FRESH_WIDTH = "set", "fresh seeds", "fresh width"
DELAYED, MLP, SUBTRACTION, PARITY = "longer delay", "token MLP", "subtraction", "parity"
#: The role of runs that are trained in it; all others are in single precision.
DOUBLE = "double precision"
ROLES = (SET, FRESH_SEEDS, FRESH_WIDTH, DELAYED, MLP, SUBTRACTION, PARITY)
_FRESH_WIDTH = 1.25  # times the largest that set
#: What the other networks and tasks have of their own, and the width and the share of examples of the control of low data.
_OTHERS: dict[str, tuple[dict[str, Any], int, float]] = {
    MLP: ({"network": "mlp", "train_fraction": 0.8, "learning_rate": 5e-3, "weight_decay": 1.0}, 128, 0.3),
    SUBTRACTION: ({"task": "subtraction", "train_fraction": 0.7}, 48, 0.3),
    PARITY: ({"task": "parity", "n_bits": 12, "n_relevant": 3, "network": "mlp", "train_fraction": 0.1}, 48, 0.02),
}
#: What the runs of one log have in common.
_SETTINGS = (
    "task", "modulus", "n_bits", "n_relevant", "train_fraction", "shuffled_labels", "network", "heads", "unit", "layer_norm",
    "precision", "optimiser", "learning_rate", "weight_decay", "epochs", "snapshot_every", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Runs of one role and one kind, grokking or a control, that share everything but width and replicate."""

    role: str
    kind: str

    @property
    def name(self) -> str:
        """As in tables."""
        return f"{self.role}, {self.kind}"

    @property
    def folder(self) -> str:
        """Where its log is, the same for all roles of one network and task."""
        of_first = self.role in (SET, FRESH_SEEDS, FRESH_WIDTH)
        return f"{'addition' if of_first else self.role}-{self.kind}".replace(" ", "-").lower()

    def addresses(self, study: GrokkingConfig) -> list[tuple[int, int]]:
        """Width and replicate of its runs."""
        widths, first = study.widths, 0
        if self.role == FRESH_SEEDS:
            first = study.replicates
        elif self.role == FRESH_WIDTH:
            widths = (int(max(widths) * _FRESH_WIDTH) // 4 * 4,)
        elif self.role in _OTHERS:
            widths = (_OTHERS[self.role][1],)
        elif self.role == DELAYED:
            widths = (max(widths),)
        return [(width, first + k) for width in widths for k in range(study.replicates)]

    def config(self, study: GrokkingConfig, width: int, replicate: int) -> NetworkConfig:
        """The settings of one of its runs."""
        own, _, few = _OTHERS.get(self.role, ({}, 0, study.few_fraction))
        base = NetworkConfig(
            modulus=study.moduli[0], train_fraction=study.train_fraction, learning_rate=study.learning_rate,
            weight_decay=study.weight_decay, epochs=study.epochs, snapshot_every=study.snapshot_every, seed=study.seed,
        )  # fmt: skip
        of_control: dict[str, dict[str, Any]] = {
            LOW_DATA: {"train_fraction": few},
            NO_DECAY: {"weight_decay": 0.0},
            SHUFFLED: {"shuffled_labels": True},
        }
        if self.role == DELAYED:
            own = {
                "train_fraction": study.delayed_fraction, "learning_rate": study.delayed_learning_rate,
                "weight_decay": study.delayed_weight_decay, "epochs": study.delayed_epochs,
            }  # fmt: skip
        return replace(base, **own | of_control.get(self.kind, {}), width=width, replicate=replicate)


GROUPS = tuple(Group(role, kind) for role in ROLES for kind in (GROKS, *CONTROLS))


def train_all(study: GrokkingConfig, executor: Executor, say: Say, runs: Path) -> dict[Group, Log]:
    """Train every run, or read it back from the directory `runs`: the log of each group."""
    jobs = {
        (group, *address): partial(watched_run, group.config(study, *address), runs.absolute() / group.folder)
        for group in GROUPS
        for address in group.addresses(study)
    }
    found: dict[tuple[Group, int, int], Run] = {}
    ahead = sum(not _store(group.config(study, *at), runs.absolute() / group.folder).has(*at) for group, *at in jobs)
    begun, made = time.monotonic(), 0
    with one_blas_thread():
        for key, (run, new) in as_finished(jobs, executor):
            found[key] = run
            made += new
            left = (time.monotonic() - begun) * (ahead - made) / max(made, 1) / 60
            if new:
                say(f"{len(found)} of {len(jobs)} runs, about {left:.0f} minutes left")
    return {group: gather((found[group, *at] for at in group.addresses(study)), study.seed) for group in GROUPS}


def in_double_precision(study: GrokkingConfig, executor: Executor, say: Say, runs: Path) -> Log:
    """A run of each width without decay, the first of those that set the alarms, trained and measured in double precision."""
    say("double precision")
    group = Group(SET, NO_DECAY)
    jobs = {
        width: partial(
            watched_run,
            replace(group.config(study, width, 0), precision="float64"),
            runs.absolute() / f"{group.folder}-{DOUBLE}".replace(" ", "-"),
        )
        for width in study.widths
    }
    with one_blas_thread():
        return gather((run for _, (run, _) in as_finished(jobs, executor)), study.seed)


def watched_run(config: NetworkConfig, directory: Path) -> tuple[Run, bool]:
    """A run with every observable at its snapshots, and whether it was made now; kept in the log at `directory`."""
    store, address = _store(config, directory), (config.width, config.replicate)
    if store.has(*address):
        return store.read(*address), False
    with store.claim(*address):
        run = _trained(config)
        store.write(run)
    return run, True


def _store(config: NetworkConfig, directory: Path) -> Store:
    settings = {name: getattr(config, name) for name in _SETTINGS}
    return Store.begin(directory, "network", {**settings, "window": WINDOW, "n_null_draws": N_DRAWS})


def _trained(config: NetworkConfig) -> Run:
    task, address = task_of(config), (config.width, config.replicate)
    network = networks.NETWORKS[config.network](task, config)
    theta = network.initial(generator(config.seed, Stage.PARAMETERS, *address), config.precision)
    method = optimiser(config.optimiser, theta, config.learning_rate, config.weight_decay)
    state = loop.State(theta, method.moments)
    probes = Probes(network.layout, config.seed, *address)
    averager = Averager(theta.size, WINDOW, config.snapshot_every, np.float64)

    def observe(gradient: Array, epoch: int) -> tuple[Mapping[str, float], Mapping[str, Integers]]:
        field = gradient.astype(np.float64)
        found = {"cosine": averager.cosine, "gradient_norm": norm(field)}
        return probes.of(field, averager.mean(epoch)) | found | of_weights(state.theta, network.layout), {}

    loop.train(network, task, method, state, config.epochs, config.snapshot_every, observe, seen=averager.add)
    step, columns, _ = stacked(state.rows)
    kept = {name: columns[name] for name in ("accuracy", *(one.name for one in OBSERVABLES))}
    above = np.flatnonzero(columns["test_accuracy"] > GROKKED)
    return Run(*address, network.layout, step, kept, {}, {}, int(step[above[0]]) if above.size else -1)
