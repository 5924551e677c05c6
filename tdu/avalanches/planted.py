"""Fields in which one thing is planted, known and of a chosen strength, to see what a probe detects.

Each takes the layout of the tensors, the graph that will measure, the strength ρ, and a generator, and gives a field (N,).
Where nothing else is said entries are N(0, 1), and independent but for what is planted.
"""

import math
from collections.abc import Callable

import numpy as np

from tdu import _check
from tdu.avalanches.graphs import Graph
from tdu.avalanches.structure import hidden_units, layers_of
from tdu.rng import normal
from tdu.types import Floats, Layout

_HEAVY_AT = 1000  # the N of which `heavy` has the tail at every N, and `heavy-n` at this one

Planting = Callable[[Layout, Graph, float, np.random.Generator], Floats]


def planted(kind: str, layout: Layout, graph: Graph, strength: float, rng: np.random.Generator) -> Floats:
    """A field (N,) in which what `kind` says (`KINDS`) is planted with a `strength` ρ in [0, 1]; nothing at 0.

    Raises
    ------
    ValueError
        If there is no such kind, ρ is out of range, or the layout has not what the kind is about.

    Examples
    --------
    The four parameters of a hidden unit correlate by 0.8 in value:

    >>> from tdu.avalanches.planted import planted
    >>> from tdu.avalanches.structure import hidden_units
    >>> layout = tdu.types.Layout.of({"W1": (5000, 2), "b1": (5000,), "W2": (5000,), "b2": (1,)})
    >>> field = planted("units", layout, tdu.ring(20001), 0.8, np.random.default_rng(0))
    >>> np.corrcoef(field[hidden_units(layout)[0]].T)[0].round(1).tolist()
    [1.0, 0.8, 0.8, 0.8]
    """
    planting = KINDS[_check.choice(kind, "kind", tuple(KINDS))]
    return planting(layout, graph, _check.real(strength, "strength", 0, 1), rng)


def _gaussian(layout: Layout, _graph: Graph, _strength: float, rng: np.random.Generator) -> Floats:
    """Nothing is planted."""
    return normal(rng, layout.n_sites)


def _heavy(layout: Layout, _graph: Graph, strength: float, rng: np.random.Generator) -> Floats:
    """N(0, 1) times exp(ρ log 1000 · N(0, 1)): a heavy tail, the same at every N."""
    return _heavy_tailed(layout, strength * math.log(_HEAVY_AT), rng)


def _heavy_n(layout: Layout, _graph: Graph, strength: float, rng: np.random.Generator) -> Floats:
    """N(0, 1) times exp(ρ log N · N(0, 1)): a tail that becomes heavier with N, which makes a D of independent entries."""
    return _heavy_tailed(layout, strength * math.log(layout.n_sites), rng)


def _units(layout: Layout, _graph: Graph, strength: float, rng: np.random.Generator) -> Floats:
    """The parameters of a hidden unit correlate by ρ."""
    common, n_units = np.zeros(layout.n_sites), np.zeros(layout.n_sites)
    for sites in hidden_units(layout):
        common[sites] += normal(rng, len(sites))[:, None]
        n_units[sites] += 1
    return _mixed(common, n_units, strength, rng)


def _magnitudes(layout: Layout, graph: Graph, strength: float, rng: np.random.Generator) -> Floats:
    """Magnitudes of a field whose units correlate by ρ, with independent signs."""
    return np.copysign(_units(layout, graph, strength, rng), rng.random(layout.n_sites) - 0.5)


def _signs(layout: Layout, graph: Graph, strength: float, rng: np.random.Generator) -> Floats:
    """Signs of a field whose units correlate by ρ, with independent magnitudes."""
    return np.copysign(normal(rng, layout.n_sites), _units(layout, graph, strength, rng))


def _along_graph(layout: Layout, graph: Graph, strength: float, rng: np.random.Generator) -> Floats:
    """Neighbours i and j on the measuring graph correlate by ρ/√(k_i k_j): each edge gives both its ends the same."""
    site = np.repeat(np.arange(len(graph)), graph.degree)
    once = site < graph.indices
    ends = np.concatenate([site[once], graph.indices[once]])
    common = np.bincount(ends, np.tile(normal(rng, len(ends) // 2), 2), len(graph))
    return _mixed(common.astype(np.float64), graph.degree.astype(np.float64), strength, rng)


def _rank_1(layout: Layout, _graph: Graph, strength: float, rng: np.random.Generator) -> Floats:
    """Each matrix is √ρ a bᵀ + √(1 − ρ) X, of vectors and a matrix of N(0, 1); what is no matrix is N(0, 1)."""
    field = normal(rng, layout.n_sites)
    for _, weight, _ in layers_of(layout, "rank-1"):
        if min(weight.shape) > 1:
            rows, columns = (normal(rng, n) for n in weight.shape)
            field[weight] = math.sqrt(strength) * np.outer(rows, columns) + math.sqrt(1 - strength) * field[weight]
    return field


def _row_scale(layout: Layout, _graph: Graph, strength: float, rng: np.random.Generator) -> Floats:
    """Each row of a weight, with its bias, is N(0, 1) times one exp(ρ N(0, 1))."""
    field = normal(rng, layout.n_sites)
    for _, weight, bias in layers_of(layout, "row-scale"):
        scale = np.exp(strength * normal(rng, len(weight)))
        field[weight] *= scale[:, None]
        field[bias] *= scale[: bias.size]
    return field


def _heavy_tailed(layout: Layout, spread: float, rng: np.random.Generator) -> Floats:
    return normal(rng, layout.n_sites) * np.exp(spread * normal(rng, layout.n_sites))


def _mixed(common: Floats, n_common: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """√ρ of what sites have in common, sums of `n_common` normal numbers, and √(1 − ρ) of their own; N(0, 1) all."""
    own = normal(rng, common.size)
    share = np.where(n_common > 0, strength, 0.0)
    return np.asarray(np.sqrt(share / np.maximum(n_common, 1)) * common + np.sqrt(1 - share) * own)


#: By the names the command line gives them.
KINDS: dict[str, Planting] = {
    "gaussian": _gaussian,
    "heavy": _heavy,
    "heavy-n": _heavy_n,
    "units": _units,
    "magnitudes": _magnitudes,
    "signs": _signs,
    "graph": _along_graph,
    "rank-1": _rank_1,
    "row-scale": _row_scale,
}
