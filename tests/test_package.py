"""Promises about the package as a whole."""

import json
import subprocess
import sys

import pytest

import tdu

SIGNATURES = """
import json, numpy as np, tdu, tdu.kernels, importlib, pkgutil
graph = tdu.ring(16)
field = np.linspace(-1, 1, 16)
for variant in (field, field.astype("f4"), field[::-1], field.tolist(), np.asfortranarray(field), np.arange(16)):
    tdu.avalanche(variant, graph)
    tdu.avalanche(variant, tdu.barabasi_albert(16), alpha=1, threshold=0, max_steps=np.int32(3))
tdu.train_xor(3, epochs=2)
tdu.train_xor(3, epochs=2, alpha=1, alpha_train=0, snapshot_every=1, learning_rate=1)
from tdu.models import mlp
mlp.loss_and_gradient([0] * 5, [[0, 1]], [1])
mlp.loss_and_gradient(np.zeros(9, "f4"), np.zeros((4, 2), order="F"), np.zeros(4, bool))
counts = {}
for info in pkgutil.iter_modules(tdu.kernels.__path__):
    for name, value in vars(importlib.import_module(f"tdu.kernels.{info.name}")).items():
        if hasattr(value, "signatures"):
            counts[name] = len(value.signatures)
print(json.dumps(counts))
"""


@pytest.mark.compiled
def test_every_kernel_is_compiled_for_one_signature():
    result = subprocess.run([sys.executable, "-c", SIGNATURES], capture_output=True, text=True, check=True)
    counts = json.loads(result.stdout)
    # a kernel that only other kernels call has none of its own when they come from the cache
    assert max(counts.values()) == 1, counts
    assert all(counts[entry] == 1 for entry in ("relax", "train", "magnitude_quantile", "forward", "backward")), counts


def test_public_names_are_all_there():
    for name in tdu.__all__:
        assert getattr(tdu, name) is not None
    assert set(dir(tdu)) == set(tdu.__all__)
    with pytest.raises(AttributeError, match="module 'tdu' has no attribute 'grok'"):
        _ = tdu.grok
