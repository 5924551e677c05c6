"""Dealing to piles and shuffling, entry by entry."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tdu.kernels.shuffling import deal, shuffle
from tests.reference import shuffling as reference


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_piles_are_dealt_in_order(pile):
    counts = np.bincount(pile, minlength=5)
    places = np.cumsum(counts) - counts
    dealt, values = np.empty(len(pile), np.int64), np.arange(100, 100 + len(pile))
    deal(values, np.array(pile, np.uint16), places, dealt)
    assert dealt.tolist() == [value for one in reference.dealt(values.tolist(), pile, 5) for value in one]
    assert places.tolist() == np.cumsum(counts).tolist()


@given(st.lists(st.floats(0, 1, exclude_max=True), max_size=60))
def test_a_shuffle_exchanges_each_entry_with_one_not_after_it(uniforms):
    values = np.arange(len(uniforms) + 1)
    shuffle(values, np.array(uniforms))
    assert values.tolist() == reference.shuffled(list(range(len(uniforms) + 1)), uniforms)


def test_the_largest_uniform_number_picks_the_last_entry():
    values = np.arange(1000)
    shuffle(values, np.full(999, 1 - 2.0**-53))
    assert values.tolist() == list(range(1000))
