"""The checkpoints of the run as PyTorch has them: two dense layers, whose inputs are pairs of tokens, one-hot."""

import torch
from measuring import group, timed
from torch import nn

torch.set_num_threads(1)


def examples(data):
    """Inputs (B, 2 p) and answers (B,) of the pairs that train."""
    places, answers = (torch.from_numpy(data[f"examples/{name}"]).long() for name in ("places", "answers"))
    inputs = torch.zeros(len(places), len(data[next(name for name in data if name.endswith("tokens"))]))
    return inputs.scatter_(1, places, 1.0), answers


def models(data):
    """The network at every checkpoint, by its step."""
    found = {}
    for name, values in group(data, "weights").items():
        step, _, tensor = name.partition("/")
        found.setdefault(int(step), {})[tensor] = torch.from_numpy(values)
    return {step: network(tensors) for step, tensors in found.items()}


def network(tensors):
    """The token MLP of `tdu grok`: a sum of embeddings is a dense layer of one-hot tokens."""
    n_tokens, width = tensors["tokens"].shape
    model = nn.Sequential(nn.Linear(n_tokens, width), nn.ReLU(), nn.Linear(width, len(tensors["readout.bias"])))
    wanted = {
        "0.weight": tensors["tokens"].T,
        "0.bias": tensors["hidden.bias"],
        "2.weight": tensors["readout.weight"],
        "2.bias": tensors["readout.bias"],
    }
    model.load_state_dict({name: tensor.contiguous() for name, tensor in wanted.items()})
    return model


def measured(data, measure):
    """`measure` of every checkpoint, its loss, and the seconds it takes, once the first was measured untimed."""
    (inputs, answers), found = examples(data), {}
    for step, model in models(data).items():
        if not found:
            measure(model, inputs, answers)
        loss = nn.functional.cross_entropy(model(inputs), answers).item()
        values, seconds = timed(lambda model=model: measure(model, inputs, answers))
        found[str(step)] = values | {"loss": loss, "seconds": seconds}
    return found
