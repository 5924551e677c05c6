"""What spectra of averaged gradients cost beside a training step: ``python bench/spectra.py``.

Writes spectra.json beside this file and renders OWN_RUNS.md.
"""

import time
from itertools import islice
from pathlib import Path

import numpy as np
import own_runs
from run import in_turns, summary

import tdu
from tdu import files
from tdu.avalanches import spectrum
from tdu.avalanches.averaging import MOMENT, averaged
from tdu.avalanches.ranks import RANKS
from tdu.avalanches.spectral import null_of_shape
from tdu.models import tasks
from tdu.models.networks import Transformer
from tdu.models.optimisers import optimiser
from tdu.training.network import one_blas_thread

HERE = Path(__file__).parent
WIDTHS = (64, 284)
EVERY = 10
BATCHES = (None, 512, 128, 32)  # None: all examples
ROUNDS = 15


def measured(width):
    """Processor time of steps of the transformer of `tdu grok`, and of what a snapshot takes, all in turns."""
    rng = np.random.default_rng(0)
    task = tasks.modular("addition", 59, 0.8, rng)
    network = Transformer(task, width)
    layout, theta = network.layout, network.initial(rng)
    method = optimiser("adamw", theta, 1e-3, 0.8)
    gradient = network.loss_and_gradient(theta, task.train)[2]

    def stepping(batch):
        examples = task.train[:batch]
        return lambda: method.step(theta, network.loss_and_gradient(theta, examples)[2], 1)

    def averaging(window):
        """What a recorder adds up in ten steps."""
        probe = tdu.Probe(window=window)
        averager, steps = probe.averager(layout, EVERY), iter(range(1, 10**9))

        def of_ten_steps():
            for step in islice(steps, EVERY):
                if averaged(step, probe.n_averaged, EVERY):
                    averager.add(step, gradient)

        return of_ten_steps

    def ranking(ranks):
        return lambda: spectrum.columns(gradient, 0.0, layout, ranks)

    batches = {len(task.train[:batch]): stepping(batch) for batch in BATCHES}
    ways = {f"step {n}": step for n, step in batches.items()}
    ways |= {f"averaging {window}": averaging(window) for window in (EVERY, MOMENT)}
    ways |= {ranks: ranking(ranks) for ranks in RANKS}
    with one_blas_thread():
        ranking("exact")()
        null_of_shape.cache_clear()
        begun = time.process_time()
        ranking("exact")()
        nulls = time.process_time() - begun
        seconds = in_turns(ways, ROUNDS, clock=time.thread_time)
    return {
        "n_sites": theta.size,
        "nulls": nulls,
        "off": off(gradient, layout),
        "shares": [{"batch": n} | {what: share(seconds, n, *made_of) for what, made_of in MADE_OF.items()} for n in batches],
        "seconds": summary(seconds),
    }


#: What a snapshot takes, by the window and by how magnitudes are ranked.
MADE_OF = {
    "exact": (f"averaging {EVERY}", "exact"),
    "binned": (f"averaging {EVERY}", "binned"),
    "moment": (f"averaging {MOMENT}", "binned"),
}


def share(seconds, batch, *made_of):
    """Of a snapshot in ten training steps, the median over rounds."""
    return float(np.median(sum(seconds[way] for way in made_of) / (EVERY * seconds[f"step {batch}"])))


def off(gradient, layout):
    """How far ranks in bins move a pooled observable at most, in standard deviations of its null."""
    one, other = (spectrum.spectrum(gradient, layout, ranks=ranks).pooled for ranks in RANKS)
    return max(abs(one[name].value - other[name].value) / one[name].sd for name in one)


def main():
    """Measure, and write it down."""
    files.write_json(HERE / "spectra.json", {"provenance": files.provenance(), "rows": [measured(width) for width in WIDTHS]})
    own_runs.write(HERE)


if __name__ == "__main__":
    main()
