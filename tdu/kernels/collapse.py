"""Quality of a data collapse (Houdayer and Hartmann, Phys. Rev. B 70, 014418, 2004, eqs. 4.1–4.8).

S jumps where a point of one curve passes one of another: a last bit of the scaled curves can decide where its least is found.
So they are scaled by functions of our own, which round alike on every processor.
"""

import math

from tdu._jit import kernel
from tdu.kernels.elementary import exp_minus, log


@kernel
def over_powers(values, bases, exponent, scaled):
    """Fill `scaled` (k, n) with `values` (k, n) over b^`exponent`, with the base b ≥ 1 of their row in `bases` (k,) float64."""
    for i in range(values.shape[0]):
        rise = exponent * log(bases[i])
        shrunk = exp_minus(abs(rise))
        for j in range(values.shape[1]):
            scaled[i, j] = values[i, j] * shrunk if rise >= 0 else values[i, j] / shrunk


@kernel
def houdayer_hartmann(x, y, dy, right):
    """Mean squared distance, in standard errors, of each point of k scaled curves from the master curve of the others.

    x, y, dy (k, n) float64, x ascending along each row, dy > 0. The master curve at a point is the weighted least-squares line
    through the points of every other curve that bracket it. Averaged within each curve first, as pyfssa does, so that a curve
    counts the same whatever part of it the others cover; nan if no point is bracketed by another curve. right (k,) int64 is
    overwritten.
    """
    k, n = x.shape
    sum_of_means = 0.0
    n_curves = 0
    for i in range(k):
        right[:] = 0  # where the other curves have gone beyond x[i, j], which only grows
        total = 0.0
        count = 0
        for j in range(n):
            weight = 0.0
            weight_x = 0.0
            weight_y = 0.0
            weight_xx = 0.0
            weight_xy = 0.0
            for other in range(k):
                if other == i:
                    continue
                while right[other] < n and x[other, right[other]] <= x[i, j]:
                    right[other] += 1
                if right[other] == 0 or right[other] == n:
                    continue
                for p in range(right[other] - 1, right[other] + 1):
                    w = 1.0 / (dy[other, p] * dy[other, p])
                    weight += w
                    weight_x += w * x[other, p]
                    weight_y += w * y[other, p]
                    weight_xx += w * x[other, p] * x[other, p]
                    weight_xy += w * x[other, p] * y[other, p]
            determinant = weight * weight_xx - weight_x * weight_x
            if determinant <= 0.0:
                continue
            intercept = weight_xx * weight_y - weight_x * weight_xy
            slope = weight * weight_xy - weight_x * weight_y
            master = (intercept + slope * x[i, j]) / determinant
            variance = (weight_xx - 2 * x[i, j] * weight_x + x[i, j] * x[i, j] * weight) / determinant
            distance = y[i, j] - master
            total += distance * distance / (dy[i, j] * dy[i, j] + variance)
            count += 1
        if count > 0:
            sum_of_means += total / count
            n_curves += 1
    return sum_of_means / n_curves if n_curves > 0 else math.nan
