"""Null models: field → field, each destroying one thing and keeping the rest, so that what D measures can be told apart.

Each takes a gradient field (N,), or many (…, N), each treated by itself, and a generator, and returns new fields.
`rewired` alone changes the graph instead.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tdu import _validate
from tdu.avalanches.fields import SYNTHETIC_SCALE
from tdu.avalanches.graphs import Graph
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
    sizes : lengths of the blocks, in order, summing to N. N alone does not tell them, so that they must be given.

    Raises
    ------
    ValueError
        If no blocks are given, or if they do not add up to the field.
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
    """The given blocks of N sites, checked."""
    if sizes is None:
        raise ValueError(
            f"`gradient` has {n} entries: give `sizes`, the lengths of its layers' weights and biases in order, "
            "as 2h, h, h, 1 for the h hidden units of the XOR network"
        )
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


def arrangement(
    name: str, n_sites: int, rng: np.random.Generator, sizes: Sequence[int] | None = None
) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    """One draw of the field null `name`, to be put to every snapshot (N,), or many (…, N), of one run.

    A run's own arrangement persists, and so must that of the null: rearranged anew at each snapshot, a draw's mean over time
    would scatter less than the real one, and not be exchangeable with it. Only `gaussian`, of which nothing can persist, is
    drawn anew at each call. `sizes` are the lengths of the `blocks`.
    """
    if name == "gaussian":
        return lambda fields: gaussian(fields, rng)
    if name == "signs":
        of_sites = signs(np.ones(n_sites), rng)
        return lambda fields: fields * of_sites
    order = permuted(np.arange(n_sites), rng) if name == "permuted" else blocks(np.arange(n_sites), rng, sizes)
    return lambda fields: fields[..., order.astype(np.int64)]
