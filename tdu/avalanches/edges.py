"""What the two ends of an edge have in common: the plain statistics that an avalanche has to earn its place beside."""

import math

import numpy as np

from tdu.avalanches.graphs import Graph
from tdu.avalanches.ranked import by_rank
from tdu.kernels.edges import sums_over_edges
from tdu.types import Fields

#: Names of what `edge_statistics` gives.
EDGE_STATISTICS = ("moran", "moran_z", "concordance", "concordance_z")
_ROUNDING = 1e-12  # of the square of a sum: a variance below is none


def edge_statistics(field: Fields, graph: Graph) -> dict[str, float]:
    """Moran's I of the ranks of |g| and sign concordance, over the edges of the graph of a field (N,), each with its z.

    Returns
    -------
    dict
        ``moran``: I = (N/E) Σ r_i r_j / Σ r_i² over the E edges and the N sites, r the rank of |g| less its mean, equal
        magnitudes having their mean rank. ``concordance``: the share of edges whose ends have equal signs, minus one half; an
        edge with an end at zero counts as half. ``moran_z``, ``concordance_z``: in standard deviations from the mean under all
        permutations of the whole field over the sites. nan where there is no edge, or every permutation gives the same.

    Notes
    -----
    Moments are exact, not drawn (Cliff and Ord 1981, the randomisation assumption): of Γ = Σ x_i x_j over edges, with P pairs
    of edges that share an end and ⟨…⟩ means over distinct sites,

        E Γ = E ⟨ab⟩,    E Γ² = E ⟨a²b²⟩ + 2 P ⟨a²bc⟩ + (E² − E − 2 P) ⟨abcd⟩.

    Examples
    --------
    >>> from tdu.avalanches.edges import edge_statistics
    >>> found = edge_statistics(np.array([1.0, 2.0, -3.0, -4.0]), tdu.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)]))
    >>> {name: round(value, 3) for name, value in found.items()}
    {'moran': 0.333, 'moran_z': 1.581, 'concordance': 0.167, 'concordance_z': 1.225}
    """
    n = len(graph)
    ranks = by_rank(np.abs(field), np.arange(1.0 - n, n, 2.0))  # twice the rank, less its mean: whole numbers
    signs = np.sign(field).astype(np.int8)
    products, agreements = sums_over_edges(graph.begins, graph.targets, ranks, signs)
    n_edges, pairs = _edges_and_pairs(graph)
    squares = ranks * ranks
    spread = float(squares.sum())
    known = n_edges > 0
    of_ranks = (0.0, spread, float((squares * ranks).sum()), float((squares * squares).sum()))
    total, nonzero = float(signs.sum(dtype=np.int64)), float(np.count_nonzero(signs))
    return {
        "moran": n / n_edges * products / spread if known and spread > 0 else math.nan,
        "moran_z": _z(products, n, n_edges, pairs, of_ranks),
        "concordance": agreements / (2 * n_edges) if known else math.nan,
        "concordance_z": _z(agreements, n, n_edges, pairs, (total, nonzero, total, nonzero)),
    }


def _edges_and_pairs(graph: Graph) -> tuple[int, int]:
    """Edges, and unordered pairs of edges that share an end."""
    degree = graph.degree
    return graph.indices.size // 2, int((degree * (degree - 1)).sum()) // 2


def _z(found: float, n: int, n_edges: int, pairs: int, powers: tuple[float, float, float, float]) -> float:
    """Standard deviations of Γ from its mean under permutation, from sums of the first four powers over the sites."""
    mean, sd = permutation_moments(n, n_edges, pairs, powers)
    return (found - mean) / sd if sd > 0 else math.nan


def permutation_moments(n: int, n_edges: int, pairs: int, powers: tuple[float, float, float, float]) -> tuple[float, float]:
    """Mean and standard deviation of Γ under all permutations over n sites, from sums of the first four powers over these.

    nan of fewer than four sites or without edges; the deviation also where all permutations give the same.
    """
    one, two, three, four = powers
    if n < 4 or not n_edges:
        return math.nan, math.nan
    ab = (one**2 - two) / n / (n - 1)
    aabb = (two**2 - four) / n / (n - 1)
    aabc = (two * one**2 - two**2 - 2 * three * one + 2 * four) / n / (n - 1) / (n - 2)
    abcd = (one**4 - 6 * one**2 * two + 3 * two**2 + 8 * one * three - 6 * four) / n / (n - 1) / (n - 2) / (n - 3)
    mean = n_edges * ab
    square = n_edges * aabb + 2 * pairs * aabc + (n_edges * (n_edges - 1) - 2 * pairs) * abcd
    variance = square - mean**2
    return mean, math.sqrt(variance) if variance > _ROUNDING * square else math.nan
