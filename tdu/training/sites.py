"""Where the parameters of a network sit on graphs: on the one that trains it, and on the one that measures it."""

import numpy as np

from tdu.avalanches.families import FAMILIES
from tdu.avalanches.graphs import Graph
from tdu.config import GRAPHS, MEASURED_ON, SITE_ORDERS, STRUCTURAL_GRAPHS, NetworkConfig, StudyConfig
from tdu.rng import Stage, derived_seed, generator
from tdu.types import Integers, Layout


def graphs(config: StudyConfig | NetworkConfig, layout: Layout, scale: int, replicate: int) -> tuple[Graph, Graph]:
    """The graph that trains the run at (`scale`, `replicate`) and the one that measures it, maybe the same.

    Site p is parameter p of the flat vector, whatever the site order: it is the graph that is laid over the parameters. One
    that is made of them, as `units`, has its place.
    """

    def made(family: str, stage: Stage) -> Graph:
        graph = FAMILIES[family](layout, derived_seed(config.seed, stage, scale, replicate))
        if config.site_order == SITE_ORDERS[0] or family in STRUCTURAL_GRAPHS:
            return graph
        order = site_order(config.site_order, layout, generator(config.seed, Stage.SITE_ORDER, scale, replicate))
        return laid_over(graph, order)

    training = made(GRAPHS[0], Stage.GRAPH)
    own, fresh = MEASURED_ON[:2]
    if config.measured_on == own:
        return training, training
    return training, made(GRAPHS[0] if config.measured_on == fresh else config.measured_on, Stage.MEASURING_GRAPH)


def site_order(name: str, layout: Layout, rng: np.random.Generator) -> Integers:
    """The parameter at each site of a graph, (N,).

    ``layer``: the order of the flat vector. ``reversed``: from its end. For a layout W1 (h, d), b1 (h,), W2 (h,), b2 (1,) also
    ``units``: W1[j, :], b1[j], W2[j] of one hidden unit after the other, then b2; and ``units-permuted``: the order of the flat
    vector with whole units in random order.

    Examples
    --------
    >>> from tdu.models import mlp
    >>> from tdu.training.sites import site_order
    >>> site_order("units", mlp.layout(2), np.random.default_rng(0)).tolist()
    [0, 1, 4, 6, 2, 3, 5, 7, 8]
    >>> site_order("units-permuted", mlp.layout(2), np.random.default_rng(3)).tolist()
    [2, 3, 0, 1, 5, 4, 7, 6, 8]
    """
    flat = np.arange(layout.n_sites)
    if name == "layer":
        return flat
    if name == "reversed":
        return flat[::-1].copy()
    tensors = layout.views(flat)
    of_units = [tensors[name] for name in ("W1", "b1", "W2")]
    if name == "units":
        return np.concatenate([np.column_stack(of_units).ravel(), tensors["b2"]])
    units = rng.permutation(len(tensors["b1"]))
    return np.concatenate([*(tensor[units].ravel() for tensor in of_units), tensors["b2"]])


def laid_over(graph: Graph, order: Integers) -> Graph:
    """`graph` with its site i renamed `order`[i]: on it a field has the avalanche that it has in that order on `graph`.

    Examples
    --------
    >>> from tdu.training.sites import laid_over
    >>> path = tdu.Graph.from_edges(3, [(0, 1), (1, 2)])
    >>> laid_over(path, np.array([1, 0, 2])).degree.tolist()  # the middle of the path is now site 0
    [2, 1, 1]
    """
    n = len(graph)
    entries = np.sort(np.repeat(order, graph.degree) * n + order[graph.indices])
    source, target = np.divmod(entries, n)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=n))])
    return Graph.of_rows(indptr, target.astype(np.int32))
