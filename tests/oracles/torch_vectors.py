"""What PyTorch makes of planted networks, optimisers and runs; `python tests/oracles/torch_vectors.py` writes torch.json.

Needs PyTorch and NumPy, and knows nothing of tdu: models are torch's own modules, gradients autograd's, steps those of
`torch.optim`. tests/test_torch.py holds tdu against the file, and `make test-torch` against what PyTorch gives at the time.

All is in double precision. Planted numbers are multiples of 1/64, or of 1/64 of a power of two: single precision holds them as
they are, so one vector serves both precisions. Parameters have the names of torch's modules, in their order.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

SEED = 20260404
FILE = Path(__file__).with_name("torch.json")
UNITS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}

TASKS: dict[str, dict[str, Any]] = {
    "addition mod 5": {
        "tokens": [[a, b] for a in range(5) for b in range(5)],
        "answers": [(a + b) % 5 for a in range(5) for b in range(5)],
        "n_tokens": 5,
        "n_classes": 5,
        "n_train": 15,
    },
    "parity of 3 in 4": {
        "tokens": [[k >> 3 & 1, k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(16)],
        "answers": [(k >> 3 ^ k >> 2 ^ k >> 1) & 1 for k in range(16)],
        "n_tokens": 2,
        "n_classes": 2,
        "n_train": 11,
    },
}
NETWORKS: dict[str, dict[str, Any]] = {
    "transformer, relu": {"task": "addition mod 5", "width": 4, "heads": 2, "unit": "relu", "layer_norm": False},
    "transformer, gelu": {"task": "addition mod 5", "width": 4, "heads": 1, "unit": "gelu", "layer_norm": False},
    "transformer, relu, normed": {"task": "addition mod 5", "width": 4, "heads": 4, "unit": "relu", "layer_norm": True},
    "transformer, gelu, normed": {"task": "addition mod 5", "width": 6, "heads": 2, "unit": "gelu", "layer_norm": True},
    "transformer, parity": {"task": "parity of 3 in 4", "width": 4, "heads": 2, "unit": "gelu", "layer_norm": True},
    "mlp, relu": {"task": "addition mod 5", "width": 6, "unit": "relu"},
    "mlp, relu at its kink": {"task": "addition mod 5", "width": 6, "unit": "relu"},
    "mlp, gelu, parity": {"task": "parity of 3 in 4", "width": 5, "unit": "gelu"},
}
#: Settings that `tdu.models.optimisers.optimiser` gives by itself are given to torch here.
RUNS: dict[str, dict[str, Any]] = {
    "adamw": {"network": "transformer, relu", "learning_rate": 0.01, "weight_decay": 1.0, "epochs": 20},
    "momentum": {"network": "transformer, relu, normed", "learning_rate": 0.05, "weight_decay": 0.1, "epochs": 20},
    "sgd": {"network": "mlp, relu", "learning_rate": 0.5, "weight_decay": 0.01, "epochs": 20},
}
OPTIMISERS: dict[str, dict[str, Any]] = {
    "adamw": {"learning_rate": 0.01, "weight_decay": 0.0, "betas": [0.9, 0.98], "epsilon": 1e-8},
    "adamw, decay": {"learning_rate": 0.01, "weight_decay": 0.5, "betas": [0.9, 0.98], "epsilon": 1e-8},
    "adamw, torch's betas": {"learning_rate": 0.001, "weight_decay": 0.01, "betas": [0.9, 0.999], "epsilon": 1e-8},
    "adamw, large epsilon": {"learning_rate": 0.1, "weight_decay": 2.0, "betas": [0.5, 0.75], "epsilon": 0.1},
    "sgd": {"learning_rate": 0.01, "weight_decay": 0.0, "momentum": 0.0},
    "sgd, decay": {"learning_rate": 0.01, "weight_decay": 0.5, "momentum": 0.0},
    "momentum": {"learning_rate": 0.01, "weight_decay": 0.0, "momentum": 0.9},
    "momentum, decay": {"learning_rate": 0.01, "weight_decay": 0.5, "momentum": 0.75},
}
#: Of entries of a gradient: from beside AdamW's ε to far above; one that is 0 always, and one that is 0 after the first step.
SCALES = (1.0, 2.0**-10, 2.0**-27, 2.0**6, 0.0, 1.0)
N_STEPS = 8
BITS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
SIGNS = [[2 * a - 1, 2 * b - 1] for a, b in BITS]
TARGETS = [0.0, 1.0, 1.0, 0.0]
XOR: dict[str, dict[str, Any]] = {
    "binary": {"hidden": 5, "inputs": BITS, "targets": TARGETS},
    "bipolar": {"hidden": 5, "inputs": SIGNS, "targets": TARGETS},
    "kink": {"hidden": 5, "inputs": BITS, "targets": TARGETS},
    "saturated": {"hidden": 4, "inputs": BITS, "targets": TARGETS, "times": 32},
    "three inputs": {"hidden": 4, "shape": (7, 3)},
    "one unit, one pattern": {"hidden": 1, "shape": (1, 1)},
}
XOR_RUNS: dict[str, dict[str, Any]] = {
    "tanh": {"hidden": 6, "inputs": "binary", "learning_rate": 0.5, "epochs": 30},
    "relu": {"hidden": 6, "inputs": "bipolar", "learning_rate": 0.25, "epochs": 30},
    "sigmoid": {"hidden": 6, "inputs": "bipolar", "learning_rate": 2.0, "epochs": 30},
}


class Transformer(nn.Module):
    """One layer of attention and an MLP over [tokens …, =], read at =; with `layer_norm`, normed before each and at the end."""

    def __init__(self, task: dict[str, Any], width: int, heads: int, unit: str, layer_norm: bool) -> None:
        super().__init__()
        self.readout = task["n_tokens"]
        self.tokens = nn.Embedding(task["n_tokens"] + 1, width)
        self.positions = nn.Embedding(len(task["tokens"][0]) + 1, width)
        self.norm0 = nn.LayerNorm(width) if layer_norm else nn.Identity()
        self.attention = nn.MultiheadAttention(width, heads, bias=False, batch_first=True)
        self.norm1 = nn.LayerNorm(width) if layer_norm else nn.Identity()
        self.up, self.unit, self.down = nn.Linear(width, 4 * width), UNITS[unit](), nn.Linear(4 * width, width)
        self.norm2 = nn.LayerNorm(width) if layer_norm else nn.Identity()
        self.unembedding = nn.Linear(width, task["n_classes"], bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        sequence = functional.pad(tokens, (0, 1), value=self.readout)
        stream = self.tokens(sequence) + self.positions(torch.arange(sequence.shape[1]))
        normal = self.norm0(stream)
        stream = (stream + self.attention(normal, normal, normal, need_weights=False)[0])[:, -1]
        stream = stream + self.down(self.unit(self.up(self.norm1(stream))))
        return self.unembedding(self.norm2(stream))


class TokenMLP(nn.Module):
    """Tokens as one-hot vectors side by side, a hidden layer, and a linear readout."""

    def __init__(self, task: dict[str, Any], width: int, unit: str) -> None:
        super().__init__()
        self.n_tokens = task["n_tokens"]
        self.hidden, self.unit = nn.Linear(len(task["tokens"][0]) * self.n_tokens, width), UNITS[unit]()
        self.readout = nn.Linear(width, task["n_classes"])

    def one_hot(self, tokens: Tensor) -> Tensor:
        return functional.one_hot(tokens, self.n_tokens).flatten(1).double()

    def forward(self, tokens: Tensor) -> Tensor:
        return self.readout(self.unit(self.hidden(self.one_hot(tokens))))


def stream_of(seed: int, name: str) -> np.random.Generator:
    """A stream of its own for everything that has a name, so that a further case leaves the others alone."""
    return np.random.default_rng([seed, *name.encode()])


def planted(rng: np.random.Generator, *shape: int) -> Tensor:
    """Multiples of 1/64 in ±1."""
    return torch.tensor(rng.integers(-64, 65, shape) / 64)


def fill(module: nn.Module, rng: np.random.Generator, times: float = 1) -> nn.Module:
    """`module` in double precision, with `times` planted numbers as its parameters."""
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(planted(rng, *parameter.shape) * times)
    return module


def parameters_of(module: nn.Module) -> dict[str, Any]:
    return {name: parameter.tolist() for name, parameter in module.named_parameters()}


def gradients_of(module: nn.Module) -> dict[str, Any]:
    return {name: parameter.grad.tolist() for name, parameter in module.named_parameters()}


def split(name: str, seed: int) -> dict[str, Any]:
    """The task with the sequences that train and those that test."""
    task = dict(TASKS[name])
    order = stream_of(seed, name).permutation(len(task["tokens"])).tolist()
    n_train = task.pop("n_train")
    return task | {"train": sorted(order[:n_train]), "test": sorted(order[n_train:])}


def network(name: str, seed: int) -> tuple[nn.Module, Tensor, Tensor, dict[str, Any]]:
    """The module at its planted parameters; tokens and answers of its task, and the task."""
    settings = dict(NETWORKS[name])
    task = split(settings.pop("task"), seed)
    module = fill((Transformer if "heads" in settings else TokenMLP)(task, **settings), stream_of(seed, name))
    tokens = torch.tensor(task["tokens"])
    if "kink" in name:  # the first sequence drives no unit, neither up nor down
        with torch.no_grad():
            module.hidden.bias.copy_(-functional.linear(module.one_hot(tokens[task["train"][:1]]), module.hidden.weight)[0])
    return module, tokens, torch.tensor(task["answers"]), task


def network_vector(name: str, seed: int) -> dict[str, Any]:
    """Loss and gradient over the sequences that train, and the logits of the others."""
    module, tokens, answers, task = network(name, seed)
    loss = nn.CrossEntropyLoss()(module(tokens[task["train"]]), answers[task["train"]])
    loss.backward()
    logits = module(tokens[task["test"]]).tolist()
    vector = {"parameters": parameters_of(module), "loss": loss.item(), "gradient": gradients_of(module), "logits": logits}
    return NETWORKS[name] | vector


def decay(parameters: Iterable[Tensor], factor: float) -> None:
    """Decoupled decay for an optimiser of torch's that has only L2 (SGD): apart from the step, as its AdamW does it."""
    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(factor)


