"""Every kind of file that tdu writes and reads again: a small one of it, and what is read of it, to be compared."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import numpy as np

from tdu import config, files
from tdu.logs.rows import Row
from tdu.logs.store import Store
from tdu.models.optimisers import optimiser
from tdu.results import series, store
from tdu.rng import generator
from tdu.sources.formats import open_tensors
from tdu.training import gradients, loop
from tdu.types import Band, Layout, Quantity, Results, Run, SizeStatistic


@dataclass(frozen=True)
class Kind:
    """What writes such a file into a folder, and gives its path; and what is read there, from the folder and the path."""

    write: Callable[[Path], Path]
    read: Callable[[Path], object]


def content(value):
    """All that a value holds, so that two can be compared to the last bit; nan is itself."""
    if is_dataclass(value):
        return type(value).__name__, *(content(getattr(value, item.name)) for item in fields(value))
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return tuple((name, content(entry)) for name, entry in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(content, value))
    return repr(value)


def _log(folder):
    return Store.begin(folder, "network", {"seed": 3, "alpha": 0.3}, ((5, 0), (8, 0)))


def _manifest(folder):
    _log(folder)
    return folder / "manifest.json"


def _run(folder):
    log, step = _log(folder), np.array([0, 10, 20])
    columns, nulls = {"size": step + 1, "capped": step > 5}, {"permuted": np.array([[1, 2, 3], [4, 5, 6]])}
    log.write(Run(5, 0, Layout((("weight", (3, 7)),)), step, columns, nulls, {"loss": np.arange(4.0)}, 10))
    return log.file(5, 0)


def _read_run(path):
    log = Store(path.parent.parent, "network", {"seed": 3, "alpha": 0.3})
    return log.read(5, 0)


def _state(values):
    theta = np.asarray(values, float)
    return loop.State(theta, optimiser("adamw", theta, 0.1, 0.0).moments)


def _training(folder):
    state = _state(generator(0, 1).normal(size=7))
    state.epoch = 20
    state.rows += [Row(step, {"loss": 0.5 * step, "size": 3}, {"permuted": np.array([1, 2])}) for step in (0, 10)]
    loop.save_state(folder / "state.npz", state, {"log": "abc"})
    return folder / "state.npz"


def _read_training(path):
    return loop.load_state(path, _state(np.zeros(7)), {"log": "abc"})


def _results(folder):
    quantity = Quantity(1.25, 1.0, 1.5, "mean", 1.2, None, "1.2", "agrees")
    band = Band(*np.arange(9.0).reshape(3, 3))
    d_of_t = series.DimensionOverTime(np.arange(3), {SizeStatistic.MEAN: band})
    provenance = {"packages": {"numpy": "2"}, "commit": None}
    readings = {"gamma": {"other": quantity}}
    found = Results(config.QUICK, config.QUICK_SCOPE, provenance, {"gamma": quantity}, readings, (d_of_t,))
    store.save_results(folder / "results.json", found)
    return folder / "results.json"


def _tables(folder):
    rows = [{"what": f"N = {n}", "D": 1.25 * n, "low": np.nan} for n in range(3)]
    files.write_tables(folder, {"one": rows, "other": [{"a": 1}]})
    return folder / "one.csv"


def _read_tables(path):
    return files.read_tables(path.parent)


def _gradients(folder):
    whole, state = folder / "s00005-r00-gradients.npy", _state(np.zeros(7))
    with gradients.kept(whole, (3, 7), np.dtype(np.float32), state) as keep:
        for number in range(3):
            keep(np.arange(7.0) + number)
    return whole


def _kept(folder):
    tensors = {"weight": np.arange(6.0).reshape(2, 3), "bias": np.ones(2, np.float32), "file": np.zeros(1)}
    files.write_tensors(folder / "00000010.npz", tensors)
    return folder / "00000010.npz"


def _read_kept(path):
    found = open_tensors(path)
    return found.layout, found.field()


#: What has a checksum.
KINDS = {
    "manifest of a log": Kind(_manifest, lambda path: Store.open(path.parent)),
    "run of a log": Kind(_run, _read_run),
    "state of a training": Kind(_training, _read_training),
    "results": Kind(_results, store.load_results),
    "table": Kind(_tables, _read_tables),
    "checksums of tables": Kind(lambda folder: _tables(folder).with_name("SHA256SUMS"), _read_tables),
    "saved gradients": Kind(_gradients, lambda path: np.array(files.read_fields(path))),
    "kept gradients": Kind(_kept, _read_kept),
}
