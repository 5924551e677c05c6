"""Null models: field → field, each destroying one thing and keeping the rest, so that what D measures can be told apart.

Each takes a gradient field (N,), or many (…, N), each treated by itself, and a generator, and returns new fields.
`rewired` alone changes the graph instead.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tdu import _check, _validate
from tdu.avalanches.fields import SYNTHETIC_SCALE
from tdu.avalanches.graphs import Graph
from tdu.errors import InputError, InputTypeError
from tdu.kernels.growth import swap_edges
from tdu.kernels.shuffling import deal, shuffle
from tdu.rng import Stage, generator, normal, normal_at_steps
from tdu.types import Fields, Floats, Integers, Layout, Scalar

#: Edge swaps tried per edge in `rewired`; ten decorrelate a graph from itself (Milo et al., arXiv:cond-mat/0312028).
_SWAPS_PER_EDGE = 10
_SHUFFLED_WHOLE = 1 << 17  # entries that are shuffled as they are
_PILE = 1 << 14  # about so many entries a pile, at most
_MOST_PILES = 1 << 16  # whose numbers have two bytes
_DRAW_BYTES = 8  # of a draw's order or signs, a site
_MOST_KEPT = 1 << 28  # bytes of the draws of a run


def gaussian(gradient: npt.ArrayLike, rng: np.random.Generator) -> Floats:
    """Independent entries from N(0, 0.5²): the paper's only control. Keeps nothing of the field but its shape.

    >>> tdu.nulls.gaussian([1, 2, 3], np.random.default_rng(0)).shape
    (3,)
    """
    return normal(_validate.generator(rng), _fields(gradient).shape, SYNTHETIC_SCALE)


def permuted(gradient: npt.ArrayLike, rng: np.random.Generator) -> Floats:
    """The field's own entries in random order over the sites: keeps the marginal distribution, destroys the arrangement.

    >>> sorted(tdu.nulls.permuted([3, 1, 2], np.random.default_rng(0)).tolist())
    [1.0, 2.0, 3.0]
    """
    return _validate.generator(rng).permuted(_fields(gradient), axis=-1)


def signs(gradient: npt.ArrayLike, rng: np.random.Generator) -> Floats:
    """Random signs on the field's own entries, each where it was: keeps |g|, destroys which shares add up and which cancel.

    >>> abs(tdu.nulls.signs([3, -1, 2], np.random.default_rng(0))).tolist()
    [3.0, 1.0, 2.0]
    """
    fields = _fields(gradient)
    return np.where(_validate.generator(rng).integers(2, size=fields.shape, dtype=bool), fields, -fields)


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

    Examples
    --------
    >>> drawn = tdu.nulls.blocks([1, 2, 30, 40], np.random.default_rng(0), sizes=(2, 2)).tolist()
    >>> sorted(drawn[:2]), sorted(drawn[2:])
    ([1.0, 2.0], [30.0, 40.0])
    """
    fields = _fields(gradient)
    ends = np.cumsum(block_sizes(fields.shape[-1], sizes))[:-1]
    rng = _validate.generator(rng)
    return np.concatenate([rng.permuted(block, axis=-1) for block in np.split(fields, ends, axis=-1)], axis=-1)


def _fields(gradient: npt.ArrayLike) -> Floats:
    fields = _validate.finite(_validate.numeric(gradient, "gradient"), "gradient")
    if fields.ndim < 1 or fields.shape[-1] == 0:
        raise InputError(f"`gradient` has shape {fields.shape}: a field is (N,) with N ≥ 1, and many are (…, N)")
    return fields


def block_sizes(n: int, sizes: Sequence[int] | None = None) -> tuple[int, ...]:
    """The given blocks of N sites, checked."""
    if sizes is None:
        raise InputError(
            f"`gradient` has {n} entries: give `sizes`, the lengths of its layers' weights and biases in order, "
            "as 2h, h, h, 1 for the h hidden units of the XOR network"
        )
    if not isinstance(sizes, Iterable):
        raise InputTypeError(f"`sizes` must be a list of lengths, but it is {sizes!r}")
    checked = tuple(_check.integer(size, "sizes", 0) for size in sizes)
    if sum(checked) != n:
        raise InputError(f"`sizes` add up to {sum(checked)} but `gradient` has {n} entries")
    return checked


