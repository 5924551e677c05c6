"""Trains the language models of this experiment and records their gradients: needs PyTorch, and the experiment does not.

Run as ``python train.py [experiment.toml [LOG]]``. Every run is recorded into logs beneath LOG as it trains: `mini-batch`, the
gradients it is trained by, also without the step limit (`mini-batch-uncapped`); and `large-batch`, the gradients of many more
sequences at the same parameters; and both by the protocol of docs/what-d-measures.md, ranked, on the graph `rook` of their
tensors (`mini-batch-rook`, `large-batch-rook`). Checkpoints are kept in ``LOG/../runs``, for ``tdu probe --difference``.

``python train.py experiment.toml LOG held-out`` trains other runs, on nine tenths of the text or on controls, and records
spectra of averaged gradients beside the loss of the last tenth: `held-out-text`, `held-out-few` and `held-out-shuffled`.
"""

import hashlib
import platform
import sys
import tomllib
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

import tdu
from tdu.files import write_json


def text_of(modules):
    """The sources of modules of the standard library, one behind another."""
    return "".join(Path(find_spec(name).origin).read_text(encoding="utf-8") for name in modules)


class CharacterModel(nn.Module):
    """A decoder-only transformer: embeddings of characters and places, layers with the norm first, one output a character."""

    def __init__(self, n_characters, width, layers, heads, context):
        super().__init__()
        self.embedding = nn.Embedding(n_characters, width)
        self.place = nn.Parameter(0.02 * torch.randn(context, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, n_characters)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(context))

    def forward(self, characters):
        """Scores (B, C, alphabet) of what comes after each of the characters (B, C)."""
        hidden = self.embedding(characters) + self.place
        for layer in self.layers:
            hidden = layer(hidden, src_mask=self.mask, is_causal=True)
        return self.output(self.norm(hidden))


def loss_of(model, text, starts, context):
    """The mean cross-entropy of the sequences that begin at `starts`, in nats a character."""
    sequences = text[starts[:, None] + torch.arange(context + 1)]
    scores = model(sequences[:, :-1])
    return nn.functional.cross_entropy(scores.flatten(0, 1), sequences[:, 1:].flatten())


def backward(model, text, starts, context):
    """Gradients of the mean loss of the sequences that begin at `starts`, added to those that are there; the loss."""
    loss = loss_of(model, text, starts, context)
    loss.backward()
    return loss.item()


def gradients(model):
    """The gradients, by the names of their parameters."""
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def squared_norm(tensors):
    """The sum of all squares, in double precision."""
    return sum((tensor.double() ** 2).sum().item() for tensor in tensors.values())


def large_batch_gradients(model, text, generator, settings):
    """Gradients of a large batch, its loss, and the gradient noise scale from the batches it is made of."""
    context, batch, large = settings["context"], settings["batch"], settings["large_batch"]
    n_batches, losses, squares = large // batch, [], []
    total = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for _ in range(n_batches):
        model.zero_grad()
        losses.append(backward(model, text, torch.randint(len(text) - context, (batch,), generator=generator), context))
        for name, gradient in gradients(model).items():
            total[name] += gradient / n_batches
        squares.append(squared_norm(gradients(model)))
    noise_scale = tdu.noise_scale(np.mean(squares), squared_norm(total), batch, large)
    return total, np.mean(losses), noise_scale


def begun(text, width, replicate, seed, settings):
    """A model as its address (seed, width, replicate) has it, which also seeds what follows, and its optimiser."""
    torch.manual_seed(1_000_000 * seed + 1_000 * replicate + width)
    sizes = (settings["layers"], settings["heads"], settings["context"])
    model = CharacterModel(int(text.max()) + 1, width, *sizes)
    return model, torch.optim.AdamW(model.parameters(), settings["learning_rate"])


