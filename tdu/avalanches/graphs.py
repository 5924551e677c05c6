"""Graphs as compressed sparse rows, and their builders; igraph is loaded only by the families that need it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tdu import _check
from tdu.errors import InputError, InputTypeError
from tdu.kernels.growth import adjacency, attach
from tdu.rng import seeded_igraph
from tdu.types import Begins, Indices, Integers

if TYPE_CHECKING:
    import igraph

_UNIFORMS = 1 << 22  # random numbers in memory at a time
_LEAST_REWIRED = 1e-12  # below some 10⁻¹⁸ igraph crashes or does not come back
_END_BYTES, _IGRAPH_BYTES = 20, 100  # that an end of an edge takes at least, in arrays that are sorted and in igraph's list
_ENDS_OF_64_BITS = 1 << 32  # from so many on, rows begin at numbers of 64 bits
_SPARE = 64  # drawn beyond those certain to be used: a choice that was made already is drawn again


@dataclass(frozen=True, eq=False, init=False)
class Graph:
    """An undirected simple graph of N sites and E edges; the arrays are read-only.

    Attributes
    ----------
    indptr : (N+1,) int64; the neighbours of site i are ``indices[indptr[i]:indptr[i + 1]]``, ascending.
    indices : (2E,) int32; every edge stands in the rows of both its ends.
    begins : (N+1,) uint32, or int64 where 2E is 2³² or more: `indptr` as it is held, and as kernels read it.

    Raises
    ------
    TypeError
        If the arrays are not integers.
    ValueError
        If there is no site, the arrays do not fit each other, a row is not a strictly ascending list of other sites, or an
        edge stands in the row of one of its ends only.

    Examples
    --------
    The path 0 – 1 – 2, by the neighbours of each site in turn:

    >>> path = tdu.Graph(indptr=[0, 1, 3, 4], indices=[1, 0, 2, 1])
    >>> len(path), path.degree.tolist()
    (3, [1, 2, 1])
    """

    begins: Begins
    indices: Indices

    def __init__(self, indptr: npt.ArrayLike, indices: npt.ArrayLike) -> None:
        raw, indptr = _integers(indices, "indices"), _integers(indptr, "indptr").astype(np.int64)
        n_sites = indptr.size - 1
        if n_sites < 1:
            raise InputError("a graph needs at least one site")
        _check.graph(n_sites, raw.size / n_sites, _END_BYTES)
        degree = np.diff(indptr)
        if indptr[0] != 0 or (degree < 0).any() or indptr[-1] != raw.size:
            raise InputError(f"`indptr` must rise from 0 to the {raw.size} entries of `indices`, but ends at {indptr[-1]}")
        if raw.size and (raw.min() < 0 or raw.max() >= n_sites):
            raise InputError(f"`indices` must lie in 0 … {n_sites - 1}, but they span {raw.min()} … {raw.max()}")
        ends = raw.astype(np.int32)
        row = np.repeat(np.arange(n_sites, dtype=np.int32), degree)
        if (ends == row).any():
            raise InputError(f"site {row[np.argmax(ends == row)]} is its own neighbour: loops are not allowed")
        falls = (np.diff(ends) <= 0) & (np.diff(row) == 0)
        if falls.any():
            raise InputError(f"the row of site {row[np.argmax(falls)]} is not strictly ascending")
        _refuse_one_way(row, ends)
        self._hold(indptr, ends)

    def _hold(self, indptr: npt.NDArray[np.integer], indices: Indices) -> None:
        begins = indptr.astype(kind_of_begins(indices.size), copy=False)
        for name, array in (("begins", begins), ("indices", indices)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return self.begins.size - 1

    @cached_property
    def indptr(self) -> Integers:
        """(N+1,) int64, where rows begin and end; made when it is first asked for, and kept."""
        indptr = self.begins.astype(np.int64)
        indptr.setflags(write=False)
        return indptr

    @property
    def targets(self) -> npt.NDArray[np.uint32]:
        """`indices` as unsigned numbers, as kernels read them."""
        return self.indices.view(np.uint32)

    @property
    def degree(self) -> Integers:
        """(N,) int64, the number of neighbours of every site."""
        return np.diff(self.begins).astype(np.int64)

    @classmethod
    def from_edges(cls, n: int, edges: npt.ArrayLike) -> "Graph":
        """The graph of `n` sites with the given edges, in any order and direction.

        Parameters
        ----------
        n : number of sites; sites without an edge are isolated, and shed what they topple out of the system.
        edges : (E, 2) integers in 0 … n−1, each edge once.

        Raises
        ------
        TypeError
            If `edges` are not integers.
        ValueError
            For no sites, a wrong shape, a site out of range, a loop, or a repeated edge; the message names the edge.

        Examples
        --------
        >>> path = tdu.Graph.from_edges(4, [(0, 1), (2, 1)])
        >>> path.degree.tolist()
        [1, 2, 1, 0]
        >>> path.indices[path.indptr[1] : path.indptr[2]].tolist()  # the neighbours of site 1
        [0, 2]
        """
        pairs = np.asarray(edges)
        n = _check.graph(_check.integer(n, "n", 1), pairs.size / n, _END_BYTES)
        if pairs.size == 0:
            pairs = np.empty((0, 2), np.int64)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise InputError(f"`edges` must have shape (E, 2), but it is {pairs.shape}")
        if pairs.dtype.kind not in "iu":
            raise InputTypeError(f"`edges` must be integers, but their dtype is {pairs.dtype}")
        outside = ((pairs < 0) | (pairs >= n)).any(axis=1)
        if outside.any():
            raise InputError(f"{_edge(pairs, outside)} is out of range: `graph` has sites 0 … {n - 1}")
        loops = np.asarray(pairs[:, 0] == pairs[:, 1])
        if loops.any():
            raise InputError(f"{_edge(pairs, loops)} is a loop: a site cannot be its own neighbour")
        source = pairs.astype(np.int64).ravel()
        target = pairs.astype(np.int64)[:, ::-1].ravel()
        order = np.argsort(source * n + target, kind="stable")
        source, target = source[order], target[order]
        repeats = (np.diff(source) == 0) & (np.diff(target) == 0)
        if repeats.any():
            at = int(np.argmax(repeats))
            raise InputError(f"edge ({source[at]}, {target[at]}) is repeated: each edge stands once, in either direction")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=n))])
        return cls.of_rows(indptr, target.astype(np.int32))

    @classmethod
    def of_rows(cls, indptr: npt.NDArray[np.integer], indices: Indices) -> "Graph":
        """The graph of adjacency arrays known to be valid: made read-only, and copied only where `indptr` is not as `begins`.

        Examples
        --------
        >>> ring = tdu.ring(6, k=2)
        >>> same = tdu.Graph.of_rows(ring.begins, ring.indices)
        >>> same.indices is ring.indices, same.degree.tolist()
        (True, [2, 2, 2, 2, 2, 2])
        """
        graph = object.__new__(cls)
        graph._hold(indptr, indices)
        return graph


def kind_of_begins(n_ends: int) -> type[np.uint32] | type[np.int64]:
    """The type of `Graph.begins` for 2E ends of edges: of 32 bits where it can be, of which a large avalanche reads less."""
    return np.uint32 if n_ends < _ENDS_OF_64_BITS else np.int64


def _integers(values: npt.ArrayLike, name: str) -> npt.NDArray[np.integer]:
    """`values` as a vector of integers; the caller copies it, since even a read-only array may be a view of another."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"`{name}` must have one dimension, but its shape is {array.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise InputTypeError(f"`{name}` must be integers, but their dtype is {array.dtype}")
    return array


def _refuse_one_way(row: Indices, indices: Indices) -> None:
    """An error names an edge that stands in the row of one of its ends only; rows are ascending."""
    back = np.argsort(indices, kind="stable")  # with both arrays swapped, the edges in the order in which they stand
    if np.array_equal(indices[back], row) and np.array_equal(row[back], indices):
        return
    there = set(zip(row.tolist(), indices.tolist(), strict=True))
    i, j = next((i, j) for i, j in sorted(there) if (j, i) not in there)
    raise InputError(f"site {i} has {j} as a neighbour, but {j} has not {i}: every edge stands in the rows of both its ends")


def _edge(pairs: npt.NDArray[np.integer], bad: npt.ArrayLike) -> str:
    at = int(np.argmax(bad))
    return f"edge {at} = ({pairs[at, 0]}, {pairs[at, 1]})"


def _from_igraph(graph: "igraph.Graph") -> Graph:
    return Graph.from_edges(graph.vcount(), np.array(graph.get_edgelist(), np.int64).reshape(-1, 2))


def barabasi_albert(n: int, m: int = 2, seed: int = 0) -> Graph:
    """Scale-free graph by preferential attachment: each new site brings `m` edges to sites chosen in proportion to degree.

    Pure Barabási–Albert attachment, ∝ k (igraph's ``zero_appeal=0``; its default is ∝ k + 1), by a kernel of our own: the same
    graphs as igraph's in distribution, some thirty times as fast. The first m + 1 sites are all joined: E = m n − m (m + 1)/2.

    Raises
    ------
    ValueError
        If `n` does not exceed `m`, or `m` < 1.

    Examples
    --------
    >>> graph = tdu.barabasi_albert(1000, m=2, seed=1)
    >>> len(graph), int(graph.degree.min()), int(graph.degree.sum()) // 2
    (1000, 2, 1997)
    """
    m, n = _check.integer(m, "m", 1), _check.integer(n, "n", 1)
    if n <= m:
        raise InputError(f"`n` must exceed `m`: {n} sites cannot each bring {m} edges to others")
    _check.graph(n, 2 * m, 2)
    rng = np.random.default_rng(_check.integer(seed, "seed", 0, _check.LARGEST_SEED))
    targets = np.empty((n, m), np.int32)
    reached = 0
    while reached < n:
        reached = attach(targets, reached, rng.random(min((n - reached) * m + _SPARE, _UNIFORMS)))
    indices = np.empty(2 * m * n - m * (m + 1), np.int32)
    begins = np.empty(n + 1, kind_of_begins(indices.size))
    adjacency(targets, begins, indices)
    return Graph.of_rows(begins, indices)


def ring(n: int, k: int = 4) -> Graph:
    """Ring of `n` sites, each joined to its `k` nearest (k even, k < n).

    Examples
    --------
    >>> tdu.ring(6, k=2).indices.reshape(6, 2).tolist()
    [[1, 5], [0, 2], [1, 3], [2, 4], [3, 5], [0, 4]]
    """
    n, k = _lattice_size(n, k, 10)
    offsets = np.concatenate([np.arange(-(k // 2), 0), np.arange(1, k // 2 + 1)])
    neighbours = (np.arange(n)[:, None] + offsets) % n
    edge = k // 2  # only rows of sites this close to the seam wrap around, and need sorting
    for rows in (neighbours[:edge], neighbours[n - edge :]):
        rows.sort(axis=1)
    return Graph.of_rows(np.arange(0, n * k + 1, k), neighbours.astype(np.int32).ravel())


def small_world(n: int, k: int = 4, p: float = 0.05, seed: int = 0) -> Graph:
    """Watts–Strogatz small world: the ring of `n` sites with `k` neighbours, each edge rewired with probability `p`.

    igraph's variant: a rewired edge moves with both its ends, so that p = 1 gives a random graph; the graph stays simple.

    Raises
    ------
    ValueError
        If `k` is odd or not below `n`, `p` is outside [0, 1], or 0 < p < 10⁻¹², where igraph may crash and the ring remains.

    Examples
    --------
    >>> graph = tdu.small_world(1000, k=4, p=0.05, seed=1)
    >>> float(graph.degree.mean()), bool((graph.degree == 4).all())
    (4.0, False)
    """
    n, k = _lattice_size(n, k, _IGRAPH_BYTES)
    p = _check.real(p, "p", 0, 1)
    if 0 < p < _LEAST_REWIRED:
        raise InputError(f"`p` must be 0 or at least {_LEAST_REWIRED:g}, but it is {p:g}: that is the ring")
    import igraph

    with seeded_igraph(seed):
        return _from_igraph(igraph.Graph.Watts_Strogatz(dim=1, size=n, nei=k // 2, p=p))


def random_graph(n: int, mean_degree: float = 4, seed: int = 0) -> Graph:
    """Erdős–Rényi graph G(n, E) with E = n `mean_degree` / 2 rounded; sites may be isolated.

    Examples
    --------
    >>> float(tdu.random_graph(1000, mean_degree=4, seed=1).degree.mean())
    4.0
    """
    n = _check.integer(n, "n", 1)
    mean_degree = _check.real(mean_degree, "mean_degree", 0, n - 1)
    _check.graph(n, mean_degree, _IGRAPH_BYTES)
    import igraph

    with seeded_igraph(seed):
        return _from_igraph(igraph.Graph.Erdos_Renyi(n=n, m=round(n * mean_degree / 2)))


def _lattice_size(n: int, k: int, end_bytes: int) -> tuple[int, int]:
    n, k = _check.integer(n, "n", 1), _check.integer(k, "k", 2)
    if k % 2:
        raise InputError(f"`k` must be even, half to each side, but it is {k}")
    if n <= k:
        raise InputError(f"`n` must exceed `k`: {n} sites cannot have {k} neighbours each")
    return _check.graph(n, k, end_bytes), k
