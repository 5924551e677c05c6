"""Files that others write, and that have no checksum which tdu knows: of each a small one, and what reads it."""

import json
import shutil
from pathlib import Path

import numpy as np

from tdu.experiments.plan import read_plan
from tdu.files import read_fields
from tdu.sources.formats import open_tensors
from tdu.sources.patterns import found
from tests.faults.kinds import Kind

FIXTURES = Path(__file__).parent.parent / "sources" / "fixtures"


def _of_fixture(name):
    def write(folder):
        return Path(shutil.copy(FIXTURES / name, folder))

    return write


def _text(name, text):
    def write(folder):
        for step in (0, 10):
            np.save(folder / f"3-{step}.npy", np.arange(3.0))
        (folder / name).write_text(text, encoding="utf-8")
        return folder / name

    return write


def _npy(folder):
    np.save(folder / "field.npy", np.arange(12.0).reshape(2, 6))
    return folder / "field.npy"


def _npz(folder):
    np.savez_compressed(folder / "field.npz", weight=np.arange(6.0).reshape(2, 3), bias=np.ones(2))
    return folder / "field.npz"


def _index(folder):
    shard = shutil.copy(FIXTURES / "f32.safetensors", folder)
    names = list(open_tensors(Path(shard)).stored)
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, "f32.safetensors")}))
    return path


def _field(path):
    return open_tensors(path).field()


def _snapshots(path):
    return [str(one) for one in found(str(path)).snapshots]


def _plan(path):
    return repr(read_plan(path))


_PLAN = "question = 'nulls'\n[study]\nhidden = [20, 30]\nalpha = 0.2\n[scope]\nn_draws = 3\nalphas = [0.1, 0.2]\n"
FOREIGN = {
    ".npy": Kind(_npy, lambda path: np.array(read_fields(path))),
    ".npz": Kind(_npz, _field),
    ".safetensors": Kind(_of_fixture("f32.safetensors"), _field),
    ".pt": Kind(_of_fixture("f32.pt"), _field),
    "index of shards": Kind(_index, _field),
    "index in CSV": Kind(_text("index.csv", "path,scale,step,loss\n3-0.npy,3,0,1.5\n3-10.npy,3,10,\n"), _snapshots),
    "index in TOML": Kind(_text("index.toml", 'pattern = "{scale}-{step}.npy"\n[grokking_steps]\n3 = [10, -1]\n'), _snapshots),
    "plan": Kind(_text("experiment.toml", _PLAN), _plan),
}
