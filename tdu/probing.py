"""Anybody's gradients: field files → one avalanche per snapshot."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tdu.cascades import avalanche
from tdu.graphs import FAMILIES, Graph
from tdu.store import read_array, read_fields

COLUMNS = ("file", "index", "n", "size", "duration", "extent", "peak", "threshold", "dissipated", "capped")


def probe_files(files: Sequence[Path], graph: str, seed: int, **settings: Any) -> Iterator[dict[str, Any]]:
    """One row of `COLUMNS` per snapshot of each file, in order.

    `graph` is a name in `tdu.graphs.FAMILIES`, built at the size of each field, or a .npy file of edges (E, 2). `settings` are
    those of `tdu.avalanche`. A ValueError names the file and the snapshot.
    """
    if graph not in FAMILIES and not graph.endswith(".npy"):
        raise ValueError(f"`graph` must be one of {', '.join(FAMILIES)}, or a .npy file of edges, but it is {graph!r}")

    @lru_cache(maxsize=1)
    def of_size(n: int) -> Graph:
        return FAMILIES[graph](n, seed) if graph in FAMILIES else Graph.from_edges(n, read_array(Path(graph)))

    for path in files:
        for index, field in enumerate(read_fields(path)):
            try:
                found = avalanche(field, of_size(field.size), **settings)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}, snapshot {index}: {error}") from None
            row = {"file": str(path), "index": index, "n": field.size}
            yield row | {name: getattr(found, name) for name in COLUMNS if name not in row}
