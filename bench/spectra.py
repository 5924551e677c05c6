"""What spectra of averaged gradients cost beside a training step: ``python bench/spectra.py``.

Writes spectra.json beside this file and renders OWN_RUNS.md.
"""

import time
from pathlib import Path

import numpy as np
import own_runs
from run import in_turns, summary

import tdu
from tdu import files
from tdu.avalanches import spectrum
from tdu.avalanches.spectral import null_of_shape
from tdu.models import tasks
from tdu.models.networks import Transformer
from tdu.models.optimisers import optimiser
from tdu.training.network import one_blas_thread

HERE = Path(__file__).parent
WIDTHS = (64, 284)
EVERY = WINDOW = 10
BATCHES = (None, 32)  # None: all examples


def measured(width, batch, rounds):
    """Processor time of a training step of the transformer of `tdu grok`, of the mean of ten gradients, and of its spectra."""
    rng = np.random.default_rng(0)
    task = tasks.modular("addition", 59, 0.8, rng)
    network = Transformer(task, width)
    theta = network.initial(rng)
    method = optimiser("adamw", theta, 1e-3, 0.8)
    which = task.train[:batch]
    averager = tdu.Probe(window=WINDOW).averager(network.layout, EVERY)
    gradient = network.loss_and_gradient(theta, which)[2]
    steps = iter(range(1, 10**9))

    def step():
        method.step(theta, network.loss_and_gradient(theta, which)[2], 1)

    def averaged():
        for _ in range(EVERY):
            averager.add(next(steps), gradient)

    def spectra():
        spectrum.columns(gradient, averager.cosine, network.layout)

    with one_blas_thread():
        spectra()
        null_of_shape.cache_clear()
        begun = time.process_time()
        spectra()
        nulls = time.process_time() - begun
        seconds = in_turns({"step": step, "averaging": averaged, "spectra": spectra}, rounds, clock=time.process_time)
    share = (seconds["averaging"] + seconds["spectra"]) / (EVERY * seconds["step"])
    found = {"n_sites": theta.size, "batch": len(which), "nulls": nulls, "share": float(np.median(share))}
    return found | {"seconds": summary(seconds)}


def main():
    """Measure, and write it down."""
    rows = [measured(width, batch, rounds=5) for width in WIDTHS for batch in BATCHES]
    files.write_json(HERE / "spectra.json", {"provenance": files.provenance(), "rows": rows})
    own_runs.write(HERE)


if __name__ == "__main__":
    main()
