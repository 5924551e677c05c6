"""The page beside the neighbours is what was measured, and tdu's side of it is what tdu says of the samples today."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).parent.parent / "bench"
FOUND = json.loads((BENCH / "neighbours.json").read_text())


@pytest.fixture(scope="module")
def bench():
    """Imports a module of bench/ or bench/beside/ by name."""
    paths = [str(BENCH), str(BENCH / "beside")]
    sys.path[:0] = paths
    yield importlib.import_module
    for path in paths:
        sys.path.remove(path)


@pytest.fixture(scope="module")
def data(bench):
    return bench("neighbours").data_of({})


def asked(bench, data, question):
    return bench("of_tdu").answers({name: values for name, values in data.items() if name.startswith(question)})[question]


def measured(package, question):
    return FOUND["packages"][package]["ours"]["answers"][question]


def test_the_page_is_what_its_template_and_its_results_give(bench):
    page = bench("neighbours_page").page(BENCH)
    assert page == (BENCH / "NEIGHBOURS.md").read_text(), "`python bench/neighbours_page.py` renders it again"
    assert "{{" not in page


def test_every_package_was_asked_in_the_version_that_is_pinned(bench):
    packages = bench("neighbours").PACKAGES
    assert list(FOUND["packages"]) == list(packages)
    for name, package in packages.items():
        found = FOUND["packages"][name]
        assert (found["requirements"], found["released"]) == (list(package.requirements), package.released)
        installed = found["theirs"]["versions"]
        assert package.requirements[0] == "{}=={}".format(*next(iter(installed.items())))


def test_power_laws_branching_and_collapses_are_what_tdu_says_today(bench, data, monkeypatch):
    monkeypatch.setattr(bench("measuring"), "REPEATS", 1)
    for package, question in (
        ("powerlaw", "power_law"), ("pyfssa", "critical"), ("pyfssa", "cutoff"), ("mrestimator", "branching"),
    ):  # fmt: skip
        now, then = (numbers(answers) for answers in (asked(bench, data, question), measured(package, question)))
        assert list(now) == list(then)
        assert now == pytest.approx(then, rel=1e-6, abs=1e-9), question


def numbers(answers, name=""):
    """All numbers in answers by their path, without those that are times."""
    if isinstance(answers, dict | list):
        parts = answers.items() if isinstance(answers, dict) else enumerate(answers)
        return {path: value for key, part in parts for path, value in numbers(part, f"{name}/{key}").items()}
    return {} if "seconds" in name.rpartition("/")[2] else {name: answers}


def test_both_sides_agree_where_they_answer_the_same():
    theirs, ours = (FOUND["packages"]["pyfssa"][side]["answers"] for side in ("theirs", "ours"))
    qualities = [[one["value"] for one in answers] for answers in (theirs["qualities"], ours["critical"])]
    assert qualities[0] == pytest.approx(qualities[1], rel=1e-9)
    laws, fits = (FOUND["packages"]["powerlaw"][side]["answers"] for side in ("theirs", "ours"))
    for name, fit in fits["power_law"].items():
        if name.startswith("power law"):
            assert (laws[name]["alpha"], laws[name]["xmin"]) == pytest.approx((fit["alpha"], fit["xmin"]), abs=1e-4)


def test_tdu_finds_what_was_planted_and_no_branching_ratio_where_the_drive_goes_on(bench):
    samples = bench("samples")
    cutoff = measured("pyfssa", "cutoff")
    for how in ("collapse", "regression"):
        assert cutoff[how]["low"] < samples.DIMENSION < cutoff[how]["high"]
    found = measured("mrestimator", "branching")
    for m in samples.RATIOS:
        once = [found[samples.named(samples.ONCE, m, share)] for share in samples.SEEN]
        assert all(m - 0.012 < one["value"] < m for one in once), "a mean of ratios lies below"
        driven = found[samples.named(samples.DRIVEN, m, 1.0)]["value"]
        assert driven == pytest.approx(1, abs=0.002), "what is driven all the time says nothing of m"


def test_pytorch_was_handed_the_weights_that_were_trained():
    for package in ("weightwatcher", "pyhessian", "devinterp"):
        losses = [answer["loss"] for answer in FOUND["packages"][package]["theirs"]["answers"].values()]
        assert losses == pytest.approx(FOUND["over_time"]["loss"], rel=1e-3)


def test_times_are_medians_over_rounds_and_answers_those_of_the_first(bench):
    rounds = [{"m": m, "fits": [{"seconds": seconds}]} for m, seconds in ((0.9, 1.0), (0.8, 4.0), (0.7, 2.0))]
    assert bench("neighbours").median_times(rounds) == {"m": 0.9, "fits": [{"seconds": 2.0}]}


def test_samples_have_what_was_planted_in_them(bench):
    samples = bench("samples")
    for (_, m, share), activity in samples.branching().items():
        assert activity.mean() < samples.ACTIVITY * share * 1.1, m
    sizes = samples.power_laws()
    for name, (_, xmin) in samples.POWER_LAWS.items():
        assert np.mean(sizes[name] < xmin) == pytest.approx(0.5 * (xmin > 1), abs=0.02)
