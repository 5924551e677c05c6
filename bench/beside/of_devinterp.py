"""devinterp at every checkpoint: the local learning coefficient, by stochastic gradient Langevin dynamics on the training loss.

Its second version samples language models, whose rows of tokens have a loss at each but the first: a pair of operands is a
token here, and the answer the one after it.
"""

import contextlib
import os

import torch
from checkpoints import measured
from datasets import Dataset, disable_progress_bars
from devinterp.slt.llc import llc
from measuring import run

#: As in its README.
SETTINGS = {"lr": 0.001, "n_beta": 30, "num_chains": 4, "num_draws": 200}


def answers(data):
    """With the settings of its README, on the pairs that train."""
    disable_progress_bars()
    return measured(data, coefficient)


def coefficient(model, inputs, answers):
    """Mean over the chains, and their standard deviation."""
    n_tokens = inputs.shape[1]
    first, second = (inputs == 1).nonzero()[:, 1].reshape(-1, 2).T
    rows = torch.stack([n_tokens * first + second, answers], dim=1)

    def loss(model, tokens):
        pairs = torch.zeros(len(tokens), n_tokens)
        places = torch.stack([tokens[:, 0] // n_tokens, tokens[:, 0] % n_tokens], dim=1)
        logits = model(pairs.scatter_(1, places, 1.0))
        return torch.nn.functional.cross_entropy(logits, tokens[:, 1], reduction="none")[:, None]

    data = Dataset.from_dict({"input_ids": rows.tolist()}).with_format("torch")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        found = llc(model, data, {"train": data}, loss_fn=loss, device="cpu", **SETTINGS)
    return {"llc": float(found["llc_mean"]), "sd": float(found["llc_std"])}


if __name__ == "__main__":
    run(answers, "devinterp", "torch", "numpy")
