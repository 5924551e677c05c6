"""Families of graphs by name: what measures a field, given the layout of its tensors."""

from collections.abc import Callable

from tdu.avalanches.graphs import Graph, barabasi_albert, random_graph, ring, small_world
from tdu.avalanches.structure import rook, units
from tdu.types import Layout

#: By the names the command line gives them, each a function of (layout, seed). The first four have mean degree 4 and know
#: nothing of the layout but N; neighbours in the last two have to do with each other.
FAMILIES: dict[str, Callable[[Layout, int], Graph]] = {
    "ba": lambda layout, seed: barabasi_albert(layout.n_sites, seed=seed),
    "ring": lambda layout, _: ring(layout.n_sites),
    "small-world": lambda layout, seed: small_world(layout.n_sites, seed=seed),
    "random": lambda layout, seed: random_graph(layout.n_sites, seed=seed),
    "units": lambda layout, _: units(layout),
    "rook": rook,
}
