"""The same fields on other graphs."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tdu.analysis import dimension, topology
from tdu.analysis.control import TOPOLOGIES
from tdu.avalanches.cascades import sizes_of
from tdu.avalanches.graphs import barabasi_albert
from tdu.avalanches.nulls import permuted
from tdu.config import StudyConfig
from tdu.rng import Stage, derived_seed, generator
from tests.planted import N_SITES, SEED, all_same, ensemble_of, study, time_mean

KEYS = (
    "dimension_late_ring",
    "dimension_late_small_world_0.05",
    "dimension_late_small_world_0.2",
    "dimension_late_scale_free",
    "dimension_late_random",
)
AFTER = np.arange(25) > 13
CONFIG = StudyConfig(hidden=(3, 6), replicates=2, seed=SEED, alpha=0.2, quantile=0.8, max_steps=7)


def test_late_dimensions_are_of_each_graph_real_and_permuted():
    log = study()
    real = {name: study(post=1.1 + 0.1 * i, rng_seed=20 + i).size for i, name in enumerate(TOPOLOGIES)}
    null = {name: study(post=1.0, rng_seed=30 + i).size for i, name in enumerate(TOPOLOGIES)}
    found = topology.analyse(log, topology.OnGraphs(real, null))
    all_same(
        found.estimates, {key: time_mean(N_SITES, size, "mean", AFTER) for key, size in zip(KEYS, real.values(), strict=True)}
    )
    assert tuple(found.readings) == KEYS
    for key, size in zip(KEYS, null.values(), strict=True):
        all_same(found.readings[key], {"permuted": time_mean(N_SITES, size, "mean", AFTER)})
    (drawn,) = found.series
    assert isinstance(drawn, topology.DimensionOnGraphs)
    assert np.array_equal(drawn.epoch, log.step)
    for bands, sizes in ((drawn.real, real), (drawn.permuted, null)):
        assert list(bands) == list(TOPOLOGIES)
        for name, size in sizes.items():
            wanted = dimension.over_time(log.with_size(size), SEED)["mean"]
            for part in ("value", "low", "high", "r2"):
                assert np.array_equal(getattr(bands[name], part), getattr(wanted, part))


def test_keys_are_words():
    assert tuple(topology.key_of(name) for name in TOPOLOGIES) == KEYS


def test_fields_of_shadow_training_are_probed_on_every_graph_with_one_permutation():
    def planted_fields(hidden, replicate):
        n = 4 * hidden + 1
        return np.random.default_rng([hidden, replicate]).standard_t(2, size=(3, n)), barabasi_albert(n)

    with ThreadPoolExecutor(1) as executor:
        found = topology.measure(ensemble_of(CONFIG, planted_fields), executor)
    for s, hidden in enumerate(CONFIG.hidden):
        for k in range(2):
            fields, _ = planted_fields(hidden, k)
            n = fields.shape[1]
            order = permuted(np.arange(n), generator(SEED, Stage.NULL, hidden, k)).astype(int)
            for name, build in TOPOLOGIES.items():
                graph = build(n, derived_seed(SEED, Stage.SYNTHETIC_GRAPH, hidden, k))
                assert found.real[name][s, k].tolist() == sizes_of(fields, graph, 0.2, 0.8, 7).tolist(), name
                assert found.permuted[name][s, k].tolist() == sizes_of(fields[:, order], graph, 0.2, 0.8, 7).tolist(), name
