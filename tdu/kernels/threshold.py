"""The self-organizing threshold: a quantile of |g| by selection, with the bits of ``np.quantile``."""

import numpy as np

from tdu._jit import kernel, trailing_zeros
from tdu._llvm import bit_count, bits_above, bits_reaching, rest

_NONE, _BIT, _EIGHT, _LOW = np.uint64(0), np.uint64(1), np.uint64(8), np.uint64(63)

_MOST_SELECTED_WHOLE = 256  # up to so many values, select from all of them if there is no guess
_ABOUT = 0.1  # relative half-width of the bracket around a guess, for many values
_WIDER = 128.0  # number of values for which it is twice as wide: quantiles of fewer values scatter more
_FEW = 64  # candidates that are selected from at once; of more, those about where the quantile should be
_NARROWER = 0.12  # half-width of that bracket within the bracket, in widths of it
_SIGMAS = 3.0  # half-width of the bracket from a sample, in standard errors of its rank


@kernel
def select(values, rank):
    """Partition `values` (n,) in place about its rank-th smallest, ``values[rank]``: all before it are ≤, all after it ≥."""
    low = 0
    high = values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i = low
        j = high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            return


@kernel
def bracket(field, level, scratch):
    """Two magnitudes that very likely bracket the quantile, from a strided sample."""
    n = field.size
    stride = max(int(np.sqrt(n)) // 4, 1)
    sample = scratch[: (n + stride - 1) // stride]
    for k in range(sample.size):
        sample[k] = abs(field[k * stride])
    rank = level * (sample.size - 1)
    spread = _SIGMAS * np.sqrt(level * (1 - level) * sample.size) + 1
    first = max(int(rank - spread), 0)
    last = min(int(rank + spread) + 1, sample.size - 1)
    select(sample, last)
    select(sample[:last], first)
    return sample[first], sample[last]


@kernel
def keep(field, first, word, scratch, within):
    """Append the magnitudes from `first` on whose bit is set in `word` to the `within` in `scratch`; return the new number.

    Eight at a time, of which those too many are overwritten by the next: a processor guesses wrong where a loop over the bits
    of a word ends.
    """
    number = bit_count(word)
    for k in range(_NONE, number, _EIGHT):
        for j in range(8):
            scratch[within + k + np.uint64(j)] = abs(field[first + (np.uint64(trailing_zeros(word)) & _LOW)])
            word = rest(word)
    return within + number


@kernel
def gather(field, low, high, scratch):
    """Copy the magnitudes within [low, high] to the front of `scratch`; return the numbers below `low` and within."""
    not_below = 0
    within = _NONE
    whole = field.size - field.size % 64
    for first in range(0, whole, 64):
        up = bits_reaching(field, first, low)
        not_below += np.int64(bit_count(up))
        within = keep(field, np.uint64(first), up & ~bits_above(field, first, high), scratch, within)
    for i in range(whole, field.size):
        magnitude = abs(field[i])
        not_below += magnitude >= low
        if low <= magnitude <= high:
            scratch[within] = magnitude
            within += _BIT
    return field.size - not_below, np.int64(within)


@kernel
def magnitude_quantile(field, level, guess, scratch):
    """Quantile of |field| at `level` in (0, 1), linear between order statistics: ``np.quantile(np.abs(field), level)``.

    field (n,), n ≥ 1, is not changed; scratch (n,), of its type, float64 or float32, is overwritten. Interpolated in float64.
    `guess` is a value expected to be close, such as that of the previous epoch, or 0. Selection is among the magnitudes in a
    bracket around it; if that misses the quantile, among those in a bracket from a sample; and if that misses too, among all.
    Of many in a bracket, among those about where the quantile would be if they lay evenly.
    """
    n = field.size
    position = (n - 1) * level
    rank = int(position)
    below, within, behind = 0, 0, 0
    low, high = 0.0, 0.0
    if guess > 0:
        width = _ABOUT * (1 + _WIDER / n)
        low, high = guess * (1 - width), guess * (1 + width)
        below, within = gather(field, low, high, scratch)
    if n > _MOST_SELECTED_WHOLE and not below <= rank < below + within - 1:
        low, high = bracket(field, level, scratch)
        below, within = gather(field, low, high, scratch)
    if not below <= rank < below + within - 1:
        below, within = 0, n
        for i in range(n):
            scratch[i] = abs(field[i])
    if _FEW < within <= n // 2:  # so that there is room for some of them behind them
        middle, width = low + (high - low) * (rank - below) / within, _NARROWER * (high - low)
        less, among = gather(scratch[:within], middle - width, middle + width, scratch[within:])
        if less <= rank - below < less + among - 1:
            behind, below, within = within, below + less, among
    candidates = scratch[behind : behind + within]
    select(candidates, rank - below)
    lesser = np.float64(candidates[rank - below])
    if rank + 1 == n:
        return lesser
    greater = np.inf
    for k in range(rank - below + 1, within):
        greater = min(greater, np.float64(candidates[k]))
    # NumPy interpolates from the nearer end, which decides the last bit.
    weight = position - rank
    if weight >= 0.5:
        return greater - (greater - lesser) * (1 - weight)
    return lesser + (greater - lesser) * weight
