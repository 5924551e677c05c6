"""The avalanches of many fields on one graph, in one call."""

import numpy as np

from tdu._jit import kernel
from tdu.kernels.avalanche import copy, relax
from tdu.kernels.measures import all_within
from tdu.kernels.threshold import magnitude_quantile


@kernel
def measure_sizes(fields, indptr, indices, alpha, level, max_steps, sizes, relaxed, scratch, work, largest):
    """Fill `sizes` (T,) int64 with the avalanche size of each of `fields` (T, N), which are not changed.

    Overwritten: relaxed and scratch (N,), of the type of the fields, and `work`. α is of that type.

    Stops at the first field that is not finite, or has an entry beyond `largest`; the check is cheapest here, where the field
    is read anyway. Returns how many fields were measured.
    """
    profile = np.empty(max_steps, np.int64)
    threshold = 0.0
    for t in range(fields.shape[0]):
        if not all_within(fields[t], largest):
            return t
        threshold = magnitude_quantile(fields[t], level, threshold, scratch)
        above = fields.dtype.type(threshold)
        copy(fields[t], relaxed)
        found = relax(relaxed, indptr, indices, alpha, above, max_steps, profile, work, False)
        sizes[t] = found[0]
    return fields.shape[0]