def rewired(graph: Graph, seed: int = 0) -> Graph:
    """Another simple graph with the same degree of every site, by swapping the ends of edges, for the field as it is.

    >>> graph = tdu.barabasi_albert(50)
    >>> bool((tdu.nulls.rewired(graph, seed=1).degree == graph.degree).all())
    True
    """
    rng = np.random.default_rng(_check.integer(seed, "seed", 0, _check.LARGEST_SEED))
    owner = np.repeat(np.arange(len(_check.kind(graph, "graph", Graph)), dtype=np.int32), graph.degree)
    indices = graph.indices.copy()
    if indices.size:
        swap_edges(graph.begins, indices, owner, rng.random(_SWAPS_PER_EDGE * indices.size))
    return Graph.of_rows(graph.begins, indices)


class Draw(NamedTuple):
    """One draw of a null for all snapshots of a run: what becomes of fields (T, N) at steps (T,), and the graph they go on."""

    apply: Callable[[Fields, Integers], Fields]
    graph: Graph


@dataclass(frozen=True)
class Null:
    """A null model by name: `prepare(layout, graph, rng)` fixes one draw, whose `apply` is then put to every snapshot.

    A run's own arrangement persists, and so must that of the null: rearranged anew at each snapshot, a draw's mean over time
    would scatter less than the real one, and not be exchangeable with it. `stream` is the number of its random numbers among
    those of a run, never reused, so that what a null draws does not depend on which others are probed. `keeps` says what it
    leaves of the field. `once` makes of one field (N,) what a draw from the same generator would, without keeping the draw, if
    that can be done in less memory.
    """

    name: str
    stream: int
    keeps: str
    prepare: Callable[[Layout, Graph, np.random.Generator], Draw]
    once: Callable[[Fields, Layout, np.random.Generator], Fields] | None = None


def _shuffled(values: npt.NDArray[Scalar], sizes: Sequence[int], rng: np.random.Generator) -> npt.NDArray[Scalar]:
    """`values` (N,) in random order within parts of these sizes, shuffled where they lie."""
    for part in np.split(values, np.cumsum(sizes)[:-1]):
        _shuffle(part, rng)
    return values


