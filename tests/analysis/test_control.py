"""The synthetic control: which fields, on which graphs, at which settings."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tdu.analysis import control
from tdu.avalanches.cascades import sizes_of
from tdu.avalanches.graphs import barabasi_albert, random_graph, ring, small_world
from tdu.config import Scope, StudyConfig
from tdu.results.series import Topologies
from tdu.rng import Stage, derived_seed, generator, normal
from tdu.statistics.resampling import bootstrap
from tests.planted import N_SITES, SEED, band, exponent, resampled, same

CONFIG = StudyConfig(hidden=(3, 6), replicates=2, seed=SEED, alpha=0.2, quantile=0.8, max_steps=7)
SCOPE = Scope(n_draws=3, alphas=(0.1, 0.5), quantiles=(0.7, 0.95))
FAMILIES = {
    "ring": lambda n, seed: ring(n, 4),
    "small world, p = 0.05": lambda n, seed: small_world(n, 4, 0.05, seed),
    "small world, p = 0.2": lambda n, seed: small_world(n, 4, 0.2, seed),
    "scale-free": lambda n, seed: barabasi_albert(n, 2, seed),
    "random": lambda n, seed: random_graph(n, 4, seed),
}


def test_the_same_fields_are_probed_on_five_topologies_and_at_every_setting():
    with ThreadPoolExecutor(1) as executor:
        found = control.measure(CONFIG, SCOPE, executor)
    assert list(control.TOPOLOGIES) == list(FAMILIES)
    assert found.n_draws == 3
    for s, hidden in enumerate(CONFIG.hidden):
        for k in range(2):
            n = 4 * hidden + 1
            fields = normal(generator(SEED, Stage.SYNTHETIC_FIELD, hidden, k), (3, n), 0.5)
            graphs = {name: make(n, derived_seed(SEED, Stage.SYNTHETIC_GRAPH, hidden, k)) for name, make in FAMILIES.items()}

            def mean(graph, alpha, quantile, fields=fields):
                return sizes_of(fields, graph, alpha, quantile, 7).mean()

            assert found.topologies[:, s, k].tolist() == [mean(graph, 0.2, 0.8) for graph in graphs.values()]
            assert found.alphas[:, s, k].tolist() == [mean(graphs["scale-free"], alpha, 0.8) for alpha in (0.1, 0.5)]
            assert found.quantiles[:, s, k].tolist() == [mean(graphs["scale-free"], 0.2, level) for level in (0.7, 0.95)]


def test_d_synth_is_the_mean_over_topologies_and_each_has_its_own():
    rng = np.random.default_rng(0)
    tilt = np.array([0.9, 0.95, 1.0, 1.1, 1.2])[:, None, None]
    topologies = N_SITES[:, None] ** tilt * np.exp(0.1 * rng.normal(size=(5, 4, 6)))
    config = StudyConfig(hidden=(20, 50, 120, 500), replicates=6, seed=SEED)
    found = control.analyse(config, control.Control(topologies, topologies[:2], topologies[:2], 3))
    fit = exponent(N_SITES, "mean")
    note = "5 topologies × 6 seeds, 3 fields each"
    same(
        found.estimates["dimension_synthetic"],
        resampled(topologies, lambda v: fit(v).mean(axis=-1), "mean size", note),
    )
    assert found.estimates["dimension_synthetic"].value == pytest.approx(1.03, abs=0.03)
    cv = found.estimates["synthetic_topology_cv"]
    samples = bootstrap(topologies, fit, SEED)
    same(cv, control.variation_beyond_noise(fit(topologies), samples, "CV over topologies, %", note))
    assert cv.value == pytest.approx(100 * tilt.std(ddof=1) / tilt.mean(), rel=0.1)
    (series,) = found.series
    assert isinstance(series, Topologies)
    assert series.name == tuple(FAMILIES)
    np.testing.assert_allclose(series.dimension.value, fit(topologies))
    low, high = band(topologies, fit)
    np.testing.assert_allclose(series.dimension.low, low, rtol=1e-8)
    np.testing.assert_allclose(series.dimension.high, high, rtol=1e-8)
    of_seeds = control.sizes_for_bootstrap(control.Control(topologies, topologies, topologies, 3))
    np.testing.assert_allclose(of_seeds, topologies.mean(axis=0))


def test_variation_is_of_the_size_of_the_mean():
    values = np.array([[-1.1, -0.9], [0.0, 0.0], [2.0, 4.0]])
    np.testing.assert_allclose(control.variation(values), [100 * np.sqrt(0.02), np.nan, 100 * np.sqrt(2) / 3])


@pytest.mark.parametrize(
    ("exponents", "scatter"), [((0.9, 1.0, 1.1), 0.01), ((1.0, 1.0, 1.03), 0.02), ((1.0, 1.01, 1.0), 0.05)]
)
def test_what_noise_makes_is_taken_off_in_squares_and_bounds_what_is_left(exponents, scatter):
    exponents = np.array(exponents)
    samples = exponents + scatter * np.random.default_rng(0).normal(size=(4000, 3))

    def cv(values):
        return 100 * values.std(axis=-1, ddof=1) / values.mean(axis=-1)

    of_centred = cv(samples - exponents + exponents.mean()) ** 2
    noise, raw = of_centred.mean(), cv(exponents)
    low, high = np.percentile(np.sqrt(np.maximum(cv(samples) ** 2 - 2 * noise, 0)), [2.5, 97.5])
    high = max(high, np.sqrt(np.percentile(of_centred, 97.5) - noise))
    said = f"raw CV {raw:.2f}, of which runs alone make {np.sqrt(noise):.2f}"
    found = control.variation_beyond_noise(exponents, samples, "CV", "a note")
    assert found.statistic == "CV"
    if raw**2 > noise:
        assert (found.value, found.low, found.high) == pytest.approx((np.sqrt(raw**2 - noise), low, high))
        assert found.note == f"{said}; a note"
    else:
        assert (found.value, found.low, found.high) == pytest.approx((0, 0, high))
        assert found.note == f"{said}; a bound, as runs alone would make as much; a note"
    assert control.variation_beyond_noise(exponents, samples, "CV").note == found.note.removesuffix("; a note")


def test_without_samples_a_cv_is_unknown():
    found = control.variation_beyond_noise(np.array([0.9, 1.1]), np.full((1, 2), np.nan), "CV")
    assert np.isnan([found.value, found.low, found.high]).all()
