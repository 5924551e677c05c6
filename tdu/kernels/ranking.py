"""Values by rank: what stands at an entry's place in the order of magnitudes, whatever sorted them."""

import numpy as np

from tdu._jit import kernel

_MANTISSA = 8  # leading bits of it that tell magnitudes apart
_OCTAVES = 64  # below the largest, in which they do
_SHIFT, _MAGNITUDE = 52 - _MANTISSA, 0x7FFF_FFFF_FFFF_FFFF
#: Bins of magnitudes: one for zeros, one for all that is too small, and the others.
BINS = _OCTAVES << _MANTISSA


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


@kernel
def rank_by_bins(words, up_to, counts, of_bin, codes, values, signs, row_sums, column_sums):
    """Values by rank of a matrix (m, n) whose magnitudes are equal if their leading bits are; sums of powers of these ranks.

    Parameters
    ----------
    words : (m, n) int64, the bits of float64 numbers, all finite.
    up_to : (m n + 1,), sums of what stands at the first ranks, 0 to m n of them.
    counts, of_bin, codes : (`BINS`,) int64, (3, 2 `BINS`) float64 and (m, n) uint16, which are overwritten.
    values, signs : (m, n) float32, filled with the mean of what stands at the ranks of an entry's bin, with its sign, and with
        the sign alone.
    row_sums, column_sums : (m,) and (n,), filled with sums of twice the ranks less their mean, as are the three numbers
        returned: sums of squares, cubes and fourth powers.

    Zeros have bin 0. The key of another magnitude is its exponent with the eight bits behind the leading one, one number, and
    its bin max(key − key of the largest + `BINS` − 1, 1): all below 2⁻⁶⁴ of the largest have bin 1.
    """
    n_rows, n_columns = words.shape
    largest = np.int64(0)
    for i in range(n_rows):
        for j in range(n_columns):
            largest = max(largest, words[i, j] & _MAGNITUDE)
    below = (largest >> _SHIFT) - (BINS - 1)
    counts[:] = 0
    for i in range(n_rows):
        for j in range(n_columns):
            magnitude = words[i, j] & _MAGNITUDE
            place = max((magnitude >> _SHIFT) - below, 1) if magnitude > 0 else 0
            counts[place] += 1
            codes[i, j] = place + BINS * (words[i, j] < 0)
    n, first = words.size, 0
    squares, cubes, fourths = 0.0, 0.0, 0.0
    for place in range(BINS):
        number = counts[place]
        if number > 0:
            last = first + number
            rank = np.float64(first + last - n)
            mean = (up_to[last] - up_to[first]) / number if place > 0 else 0.0
            for half, sign in ((place, 1.0), (place + BINS, -1.0)):
                of_bin[0, half] = sign * mean
                of_bin[1, half] = sign if place > 0 else 0.0
                of_bin[2, half] = rank
            square = rank * rank
            squares += number * square
            cubes += number * square * rank
            fourths += number * square * square
            first = last
    column_sums[:] = 0.0
    for i in range(n_rows):
        total = 0.0
        for j in range(n_columns):
            code = codes[i, j]
            values[i, j] = of_bin[0, code]
            signs[i, j] = of_bin[1, code]
            rank = of_bin[2, code]
            total += rank
            column_sums[j] += rank
        row_sums[i] = total
    return squares, cubes, fourths
