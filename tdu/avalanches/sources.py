"""Anybody's gradients: field files → one avalanche per snapshot."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tdu import _validate
from tdu.avalanches import nulls
from tdu.avalanches.cascades import avalanche
from tdu.avalanches.families import FAMILIES
from tdu.avalanches.graphs import Graph
from tdu.errors import InputError
from tdu.files import read_array, read_fields
from tdu.rng import Stage, generator
from tdu.types import Floats, Layout

COLUMNS = ("file", "index", "n", "size", "duration", "extent", "peak", "threshold", "dissipated", "capped")


#: What makes of a file its fields (T, N).
Reader = Callable[[Path], npt.NDArray[np.generic]]


def probe_files(
    files: Sequence[Path], graph: str, seed: int, read: Reader = read_fields, **settings: Any
) -> Iterator[dict[str, Any]]:
    """One row of `COLUMNS` per snapshot of each file, in order.

    `graph` is a name in `tdu.avalanches.families.FAMILIES`, built at the size of each field, or a .npy file of edges (E, 2).
    `settings` are those of `tdu.avalanche`. A ValueError names the file and the snapshot.
    """
    for row, field, on in _snapshots(files, graph, seed, read):
        with _named(row):
            found = avalanche(field, on(field.size), **settings)
        yield row | {name: getattr(found, name) for name in COLUMNS if name not in row}


def null_files(
    files: Sequence[Path],
    graph: str,
    seed: int,
    names: Sequence[str],
    draws: int,
    blocks: Sequence[int] | None = None,
    read: Reader = read_fields,
    **settings: Any,
) -> Iterator[dict[str, Any]]:
    """One row per snapshot: its size, and for each null in `names` the mean of its draws, their 95 % range, and a p-value.

    A file is one run, and a draw one arrangement for all its snapshots (`tdu.avalanches.nulls.Null`), which is made again at
    each, so that none is kept. `blocks` are the lengths of the layers' weights and biases, for nulls that ask for them. p is
    two-sided: how often a draw is as far from the mean of all as the snapshot is, which is counted as one of them.
    """
    number = -1
    for row, field, on in _snapshots(files, graph, seed, read):
        number += row["index"] == 0
        with _named(row):
            graph_of_field, layout = on(field.size), _layout(field.size, blocks)
            size = avalanche(field, graph_of_field, **settings).size
            found: dict[str, Any] = {"size": size}
            fields, steps = np.asarray(field, np.float64)[None], np.array([row["index"]])
            for null in (nulls.MODELS[name] for name in names):
                sizes = np.empty(draws)
                for draw in range(draws):
                    rng = generator(seed, Stage.NULL, number, null.stream, draw)
                    drawn = null.prepare(layout, graph_of_field, rng)
                    sizes[draw] = avalanche(drawn.apply(fields, steps)[0], drawn.graph, **settings).size
                found |= _beside(null.name, sizes, size)
        yield row | found


def _beside(name: str, sizes: Floats, size: int) -> dict[str, float]:
    low, high = np.quantile(sizes, [0.025, 0.975])
    everything = np.append(sizes, size)
    distance = np.abs(everything - everything.mean())
    p = float((distance >= distance[-1]).mean())
    return {name: float(sizes.mean()), f"{name}_low": float(low), f"{name}_high": float(high), f"{name}_p": p}


def _layout(n_sites: int, blocks: Sequence[int] | None) -> Layout:
    if blocks is None:
        return Layout.unknown(n_sites)
    return Layout.of({f"block {i}": (size,) for i, size in enumerate(nulls.block_sizes(n_sites, blocks))})


def _snapshots(
    files: Sequence[Path], graph: str, seed: int, read: Reader
) -> Iterator[tuple[dict[str, Any], npt.NDArray[np.generic], Callable[[int], Graph]]]:
    """Each snapshot of each file: where it is from, the field, and the graph as a function of its size."""
    if graph not in FAMILIES and not graph.endswith(".npy"):
        raise InputError(f"`graph` must be one of {', '.join(FAMILIES)}, or a .npy file of edges, but it is {graph!r}")

    @lru_cache(maxsize=1)
    def of_size(n: int) -> Graph:
        return FAMILIES[graph](Layout.unknown(n), seed) if graph in FAMILIES else Graph.from_edges(n, read_array(Path(graph)))

    # every file is read and checked before the first row is given out; none is kept, as not all can be mapped into memory
    each = dict.fromkeys(files)
    for path in each:
        for index, field in enumerate(read(path)):
            with _named({"file": str(path), "index": index}):
                _validate.field(field)
    for path in each:
        for index, field in enumerate(read(path)):
            yield {"file": str(path), "index": index, "n": field.size}, field, of_size


@contextmanager
def _named(row: dict[str, Any]) -> Iterator[None]:
    """Say of which file and snapshot an error is."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{row['file']}, snapshot {row['index']}: {error}") from None
