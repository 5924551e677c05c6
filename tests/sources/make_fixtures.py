"""Files as PyTorch, safetensors and ml_dtypes write them, for tests that have none of these.

`python tests/sources/make_fixtures.py` makes them again. Entries are those of `expected`, which the tests compare with.
"""

import json
import os
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "fixtures"


def expected():
    """Tensors by name: numbers that every precision holds."""
    matrix, vector = np.arange(12.0).reshape(3, 4) / 4 - 1, np.array([0.5, -2.0, 3.0])
    return {
        "first.weight": matrix,
        "first.bias": vector,
        "last.weight": matrix.T[:2],
    }


class Calls:
    """What a pickle can do to whoever loads it."""

    def __reduce__(self):
        return os.system, ("touch executed",)


def main():
    import argparse
    from collections import OrderedDict

    import ml_dtypes
    import torch
    from safetensors.torch import save_file

    HERE.mkdir(exist_ok=True)
    of = {name: torch.tensor(values) for name, values in expected().items()}
    for name, dtype in (("f16", torch.float16), ("bf16", torch.bfloat16), ("f32", torch.float32), ("f64", torch.float64)):
        cast = {key: value.to(dtype).contiguous() for key, value in of.items()}
        save_file(cast | {"count": torch.tensor([3])}, HERE / f"{name}.safetensors", metadata={"format": "pt"})
        torch.save(OrderedDict(cast), HERE / f"{name}.pt")
    f32 = {name: value.float().contiguous() for name, value in of.items()}
    save_file({"first.weight": f32["first.weight"]}, HERE / "model-00001-of-00002.safetensors")
    save_file({name: f32[name] for name in ("first.bias", "last.weight")}, HERE / "model-00002-of-00002.safetensors")
    shards = {name: f"model-0000{1 + (name != 'first.weight')}-of-00002.safetensors" for name in f32}
    (HERE / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))

    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    with torch.no_grad():
        module[0].weight.copy_(of["first.weight"])
        module[0].bias.copy_(of["first.bias"])
    torch.save(module.state_dict(), HERE / "state_dict.pt")
    small = torch.nn.Sequential(torch.nn.Linear(2, 1))
    adam = torch.optim.Adam(small.parameters())
    small(torch.ones(2)).backward()
    adam.step()
    torch.save({"model": small.state_dict(), "optimizer": adam.state_dict(), "epoch": 3}, HERE / "checkpoint.pt")
    base = torch.arange(20.0)
    torch.save(
        {
            "model": {"transposed": of["first.weight"].float().t(), "part": base[4:16:3], "again": base[4:16].reshape(3, 4)},
            "parameter": torch.nn.Parameter(of["first.bias"].float()),
            "repeated": torch.tensor(2.5).expand(2, 3),
            "scalar": torch.tensor(1.5),
            "empty": torch.zeros(0, 3),
            "list": [torch.ones(2), 3, "text", None, True, 2**70],
            "step": 10,
            "rate": 1e-3,
            "mask": torch.tensor([True, False]),
        },
        HERE / "nested.pt",
    )
    torch.save(of["first.weight"].float(), HERE / "alone.pt")
    torch.save({"weight": of["first.weight"], "args": argparse.Namespace(rate=1)}, HERE / "with_objects.pt")
    torch.save({"weight": of["first.weight"], "calls": Calls()}, HERE / "calls.pt")
    torch.save(of["first.weight"], HERE / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"w": torch.ones(2)}, HERE / "protocol_5.pt", pickle_protocol=5)
    np.save(HERE / "bf16.npy", of["first.bias"].float().numpy().astype(ml_dtypes.bfloat16))


if __name__ == "__main__":
    main()
