"""Fields in which one thing is planted, known and of a chosen strength, to see what a probe detects.

The strength ρ in [0, 1) is the share that what is planted has of the variance of what it is planted in: values, normal scores
of magnitudes, signs, or log |g|. By ρ correlate the parameters of a unit, or neighbours on a graph, that have it in common. A
unit's parameters are row j of every tensor that has as many rows as the first. Where nothing else is said entries are N(0, 1),
and independent but for what is planted.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tdu import _check
from tdu.avalanches.graphs import Graph
from tdu.errors import InputError
from tdu.rng import normal
from tdu.types import Floats, Integers, Layout

_VARIANCE_OF_LOG = np.pi**2 / 8  # of log |x|, x ~ N(0, 1)
_HEAVY_AT = 1000  # the N at which `heavy-n` has the tail that `heavy` has at every N
_LARGEST, _PRECISE = 0.999, 1e-6  # φ
_MOST_ALONG = 2500  # sites: a matrix of all pairs is diagonalised, and one of edges by modes kept, of 200 MB then


class Ground(NamedTuple):
    """What is planted in: T fields of a layout, N sites each, and the graph that will measure."""

    n_fields: int
    layout: Layout
    graph: Graph | None

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        return self.n_fields, self.layout.n_sites


#: Fields (T, N) with something planted.
Planting = Callable[[np.random.Generator, Ground, float], Floats]


def planted(
    kind: str, layout: Layout, graph: Graph | None, strength: float, rng: np.random.Generator, n_fields: int = 1
) -> Floats:
    """Fields (T, N) in which what `kind` says (`KINDS`) is planted with a `strength` ρ in [0, 1); nothing at 0.

    The graph is the one that ``graph`` is planted along, and no other kind needs it.

    Raises
    ------
    ValueError
        If there is no such kind, ρ is out of range, or layout or graph have not what the kind is about.

    Examples
    --------
    The four parameters of a hidden unit correlate by 0.8 in value:

    >>> from tdu.avalanches.planted import planted, units_of
    >>> layout = tdu.types.Layout.of({"W1": (5000, 2), "b1": (5000,), "W2": (5000,), "b2": (1,)})
    >>> (field,) = planted("units", layout, None, 0.8, np.random.default_rng(0))
    >>> np.corrcoef(field[units_of(layout)].T)[0].round(1).tolist()
    [1.0, 0.8, 0.8, 0.8]
    """
    planting = KINDS[_check.choice(kind, "kind", tuple(KINDS))]
    if _check.real(strength, "strength", 0, 1) == 1:
        raise InputError("`strength` is 1, but what is planted cannot be all that varies: give less")
    if planting in _OF_UNITS and layout.sizes is None:
        raise InputError(
            f"`{kind}` needs the names and shapes of the tensors, but the field is one array of {layout.n_sites} entries"
        )
    return planting(rng, Ground(n_fields, layout, graph), strength)


def units_of(layout: Layout) -> Integers:
    """The sites (U, P) of each unit's parameters: row j of every tensor that has as many rows as the first."""
    sites = list(layout.views(np.arange(layout.n_sites)).values())
    n_units = len(sites[0])
    return np.column_stack([of_tensor.reshape(n_units, -1) for of_tensor in sites if len(of_tensor) == n_units])


def _gaussian(rng: np.random.Generator, of: Ground, _strength: float) -> Floats:
    """Nothing is planted."""
    return normal(rng, of.shape)


def _heavy(rng: np.random.Generator, of: Ground, strength: float) -> Floats:
    """A log-normal factor a site has the share ρ of the variance of log |g|: a heavy tail, the same at every N."""
    return _heavy_tailed(rng, of, _spread_of_factor(strength))


def _heavy_n(rng: np.random.Generator, of: Ground, strength: float) -> Floats:
    """As heavy at N = 1000, and its factor's log times log N / log 1000: a tail that makes a D of independent entries."""
    return _heavy_tailed(rng, of, _spread_of_factor(strength) * math.log(of.layout.n_sites) / math.log(_HEAVY_AT))


def _units(rng: np.random.Generator, of: Ground, strength: float) -> Floats:
    """Entries of a unit correlate by ρ: in their signs too, and by about ρ² in their magnitudes."""
    fields, units = normal(rng, of.shape), units_of(of.layout)
    shared = normal(rng, (of.n_fields, len(units), 1))
    fields[:, units] = np.sqrt(strength) * shared + np.sqrt(1 - strength) * fields[:, units]
    return fields


