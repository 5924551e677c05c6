"""What a probe costs in somebody's training, and files of 10⁸ entries: ``python bench/own_runs.py [--sites N]``.

Writes own_runs.json beside this file and renders OWN_RUNS.md. With PyTorch installed, a training step of a network of that size
stands beside the recorder's call.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from math import isqrt
from pathlib import Path

import numpy as np
import pages
from run import in_turns, installed, ratio, summary

import tdu
from tdu import files
from tdu.results.pages import Source, render

HERE = Path(__file__).parent
WIDTHS = (46, 90, 520)
BATCH = 32
#: Of a snapshot of spectra in ten training steps, in %, by what it is made of.
SHARES = {
    "exact": "share, window of ten, exact ranks (%)",
    "binned": "share, window of ten, in bins (%)",
    "moment": "share, moment, in bins (%)",
}

#: Probes a checkpoint, and then has its avalanches alone: seconds of the processor, and the most memory that the probe took.
CHILD = """
import json, re, sys
from pathlib import Path
from time import process_time
import numpy as np
import tdu
from tdu.avalanches.families import FAMILIES
from tdu.avalanches.nulls import MODELS
from tdu.executors import Workers
from tdu.sources.command import asked
from tdu.sources.formats import open_tensors

checkpoint, out = Path(sys.argv[1]), Path(sys.argv[2])
spent, graphs, make = {"graph": 0.0, "kernel": 0.0}, [], FAMILIES["ba"]

def timed(layout, seed):
    begun = process_time()
    graphs[:] = [make(layout, seed)]
    spent["graph"] += process_time() - begun
    return graphs[0]

FAMILIES["ba"] = timed
begun = process_time()
wanted = asked((f"{checkpoint.parent.parent}/w{{scale}}/{{step}}",), out=out, null=("permuted", "blocks"), draws=1,
               difference=False, include=None, exclude=None, workers=Workers(1), part=None, graph="ba", seed=0, threshold=None)
for run in wanted.measured():
    pass
spent["seconds"] = process_time() - begun
spent["peak"] = 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
tensors, rng = open_tensors(checkpoint), np.random.default_rng(0)
field = tensors.field().astype(np.float64)
for once in (None, MODELS["permuted"].once, MODELS["blocks"].once):
    drawn = field if once is None else once(field, tensors.layout, rng)
    begun = process_time()
    tdu.avalanche(drawn, graphs[0])
    spent["kernel"] += process_time() - begun
print(json.dumps(spent | {"n_sites": field.size}))
"""


def shapes(width):
    """The tensors of three layers."""
    return {
        "first.weight": (width, width), "first.bias": (width,), "second.weight": (width, width), "second.bias": (width,),
        "third.weight": (2 * width, width), "third.bias": (2 * width,),
    }  # fmt: skip


def recorder(width, rounds):
    """An avalanche alone, the recorder's call with and without nulls, and a training step, in turns."""
    rng = np.random.default_rng(0)
    gradients = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes(width).items()}
    field = np.concatenate([gradients[name].ravel() for name in sorted(gradients)]).astype(np.float64)
    graph = tdu.barabasi_albert(field.size)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        with (
            tdu.Probe(graph, draws=0).record(path / "alone", scale=1) as alone,
            tdu.Probe(graph, draws=8).record(path / "nulls", scale=1) as nulls,
        ):
            steps = iter(range(10**9))
            ways = {
                "avalanche": lambda: tdu.avalanche(field, graph),
                "record": lambda: alone(next(steps), gradients, loss=1.0),
                "record, 2 × 8 draws": lambda: nulls(next(steps), gradients, loss=1.0),
            }
            if installed("torch"):
                ways["training step"] = training_step(width)
            seconds = in_turns(ways, rounds)
    return {
        "n_sites": field.size,
        "seconds": summary(seconds),
        "ratio": ratio(seconds, "record", "avalanche"),
        "of_step": ratio(seconds, "record", "training step"),
    }


def training_step(width):
    """Forward, backward and Adam of the same tensors as a network, on one thread."""
    import torch

    torch.set_num_threads(1)
    layers = [torch.nn.Linear(width, width), torch.nn.Linear(width, width), torch.nn.Linear(width, 2 * width)]
    model = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2])
    optimiser = torch.optim.Adam(model.parameters())
    x = torch.randn(BATCH, width)

    def step():
        optimiser.zero_grad()
        model(x).square().mean().backward()
        optimiser.step()

    return step


