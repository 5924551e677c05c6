"""Random orders by uniform numbers in [0, 1)."""


def dealt(values, pile, n_piles):
    """A list for each pile, of its values in their order."""
    return [[value for value, k in zip(values, pile, strict=True) if k == one] for one in range(n_piles)]


def shuffled(values, uniforms):
    """From the last entry down, exchange entry i with entry ⌊u (i + 1)⌋; the first number is for entry 1."""
    for i in reversed(range(1, len(values))):
        k = int(uniforms[i - 1] * (i + 1))
        values[i], values[k] = values[k], values[i]
    return values
