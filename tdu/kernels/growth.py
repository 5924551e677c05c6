"""Preferential attachment straight into adjacency arrays, without an edge list in between."""

import numpy as np

from tdu._jit import kernel


@kernel
def attach(targets, first, uniforms):
    """Attach the sites from `first` on to older ones until `uniforms` run out; return the first site still to be attached.

    `targets` (n, m) int32 is filled from row `first`; site v brings min(v, m) edges, and −1 stands for no edge. Every end of an
    edge is equally likely, which is attachment in proportion to degree: a uniform number picks a site below v, one of its
    edges, and one of the edge's two ends. It is drawn again where that site has been chosen already or there is no such edge.
    A site for which the numbers do not suffice begins anew with the next ones.
    """
    n, m = targets.shape
    drawn = 0
    for v in range(first, n):
        chosen = 0
        while chosen < min(v, m):
            if v <= m:
                candidate = chosen  # all older sites
            else:
                if drawn == uniforms.size:
                    return v
                position = uniforms[drawn] * v
                drawn += 1
                older = int(position)
                end = int((position - older) * (2 * m))
                candidate = targets[older, end // 2]
                if candidate >= 0 and end % 2 == 1:
                    candidate = older
            again = candidate < 0
            for k in range(chosen):
                again |= targets[v, k] == candidate
            if not again:
                targets[v, chosen] = candidate
                chosen += 1
        for k in range(chosen, m):
            targets[v, k] = -1
        for k in range(1, chosen):  # ascending, as rows are
            late = targets[v, k]
            while k > 0 and targets[v, k - 1] > late:
                targets[v, k] = targets[v, k - 1]
                k -= 1
            targets[v, k] = late
    return n


@kernel
def adjacency(targets, begins, indices):
    """Fill begins (n+1,) and indices (2E,) int32, rows sorted, from `targets` (n, m), −1 for none.

    Rows come out sorted: the older neighbours of a site are written first, then the younger ones in ascending order.
    """
    n, m = targets.shape
    begins[:] = 0
    for v in range(n):
        for k in range(m):
            older = targets[v, k]
            if older >= 0:
                begins[v + 1] += 1
                begins[older + 1] += 1
    # begins[v + 1] is where the next neighbour of v is written, and so in the end where its row ends
    begin = 0
    for v in range(n):
        degree = begins[v + 1]
        begins[v + 1] = begin
        begin += degree
    for v in range(n):
        for k in range(m):
            older = targets[v, k]
            if older >= 0:
                indices[begins[v + 1]] = older
                begins[v + 1] += 1
                indices[begins[older + 1]] = v
                begins[older + 1] += 1


@kernel
def swap_edges(begins, indices, owner, uniforms):
    """Try to swap pairs of edges a–b, c–d for a–d, c–b, two `uniforms` a try; degrees stay, and the graph stays simple.

    `owner` (2E,) int32 holds the site in whose row each entry of `indices` stands. Rows keep their length, so entries are
    replaced in place; rows are sorted again at the end.
    """
    for k in range(uniforms.size // 2):
        e = int(uniforms[2 * k] * indices.size)
        f = int(uniforms[2 * k + 1] * indices.size)
        a, b, c, d = owner[e], indices[e], owner[f], indices[f]
        if a in (c, d) or b in (c, d):
            continue
        if position(begins, indices, a, d) >= 0 or position(begins, indices, c, b) >= 0:
            continue
        indices[position(begins, indices, b, a)] = c
        indices[position(begins, indices, d, c)] = a
        indices[e] = d
        indices[f] = b
    for i in range(begins.size - 1):
        for e in range(begins[i] + 1, begins[i + 1]):
            site = indices[e]
            while e > begins[i] and indices[e - 1] > site:
                indices[e] = indices[e - 1]
                e -= 1
            indices[e] = site


@kernel
def position(begins, indices, i, j):
    """Position in `indices` of `j` in the row of `i`, or −1."""
    for e in range(np.int64(begins[i]), np.int64(begins[i + 1])):  # signed, as −1 is
        if indices[e] == j:
            return e
    return -1
