"""The bits of a word, and those of 64 entries that are above a threshold, in compiled code and in their stand-ins."""

import numpy as np
import pytest

from tdu._jit import kernel, trailing_zeros
from tdu._llvm import bit_count, bits_above, bits_reaching, rest


@kernel
def of_entries(field, first, threshold):
    return bits_above(field, first, threshold), bits_reaching(field, first, threshold)


@kernel
def of_word(word):
    return bit_count(word), trailing_zeros(word), rest(word)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("first", [0, 1, 36])
def test_entries_above_a_threshold_and_at_it_are_told_apart(kind, first):
    field = np.random.default_rng(0).integers(-3, 4, 100).astype(kind)
    magnitudes = np.abs(field[first : first + 64])
    above, reaching = of_entries(field, first, 2.0)
    assert above == sum(1 << int(bit) for bit in np.flatnonzero(magnitudes > 2))
    assert reaching == sum(1 << int(bit) for bit in np.flatnonzero(magnitudes >= 2))


@pytest.mark.parametrize(
    ("word", "count", "zeros", "others"),
    [(0, 0, 64, 0), (1, 1, 0, 0), (0b101000, 2, 3, 0b100000), (1 << 63, 1, 63, 0), (2**64 - 1, 64, 0, 2**64 - 2)],
)
def test_words_are_taken_apart_from_the_lowest_bit_on(word, count, zeros, others):
    assert of_word(np.uint64(word)) == (count, zeros, others)
