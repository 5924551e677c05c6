"""What attention does apart from matrix products: each example mixes rows of a table, weighted by a softmax over positions.

Rows that many examples share (a token at a position) are computed once, in a table of R rows; `places` (B, L) says which rows
an example attends to. Each of H heads has k entries of a row; weights are (B, H, L).
"""

import math

from tdu._jit import kernel


@kernel
def mix(scores, values, places, weights, mixed):
    """Fill `weights` (B, H, L), the softmax of `scores` (R, H) at `places`, and `mixed` (B, H, k) of `values` (R, H, k)."""
    n, n_heads, n_places = weights.shape
    width = values.shape[2]
    for b in range(n):
        for h in range(n_heads):
            top = scores[places[b, 0], h]
            for p in range(1, n_places):
                top = max(top, scores[places[b, p], h])
            total = 0.0
            for p in range(n_places):
                weights[b, h, p] = math.exp(scores[places[b, p], h] - top)
                total += weights[b, h, p]
            for k in range(width):
                mixed[b, h, k] = 0
            for p in range(n_places):
                weights[b, h, p] /= total
                weight, row = weights[b, h, p], places[b, p]
                for k in range(width):
                    mixed[b, h, k] += weight * values[row, h, k]


@kernel
def mix_backward(dmixed, weights, values, places, dscores, dvalues):
    """Add the gradients due to `dmixed` (B, H, k) to `dscores` (R, H), through the softmax, and to `dvalues` (R, H, k)."""
    n, n_heads, n_places = weights.shape
    width = values.shape[2]
    for b in range(n):
        for h in range(n_heads):
            expected = 0.0
            for p in range(n_places):
                weight, row = weights[b, h, p], places[b, p]
                due = 0.0
                for k in range(width):
                    due += dmixed[b, h, k] * values[row, h, k]
                    dvalues[row, h, k] += weight * dmixed[b, h, k]
                expected += weight * due
                dscores[row, h] += weight * due
            for p in range(n_places):
                dscores[places[b, p], h] -= weights[b, h, p] * expected
