"""Means of resampled runs."""

from tdu._jit import kernel


@kernel
def means_of_picks(rows, known, picks, means, counts):
    """Fill `means` (B, S, L) with the means over the picked runs of the values that are known; nan where none is.

    rows (R, L) float64, 0 where unknown; known (R, L), 1 or 0. picks (M, B, S) int64 are row numbers: the M
    runs of scale s in resample b. counts (L,) float64 is overwritten.
    """
    n_picks, n_resamples, n_scales = picks.shape
    n_values = rows.shape[1]
    for b in range(n_resamples):
        for s in range(n_scales):
            counts[:] = 0.0
            means[b, s, :] = 0.0
            for k in range(n_picks):
                row = picks[k, b, s]
                for v in range(n_values):
                    means[b, s, v] += rows[row, v]
                    counts[v] += known[row, v]
            for v in range(n_values):
                means[b, s, v] /= counts[v]
