"""The runs of the study of modular addition: what they are of, how they are trained, and which are compared with which."""

import time
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tdu.analysis.alignment import Aligned
from tdu.config import GROKKED, GrokkingConfig, NetworkConfig
from tdu.executors import as_finished
from tdu.experiments.experiment import Say
from tdu.logs.log import gather
from tdu.logs.store import Store
from tdu.training.network import one_blas_thread, start_together, train_network
from tdu.types import Log, Run

GROKKING, DELAYED, FEW, NO_DECAY = "grokking", "delayed", "few-data", "no-decay"
_FRACTION = {DELAYED: "delayed_fraction", FEW: "few_fraction"}


@dataclass(frozen=True)
class Condition:
    """Runs of all widths and seeds that share everything else: `kind` grokking, delayed or a control, in shadow or in-line."""

    kind: str
    modulus: int
    in_line: bool

    @property
    def name(self) -> str:
        """As in tables and keys."""
        return f"{self.kind}-{self.modulus}-{'inline' if self.in_line else 'shadow'}"

    def run(self, study: GrokkingConfig, width: int, replicate: int) -> NetworkConfig:
        """The settings of one of its runs."""
        delayed = self.kind == DELAYED
        decay = study.delayed_weight_decay if delayed else study.weight_decay
        return NetworkConfig(
            modulus=self.modulus,
            train_fraction=getattr(study, _FRACTION.get(self.kind, "train_fraction")),
            width=width,
            layer_norm=study.layer_norm,
            learning_rate=study.delayed_learning_rate if delayed else study.learning_rate,
            weight_decay=0.0 if self.kind == NO_DECAY else decay,
            epochs=study.delayed_epochs if delayed else study.epochs,
            snapshot_every=study.snapshot_every,
            alpha=study.alpha,
            alpha_train=study.alpha if self.in_line else 0.0,
            n_null_draws=study.n_null_draws,
            seed=study.seed,
            replicate=replicate,
        )


def conditions(study: GrokkingConfig) -> list[Condition]:
    """For every prime grokking and its control of few data, in shadow; for the first also in-line, without decay, delayed."""
    first = study.moduli[0]
    both = [Condition(kind, modulus, False) for modulus in study.moduli for kind in (GROKKING, FEW)]
    in_line = [Condition(kind, first, True) for kind in (GROKKING, FEW)]
    return [*both, Condition(NO_DECAY, first, False), *in_line, Condition(DELAYED, first, False)]


@dataclass(frozen=True)
class Comparison:
    """D of the runs of `one` condition minus that of the `other`, in the same `part` of training or in one of each."""

    part: str
    one: Condition
    other: Condition

    @property
    def name(self) -> str:
        """As in tables and keys."""
        return f"{self.part}_{self.one.name}_minus_{self.other.name}"


def comparisons(study: GrokkingConfig) -> list[Comparison]:
    """What the page compares: runs with their control, while widths memorise and after; at grokking, in-line with shadow."""
    first = study.moduli[0]
    shadow, in_line = (Condition(GROKKING, first, one) for one in (False, True))
    few = Condition(FEW, first, False)
    with_control = [(grokking_of(control), control) for control in conditions(study) if control.kind in (FEW, NO_DECAY)]
    memorising = [*with_control, (Condition(DELAYED, first, False), few)]
    return [
        *(Comparison("memorising", *pair) for pair in memorising),
        *(Comparison("level", *pair) for pair in with_control),
        *(Comparison(part, in_line, shadow) for part in ("before", "after")),
    ]


def grokking_of(control: Condition) -> Condition:
    """The condition that a control is one of."""
    return Condition(GROKKING, control.modulus, control.in_line)


def paired(study: GrokkingConfig, one: Condition, other: Condition) -> bool:
    """Whether run k of a width under the one condition and under the other start together: if one does, all do."""
    a, b = (condition.run(study, study.widths[0], 0) for condition in (one, other))
    return start_together(a, b)


def train_all(study: GrokkingConfig, executor: Executor, say: Say, runs: Path) -> dict[Condition, Aligned]:
    """Train every run, going on from what is in the directory `runs`: one group per condition."""
    jobs = {
        (condition, width, replicate): (condition.run(study, width, replicate), runs.absolute() / condition.name)
        for condition in conditions(study)
        for width in study.widths
        for replicate in range(study.replicates)
    }
    cost = {key: one.width * one.modulus**2 * one.train_fraction * one.epochs for key, (one, _) in jobs.items()}
    there = {condition: _finished(runs / condition.name) for condition in conditions(study)}
    ahead = {key: cost[key] for key in jobs if key[1:] not in there[key[0]]}
    total, done, start = sum(ahead.values()), 0.0, time.monotonic()
    found: dict[tuple[Condition, int, int], Run] = {}
    largest_first = {key: partial(train_network, *jobs[key]) for key in sorted(jobs, key=lambda key: -cost[key])}
    with one_blas_thread():
        for key, run in as_finished(largest_first, executor):
            found[key] = run
            done += ahead.get(key, 0.0)
            left = f", {(time.monotonic() - start) * (total - done) / done / 60:.0f} minutes left" if done else ""
            say(f"{len(found)} of {len(jobs)} runs{left}")
    return {
        condition: aligned(condition, gather((run for key, run in found.items() if key[0] == condition), study.seed))
        for condition in conditions(study)
    }


def _finished(directory: Path) -> list[tuple[int, int]]:
    return Store.open(directory).addresses() if (directory / "manifest.json").exists() else []


def aligned(condition: Condition, log: Log) -> Aligned:
    """The runs of a log with the snapshots they are aligned at.

    Those of delayed runs are the first above 0.99: the loss has spikes later, behind which others would lie.
    """
    test_accuracy, step = log.columns["test_accuracy"], log.grokking_step
    above = test_accuracy > GROKKED
    first = np.where(above.any(axis=-1), above.argmax(axis=-1), -1)
    return Aligned(
        n_sites=log.n_sites,
        epoch=log.step,
        accuracy=log.columns["accuracy"],
        test_accuracy=test_accuracy,
        grokking=first if condition.kind == DELAYED else np.where(step < 0, -1, np.searchsorted(log.step, step)),
        size=log.size,
        null=dict(log.nulls),
    )
