"""Random orders of arrays that no cache holds: entries are dealt to piles, and each pile is shuffled while in the cache."""

from tdu._jit import kernel


@kernel
def deal(values, pile, places, dealt):
    """Deal `values` (n,) to piles, in order: value i is written to `dealt` (n,) at the next of the `places` of its `pile` (n,).

    places (P,) int64 holds where each pile begins, and then where it ends; pile uint16.
    """
    for i in range(values.size):
        k = pile[i]
        dealt[places[k]] = values[i]
        places[k] += 1


@kernel
def shuffle(values, uniforms):
    """Put `values` (n,) in random order, in place (Durstenfeld 1964), by n − 1 of the numbers `uniforms` in [0, 1).

    Each of i + 1 entries is as likely to be exchanged with the last of them, to 2⁻⁵³ i.
    """
    for i in range(values.size - 1, 0, -1):
        k = int(uniforms[i - 1] * (i + 1))
        values[i], values[k] = values[k], values[i]