def run_vector(name: str, seed: int) -> dict[str, Any]:
    """Full-batch training from the network's planted parameters: curves, epoch 0 first, and where they end."""
    settings = RUNS[name]
    module, tokens, answers, task = network(settings["network"], seed)
    rate, weight_decay = settings["learning_rate"], settings["weight_decay"]
    if name == "adamw":
        method: torch.optim.Optimizer = torch.optim.AdamW(module.parameters(), rate, (0.9, 0.98), weight_decay=weight_decay)
    else:
        method = torch.optim.SGD(module.parameters(), rate, momentum=0.9 if name == "momentum" else 0)
    curves: dict[str, list[float]] = {"loss": [], "accuracy": [], "test_accuracy": []}
    for epoch in range(settings["epochs"] + 1):
        method.zero_grad()
        logits = module(tokens)
        right = (logits.argmax(dim=1) == answers).double()
        loss = functional.cross_entropy(logits[task["train"]], answers[task["train"]])
        curves["loss"].append(loss.item())
        curves["accuracy"].append(right[task["train"]].mean().item())
        curves["test_accuracy"].append(right[task["test"]].mean().item())
        if epoch < settings["epochs"]:
            loss.backward()
            if name != "adamw":
                decay(module.parameters(), 1 - rate * weight_decay)
            method.step()
    return settings | curves | {"parameters": parameters_of(module)}


