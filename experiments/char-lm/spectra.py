"""Spectra of window-averaged gradients of the language models beside their loss: gradients in, ``spectra.csv`` out.

Run as ``python spectra.py GRADIENTS [LOG]``. GRADIENTS holds ``w{width}-s{replicate}/{step}.safetensors``, each the mean of the
gradients of the ten steps of train.py that begin with `step`; LOG is where train.py wrote its logs. The loss is that of the
large batch, sequences drawn from the whole text apart from those that train; no text is held out. Needs tdu-ofc alone.
"""

import re
import sys
from pathlib import Path

import numpy as np

import tdu
from tdu.files import write_csv
from tdu.logs.store import Store
from tdu.sources.formats import open_tensors

_MIDDLE = 4.5  # of ten steps, from the first
_OF_FOLDER = re.compile(r"w(\d+)-s(\d+)")


def rows(gradients, log):
    """A row of each file: every observable of averaged gradients, and the loss at the middle of the window."""
    store = Store.open(log / "large-batch")
    for folder in sorted(gradients.iterdir()):
        width, replicate = map(int, _OF_FOLDER.fullmatch(folder.name).groups())
        run = store.read(width, replicate)
        for path in sorted(folder.glob("*.safetensors"), key=lambda path: int(path.stem)):
            step, tensors = int(path.stem), open_tensors(path)
            pooled = tdu.spectrum(tensors.field().astype(np.float64), tensors.layout).pooled
            yield {
                "what": f"w{width}-s{replicate}, step {step}",
                "loss": float(np.interp(step + _MIDDLE, run.step, run.columns["loss"])),
                **{name: one.value for name, one in pooled.items()},
                "z of spectral": pooled["spectral"].z,
            }


if __name__ == "__main__":
    here = Path(__file__).parent
    write_csv(here / "spectra.csv", rows(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else here / "log"))