def train(log, runs, text, width, replicate, seed, settings):
    """Train one model, and record its gradients and keep its parameters every few steps."""
    model, optimiser = begun(text, width, replicate, seed, settings)
    others = torch.Generator().manual_seed(torch.initial_seed() + 500)  # the large batches take nothing from training
    known = {"graph": "ba", "nulls": tuple(settings["nulls"]), "draws": settings["draws"], "seed": seed}
    limited = tdu.Probe(**known, max_steps=settings["max_steps"])
    unlimited = tdu.Probe(**known, max_steps=settings["many_steps"])
    nulls, draws = tuple(settings["rook_nulls"]), settings["rook_draws"]
    structural = tdu.Probe("rook", nulls=nulls, draws=draws, seed=seed, ranked=True, edges=True)
    checkpoints = runs / f"w{width}-s{replicate}"
    checkpoints.mkdir(parents=True, exist_ok=True)
    with (
        limited.record(log / "mini-batch", width, replicate, every=settings["snapshot_every"]) as record_mini,
        unlimited.record(log / "mini-batch-uncapped", width, replicate) as record_uncapped,
        limited.record(log / "large-batch", width, replicate) as record_large,
        structural.record(log / "mini-batch-rook", width, replicate) as record_mini_rook,
        structural.record(log / "large-batch-rook", width, replicate) as record_large_rook,
    ):
        for step in range(settings["steps"] + 1):
            weights = dict(model.named_parameters())
            if record_mini.due(step):
                of_large, loss, noise_scale = large_batch_gradients(model, text, others, settings)
                record_large(step, of_large, loss=loss, noise_scale=noise_scale)
                record_large_rook(step, of_large, loss=loss)
                arrays = {name: parameter.detach().numpy() for name, parameter in sorted(weights.items())}
                np.savez(checkpoints / f"{step}.npz", **arrays)
            model.zero_grad()
            starts = torch.randint(len(text) - settings["context"], (settings["batch"],))
            loss = backward(model, text, starts, settings["context"])
            record_mini(step, gradients(model), weights=weights, loss=loss)
            if record_mini.due(step):
                record_uncapped(step, gradients(model))
                record_mini_rook(step, gradients(model), loss=loss)
            optimiser.step()


def parts_of(text, kind, few, generator):
    """What trains and what is held out, the last tenth: of the text, of its characters in random order, or `few` that train."""
    if kind == "shuffled":
        text = text[torch.randperm(len(text), generator=generator)]
    n = len(text) - len(text) // 10
    return text[: few if kind == "few" else n], text[n:]


@torch.no_grad()
def mean_loss(model, text, n_sequences, context):
    """The loss of sequences spread evenly over a text, always the same ones."""
    starts = torch.linspace(0, len(text) - context - 1, n_sequences).long()
    return loss_of(model, text, starts, context).item()


def train_beside_held_out(log, text, kind, width, replicate, seed, settings):
    """Train one model on a part of a text, and record the spectra of its gradients beside the loss of what is held out."""
    of = {name.removeprefix("held_out_"): value for name, value in settings.items() if name.startswith("held_out_")}
    model, optimiser = begun(text, width, replicate, seed, settings)
    others = torch.Generator().manual_seed(torch.initial_seed() + 500)
    trains, held_out = parts_of(text, kind, of["few"], others)
    context, every = settings["context"], of["every"]
    probe = tdu.Probe("rook", nulls=(), seed=seed, ranked=True, edges=True, window=of["window"])
    with probe.record(log / f"held-out-{kind}", width, replicate, every=every) as record:
        for step in range(of["steps"] + 1):
            losses = {}
            if step % every == 0:
                parts = {"training_loss": trains, "held_out_loss": held_out}
                losses = {name: mean_loss(model, part, of["sequences"], context) for name, part in parts.items()}
            model.zero_grad()
            starts = torch.randint(len(trains) - context, (settings["batch"],))
            loss = backward(model, trains, starts, context)
            record(step, gradients(model), weights=dict(model.named_parameters()), loss=loss, **losses)
            optimiser.step()


def main(plan="experiment.toml", log="log", what="all"):
    """Train every run of the plan, the smallest first; or, of `held-out`, those beside which a part of the text is held out."""
    study = tomllib.loads(Path(plan).read_text(encoding="utf-8"))["study"]
    settings, log = study["settings"], Path(log)
    characters = text_of(settings["modules"])
    if (found := hashlib.sha256(characters.encode()).hexdigest()) != settings["text_sha256"]:
        sys.exit(f"the text of Python {platform.python_version()} has sha256 {found}, not {settings['text_sha256']}")
    number_of = {character: number for number, character in enumerate(sorted(set(characters)))}
    text = torch.tensor([number_of[character] for character in characters])
    torch.set_num_threads(1)
    log.mkdir(parents=True, exist_ok=True)
    described = {"text_sha256": found, "characters": len(characters), "alphabet": len(number_of)}
    versions = {"python": platform.python_version(), "torch": torch.__version__, "tdu": tdu.__version__}
    write_json(log / ("training.json" if what == "all" else f"{what}.json"), described | versions)
    if what == "held-out":
        for replicate, width in product(range(settings["held_out_replicates"]), settings["held_out_widths"]):
            for kind in settings["held_out_kinds"]:
                train_beside_held_out(log, text, kind, width, replicate, study["seed"], settings)
            print(f"width {width}, run {replicate}", file=sys.stderr)
        return
    for width, replicate in product(study["scales"], range(study["replicates"])):
        train(log, log.parent / "runs", text, width, replicate, study["seed"], settings)
        print(f"width {width}, run {replicate}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
