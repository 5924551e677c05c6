"""The avalanches of many fields on one graph, in one call."""

from tdu._jit import kernel
from tdu.kernels.avalanche import relax
from tdu.kernels.threshold import magnitude_quantile


@kernel
def copy_within(source, target, largest):
    """Fill `target` (n,) with `source`; whether all of it are numbers, of at most the `largest` magnitude."""
    good = 0
    for i in range(source.size):
        value = source[i]
        target[i] = value
        good += abs(value) <= largest
    return good == source.size


@kernel
def measure_sizes(fields, begins, indices, alpha, level, max_steps, sizes, relaxed, scratch, profile, work, largest):
    """Fill `sizes` (T,) int64 with the avalanche size of each of `fields` (T, N), which are not changed.

    Overwritten: relaxed and scratch (N,), of the type of the fields, profile (max_steps,) int64, and `work`. α is of that type.

    Stops at the first field that is not finite, or has an entry beyond `largest`; the check is cheapest here, where the field
    is copied anyway. Returns how many fields were measured.
    """
    threshold = 0.0
    for t in range(fields.shape[0]):
        if not copy_within(fields[t], relaxed, largest):
            return t
        threshold = magnitude_quantile(relaxed, level, threshold, scratch)
        above = fields.dtype.type(threshold)
        found = relax(relaxed, begins, indices, alpha, above, max_steps, profile, work, False)
        sizes[t] = found[0]
    return fields.shape[0]
