"""The figures of one recipe, and how many of the published ones it meets."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tdu.analysis import recipes
from tdu.config import ACTIVATIONS, INITIALISATIONS, INPUTS, Scope, StudyConfig
from tdu.experiments import recipes as experiment
from tdu.results.published import PUBLISHED, compare
from tdu.types import Estimate
from tests.planted import (
    GROKKED,
    N_SITES,
    NEVER,
    all_same,
    exponent,
    exponent_of,
    in_time,
    known_mean,
    of_runs,
    resampled,
    same,
    study,
    time_mean,
    unknown,
)

BEFORE, AFTER = np.arange(25) < 6, np.arange(25) > 13
EPOCHS = np.where(GROKKED == NEVER, np.nan, GROKKED)
COMPARED = (
    "dimension", "gamma", "dimension_early", "dimension_late", "dimension_pre", "dimension_post",
    "grokking_first", "grokking_last", "deviation_angle", "steps_mean", "gini_rise",
)  # fmt: skip


@pytest.fixture(scope="module")
def log():
    return study()


def early_and_late(log, combine):
    of_time = exponent(N_SITES, "mean")

    def function(values):
        exponents = of_time(values)
        return combine(exponents[..., :6].mean(axis=-1), exponents[..., 6:].mean(axis=-1))

    both = np.concatenate([in_time(log.size, BEFORE), in_time(log.size, AFTER)])
    return resampled(both, function, "mean", n_resamples=2000)


def mean(values):
    return resampled(values, lambda v: v.mean(axis=(-2, -1)), "mean over runs", n_resamples=2000)


def test_every_figure_of_a_recipe_is_what_its_name_says(log):
    post = log.step >= np.where(GROKKED == NEVER, 10**6, GROKKED)[..., None]
    phase = {
        key: resampled(of_runs(log.size, "mean", inside), exponent(N_SITES, "mean"), "mean", n_resamples=2000)
        for key, inside in (("dimension_pre", ~post), ("dimension_post", post))
    }
    note = "1 of 20 runs never grok"
    all_same(
        recipes.of_log(log),
        {
            "grokking_first": resampled(EPOCHS, lambda v: known_mean(v).min(axis=-1), "earliest scale mean", note),
            "grokking_last": resampled(EPOCHS, lambda v: known_mean(v).max(axis=-1), "latest scale mean", note),
            "dimension": exponent_of(N_SITES, of_runs(log.size, "peak"), "peak"),
            "gamma": exponent_of(N_SITES, of_runs(log.size, "mean"), "mean"),
            "dimension_early": time_mean(N_SITES, log.size, "mean", BEFORE),
            "dimension_late": time_mean(N_SITES, log.size, "mean", AFTER),
            "rise": early_and_late(log, lambda early, late: late - early),
            "distance": early_and_late(log, lambda early, late: np.sqrt(((early - 0.9) ** 2 + (late - 1.2) ** 2) / 2)),
            **phase,
            "deviation_angle": mean(np.degrees(log.columns["deviation_angle"]).mean(axis=-1)),
            "steps_mean": mean(log.columns["duration"].mean(axis=-1)),
            "gini_rise": mean(100 * (log.curves["gini"].max(axis=-1) / log.curves["gini"][..., 0] - 1)),
        },
    )


def test_without_a_window_there_is_no_rise():
    for grokked in (np.zeros((4, 5), int), np.full((4, 5), 240)):
        found = recipes.of_log(study(grokked))
        same(found["rise"], unknown("mean", "no snapshot in this window"))
        same(found["distance"], unknown("mean", "no snapshot in this window"))
    assert recipes.shape_of(found) == "a scale never groks"


def test_the_published_figures_that_are_not_contradicted_are_counted():
    """Within what is printed is compatible, and so is what lies across its end; beyond it, and without interval, is not."""
    assert recipes.COMPARED == COMPARED
    printed = {key: PUBLISHED[key].value or 5.0 for key in COMPARED}
    met = {key: Estimate(value, value, value, "") for key, value in printed.items()}
    assert recipes.n_compatible(met) == 11
    across = {key: Estimate(value, value - 1e-3, value + 1e3, "") for key, value in printed.items()}
    assert recipes.n_compatible(across) == 11
    for key, value in printed.items():
        verdicts = [compare(found[key], key).verdict for found in (met, across)]
        assert verdicts == ["agrees", "cannot tell"], key
        assert recipes.n_compatible({**met, key: Estimate(1e3, 1e3, 1e3, "")}) == 10, key
        assert recipes.n_compatible({**across, key: Estimate(1e3, 999, 1001, "")}) == 10, key
        assert recipes.n_compatible({**met, key: Estimate(value, np.nan, np.nan, "")}) == 10, key
        assert recipes.n_compatible({**met, key: Estimate(np.nan, np.nan, np.nan, "")}) == 10, key


def test_every_recipe_is_the_study_with_other_units_weights_codes_and_training():
    found = recipes.configurations(StudyConfig(alpha=0.2, seed=5))
    assert found[0] == StudyConfig(alpha=0.2, alpha_train=0.2, seed=5)
    assert found[1] == StudyConfig(alpha=0.2, alpha_train=0.0, seed=5)
    assert found[-1].activation == "sigmoid"
    assert {(of.alpha, of.seed) for of in found} == {(0.2, 5)}
    named = [(of.activation, of.initialisation, of.inputs, of.alpha_train) for of in found]
    assert named == list(itertools.product(ACTIVATIONS, INITIALISATIONS, INPUTS, (0.2, 0.0)))


def test_each_recipe_is_trained_with_its_gini_coefficients_and_measured(monkeypatch, log):
    asked = []

    def planted_training(config, executor, *, gini=False):
        asked.append((config, executor, gini))
        return replace(log, seed=len(asked))

    def of_log(log):
        unknown = Estimate(np.nan, np.nan, np.nan, "")
        return dict.fromkeys((*COMPARED, "rise", "distance"), replace(unknown, value=float(log.seed)))

    monkeypatch.setattr(experiment, "train_all", planted_training)
    monkeypatch.setattr(recipes, "of_log", of_log)
    config = StudyConfig()
    (found,) = experiment.measure(config, Scope(), "executor", lambda _: None)
    assert asked == [(of, "executor", True) for of in recipes.configurations(config)]
    (series,) = found.series
    rows = series.rows
    assert [row.found["gamma"].value for row in rows] == list(range(1, 61))
    assert [row.training for row in rows] == ["in-line", "shadow"] * 30
    assert found.estimates["distance"].value == 1
