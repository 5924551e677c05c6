"""Values by rank: what stands at an entry's place in the order of magnitudes, whatever sorted them."""

from tdu._jit import kernel


@kernel
def at_ranks(order, magnitudes, of_rank, values):
    """Fill `values` (n,): entry order[k], the k-th smallest of `magnitudes` (n,), with `of_rank` (n,) at k.

    Equal magnitudes share the mean of what stands at their ranks, so that it does not matter how `order` (n,) has them.
    """
    n = order.size
    first = 0
    while first < n:
        last, total = first, of_rank[first]
        while last + 1 < n and magnitudes[order[last + 1]] == magnitudes[order[first]]:
            last += 1
            total += of_rank[last]
        shared = total / (last + 1 - first)
        for k in range(first, last + 1):
            values[order[k]] = shared
        first = last + 1
