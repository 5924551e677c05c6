import math

import pytest

from tdu.published import PUBLISHED, compare, label, verdict, where, with_interval
from tdu.types import Estimate


@pytest.mark.parametrize(
    ("key", "low", "high", "words"),
    [
        ("dimension", 0.95, 0.985, "agrees"),  # 1.00 ± 0.02
        ("dimension", 0.90, 0.97, "does not agree"),
        ("dimension", 1.03, 1.10, "does not agree"),
        ("steps_mean", 5, 9.9, "agrees"),  # < 10
        ("steps_mean", 9, 11, "undecided"),
        ("steps_mean", 10.5, 11, "does not agree"),
        ("r2_min", 0.985, 0.99, "agrees"),  # > 0.98
        ("r2_min", 0.97, 0.99, "undecided"),
        ("phase_separation", 0.1, 0.26, "does not agree"),  # 0.30 ± 0.03
        ("phases_apart", 0.1, 0.4, "agrees"),  # above 0
        ("shadow_change", -0.01, 0.01, "agrees"),  # within ± 0.02
        ("shadow_change", -0.05, 0.05, "undecided"),
        ("phases_apart", -0.1, 0.4, "undecided"),
        ("phases_apart", -0.4, -0.1, "does not agree"),
        ("dimension", math.nan, math.nan, "undecided"),
    ],
)
def test_verdicts(key, low, high, words):
    assert verdict(compare(Estimate((low + high) / 2 if low == low else 1.0, low, high, "peak"), key)) == words


def test_what_was_not_measured_or_not_published_has_no_verdict():
    nan = math.nan
    assert verdict(compare(Estimate(nan, nan, nan, "none"), "companion")) == "not measured"
    assert verdict(compare(Estimate(1.0, 0.9, 1.1, "S"), "collapse_quality")) == ""
    assert with_interval(compare(Estimate(nan, nan, nan, "none"), "companion")) == "–"


def test_numbers_have_two_digits_of_their_intervals_half_width():
    assert with_interval(compare(Estimate(1.15565, 1.1193, 1.2288, "peak"), "dimension")) == "1.156 [1.119, 1.229]"
    assert with_interval(compare(Estimate(54.0, 17.4, 96.6, "median"), "grokking_example")) == "54 [17, 97]"
    assert with_interval(compare(Estimate(3.0, 3.0, 3.0, "count"), "steps_max")) == "3 [3, 3]"


def test_every_published_figure_says_where_it_stands_and_how_open_words_were_read():
    for key, published in PUBLISHED.items():
        assert label(key)
        assert where(key)
        assert published.low <= published.high
        if "note" not in key and not any(character.isdigit() for character in published.text) and key != "companion":
            assert published.reading, f"{key}: words without a number need a reading"
