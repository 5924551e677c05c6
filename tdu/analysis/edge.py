"""On which side of the edge of stability the scales of a study train: at one η a wider network is a sharper one."""

from concurrent.futures import Executor

import numpy as np

from tdu.config import StudyConfig
from tdu.results.series import Edge
from tdu.training.sharpness import sharpness
from tdu.types import Findings, Floats, Log


def measure(config: StudyConfig, executor: Executor) -> Floats:
    """η·λ₀ of every run of a study at its start, (S, K), which follows from the configuration alone."""
    grid = [(hidden, replicate) for hidden in sorted(config.hidden) for replicate in range(config.replicates)]
    found = executor.map(lambda address: sharpness(config, *address), grid)
    return np.array(list(found)).reshape(len(config.hidden), config.replicates)


def overshoot(log: Log) -> Floats:
    """(S, K): the largest loss of a run over the first, 1 for one whose loss never exceeds it."""
    loss = log.curves["loss"]
    return np.asarray(loss.max(axis=-1) / loss[..., 0])


def analyse(log: Log, sharp: Floats, *, intervals: bool = True) -> Findings:
    """η·λ₀ (S, K) beside the overshoot of the same runs; a series, of every run, and no estimate."""
    return Findings(series=(Edge(log.scale, log.n_sites, sharp, overshoot(log)),))
