"""The published constants against what stands in the paper, transcribed by hand into a file of its own."""

import json
import math
import runpy
from pathlib import Path

import pytest

from tdu.analysis.control import TOPOLOGIES
from tdu.avalanches.fields import SYNTHETIC_SCALE
from tdu.config import GrokkingConfig, LogConfig, Scope, StudyConfig
from tdu.models.mlp import n_parameters
from tdu.results import assemble, published
from tdu.statistics.resampling import N_RESAMPLES
from tdu.types import Estimate

PAPER = json.loads((Path(__file__).parent / "oracles" / "paper.json").read_text())


@pytest.fixture
def table():
    """The table built anew, so that a test sees what builds it and not only what was built at import."""
    return runpy.run_path(published.__file__, run_name="tdu.results.published")["PUBLISHED"]


def test_every_published_figure_is_transcribed_and_in_this_order(table):
    assert list(table) == list(PAPER["figures"]) == list(published.PUBLISHED)


@pytest.mark.parametrize("key", PAPER["figures"])
def test_a_figure_is_what_stands_in_the_paper(table, key):
    of, found = PAPER["figures"][key], table[key]
    assert found.where == of["where"]
    value, error = of.get("value"), of.get("error")
    assert (found.value, found.error) == (value, error)
    low = of.get("above", -math.inf) if value is None else value - error
    high = of.get("below", math.inf) if value is None else value + error
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    opened = "as_read" in of or found.margin or key in ("grokking_example", "steps_max")
    assert bool(found.reading) == bool(opened), "words that leave a range open say how they were read, and only those"
    for part in ("value", "error"):  # the text that is shown has the digits of the quotation
        number = of.get(part)
        if number and "as_read" not in of:
            assert f"{number:g}" in found.text or f"{number:.2f}" in found.text
    assert found.label
    assert vars(found) == vars(published.PUBLISHED[key])


def test_how_a_figure_of_a_value_and_its_error_is_written(table):
    assert table["dimension"].text == "1.00 ± 0.02"
    assert table["gamma"].text == "1.15 ± 0.06"
    assert table["dimension_early"].text == "≈ 0.90"
    assert table["dimension_r2"].text == "≥ 0.99"
    assert table["alpha_cv"].text == "< 0.4 %"
    assert table["synthetic_topology_cv"].label == "CV of D_synth over topologies (%)"
    assert table["synthetic_quantile_cv"].reading == "a CV below 2 %"
    assert table["gini_transient"].reading == "in 95 % of runs or more"
    assert table["gini_rise"].reading == "± 5, its last digit"
    assert table["r2_min"].label == "R² of D(t), least over epochs"


def test_the_setting_is_the_papers():
    of, config, scope = PAPER["setting"], StudyConfig(), Scope()
    assert list(config.hidden) == of["hidden"]
    assert [n_parameters(config.hidden[i]) for i in (0, -1)] == of["sites"]
    assert (config.replicates, config.alpha, config.alpha_train) == (of["seeds"], of["alpha"], of["alpha"])
    assert (config.quantile, config.max_steps) == (of["quantile"], of["max_steps"])
    assert [scope.alphas[i] for i in (0, -1)] == of["alphas"]
    assert [scope.quantiles[i] for i in (0, -1)] == of["quantiles"]
    assert (scope.example_hidden, n_parameters(scope.example_hidden)) == (of["example_hidden"], of["example_sites"])
    assert (scope.n_gini_runs, len(TOPOLOGIES)) == (of["gini_seeds"], of["topologies"])
    assert of["synthetic_scale"] == SYNTHETIC_SCALE
    assert of["resamples"] == N_RESAMPLES


def test_what_is_not_published_has_a_label_and_no_place():
    assert published.label("collapse_exponent") == "exponent of the best collapse"
    assert published.label("dimension") == "D, all epochs (s_max)"
    assert published.label("some_new_key") == "some new key"
    assert published.where("dimension") == "Fig. 2c"
    assert published.where("collapse_exponent") == ""


def test_a_comparison_keeps_the_estimate_and_adds_what_was_published():
    estimate = Estimate(0.91, 0.89, 0.93, "peak", "measured so")
    found = published.compare(estimate, "dimension_early")
    assert (found.value, found.low, found.high, found.statistic) == (0.91, 0.89, 0.93, "peak")
    assert (found.published, found.published_error, found.published_text) == (0.9, 0.02, "≈ 0.90")
    assert found.note == (
        "measured so; published, as read: carries the ± 0.02 that Fig. 3a gives the same number; "
        "equivalent within 0.05 of it, by which single studies scatter"
    )
    unsaid = published.compare(Estimate(0.91, 0.89, 0.93, "peak"), "dimension_early")
    assert unsaid.note.startswith("published, as read: carries")
    assert published.compare(estimate, "gamma").note == "measured so"
    own = published.compare(estimate, "collapse_exponent")
    assert (own.value, own.low, own.high, own.statistic, own.note) == (0.91, 0.89, 0.93, "peak", "measured so")
    assert (own.published, own.published_error, own.published_text) == (None, None, "")


def test_settings_other_than_the_papers_are_named_but_for_the_seed():
    assert published.other_settings(StudyConfig(seed=9)) == []
    assert published.other_settings(StudyConfig(replicates=2, epochs=10)) == ["replicates", "epochs"]
    assert published.departure(StudyConfig(seed=9)) == ""
    assert published.departure(StudyConfig(epochs=10)) == "not the paper's setting in epochs"
    assert published.departure(GrokkingConfig()).startswith("not the paper's study")
    assert published.departure(LogConfig("network", {}, (8,), 1)) == ""
    assert "not the paper's study" in assemble.table(assemble.results_of(GrokkingConfig(), None, []))


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (1.15565, 1.1193, 1.2288, "1.156 [1.119, 1.229]"),
        (1.0, 0.0, 2.0, "1.0 [0.0, 2.0]"),
        (1.0, 0.02, 1.98, "1.00 [0.02, 1.98]"),
        (54.0, 17.4, 96.6, "54 [17, 97]"),
        (540.0, 174.0, 966.0, "540 [174, 966]"),
        (3.0, 3.0, 3.0, "3 [3, 3]"),
        (3.5, 3.5, 3.5, "3.500 [3.500, 3.500]"),
        (-0.5, -0.75, -0.25, "-0.50 [-0.75, -0.25]"),
    ],
)
def test_digits_are_those_of_the_interval(value, low, high, text):
    assert published.with_interval(published.compare(Estimate(value, low, high, ""), "dimension")) == text
