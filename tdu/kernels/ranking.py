"""Values by rank: what stands at an entry's place in the order of magnitudes, whatever sorted them."""

from tdu._jit import kernel


@kernel
def at_ranks(order, magnitudes, of_rank, values):
    """Fill each row of `values` (T, n): entry order[k], the k-th smallest of its `magnitudes` (n,), with `of_rank` (n,) at k.

    Equal magnitudes share the mean of what stands at their ranks, so that it does not matter how `order` (T, n) has them.
    """
    n_rows, n = order.shape
    for row in range(n_rows):
        first = 0
        while first < n:
            last, total = first, of_rank[first]
            while last + 1 < n and magnitudes[row, order[row, last + 1]] == magnitudes[row, order[row, first]]:
                last += 1
                total += of_rank[last]
            shared = total / (last + 1 - first)
            for k in range(first, last + 1):
                values[row, order[row, k]] = shared
            first = last + 1
