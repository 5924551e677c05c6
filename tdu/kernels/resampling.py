"""Means of resampled runs."""

import math

from tdu._jit import kernel


@kernel
def means_of_picks(rows, picks, means):
    """Fill `means` (B, L, S) with the mean over the picks of what is known, from `rows` (R, L) float64 with nan for unknown.

    `picks` (M, B, S) int64 are row numbers: in resample b the M of scale s. nan where nothing is known.
    """
    n_picks, n_resamples, n_scales = picks.shape
    n_values = rows.shape[1]
    for b in range(n_resamples):
        for s in range(n_scales):
            for v in range(n_values):
                total = 0.0
                known = 0
                for k in range(n_picks):
                    value = rows[picks[k, b, s], v]
                    if not math.isnan(value):
                        total += value
                        known += 1
                means[b, v, s] = total / known if known > 0 else math.nan
