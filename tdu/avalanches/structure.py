"""Graphs that mean something: sites are neighbours because of what their parameters do, not by chance.

Layers are told by the names of their tensors: ``W1`` and ``b1``, ``0.weight`` and ``0.bias``, ``out_kernel`` and ``out_bias``
have a weight and a bias of one layer, in whatever order they stand. A bias has as many entries as its weight has rows; a weight
(n,) is a matrix of one row, and one of more than two dimensions is (first, all others).
"""

import re
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tdu.avalanches.graphs import Graph
from tdu.errors import InputError
from tdu.types import Indices, Integers, Layout

#: The part of a name that tells a weight or a bias, at its end or before a number.
_KIND = re.compile(r"(?:^|(?<=[./_]))(?:(?P<weight>weight|kernel|w)|(?P<bias>bias|b))(?=[._]?\d*$)", re.IGNORECASE)
_MOST_EDGES = 64  # a site, of `units`: from some 130 parameters a unit on, a clique says no more than its size


class _Layer(NamedTuple):
    """Sites of a layer: `weight` (out, in), and `bias` (out,), or (0,) where there is none."""

    name: str
    weight: Integers
    bias: Integers


def units(layout: Layout) -> Graph:
    """The parameters of each hidden unit of an MLP joined to each other: a clique of its weights in, its bias and weights out.

    Of XOR's network these are W1[j, 0], W1[j, 1], b1[j] and W2[j]; b2 is isolated, as biases of outputs always are. Layers
    follow each other as the numbers in their names say, or else as they stand; a weight between two hidden layers is a
    parameter of both its units.

    Raises
    ------
    ValueError
        If the tensors are not known, there is no hidden layer, a layer does not have as many inputs as that before it outputs,
        or a unit has so many parameters that a clique would tell nothing.

    Examples
    --------
    >>> from tdu.avalanches.structure import units
    >>> units(tdu.types.Layout.of({"W1": (3, 2), "b1": (3,), "W2": (3,), "b2": (1,)})).degree.tolist()
    [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0]
    """
    chain = sorted(_layers(layout, "units"), key=lambda layer: [int(digits) for digits in re.findall(r"\d+", layer.name)])
    if len(chain) < 2:
        raise InputError(f"`units` joins the parameters of hidden units, but the one layer `{chain[0].name}` has none: `rook`")
    for layer, after in pairwise(chain):
        if layer.weight.shape[0] != after.weight.shape[1]:
            raise InputError(
                f"`units` cannot tell the hidden units: `{layer.name}` has {layer.weight.shape[0]} outputs but `{after.name}` "
                f"{after.weight.shape[1]} inputs; it is for the layers of an MLP, `rook` for any tensors"
            )
    cliques = [np.column_stack([a.weight, a.bias.reshape(len(a.weight), -1), b.weight.T]) for a, b in pairwise(chain)]
    pairs = [np.triu_indices(clique.shape[1], 1) for clique in cliques]
    if sum(len(clique) * left.size for clique, (left, _) in zip(cliques, pairs, strict=True)) > _MOST_EDGES * layout.n_sites:
        largest = max(clique.shape[1] for clique in cliques)
        raise InputError(f"`units` would join the {largest} parameters of a hidden unit each to all others: `rook` is sparse")
    edges = [clique[:, np.transpose(pair)].reshape(-1, 2) for clique, pair in zip(cliques, pairs, strict=True)]
    return Graph.from_edges(layout.n_sites, np.concatenate(edges))


def rook(layout: Layout, seed: int = 0) -> Graph:
    """A random cycle through every row and every column of every matrix: degree about 4, whatever the shapes.

    A bias is one more entry of its unit's row, at a random place in the cycle. Two entries have one edge, a single one none.

    Raises
    ------
    ValueError
        If the tensors are not known.

    Examples
    --------
    >>> from tdu.avalanches.structure import rook
    >>> rook(tdu.types.Layout.of({"weight": (8, 5), "bias": (8,)})).degree.tolist()[-10:]
    [4, 4, 2, 2, 2, 2, 2, 2, 2, 2]
    """
    n = layout.n_sites
    rng = np.random.default_rng(seed)
    neighbours = np.full((n, 4), n, np.int32)  # n where there is none
    for _, weight, bias in _layers(layout, "rook"):
        _join(neighbours[:, :2], rng.permuted(np.column_stack([weight, bias]) if bias.size else weight, axis=1))
        _join(neighbours[:, 2:], rng.permuted(weight.T, axis=1))
    neighbours.sort(axis=1)
    known = neighbours < n
    return Graph.of_rows(np.concatenate([[0], np.cumsum(known.sum(axis=1))]), neighbours[known])


def _join(neighbours: Indices, cycles: Integers) -> None:
    """Write the two `neighbours` (N, 2) of each site in `cycles` (C, L), the sites of each in the order of its cycle."""
    if cycles.shape[1] > 1:
        neighbours[cycles, 0] = np.roll(cycles, -1, axis=1)
    if cycles.shape[1] > 2:
        neighbours[cycles, 1] = np.roll(cycles, 1, axis=1)


def _layers(layout: Layout, graph: str) -> list[_Layer]:
    """The layers in the order of their weights; a bias without its weight is a layer of one row."""
    if layout.sizes is None:
        raise InputError(
            f"the graph `{graph}` needs the names and shapes of the tensors, but the field is one array of {layout.n_sites} "
            "entries: give named tensors, or another graph"
        )
    sites = {name: of for name, of in layout.views(np.arange(layout.n_sites)).items() if of.size}
    biases = {_layer_name(name): name for name, of in sites.items() if of.ndim == 1 and _is_bias(name)}
    found, taken = [], set()
    for name, of_tensor in sites.items():
        if name in biases.values():
            continue
        weight = of_tensor.reshape(len(of_tensor), -1) if of_tensor.ndim > 1 else of_tensor.reshape(1, -1)
        bias = biases.get(_layer_name(name), "")
        fits = bias not in taken and bias in sites and sites[bias].shape == weight.shape[:1]
        taken |= {bias} if fits else set()
        found.append(_Layer(name, weight, sites[bias] if fits else sites[name].ravel()[:0]))
    alone = [name for name in biases.values() if name not in taken]
    return found + [_Layer(name, sites[name].reshape(1, -1), sites[name].ravel()[:0]) for name in alone]


def _is_bias(name: str) -> bool:
    kind = _KIND.search(name)
    return kind is not None and kind["bias"] is not None


def _layer_name(name: str) -> str:
    """The name without what tells weight from bias."""
    return _KIND.sub("", name, count=1)