def _shuffle(values: npt.NDArray[Scalar], rng: np.random.Generator) -> None:
    """Put `values` (n,) in random order; many are first split at random into piles that fit the cache.

    All orders are as likely (Rao 1961; Sandelius 1962); exchanging entries all over the memory takes several times as long.
    """
    if values.size <= _SHUFFLED_WHOLE:
        rng.permuted(values, out=values)
        return
    n_piles = min(1 << (values.size // _PILE).bit_length(), _MOST_PILES)
    pile = rng.integers(n_piles, size=values.size, dtype=np.uint16)
    counts = np.bincount(pile, minlength=n_piles)
    first = np.cumsum(counts) - counts
    whole = values.astype(np.float64) if values.itemsize < 8 else values  # exact, and of eight bytes as all others
    dealt = np.empty(values.size, np.int64)
    deal(whole.view(np.int64), pile, first.copy(), dealt)
    for one in np.split(dealt, first[1:]):
        shuffle(one, rng.random(max(one.size - 1, 0)))
    values[:] = dealt.view(whole.dtype)


def _permuted(layout: Layout, graph: Graph, rng: np.random.Generator) -> Draw:
    return _reordered((layout.n_sites,), graph, rng)


def _blocks(layout: Layout, graph: Graph, rng: np.random.Generator) -> Draw:
    return _reordered(_sizes_of_tensors(layout, "blocks"), graph, rng)


def _reordered(sizes: Sequence[int], graph: Graph, rng: np.random.Generator) -> Draw:
    order = _shuffled(np.arange(sum(sizes)), sizes, rng)
    return Draw(lambda fields, _: fields[:, order], graph)


def _permuted_once(field: Fields, layout: Layout, rng: np.random.Generator) -> Fields:
    return _shuffled(field.copy(), (layout.n_sites,), rng)


def _blocks_once(field: Fields, layout: Layout, rng: np.random.Generator) -> Fields:
    return _shuffled(field.copy(), _sizes_of_tensors(layout, "blocks"), rng)


def _sizes_of_tensors(layout: Layout, name: str) -> tuple[int, ...]:
    if layout.sizes is None:
        raise InputError(
            f"the null `{name}` needs the names and shapes of the tensors, but the field is one array of {layout.n_sites} "
            "entries: give named tensors, or leave the null out"
        )
    return layout.sizes


def _signs(layout: Layout, graph: Graph, rng: np.random.Generator) -> Draw:
    of_sites = _as_bytes(signs(np.ones(layout.n_sites), rng))
    return Draw(lambda fields, _: fields * of_sites, graph)


def _as_bytes(of_sites: Floats) -> npt.NDArray[np.int8]:
    """Signs in a byte each, by which a field stays in its own precision."""
    return of_sites.astype(np.int8)


def _gaussian(_layout: Layout, graph: Graph, rng: np.random.Generator) -> Draw:
    """Nothing of it can persist: it is drawn anew at each step, by the step's number, so that a run may be cut anywhere."""
    seed = int(rng.integers(2**63))

    return Draw(lambda fields, steps: normal_at_steps(seed, steps, fields.shape[1], SYNTHETIC_SCALE), graph)


def _rewired(_layout: Layout, graph: Graph, rng: np.random.Generator) -> Draw:
    return Draw(lambda fields, _: fields, rewired(graph, int(rng.integers(2**63))))


def _block_signs(layout: Layout, graph: Graph, rng: np.random.Generator) -> Draw:
    """One random sign for each layer's weights and biases: only how layers' signs lie to each other is destroyed."""
    sizes = _sizes_of_tensors(layout, "block-signs")
    of_sites = np.repeat(_as_bytes(signs(np.ones(len(sizes)), rng)), sizes)
    return Draw(lambda fields, _: fields * of_sites, graph)


#: By name. A further null is a function above and a line here.
MODELS: dict[str, Null] = {
    null.name: null
    for null in (
        Null("permuted", 0, "the distribution of the entries", _permuted, _permuted_once),
        Null("blocks", 1, "the distribution of the entries of each layer's weights and biases", _blocks, _blocks_once),
        Null("signs", 2, "every |g|, where it is", _signs),
        Null("gaussian", 3, "nothing but N", _gaussian),
        Null("rewired", 4, "the field, and the degree of every site", _rewired),
        Null("block-signs", 5, "everything but how the signs of layers lie to each other", _block_signs),
    )
}


@dataclass(frozen=True, eq=False)
class Draws:
    """The draws of one null for the run at an `address` (seed, scale, replicate).

    They are made once and `kept`, or where they would fill the memory, again at each use, to the same bits.
    """

    null: Null
    number: int
    layout: Layout
    graph: Graph
    address: tuple[int, int, int]
    kept: tuple[Draw, ...] = ()

    def __iter__(self) -> Iterator[Draw]:
        if self.kept:
            return iter(self.kept)
        rng = self._generator()
        return (self.null.prepare(self.layout, self.graph, rng) for _ in range(self.number))

    def applied(self, fields: Fields, steps: Integers) -> Iterator[tuple[Fields, Graph]]:
        """What becomes of fields (T, N) at steps (T,) under each draw in turn, and the graph they go on."""
        if self.kept or self.null.once is None or len(fields) > 1:
            yield from ((draw.apply(fields, steps), draw.graph) for draw in self)
            return
        rng = self._generator()
        for _ in range(self.number):
            yield self.null.once(fields[0], self.layout, rng)[None], self.graph

    def _generator(self) -> np.random.Generator:
        seed, *run = self.address
        return generator(seed, Stage.NULL, *run, self.null.stream)


def kept_together(draws: int, n_sites: int) -> int:
    """How many draws of a run are in memory at a time: all of them, or one where they would fill it."""
    return draws if _DRAW_BYTES * draws * n_sites <= _MOST_KEPT else 1


def prepared(
    models: Sequence[Null], draws: int, layout: Layout, graph: Graph, address: tuple[int, int, int]
) -> dict[str, Draws]:
    """`draws` of each null for the run at an `address` (seed, scale, replicate); nothing where none are asked for."""
    found = {null.name: Draws(null, draws, layout, graph, address) for null in models if draws > 0}
    if kept_together(draws * len(models), layout.n_sites) < draws * len(models):
        return found
    return {name: replace(of_null, kept=tuple(of_null)) for name, of_null in found.items()}
