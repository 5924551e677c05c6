"""Hypothesis strategies: graphs with hubs, isolated sites and regular ones, and fields with ties.

Kernels mark sites in words of 64. A third of the graphs has up to four words, their edges and fields made from a drawn seed,
since drawing hundreds of entries one by one would be most of the time of a test; the others are small, and shrink.
"""

import numpy as np
from hypothesis import strategies as st

import tdu

WORD = 64
_seeds = st.integers(0, 2**32 - 1)


@st.composite
def graphs(draw, max_sites=24, max_large=4 * WORD):
    """Any simple graph, with a hub and isolated sites more often than chance would give."""
    if draw(st.integers(0, 2)) == 2:
        return draw(large_graphs(max_large))
    n = draw(st.integers(1, max_sites))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    edges = set(draw(st.lists(st.sampled_from(pairs), max_size=3 * n))) if pairs else set()
    if n > 1 and draw(st.booleans()):
        edges |= {(0, j) for j in range(1, draw(st.integers(1, n)))}
    if draw(st.booleans()):
        lonely = draw(st.integers(0, n - 1))
        edges = {edge for edge in edges if lonely not in edge}
    return tdu.Graph.from_edges(n, np.array(sorted(edges), int).reshape(-1, 2))


@st.composite
def large_graphs(draw, max_sites=4 * WORD):
    """More than one word of sites, a hub that reaches into every word, and isolated sites."""
    n, rng = draw(st.integers(WORD + 1, max_sites)), np.random.default_rng(draw(_seeds))
    ends = rng.integers(n, size=(draw(st.integers(0, 3 * n)), 2))
    if draw(st.booleans()):
        hub = draw(st.integers(0, n - 1))
        ends = np.concatenate([ends, [(hub, j) for j in rng.permutation(n)[: draw(st.integers(1, n))]]])
    ends = np.unique(np.sort(ends[ends[:, 0] != ends[:, 1]], axis=1), axis=0)
    lonely = rng.permutation(n)[: draw(st.integers(0, 3))]
    return tdu.Graph.from_edges(n, ends[~np.isin(ends, lonely).any(axis=1)])


@st.composite
def dyadic_graphs(draw):
    """Graphs whose degrees are 0 or powers of two, so that shares of dyadic fields are dyadic: pieces side by side.

    Often many copies of the pieces, sites in random order, so that neighbours are in other words.
    """
    edges, n = [], 0
    for kind in draw(st.lists(st.sampled_from(["isolated", "pair", "cycle", "torus", "star"]), min_size=1, max_size=5)):
        if kind == "isolated":
            n += 1
        elif kind == "pair":
            edges += [(n, n + 1)]
            n += 2
        elif kind == "cycle":
            length = draw(st.integers(3, 7))
            edges += [(n + i, n + (i + 1) % length) for i in range(length)]
            n += length
        elif kind == "torus":
            edges += [(n + i, n + (i + step) % 9) for i in range(9) for step in (1, 2)]
            n += 9
        else:
            edges += [(n, n + leaf) for leaf in range(1, 9)]
            n += 9
    ends = np.array(edges, int).reshape(-1, 2)
    if draw(st.integers(0, 2)) == 2:
        copies = -(-draw(st.integers(WORD + 1, 3 * WORD)) // n)
        ends = (ends + n * np.arange(copies)[:, None, None]).reshape(-1, 2)
        n *= copies
        ends = np.random.default_rng(draw(_seeds)).permutation(n)[ends]
    return tdu.Graph.from_edges(n, ends)


def dyadic_fields(n):
    """Multiples of 1/8 with many ties, also at the threshold."""
    if n > WORD:
        return _seeds.map(lambda seed: np.random.default_rng(seed).integers(-40, 41, size=n) / 8)
    return st.lists(st.integers(-40, 40), min_size=n, max_size=n).map(lambda ks: np.array(ks) / 8)


def float_fields(n):
    """Any magnitudes, but none so small that halving it loses bits."""
    if n > WORD:
        return _seeds.map(lambda seed: _heavy(np.random.default_rng(seed), n))
    value = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6)
    return st.lists(value, min_size=n, max_size=n).map(np.array)


def _heavy(rng, n):
    """Entries over several orders of magnitude, a tenth of them zero and a tenth one and the same."""
    field = rng.normal(size=n) * np.exp(3 * rng.normal(size=n))
    kind = rng.random(n)
    field = np.where(kind < 0.1, 0.0, np.where(kind < 0.2, 1.0, field))
    return np.where(np.abs(field) > 1e-6, field, 0.0)


def orders(n):
    """Permutations of n sites, as arrays."""
    if n > WORD:
        return _seeds.map(lambda seed: np.random.default_rng(seed).permutation(n))
    return st.permutations(range(n)).map(lambda order: np.array(order, int))


def neighbours(graph):
    """The rows as lists, for the reference."""
    return [graph.indices[graph.indptr[i] : graph.indptr[i + 1]].tolist() for i in range(len(graph))]