def shards(folder, n_sites, n_files):
    """Normal entries of layers of other widths, in shards of safetensors with their index."""
    rng, names = np.random.default_rng(0), {}
    folder.mkdir(parents=True)
    side = isqrt(n_sites // n_files // 5)
    for number in range(n_files):
        file = f"model-{number + 1:05}-of-{n_files:05}.safetensors"
        tensors = {
            f"layer{number}.{k}.weight": np.float32(np.exp(rng.normal())) * rng.standard_normal((side, side), np.float32)
            for k in range(5)
        }
        header, at = {}, 0
        for name, tensor in tensors.items():
            header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [at, at + tensor.nbytes]}
            at += tensor.nbytes
            names[name] = file
        written = json.dumps(header).encode()
        with open(folder / file, "wb") as out:
            out.write(len(written).to_bytes(8, "little") + written)
            for tensor in tensors.values():
                out.write(tensor.tobytes())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def of_files(n_sites, n_files):
    """A sharded checkpoint probed with two nulls by a process of its own, on one thread, beside its avalanches alone."""
    with tempfile.TemporaryDirectory() as directory:
        checkpoint = Path(directory) / "w1" / "0"
        shards(checkpoint, n_sites, n_files)
        arguments = [sys.executable, "-c", CHILD, str(checkpoint), f"{directory}/log"]
        found = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    return found | {"n_files": n_files, "share": found["kernel"] / (found["seconds"] - found["graph"])}


def source(results, of_spectra):
    """What the page quotes."""
    calls = [
        {
            "N": f"{row['n_sites']:,}",
            "`tdu.avalanche`": pages.median(row["seconds"], "avalanche"),
            "a call, no nulls": pages.median(row["seconds"], "record"),
            "ratio": f"{row['ratio']:.2f}",
            "a call, 2 × 8 draws": pages.median(row["seconds"], "record, 2 × 8 draws"),
            "training step, batch of 32": pages.median(row["seconds"], "training step") if row["of_step"] else "–",
        }
        for row in results["recorder"]
    ]
    large = [
        {
            "entries": f"{row['n_sites']:,}",
            "files": str(row["n_files"]),
            "all": pages.seconds(row["seconds"]),
            "of which the graph": pages.seconds(row["graph"]),
            "three avalanches alone": pages.seconds(row["kernel"]),
            "their share of the rest": f"{row['share']:.2f}",
            "peak memory": f"{row['peak'] / 2**30:.2f} GiB",
        }
        for row in results["files"]
    ]
    spectra = [
        {
            "N": f"{row['n_sites']:,}",
            "examples a step": f"{of['batch']:,}",
            "training step": pages.median(row["seconds"], f"step {of['batch']}"),
            **{words: f"{100 * of[what]:.1f}" for what, words in SHARES.items()},
            "a tenth if every … steps": f"{math.ceil(100 * of['moment'])}",
        }
        for row in of_spectra["rows"]
        for of in row["shares"]
    ]
    parts = [
        {
            "N": f"{row['n_sites']:,}",
            "ten gradients averaged": pages.median(row["seconds"], "averaging 10"),
            "with the moment, two taken": pages.median(row["seconds"], "averaging moment"),
            "exact ranks": pages.median(row["seconds"], "exact"),
            "ranks in bins": pages.median(row["seconds"], "binned"),
            "off by, in the null's deviations": f"{row['off']:.1g}",
            "nulls, once": pages.seconds(row["nulls"]),
        }
        for row in of_spectra["rows"]
    ]
    return Source(
        {},
        tables={"recorder": calls, "files": large, "spectra": spectra, "parts": parts},
        texts={"cpu": results["provenance"]["cpu"]},
    )


def main():
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=10**8)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    results = {
        "provenance": files.provenance(),
        "recorder": [recorder(width, options.rounds) for width in WIDTHS],
        "files": [of_files(options.sites, n_files) for n_files in (1, 32)],
    }
    files.write_json(HERE / "own_runs.json", results)
    write(HERE)


def write(directory):
    """Render OWN_RUNS.md in `directory`."""
    results, spectra = (json.loads((directory / name).read_text()) for name in ("own_runs.json", "spectra.json"))
    template = (directory / "own_runs.template.md").read_text()
    (directory / "OWN_RUNS.md").write_text(render(template, {"": source(results, spectra)}))


if __name__ == "__main__":
    main()
