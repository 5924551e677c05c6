"""Hypothesis strategies: graphs with hubs, isolated sites and regular ones, and fields with ties."""

import numpy as np
from hypothesis import strategies as st

import tdu


@st.composite
def graphs(draw, max_sites=24):
    """Any simple graph, with a hub and isolated sites more often than chance would give."""
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
def dyadic_graphs(draw):
    """Graphs whose degrees are 0 or powers of two, so that shares of dyadic fields are dyadic: pieces side by side."""
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
    return tdu.Graph.from_edges(n, np.array(edges, int).reshape(-1, 2))


def dyadic_fields(n):
    """Multiples of 1/8 with many ties, also at the threshold."""
    return st.lists(st.integers(-40, 40), min_size=n, max_size=n).map(lambda ks: np.array(ks) / 8)


def float_fields(n):
    """Any magnitudes, but none so small that halving it loses bits."""
    value = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6)
    return st.lists(value, min_size=n, max_size=n).map(np.array)


def neighbours(graph):
    """The rows as lists, for the reference."""
    return [graph.indices[graph.indptr[i] : graph.indptr[i + 1]].tolist() for i in range(len(graph))]
