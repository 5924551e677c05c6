"""Graphs from arrays that are not one, and families at the edge of their parameters."""

import numpy as np
import pytest

import tdu

INDPTR, INDICES = [0, 2, 3, 4], [1, 2, 0, 0]


def test_a_graph_over_a_read_only_view_does_not_change_with_what_it_views():
    """A neighbour that is no site would be read past the end of every array of the kernel."""
    indptr, indices = np.array(INDPTR), np.array(INDICES, np.int32)
    views = [array.view() for array in (indptr, indices)]
    for view in views:
        view.setflags(write=False)
    graph = tdu.Graph(*views)
    before = tdu.avalanche([1.0, 0.0, 0.0], graph, threshold=0.5)
    indptr[1], indices[:] = 1 << 40, 1 << 30
    assert graph.indptr.tolist() == INDPTR
    assert graph.indices.tolist() == INDICES
    after = tdu.avalanche([1.0, 0.0, 0.0], graph, threshold=0.5)
    assert (after.size, after.gradient.tolist()) == (before.size, before.gradient.tolist())


@pytest.mark.parametrize(
    ("indptr", "indices", "message"),
    [
        ([0, 1, 1], [1], "site 0 has 1 as a neighbour, but 1 has not 0"),
        ([0, 2, 3, 4, 4], [1, 2, 0, 3], "site 0 has 2 as a neighbour, but 2 has not 0"),
        ([0, 1, 2, 3], [1, 2, 0], "site 0 has 1 as a neighbour, but 1 has not 0"),  # as many ends to and from each site
    ],
)
def test_an_edge_in_the_row_of_one_end_only_is_named(indptr, indices, message):
    with pytest.raises(tdu.InputError, match=message):
        tdu.Graph(indptr, indices)


@pytest.mark.parametrize(
    ("indptr", "indices", "message"),
    [
        ([0.0, 1.0, 2.0], [1, 0], "`indptr` must be integers, but their dtype is float64"),
        ([0, 1, 2], [1.0, np.nan], "`indices` must be integers, but their dtype is float64"),
        ([0, 1, 2], [10**400, 0], "`indices` must be integers, but their dtype is object"),
        ([[0, 1, 2]], [1, 0], r"`indptr` must have one dimension, but its shape is \(1, 3\)"),
        ([0, 1, 2], [[1], [0]], "`indices` must have one dimension"),
        (np.array([0, 1, 2**63], np.uint64), [1, 0], "`indptr` must rise from 0"),
    ],
)
def test_arrays_that_are_no_lists_of_sites_are_named(indptr, indices, message):
    with pytest.raises(tdu.InputError, match=message):
        tdu.Graph(np.array(indptr), np.array(indices))


@pytest.mark.parametrize("p", [1e-300, 1e-20, 1e-13, 5e-324])
def test_a_probability_at_which_igraph_crashes_or_hangs_is_refused(p):
    for n in (14, 2001):
        with pytest.raises(tdu.InputError, match=f"`p` must be 0 or at least 1e-12, but it is {p:g}: that is the ring"):
            tdu.small_world(n, 4, p)


def test_the_least_probability_of_rewiring_gives_the_ring():
    for n in (14, 2001):
        assert tdu.small_world(n, 4, 1e-12, seed=n).indices.tolist() == tdu.ring(n, 4).indices.tolist()