def _magnitudes(rng: np.random.Generator, of: Ground, strength: float) -> Floats:
    """|g| are the half-normal quantiles of entries that correlate by ρ within a unit; signs are independent."""
    from scipy.special import ndtr, ndtri  # slow to load

    magnitudes = ndtri((1 + ndtr(_units(rng, of, strength))) / 2)
    return np.asarray(np.where(rng.integers(2, size=of.shape, dtype=bool), magnitudes, -magnitudes))


def _signs(rng: np.random.Generator, of: Ground, strength: float) -> Floats:
    """Signs correlate by ρ within a unit: each is the unit's own with probability (1 + ρ^½)/2; magnitudes are independent."""
    fields, units = normal(rng, of.shape), units_of(of.layout)
    of_unit = rng.integers(2, size=(of.n_fields, len(units), 1)) * 2 - 1
    other = rng.random((of.n_fields, *units.shape)) < (1 - np.sqrt(strength)) / 2
    fields[:, units] = abs(fields[:, units]) * np.where(other, -of_unit, of_unit)
    return fields


def _rank_1(rng: np.random.Generator, of: Ground, strength: float) -> Floats:
    """The share ρ of the variance of the units × parameters matrix is the product of a factor a row and one a column."""
    fields, units = normal(rng, of.shape), units_of(of.layout)
    product = normal(rng, (of.n_fields, len(units), 1)) * normal(rng, (of.n_fields, 1, units.shape[1]))
    fields[:, units] = np.sqrt(strength) * product + np.sqrt(1 - strength) * fields[:, units]
    return fields


def _row_scale(rng: np.random.Generator, of: Ground, strength: float) -> Floats:
    """A log-normal factor a unit, by which log |g| correlates by ρ within it; the entries together are no longer normal."""
    fields, units = normal(rng, of.shape), units_of(of.layout)
    fields[:, units] *= np.exp(normal(rng, (of.n_fields, len(units), 1), _spread_of_factor(strength)))
    return fields


def _along_graph(rng: np.random.Generator, of: Ground, strength: float) -> Floats:
    """Neighbours on the graph correlate by ρ, on average over its edges."""
    if of.graph is None:
        raise InputError("`graph` plants along the edges of a graph, but none is given")
    lies_along = mixing(of.graph, strength)
    return normal(rng, of.shape) @ lies_along.T


def _heavy_tailed(rng: np.random.Generator, of: Ground, spread: float) -> Floats:
    return normal(rng, of.shape) * np.exp(normal(rng, of.shape, spread))


def _spread_of_factor(strength: float) -> float:
    """Of the log of a factor that makes up the share ρ of the variance of log |g|."""
    return float(np.sqrt(strength / (1 - strength) * _VARIANCE_OF_LOG))


def mixing(graph: Graph, strength: float) -> Floats:
    """(N, N): the matrix by which independent normal entries become N(0, 1) that correlate by ρ over edges, on average.

    Raises
    ------
    ValueError
        If the graph has more than 2,500 sites, or ρ is more than its edges allow.

    Notes
    -----
    The conditional autoregression (Besag 1974) of a graph of adjacency A and degrees K: normal with covariance (K − φA)⁻¹, each
    site scaled to variance 1. With the eigenvalues λ and vectors Q of K^−½ A K^−½ it is K^−½ Q (1 − φλ)⁻¹ Qᵀ K^−½.
    """
    from scipy.optimize import brentq  # slow to load

    if len(graph) > _MOST_ALONG:
        raise InputError(f"what lies along a graph is planted in at most {_MOST_ALONG} sites, but it has {len(graph)}")
    degree = np.maximum(graph.degree, 1)
    rows = np.repeat(np.arange(len(graph)), graph.degree)
    adjacency = np.zeros((len(graph), len(graph)))
    adjacency[rows, graph.indices] = 1 / np.sqrt(degree[rows] * degree[graph.indices])
    of_modes, modes = np.linalg.eigh(adjacency)
    over_edges, at_sites = modes[rows] * modes[graph.indices], modes**2

    def excess(phi: float) -> float:
        weight = 1 / (1 - phi * of_modes)
        deviation = np.sqrt(at_sites @ weight)
        return float((over_edges @ weight / (deviation[rows] * deviation[graph.indices])).mean()) - strength

    if (most := excess(_LARGEST)) < 0:
        raise InputError(f"`strength` is {strength:g}, but neighbours on this graph correlate by {most + strength:.2f} at most")
    phi = brentq(excess, 0, _LARGEST, xtol=_PRECISE) if excess(0.0) < 0 else 0.0  # at ρ = 0, rounding may be above it
    weight = 1 / (1 - phi * of_modes)
    return np.asarray((modes * np.sqrt(weight)) @ modes.T / np.sqrt(at_sites @ weight)[:, None])


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
_OF_UNITS = (_units, _magnitudes, _signs, _rank_1, _row_scale)