def optimiser_vector(name: str, seed: int) -> dict[str, Any]:
    """θ after every step with planted gradients, and the moments after the last."""
    settings, rng = OPTIMISERS[name], stream_of(seed, name)
    theta = planted(rng, len(SCALES))
    gradients = planted(rng, N_STEPS, len(SCALES)) * torch.tensor(SCALES, dtype=torch.float64)
    gradients[1:, -1] = 0
    vector = settings | {"start": theta.tolist(), "gradients": gradients.tolist(), "theta": []}
    rate, weight_decay = settings["learning_rate"], settings["weight_decay"]
    coupled_is_the_same = settings.get("momentum") == 0  # L2 and decoupled decay are one for plain gradient descent
    if "betas" in settings:
        method: torch.optim.Optimizer = torch.optim.AdamW(
            [theta], rate, tuple(settings["betas"]), settings["epsilon"], weight_decay
        )
    else:
        l2 = weight_decay if coupled_is_the_same else 0
        method = torch.optim.SGD([theta], rate, settings["momentum"], weight_decay=l2)
    for gradient in gradients:
        theta.grad = gradient.clone()
        if "momentum" in settings and not coupled_is_the_same:
            decay([theta], 1 - rate * weight_decay)
        method.step()
        vector["theta"].append(theta.tolist())
    moments = {key: value.tolist() for key, value in method.state[theta].items() if torch.is_tensor(value) and value.ndim}
    return vector | {"moments": moments}


