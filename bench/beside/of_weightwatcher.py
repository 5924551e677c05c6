"""WeightWatcher on the weights of every checkpoint: α of the spectrum of each layer, stable rank, entropy."""

import contextlib
import os

import weightwatcher
from checkpoints import measured
from measuring import run

LAYERS = ("hidden", "readout")


def answers(data):
    """Of each of the two layers, and their mean."""
    return measured(data, of_weights)


def of_weights(model, inputs, answers):
    """`analyze` with what it takes by itself; it needs neither data nor loss."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        table = weightwatcher.WeightWatcher(model=model).analyze()
    columns = ("alpha", "stable_rank", "entropy", "num_pl_spikes")
    return {
        layer: {name: float(row[name]) for name in columns} for layer, (_, row) in zip(LAYERS, table.iterrows(), strict=True)
    }


if __name__ == "__main__":
    run(answers, "weightwatcher", "torch", "numpy")
