"""Sums over the edges of a graph of what its two ends have."""

from tdu._jit import kernel


@kernel
def sums_over_edges(begins, targets, values, signs):
    """Σ over edges {i, j} of v_i v_j and of s_i s_j, for `values` (N,) float64 and `signs` (N,) int8.

    Row by row of the graph (`begins` (N+1,), `targets` (2E,) uint32), where each edge stands twice: what a site has times the
    sum over its neighbours, halved in the end.
    """
    products, agreements = 0.0, 0
    for i in range(values.size):
        around, of_signs = 0.0, 0
        for k in range(begins[i], begins[i + 1]):
            around += values[targets[k]]
            of_signs += int(signs[targets[k]])
        products += values[i] * around
        agreements += int(signs[i]) * of_signs
    return 0.5 * products, agreements // 2
