"""What is measured of a field's arrangement: the avalanche against its nulls, and what the ends of edges have in common."""

import numpy as np

from tdu.avalanches.edges import edge_statistics
from tdu.avalanches.graphs import Graph
from tdu.avalanches.run_probe import RunProbe
from tdu.logs.amplitude import amplitude
from tdu.types import Fields, Floats

#: Sums over edges: z of Moran's I of the ranks of |g|, z of the sign concordance, and Moran's I of the values themselves.
OVER_EDGES = ("Moran", "concordance", "values")


def epsilon(of_run: RunProbe, fields: Fields, null: str = "blocks") -> Floats:
    """(T,): log of the avalanche's size less the mean log over the draws of a null."""
    under = of_run.sizes_under(of_run.draws[null], fields, np.arange(len(fields)))
    return amplitude(of_run.sizes(fields), under).epsilon


def over_edges(by_rank: Floats, graph: Graph, *, standardised: bool = True) -> dict[str, Floats]:
    """Each of `OVER_EDGES` (T,) of fields (T, N); not `standardised`, I and the concordance themselves."""
    ending = "_z" if standardised else ""
    found = [edge_statistics(field, graph) for field in by_rank]
    named = {name: np.array([one[name.lower() + ending] for one in found]) for name in OVER_EDGES[:2]}
    return named | {OVER_EDGES[2]: _of_values(by_rank, graph)}


def _of_values(fields: Floats, graph: Graph) -> Floats:
    """Moran's I (T,) of fields (T, N) about zero, (N/E) Σ g_i g_j over edges / Σ g_i²: it sees signs where |g| is large."""
    owner = np.repeat(np.arange(len(graph)), graph.degree)
    products = np.array([field[owner] @ field[graph.indices] for field in fields]) / len(owner)
    return np.asarray(products / (fields**2).mean(axis=1))