def xor_vector(name: str, activation: str, seed: int) -> dict[str, Any]:
    """Loss and gradient of inputs → hidden → 1 under binary cross-entropy."""
    settings, rng = XOR[name], stream_of(seed, name)
    if "shape" in settings:
        inputs, targets = planted(rng, *settings["shape"]), torch.tensor(rng.integers(0, 2, settings["shape"][0])).double()
    else:
        inputs, targets = torch.tensor(settings["inputs"]).double(), torch.tensor(settings["targets"]).double()
    hidden = settings["hidden"]
    module = nn.Sequential(nn.Linear(inputs.shape[1], hidden), UNITS[activation](), nn.Linear(hidden, 1))
    fill(module, rng, settings.get("times", 1))
    if name == "kink":  # the pattern (0, 0) drives no unit, neither up nor down
        nn.init.zeros_(module[0].bias)
    loss = nn.BCEWithLogitsLoss()(module(inputs)[:, 0], targets)
    loss.backward()
    problem = {"activation": activation, "inputs": inputs.tolist(), "targets": targets.tolist()}
    return problem | {"parameters": parameters_of(module), "loss": loss.item(), "gradient": gradients_of(module)}


def xor_run_vector(activation: str, seed: int) -> dict[str, Any]:
    """Gradient descent on XOR from the bounds of torch's own initialisation, drawn at the address of tdu's run of that seed."""
    settings = XOR_RUNS[activation]
    hidden = settings["hidden"]
    module = nn.Sequential(nn.Linear(2, hidden), UNITS[activation](), nn.Linear(hidden, 1)).double()
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, hidden, 0)))
    with torch.no_grad():
        for parameter, fan_in in zip(module.parameters(), (2, 2, hidden, hidden), strict=True):
            parameter.copy_(torch.tensor(rng.uniform(-1, 1, tuple(parameter.shape)) / fan_in**0.5))
    start = parameters_of(module)
    inputs, targets = torch.tensor(XOR[settings["inputs"]]["inputs"]).double(), torch.tensor(TARGETS).double()
    method = torch.optim.SGD(module.parameters(), settings["learning_rate"])
    curves: dict[str, list[float]] = {"loss": [], "accuracy": []}
    for _ in range(settings["epochs"] + 1):
        method.zero_grad()
        logits = module(inputs)[:, 0]
        loss = functional.binary_cross_entropy_with_logits(logits, targets)
        curves["loss"].append(loss.item())
        curves["accuracy"].append(((logits > 0) == (targets > 0.5)).double().mean().item())
        loss.backward()
        method.step()
    return settings | {"seed": seed, "parameters": start} | curves


def made(seed: int = SEED) -> dict[str, Any]:
    """Everything, from one seed."""
    torch.set_num_threads(1)
    return {
        "about": "Made by tests/oracles/torch_vectors.py in double precision; see there. Parameters and gradients by the names "
        "of torch's modules. Tolerances: tests/test_torch.py.",
        "versions": {"torch": torch.__version__.partition("+")[0], "numpy": np.__version__},
        "seed": seed,
        "tasks": {name: split(name, seed) for name in TASKS},
        "networks": {name: network_vector(name, seed) for name in NETWORKS},
        "runs": {name: run_vector(name, seed) for name in RUNS},
        "optimisers": {name: optimiser_vector(name, seed) for name in OPTIMISERS},
        "xor": {f"{name}, {activation}": xor_vector(name, activation, seed) for name in XOR for activation in XOR_RUNS},
        "xor_runs": {activation: xor_run_vector(activation, seed) for activation in XOR_RUNS},
    }


def text_of(document: dict[str, Any]) -> str:
    """JSON with a line for every row of numbers."""
    spread = json.dumps(document, indent=1, allow_nan=False)
    return re.sub(r"\[([^][{}]*)\]", lambda row: f"[{' '.join(row[1].split())}]", spread) + "\n"


if __name__ == "__main__":
    FILE.write_text(text_of(made()))
    print(f"{FILE}: {FILE.stat().st_size / 1024:.0f} KiB, by PyTorch {torch.__version__}")
