"""Anybody's gradients: field files → one avalanche per snapshot."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tdu import _validate
from tdu.avalanches import nulls
from tdu.avalanches.cascades import avalanche
from tdu.avalanches.edges import edge_statistics
from tdu.avalanches.families import FAMILIES
from tdu.avalanches.graphs import Graph
from tdu.avalanches.protocol import Choices
from tdu.avalanches.ranked import ranked
from tdu.errors import InputError
from tdu.files import read_array, read_fields
from tdu.rng import Stage, generator
from tdu.types import Floats, Layout

COLUMNS = ("file", "index", "n", "size", "duration", "extent", "peak", "threshold", "dissipated", "capped")


#: What makes of a file its fields (T, N).
Reader = Callable[[Path], npt.NDArray[np.generic]]
#: What knows of a file of N entries a field which tensors these are of.
LayoutOf = Callable[[Path, int], Layout]


def _unknown(_path: Path, n_sites: int) -> Layout:
    return Layout.unknown(n_sites)


def probe_files(
    files: Sequence[Path],
    choices: Choices,
    seed: int,
    read: Reader = read_fields,
    layout_of: LayoutOf = _unknown,
    **settings: Any,
) -> Iterator[dict[str, Any]]:
    """One row of `COLUMNS` per snapshot of each file, in order, and the edge statistics if they are among the choices.

    The graph is a name in `tdu.avalanches.families.FAMILIES`, built for the layout of each file, or a .npy file of edges
    (E, 2). `settings` are those of `tdu.avalanche`. A ValueError names the file and the snapshot.
    """
    for row, field, _, on in _snapshots(files, choices, seed, read, layout_of):
        with _named(row):
            graph = on()
            found = avalanche(field, graph, **settings)
        of_edges = edge_statistics(np.asarray(field, np.float64), graph) if choices.edges else {}
        yield row | {name: getattr(found, name) for name in COLUMNS if name not in row} | of_edges


def null_files(
    files: Sequence[Path],
    choices: Choices,
    seed: int,
    draws: int,
    blocks: Sequence[int] | None = None,
    read: Reader = read_fields,
    layout_of: LayoutOf = _unknown,
    **settings: Any,
) -> Iterator[dict[str, Any]]:
    """One row per snapshot: its size, and for each null chosen the mean of its draws, their 95 % range, and a p-value.

    A file is one run, and a draw one arrangement for all its snapshots (`tdu.avalanches.nulls.Null`), which is made again at
    each, so that none is kept. `blocks` are the lengths of the layers' weights and biases, for nulls that ask for them where
    the file does not know them. p is two-sided: how often a draw is as far from the mean of all as the snapshot is, which is
    counted as one of them.
    """
    number = -1
    for row, field, of_file, on in _snapshots(files, choices, seed, read, layout_of):
        number += row["index"] == 0
        with _named(row):
            graph_of_field, layout = on(), of_file if blocks is None else _in_blocks(field.size, blocks)
            size = avalanche(field, graph_of_field, **settings).size
            found: dict[str, Any] = {"size": size}
            fields, steps = np.asarray(field, np.float64)[None], np.array([row["index"]])
            for null in (nulls.MODELS[name] for name in choices.nulls):
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


def _in_blocks(n_sites: int, blocks: Sequence[int]) -> Layout:
    return Layout.of({f"block {i}": (size,) for i, size in enumerate(nulls.block_sizes(n_sites, blocks))})


def _snapshots(
    files: Sequence[Path], choices: Choices, seed: int, read: Reader, layout_of: LayoutOf
) -> Iterator[tuple[dict[str, Any], npt.NDArray[np.generic], Layout, Callable[[], Graph]]]:
    """Each snapshot of each file: where it is from, the field that is measured, its layout, and what makes its graph."""
    graph = str(choices.graph)
    if graph not in FAMILIES and not graph.endswith(".npy"):
        raise InputError(f"`graph` must be one of {', '.join(FAMILIES)}, or a .npy file of edges, but it is {graph!r}")

    @lru_cache(maxsize=1)
    def of_layout(layout: Layout) -> Graph:
        if graph in FAMILIES:
            return FAMILIES[graph](layout, seed)
        return Graph.from_edges(layout.n_sites, read_array(Path(graph)))

    # every file is read and checked before the first row is given out; none is kept, as not all can be mapped into memory
    each = dict.fromkeys(files)
    for path in each:
        for index, field in enumerate(read(path)):
            with _named({"file": str(path), "index": index}):
                _validate.field(field)
    for path in each:
        for index, field in enumerate(read(path)):
            layout = layout_of(path, field.size)
            measured = ranked(np.asarray(field, np.float64), layout) if choices.ranked else field
            yield {"file": str(path), "index": index, "n": field.size}, measured, layout, partial(of_layout, layout)


@contextmanager
def _named(row: dict[str, Any]) -> Iterator[None]:
    """Say of which file and snapshot an error is."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{row['file']}, snapshot {row['index']}: {error}") from None
