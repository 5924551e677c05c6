"""Ranks, edge statistics and structural graphs, entry by entry."""

from fractions import Fraction
from itertools import combinations, permutations


def at_ranks(magnitudes, of_rank):
    """What stands at the rank of each magnitude; equal ones share the mean of what stands at theirs."""
    found = []
    for one in magnitudes:
        below = sum(other < one for other in magnitudes)
        equal = sum(other == one for other in magnitudes)
        shared = 0.0
        for k in range(below, below + equal):
            shared = of_rank[k] if k == below else shared + of_rank[k]
        found.append(shared / equal)
    return found


def edges_of(rows):
    """Each edge once, from the lists of neighbours."""
    return [(i, j) for i, row in enumerate(rows) for j in row if i < j]


def sum_over_edges(rows, values):
    """Σ over edges of the products of what their ends have."""
    return sum(values[i] * values[j] for i, j in edges_of(rows))


def sign(value):
    return (value > 0) - (value < 0)


def moran(rows, field):
    """I of the mean ranks of |g|, or None where there is no edge or all ranks are equal."""
    edges, n = edges_of(rows), len(field)
    ranks = at_ranks([abs(one) for one in field], [Fraction(2 * k - n - 1, 2) for k in range(1, n + 1)])
    spread = sum(rank**2 for rank in ranks)
    if not edges or not spread:
        return None
    return Fraction(n, len(edges)) * sum(ranks[i] * ranks[j] for i, j in edges) / spread


def concordance(rows, field):
    """Share of edges with equal signs, those with a zero counting half, minus one half; None where there is no edge."""
    edges = edges_of(rows)
    if not edges:
        return None
    equal = sum(Fraction(1, 2) if field[i] * field[j] == 0 else sign(field[i]) == sign(field[j]) for i, j in edges)
    return equal / len(edges) - Fraction(1, 2)


def z_over_all_permutations(rows, field, statistic):
    """(statistic − mean) / standard deviation over every permutation of the field; None where all are equal."""
    everything = [statistic(rows, order) for order in permutations(field)]
    if None in everything:
        return None
    mean = sum(everything) / len(everything)
    variance = sum((one - mean) ** 2 for one in everything) / len(everything)
    return float(statistic(rows, field) - mean) / float(variance) ** 0.5 if variance else None


def units(hidden, n_inputs):
    """Edges of the MLP d → h → 1 whose flat vector is W1 (h, d), b1 (h), W2 (h), b2."""
    found = set()
    for j in range(hidden):
        inputs = [j * n_inputs + i for i in range(n_inputs)]
        found |= set(combinations([*inputs, hidden * n_inputs + j, hidden * (n_inputs + 1) + j], 2))
    return found
