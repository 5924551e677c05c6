import math

import pytest

from tdu.results.published import MARGIN, PUBLISHED, compare, in_full, label, own_note, where, with_interval
from tdu.types import Estimate, Quantity


@pytest.mark.parametrize(
    ("key", "low", "high", "words"),
    [
        ("dimension", 0.935, 1.065, "agrees"),  # 1.00 ± 0.02, equivalent within 0.05
        ("dimension", 0.92, 1.0, "cannot tell"),
        ("dimension", 0.32, 1.31, "cannot tell"),  # however near its middle is
        ("dimension", 0.85, 0.925, "does not agree"),
        ("dimension", 1.075, 1.10, "does not agree"),
        ("gamma", 1.10, 1.20, "agrees"),  # 1.15 ± 0.06, without a margin
        ("gamma", 1.19, 1.22, "cannot tell"),
        ("gamma", 1.22, 1.25, "does not agree"),
        ("grokking_first", 3, 21, "agrees"),  # 12, equivalent within 10
        ("grokking_first", 1, 21, "cannot tell"),
        ("grokking_last", 120, 123.5, "does not agree"),  # 134
        ("grokking_example", 16, 98, "agrees"),  # one run of 27 among ours
        ("grokking_example", 28, 98, "does not agree"),
        ("steps_mean", 5, 9.9, "agrees"),  # < 10
        ("steps_mean", 9, 11, "cannot tell"),
        ("steps_mean", 10.5, 11, "does not agree"),
        ("r2_min", 0.985, 0.99, "agrees"),  # > 0.98
        ("r2_min", 0.97, 0.99, "cannot tell"),
        ("phase_separation", 0.1, 0.21, "does not agree"),  # 0.30 ± 0.03, equivalent within 0.05
        ("phases_apart", 0.1, 0.4, "agrees"),  # above 0
        ("shadow_change", -0.01, 0.01, "agrees"),  # within ± 0.02
        ("shadow_change", -0.05, 0.05, "cannot tell"),
        ("phases_apart", -0.1, 0.4, "cannot tell"),
        ("phases_apart", -0.4, -0.1, "does not agree"),
        ("dimension", math.nan, math.nan, "cannot tell"),
    ],
)
def test_verdicts(key, low, high, words):
    assert compare(Estimate((low + high) / 2 if low == low else 1.0, low, high, "peak"), key).verdict == words


def test_what_was_not_measured_or_not_published_has_no_verdict():
    nan = math.nan
    assert compare(Estimate(nan, nan, nan, "none"), "companion").verdict == "not measured"
    assert compare(Estimate(1.0, 0.9, 1.1, "S"), "collapse_quality").verdict == ""
    assert with_interval(compare(Estimate(nan, nan, nan, "none"), "companion")) == "–"


@pytest.mark.parametrize(
    ("key", "low", "high", "words"),
    [
        ("steps_mean", 5.0, 10.0, "agrees"),  # ends count as inside
        ("r2_min", 0.98, 0.99, "agrees"),
        ("steps_mean", 10.0, 11.0, "cannot tell"),
        ("r2_min", 0.97, 0.98, "cannot tell"),
        ("grokking_example", 27, 27, "agrees"),
        ("steps_mean", 5.0, math.nan, "cannot tell"),
        ("steps_mean", math.nan, 9.0, "cannot tell"),
    ],
)
def test_ends_of_ranges_count_as_inside_and_half_an_interval_as_none(key, low, high, words):
    assert compare(Estimate(8.0, low, high, ""), key).verdict == words


def test_a_verdict_without_a_needed_width_is_said_alone():
    assert in_full(Quantity(1.0, 0.9, 1.1, "", verdict="cannot tell")) == "cannot tell"
    assert in_full(Quantity(1.0, 0.9, 1.1, "", verdict="agrees", needed=0.1)) == "agrees"


@pytest.mark.parametrize(
    ("key", "value", "low", "high", "needed", "words"),
    [
        ("dimension", 1.03, 0.92, 1.14, 0.04, "cannot tell: needs ± 0.04, has ± 0.11"),  # 1.07 is the nearer edge
        ("dimension", 0.9, 0.85, 0.95, 0.03, "cannot tell: needs ± 0.03, has ± 0.05"),  # outside, 0.93 is
        ("r2_min", 0.99, 0.97, 0.996, 0.01, "cannot tell: needs ± 0.01, has ± 0.013"),
        ("steps_mean", 12, math.nan, math.nan, 2, "cannot tell: needs ± 2, no interval"),
        ("steps_mean", 5, 4, 6, math.nan, "agrees"),
    ],
)
def test_what_cannot_be_told_says_the_half_width_that_could(key, value, low, high, needed, words):
    found = compare(Estimate(value, low, high, "peak"), key)
    assert found.needed == pytest.approx(needed, nan_ok=True)
    assert in_full(found) == words


def test_the_equivalence_margin_is_stated_where_there_is_one():
    for key, published in PUBLISHED.items():
        if published.margin:
            assert f"equivalent within {published.margin:g}" in published.reading, key
    assert {key for key, published in PUBLISHED.items() if published.margin == MARGIN} == {
        "dimension", "dimension_time_average", "dimension_early", "dimension_late", "dimension_pre", "dimension_post",
        "phase_separation",
    }  # fmt: skip


def test_a_value_that_cannot_be_told_from_0_is_shown_as_its_bound():
    assert with_interval(compare(Estimate(0.0, 0.0, 0.1718, "CV"), "alpha_cv")) == "< 0.172"
    assert with_interval(compare(Estimate(0.0, 0.0, 0.0, "share"), "steps_capped")) == "0 [0, 0]"
    assert with_interval(compare(Estimate(0.03, 0.0, 0.19, "CV"), "alpha_cv")) == "0.030 [0.000, 0.190]"


def test_the_note_of_an_estimate_is_had_without_the_reading():
    for note in ("", "6.0 snapshots a run"):
        found = compare(Estimate(1.0, 0.9, 1.1, "peak", note), "dimension")
        assert found.note.endswith("by which single studies scatter")
        assert own_note(found) == note
    assert own_note(compare(Estimate(1.0, 0.9, 1.1, "mean", "as it is"), "gamma")) == "as it is"


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


def test_quantities_of_each_null_and_column_are_called_by_its_name():
    assert label("excess_block-signs") == "excess of D(t) over block-signs, after grokking"
    assert label("share_at_all_steps_permuted") == "share of D(t) − 1 that is lost under permuted, all steps (%)"
    assert label("lead_gradient_norm") == "lead of D(t) over gradient_norm (steps)"
    assert label("something_else") == "something else"
