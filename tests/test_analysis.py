"""The parts of the analysis that train: what they measure, from where, and the same for any number of workers.

What they make of a log is tested on planted ones, in tests/analysis.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tdu.analysis import control, excess, marginals, robustness, topology
from tdu.avalanches.nulls import MODELS
from tdu.config import Scope, StudyConfig
from tdu.models.mlp import n_parameters
from tdu.training.ensembles import train_all, train_with_fields
from tdu.training.sweeps import sweep
from tdu.training.xor import with_fields

SMALL = StudyConfig(hidden=(5, 10, 20), replicates=3, epochs=60)


def test_the_control_is_flat_and_the_same_for_any_number_of_workers():
    scope = Scope(n_draws=20, alphas=(0.1, 0.3), quantiles=(0.8, 0.9))
    config = replace(SMALL, hidden=(20, 50, 120))
    found = []
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as executor:
            found.append(control.measure(config, scope, executor))
    assert np.array_equal(found[0].topologies, found[1].topologies)
    assert found[0].topologies.shape == (5, 3, 3)
    assert found[0].alphas.shape == found[0].quantiles.shape == (2, 3, 3)
    # α = 0.3 and Q = 0.9 are the study's own: the same fields on the same scale-free graphs
    assert np.array_equal(found[0].alphas[1], found[0].topologies[list(control.TOPOLOGIES).index("scale-free")])
    assert np.array_equal(found[0].quantiles[1], found[0].alphas[1])
    result = control.analyse(config, found[0])
    assert result.estimates["dimension_synthetic"].value == pytest.approx(1, abs=0.05)
    assert 0 <= result.estimates["synthetic_topology_cv"].value < 5


def test_variation_is_in_percent():
    assert control.variation(np.array([[0.9, 1.1]])).tolist() == pytest.approx([100 * np.sqrt(0.02)])


def test_the_scatter_of_runs_alone_is_no_variation_over_settings():
    """Five settings of one exponent: the raw CV is of noise, and the verdict must not be. Planted variation is found."""
    rng = np.random.default_rng(0)
    n = np.array([n_parameters(h) for h in StudyConfig().hidden])
    covered = []
    for seed in range(40):
        values = n[:, None] * np.exp(0.2 * rng.normal(size=(5, 8, 6)))
        cv, _ = robustness.over_settings(n, values, "mean", seed)
        covered.append(cv.low < 0.4)
        assert control.variation(robustness.exponent_of_runs(n, "mean")(values)) > cv.value
    assert np.mean(covered) > 0.9
    tilt = np.array([0.9, 0.95, 1.0, 1.05, 1.1])[:, None, None]
    cv, _ = robustness.over_settings(n, n[:, None] ** tilt * np.exp(0.05 * rng.normal(size=(5, 8, 6))), "mean", 0)
    assert cv.low < 100 * tilt.std(ddof=1) < cv.high
    assert cv.low > 4


def test_shadow_sweeps_probe_one_training_and_inline_sweeps_reuse_the_study():
    scope = Scope(alphas=(0.1, 0.3), quantiles=(0.9,))
    with ThreadPoolExecutor(2) as executor:
        log = train_all(SMALL, executor)
        in_shadow = train_all(replace(SMALL, alpha_train=0.0), executor)
        sweeps = sweep(SMALL, log, scope, executor, train_with_fields(replace(SMALL, alpha_train=0.0), executor))
        other = train_all(replace(SMALL, alpha=0.1, alpha_train=0.1), executor)
    assert np.array_equal(sweeps.inline_alphas[1], log.size)
    assert np.array_equal(sweeps.inline_alphas[0], other.size)
    assert np.array_equal(sweeps.shadow_alphas[1], in_shadow.size)
    assert np.array_equal(sweeps.shadow_quantiles[0], in_shadow.size)
    assert not np.array_equal(sweeps.shadow_alphas[0], in_shadow.size)


def test_nulls_are_of_the_studys_own_snapshots_for_any_number_of_workers():
    found = []
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as executor:
            found.append(train_all(replace(SMALL, n_null_draws=2), executor, nulls=True).nulls)
            ensemble = train_with_fields(SMALL, executor)
            found.append(excess.measure(ensemble, list(MODELS.values())[:5], 2, executor))
    assert list(found[0]) == ["permuted", "blocks", "signs", "gaussian", "rewired"]
    for name, sizes in found[0].items():
        assert sizes.shape == (2, 3, 3, 7)
        assert all(np.array_equal(sizes, again[name]) for again in found)
        assert not np.array_equal(sizes[0], sizes[1])


GROKKING = StudyConfig(hidden=(20, 30, 50), replicates=2, epochs=120)


def test_marginals_are_of_the_studys_own_snapshots():
    with ThreadPoolExecutor(2) as executor:
        log, found = train_all(GROKKING, executor), marginals.measure(train_with_fields(GROKKING, executor), executor)
    assert found.isolated.shape == found.moment_ratio.shape == log.size.shape
    assert (found.isolated <= 2 * log.size).all()
    fields = with_fields(GROKKING, 30, 1).fields
    relative = np.abs(fields[4]) / log.columns["threshold"][1, 1, 4]
    assert found.tail[1, 1, 4] == pytest.approx([(relative >= x).mean() for x in marginals.TAIL_GRID])
    assert found.isolated[1, 1, 4] == marginals.isolated_size(relative, 0.3, 20)


def test_on_its_own_graph_a_shadow_run_is_probed_as_it_was():
    shadow_config = replace(GROKKING, alpha_train=0.0)
    with ThreadPoolExecutor(2) as executor:
        log = train_all(shadow_config, executor)
        found = topology.measure(train_with_fields(shadow_config, executor), executor)
    assert set(found.real) == set(control.TOPOLOGIES) == set(found.permuted)
    # other graphs, the same fields: thresholds are shared, so that the first step is the same and sizes are alike
    ring = found.real["ring"]
    assert ring.shape == log.size.shape
    above = [[with_fields(shadow_config, h, k).fields for k in range(2)] for h in GROKKING.hidden]
    first_step = [[[np.sum(np.abs(f) > np.quantile(np.abs(f), 0.9)) for f in run] for run in scale] for scale in above]
    assert (ring >= np.array(first_step)).all()
    assert 0.7 < ring.sum() / log.size.sum() < 1.4
    of_permuted = found.permuted["ring"]
    assert not np.array_equal(of_permuted, ring)
    assert (of_permuted >= np.array(first_step)).all()
    summary = topology.analyse(log, found)
    assert len(summary.estimates) == 5
    assert summary.readings[topology.key_of("scale-free")]["permuted"].statistic == "mean"
