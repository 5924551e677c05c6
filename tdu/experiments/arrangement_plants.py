"""Fields whose arrangement is known, for trying probes on: independent normal entries, and one thing planted.

The strength ρ of each is a correlation of what is planted, of |g| or of signs alone too, so that they can stand side by side;
entries are N(0, 1) unless it is said otherwise. Many fields are made at once, as a power needs thousands.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from tdu.avalanches.graphs import Graph
from tdu.rng import normal
from tdu.types import Floats, Integers, Layout

#: Fields (T, N) of a strength, given the sites (U, P) of every unit.
Plant = Callable[[np.random.Generator, int, int, float, Integers], Floats]

_VARIANCE_OF_LOG = np.pi**2 / 8  # of log |x|, x ~ N(0, 1)
_LARGEST, _PRECISE = 0.999, 1e-6  # φ


def units_of(layout: Layout) -> Integers:
    """The sites (U, P) of each unit's parameters: row j of every tensor that has as many rows as the first."""
    sites = list(layout.views(np.arange(layout.n_sites)).values())
    n_units = len(sites[0])
    return np.column_stack([of_tensor.reshape(n_units, -1) for of_tensor in sites if len(of_tensor) == n_units])


def nothing(rng: np.random.Generator, n_fields: int, n_sites: int, strength: float, units: Integers) -> Floats:
    """Independent entries, whatever the strength."""
    return normal(rng, (n_fields, n_sites))


def values(rng: np.random.Generator, n_fields: int, n_sites: int, strength: float, units: Integers) -> Floats:
    """Entries of a unit correlate by ρ: in their signs, and by about ρ² in their magnitudes."""
    fields = normal(rng, (n_fields, n_sites))
    shared = normal(rng, (n_fields, len(units), 1))
    fields[:, units] = np.sqrt(strength) * shared + np.sqrt(1 - strength) * fields[:, units]
    return fields


def magnitudes(rng: np.random.Generator, n_fields: int, n_sites: int, strength: float, units: Integers) -> Floats:
    """|g| are the half-normal quantiles of entries that correlate by ρ within a unit; signs are independent."""
    of_rank = ndtri((1 + ndtr(values(rng, n_fields, n_sites, strength, units))) / 2)
    return _signed(rng, of_rank)


def signs(rng: np.random.Generator, n_fields: int, n_sites: int, strength: float, units: Integers) -> Floats:
    """Signs correlate by ρ within a unit: each is the unit's own with probability (1 + ρ^½)/2; magnitudes are independent."""
    fields = normal(rng, (n_fields, n_sites))
    of_unit = rng.integers(2, size=(n_fields, len(units), 1)) * 2 - 1
    other = rng.random((n_fields, *units.shape)) < (1 - np.sqrt(strength)) / 2
    fields[:, units] = abs(fields[:, units]) * np.where(other, -of_unit, of_unit)
    return fields


def rank_one(rng: np.random.Generator, n_fields: int, n_sites: int, strength: float, units: Integers) -> Floats:
    """The share ρ of the variance of the units × parameters matrix is the product of a factor a row and one a column."""
    fields = normal(rng, (n_fields, n_sites))
    product = normal(rng, (n_fields, len(units), 1)) * normal(rng, (n_fields, 1, units.shape[1]))
    fields[:, units] = np.sqrt(strength) * product + np.sqrt(1 - strength) * fields[:, units]
    return fields


def row_scale(rng: np.random.Generator, n_fields: int, n_sites: int, strength: float, units: Integers) -> Floats:
    """A log-normal factor a row, by which log |g| correlates by ρ within it; the entries together are no longer normal."""
    fields = normal(rng, (n_fields, n_sites))
    spread = np.sqrt(strength / (1 - strength) * _VARIANCE_OF_LOG)
    fields[:, units] *= np.exp(normal(rng, (n_fields, len(units), 1), spread))
    return fields


def _signed(rng: np.random.Generator, fields: Floats) -> Floats:
    return np.where(rng.integers(2, size=fields.shape, dtype=bool), fields, -fields)


def mixing(graph: Graph, strength: float) -> Floats:
    """(N, N): the matrix by which independent normal entries become N(0, 1) that correlate by ρ over edges, on average.

    Notes
    -----
    The conditional autoregression (Besag 1974) of a graph of adjacency A and degrees K: normal with covariance (K − φA)⁻¹, each
    site scaled to variance 1. With the eigenvalues λ and vectors Q of K^−½ A K^−½ it is K^−½ Q (1 − φλ)⁻¹ Qᵀ K^−½.
    """
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

    phi = brentq(excess, 0, _LARGEST, xtol=_PRECISE)
    weight = 1 / (1 - phi * of_modes)
    return np.asarray((modes * np.sqrt(weight)) @ modes.T / np.sqrt(at_sites @ weight)[:, None])


#: By name.
PLANTS: dict[str, Plant] = {
    "nothing": nothing,
    "values": values,
    "magnitudes": magnitudes,
    "signs": signs,
    "rank 1": rank_one,
    "row scale": row_scale,
}
