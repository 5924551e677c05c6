"""Token MLPs that grok addition mod 47, recorded by `tdu.Probe`, and the weights of one of them at some steps."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

import tdu
from tdu.avalanches.gauges import mean_effective_rank
from tdu.models.networks import TokenMLP, accuracy_of
from tdu.models.optimisers import AdamW
from tdu.models.tasks import modular
from tdu.training.network import one_blas_thread

MODULUS, FRACTION, RATE, DECAY = 47, 0.8, 5e-3, 1.0
WIDTHS, REPLICATES, EPOCHS, EVERY, WINDOW = (96, 128, 192, 272), 3, 1000, 10, 10
#: Whose weights are kept, and when.
WATCHED, CHECKPOINTS = (128, 0), (0, 100, 200, 300, 400, 500, 700, 1000)
PROBE = tdu.Probe.paper(draws=4, window=WINDOW)


def task_of(width, replicate):
    """Pairs, of which other ones train in every run."""
    return modular("addition", MODULUS, FRACTION, np.random.default_rng([width, replicate]))


def examples():
    """Of the watched run: rows of the embedding (B, 2), and answers (B,), of the pairs that train."""
    task = task_of(*WATCHED)
    return {"places": TokenMLP(task, WATCHED[0]).places[task.train], "answers": task.answers[task.train]}


def train(directory, width, replicate):
    """A run, added to the log; the weights at `CHECKPOINTS` by step and name."""
    task = task_of(width, replicate)
    network, rng = TokenMLP(task, width), np.random.default_rng([width, replicate, 1])
    theta = network.initial(rng)
    optimiser, kept = AdamW(theta, RATE, DECAY), {}
    with PROBE.record(directory, scale=width, replicate=replicate, every=EVERY) as record, one_blas_thread():
        for step in range(EPOCHS + 1):
            loss, accuracy, gradient = network.loss_and_gradient(theta, task.train)
            if record.due(step):
                test = accuracy_of(network.logits(theta, task.test), task.answers[task.test])
                record(step, network.views(gradient), loss=loss, accuracy=accuracy, test_accuracy=test)
            if step in CHECKPOINTS:
                kept |= {f"{step}/{name}": view.copy() for name, view in network.views(theta).items()}
            optimiser.step(theta, gradient, step + 1)
    return kept


def train_all(directory):
    """All runs, two at a time, the widest first; the weights of the watched one."""
    addresses = [(width, replicate) for width in sorted(WIDTHS, reverse=True) for replicate in range(REPLICATES)]
    with ProcessPoolExecutor(2) as executor:
        kept = list(executor.map(partial(train, directory), *zip(*addresses, strict=True)))
    return kept[addresses.index(WATCHED)]


def over_time(log, kept):
    """At `CHECKPOINTS`: D(t) of the log and its excess over `blocks`; columns and weights of the watched run."""
    at = np.searchsorted(log.step, CHECKPOINTS)
    run = int(np.flatnonzero(log.scale == WATCHED[0])[0]), WATCHED[1]
    bands = {"dimension": tdu.dimension_over_time(log), "excess": tdu.excess(log, "blocks")}
    columns = ("loss", "accuracy", "test_accuracy", "spectral_signs")
    epsilon = tdu.epsilon(log, "blocks")
    return {
        "step": list(CHECKPOINTS),
        "n_sites": log.n_sites.tolist(),
        "watched": int(log.n_sites[run[0]]),
        "runs": REPLICATES,
        "epsilon": [[float(values[run][k]) for values in (epsilon.value, epsilon.z)] for k in at],
        "effective_rank": [effective_rank(kept, step) for step in CHECKPOINTS],
        **{name: [[float(part[k]) for part in (band.value, band.low, band.high)] for k in at] for name, band in bands.items()},
        **{name: [known(log.columns[name][run][k]) for k in at] for name in columns},
    }


def effective_rank(kept, step):
    """Mean over the matrices of the weights of a step."""
    return mean_effective_rank({name: values for name, values in kept.items() if name.startswith(f"{step}/")})


def known(value):
    """None for nan, which JSON has not."""
    return float(value) if np.isfinite(value) else None
