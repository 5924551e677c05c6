"""Exponents over diffusion strengths and threshold levels."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tdu.analysis import robustness
from tdu.analysis.control import Control, variation_beyond_noise
from tdu.avalanches.cascades import sizes_of
from tdu.avalanches.graphs import barabasi_albert
from tdu.config import Scope, StudyConfig
from tdu.results.series import Robustness
from tdu.statistics.resampling import bootstrap
from tdu.training import sweeps
from tests.planted import HIDDEN, N_SITES, SEED, all_same, band, depending, ensemble_of, exponent, of_runs, study

SCOPE = Scope(alphas=(0.1, 0.3, 0.5), quantiles=(0.8, 0.9))
CONFIG = StudyConfig(hidden=HIDDEN, replicates=5, seed=SEED)
STATISTICS = ("peak", "run-peak", "mean")


def sizes(n_settings, first):
    """(settings, S, K, T) of which D differs by setting."""
    return np.stack([study(post=1.0 + 0.1 * k, rng_seed=first + k).size for k in range(n_settings)])


SWEEPS = sweeps.Sweeps(sizes(3, 40), sizes(2, 50), sizes(3, 60), sizes(2, 70))
CONTROL = Control(
    topologies=np.ones((5, 4, 5)), alphas=sizes(3, 80).mean(axis=-1), quantiles=sizes(2, 90).mean(axis=-1), n_draws=1
)


def cv_of(values, statistic):
    of_settings = exponent(N_SITES, statistic)
    samples = bootstrap(values, depending(of_settings, statistic == "peak"), SEED)
    return variation_beyond_noise(of_settings(values), samples, f"{statistic}, CV in %")


def case(axis, training, statistic):
    if training == "synthetic":
        return getattr(CONTROL, f"{axis}s"), statistic
    return of_runs(getattr(SWEEPS, f"{training}_{axis}s"), statistic), statistic


@pytest.fixture
def found():
    return robustness.analyse(CONFIG, N_SITES, SCOPE, SWEEPS, CONTROL)


def test_variation_is_of_the_sweep_and_the_statistic_that_its_key_names(found):
    all_same(
        found.estimates,
        {
            "alpha_cv": cv_of(*case("alpha", "inline", "peak")),
            "quantile_cv": cv_of(*case("quantile", "inline", "peak")),
            "synthetic_alpha_cv": cv_of(*case("alpha", "synthetic", "mean")),
            "synthetic_quantile_cv": cv_of(*case("quantile", "synthetic", "mean")),
        },
    )
    assert list(found.readings) == ["alpha_cv", "quantile_cv"]
    others = [(training, name) for training in ("inline", "shadow") for name in STATISTICS][1:]
    assert len(others) == 5
    for axis in ("alpha", "quantile"):
        named = {f"{training}, {name}": cv_of(*case(axis, training, name)) for training, name in others}
        by_name = {name: found.readings[f"{axis}_cv"][name] for name in named}
        assert set(found.readings[f"{axis}_cv"]) == set(named)
        all_same(by_name, named)


def test_the_table_has_the_exponent_of_every_setting_with_its_interval(found):
    (swept,) = found.series
    assert isinstance(swept, Robustness)
    assert swept.settings("alpha").tolist() == [0.1, 0.3, 0.5]
    assert swept.settings("quantile").tolist() == [0.8, 0.9]
    trainings = [("inline", name) for name in STATISTICS] + [("shadow", name) for name in STATISTICS] + [("synthetic", "mean")]
    assert list(swept.bands) == [(axis, *of) for axis in ("alpha", "quantile") for of in trainings]
    for setting, exponents in swept.bands.items():
        values, statistic = case(*setting)
        wanted = exponent(N_SITES, statistic)
        assert exponents.r2 is None
        np.testing.assert_allclose(exponents.value, wanted(values))
        low, high = band(values, wanted, largest=statistic == "peak")
        np.testing.assert_allclose(exponents.low, low, rtol=1e-8)
        np.testing.assert_allclose(exponents.high, high, rtol=1e-8)


def test_sweeps_probe_one_shadow_training_and_train_anew_in_line(monkeypatch):
    config = StudyConfig(hidden=(3, 6), replicates=2, epochs=20, seed=SEED, alpha_train=0.3, max_steps=7)
    scope = Scope(alphas=(0.1, 0.3), quantiles=(0.8, 0.9))
    log = study().with_size(np.arange(20.0).reshape(2, 2, 5))  # (S, K, T)
    trained = []

    def planted_fields(hidden, replicate):
        n = 4 * hidden + 1
        return np.random.default_rng([hidden, replicate]).standard_t(2, size=(3, n)), barabasi_albert(n, seed=hidden)

    def planted_training(of_config, job, executor):
        (studies,) = job.args
        trained.append(studies)
        for hidden, replicate in [(3, 1), (6, 0), (3, 0), (6, 1)]:  # as they finish
            yield (
                (hidden, replicate),
                [100 * c + 10 * hidden + replicate + np.zeros(5) for c in range(len(studies))],
            )

    monkeypatch.setattr(sweeps, "over_grid", planted_training)
    with ThreadPoolExecutor(1) as executor:
        found = sweeps.sweep(config, log, scope, executor, ensemble_of(replace(config, alpha_train=0.0), planted_fields))
        without = sweeps.sweep(config, log, scope, executor)
    assert without.shadow_alphas is without.shadow_quantiles is None
    assert trained == [(replace(config, alpha=0.1, alpha_train=0.1), replace(config, quantile=0.8))] * 2
    in_order = np.array([[30, 31], [60, 61]])[:, :, None] + np.zeros(5)
    assert np.array_equal(found.inline_alphas, [in_order, log.size])
    assert np.array_equal(found.inline_quantiles, [in_order + 100, log.size])
    for settings, sizes_found in (
        ([(0.1, 0.9), (0.3, 0.9)], found.shadow_alphas),
        ([(0.3, 0.8), (0.3, 0.9)], found.shadow_quantiles),
    ):
        assert sizes_found.shape == (2, 2, 2, 3)
        for i, (alpha, level) in enumerate(settings):
            for s, hidden in enumerate(config.hidden):
                for k in range(2):
                    fields, graph = planted_fields(hidden, k)
                    assert sizes_found[i, s, k].tolist() == sizes_of(fields, graph, alpha, level, 7).tolist()
