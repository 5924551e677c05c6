"""Null models: field → field, each destroying one thing and keeping the rest, so that what D measures can be told apart.

Each takes a gradient field (N,), or many (…, N), each treated by itself, and a generator, and returns new fields.
`rewired` alone changes the graph instead.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tdu import _validate
from tdu.fields import SYNTHETIC_SCALE
from tdu.graphs import Graph
from tdu.kernels.growth import swap_edges
from tdu.types import Floats

#: Edge swaps tried per edge in `rewired`; ten decorrelate a graph from itself (Milo et al., arXiv:cond-mat/0312028).
_SWAPS_PER_EDGE = 10


def gaussian(gradient: npt.ArrayLike, rng: np.random.Generator) -> Floats:
    """Independent entries from N(0, 0.5²): the paper's only control. Keeps nothing of the field but its shape."""
    return rng.normal(0.0, SYNTHETIC_SCALE, _fields(gradient).shape)


def permuted(gradient: npt.ArrayLike, rng: np.random.Generator) -> Floats:
    """The field's own entries in random order over the sites: keeps the marginal distribution, destroys the arrangement."""
    return rng.permuted(_fields(gradient), axis=-1)


def signs(gradient: npt.ArrayLike, rng: np.random.Generator) -> Floats:
    """Random signs on the field's own entries, each where it was: keeps |g|, destroys which shares add up and which cancel."""
    fields = _fields(gradient)
    return np.where(rng.integers(2, size=fields.shape, dtype=bool), fields, -fields)


def blocks(gradient: npt.ArrayLike, rng: np.random.Generator, sizes: Sequence[int] | None = None) -> Floats:
    """The entries in random order within each layer's weights and biases: keeps the layer structure, destroys the rest.

    Parameters
    ----------
    gradient : (N,) field, or (…, N) many.
    rng : generator.
    sizes : lengths of the blocks, in order, summing to N; None: those of the XOR network of N = 4h + 1 parameters.

    Raises
    ------
    ValueError
        If the blocks do not add up to the field, or none are given and N is not 4h + 1.
    """
    fields = _fields(gradient)
    ends = np.cumsum(block_sizes(fields.shape[-1], sizes))[:-1]
    return np.concatenate([rng.permuted(block, axis=-1) for block in np.split(fields, ends, axis=-1)], axis=-1)


def _fields(gradient: npt.ArrayLike) -> Floats:
    fields = _validate.finite(_validate.numeric(gradient, "gradient"), "gradient")
    if fields.ndim < 1 or fields.shape[-1] == 0:
        raise ValueError(f"`gradient` has shape {fields.shape}: a field is (N,) with N ≥ 1, and many are (…, N)")
    return fields


def block_sizes(n: int, sizes: Sequence[int] | None = None) -> tuple[int, ...]:
    """The given blocks of N sites, checked, or those of the XOR network: W1 (2h), b1 (h), W2 (h), b2 (1)."""
    if sizes is None:
        hidden, rest = divmod(n - 1, 4)
        if rest or hidden < 1:
            raise ValueError(f"`gradient` has {n} entries, which is not 4h + 1: give `sizes`, the lengths of its blocks")
        return 2 * hidden, hidden, hidden, 1
    checked = tuple(_validate.integer(size, "sizes", 0) for size in sizes)
    if sum(checked) != n:
        raise ValueError(f"`sizes` add up to {sum(checked)} but `gradient` has {n} entries")
    return checked


def rewired(graph: Graph, seed: int = 0) -> Graph:
    """Another simple graph with the same degree of every site, by swapping the ends of edges, for the field as it is."""
    rng = np.random.default_rng(_validate.integer(seed, "seed", 0, _validate.LARGEST_SEED))
    owner = np.repeat(np.arange(len(graph), dtype=np.int32), graph.degree)
    indices = graph.indices.copy()
    if indices.size:
        swap_edges(graph.indptr, indices, owner, rng.random(_SWAPS_PER_EDGE * indices.size))
    return Graph.of_rows(graph.indptr, indices)


#: The nulls that change the field, by name.
FIELD_NULLS: dict[str, Callable[[npt.ArrayLike, np.random.Generator], Floats]] = {
    "permuted": permuted,
    "blocks": blocks,
    "signs": signs,
    "gaussian": gaussian,
}
