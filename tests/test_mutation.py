"""The committed mutation run: its page, its score, and a reason for every survivor."""

import json

import pytest

from tests.mutation import record as of_run

RECORD = json.loads((of_run.FOLDER / "record.json").read_text())


def test_enough_of_what_is_not_equivalent_is_killed():
    assert of_run.score(RECORD) >= of_run.WANTED


def test_every_survivor_has_a_reason():
    assert [one for one in RECORD["survivors"] if not one["reason"]] == []


def test_the_page_is_that_of_the_record():
    page = (of_run.FOLDER / "README.md").read_text()
    assert page == of_run.page(RECORD), "`python -m tests.mutation` renders it again"


def test_the_score_counts_kills_and_timeouts_of_what_was_run_and_is_not_equivalent():
    survivors = [{"equivalent": True}, {"equivalent": False}]
    modules = {"one": {"mutants": 8, "killed": 4, "timeout": 1, "survived": 2, "not run": 1}}
    assert of_run.score({"modules": modules, "survivors": survivors}) == pytest.approx(5 / 6)
    outcomes = [of_run.outcome(code) for code in (1, 3, -24, 0, 33, 5, None)]
    assert outcomes == ["killed", "killed", "timeout", "survived", "survived", "survived", "not run"]


def test_a_reason_is_found_by_function_and_change_whatever_the_number():
    rules = [
        {"where": ["analysis.phases.*", "nulls.*"], "change": r"axis=-1 → axis=\+1", "reason": "two axes", "equivalent": True},
        {"where": "*", "change": ".*", "line": "values", "reason": "left", "equivalent": False},
    ]
    change = "a = values.mean(axis=-1) → a = values.mean(axis=+1)"
    found = of_run.survivor("tdu.analysis.phases.x__f__mutmut_12", change, rules)
    assert (found["function"], found["reason"], found["equivalent"]) == ("analysis.phases._f", "two axes", True)
    assert found["change"] == change
    assert of_run.survivor("tdu.scaling.x_f__mutmut_1", change, rules)["reason"] == "left"
    assert of_run.survivor("tdu.scaling.x_f__mutmut_1", "a = b → a = None", rules)["reason"] == ""


@pytest.mark.parametrize(
    ("lines", "core"),
    [
        ('f(v, seed, depends_on="mean") → f(v, seed, )', 'depends_on="mean" →'),
        ('f(v, seed, depends_on="mean") → f(v, seed, depends_on=None)', 'depends_on="mean" → depends_on=None'),
        ("v.mean(axis=-1) → v.mean(axis=+1)", "axis=-1 → axis=+1"),
        ("a.shape[-1] → a.shape[+1]", "-1 → +1"),
        ("zip(a, b, strict=True) → zip(a, b, strict=False)", "strict=True → strict=False"),
        ("if a > b: → if a >= b:", "> → >="),
        ("samples = f(a) → samples = None", "f(a) → None"),
    ],
)
def test_what_changes_is_told_from_what_stands_around_it(lines, core):
    assert of_run.core(lines).strip() == core
