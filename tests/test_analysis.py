"""The parts of the analysis on logs whose answer is known."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tdu.analysis import (
    concentration,
    control,
    dimension,
    excess,
    grokking,
    marginals,
    phases,
    robustness,
    shadow,
    tails,
    topology,
)
from tdu.config import Scope, StudyConfig
from tdu.ensembles import train_all
from tdu.models.mlp import n_parameters
from tdu.types import CascadeLog

HIDDEN = (20, 50, 120, 500)
N_SITES = np.array([n_parameters(h) for h in HIDDEN])
SMALL = StudyConfig(hidden=(5, 10, 20), replicates=3, epochs=60)


def log_of(size, grokked=None, epoch=None, gini=None, hidden=HIDDEN):
    """A log of sizes (S, K, T) whose runs grok at epochs (S, K)."""
    epoch = np.arange(size.shape[-1]) if epoch is None else epoch
    n_epochs = int(epoch[-1]) + 1
    grokked = np.zeros(size.shape[:2]) if grokked is None else grokked
    accuracy = np.where(np.arange(n_epochs) >= grokked[..., None], 1.0, 0.5)
    empty = np.zeros(size.shape)
    return CascadeLog(
        config=StudyConfig(hidden=hidden, replicates=size.shape[1]),
        n_sites=np.array([n_parameters(h) for h in hidden]),
        epoch=epoch,
        loss=accuracy,
        accuracy=accuracy,
        gini=accuracy if gini is None else gini,
        size=size,
        **dict.fromkeys(
            ("duration", "extent", "peak", "profile", "threshold", "dissipated", "capped", "deviation_angle"), empty
        ),
    )


def crossover(pre, post, grokked, n_snapshots=40, spread=0.02, seed=0):
    """Sizes N^pre before a run's grokking epoch and N^post from it on."""
    rng = np.random.default_rng(seed)
    after = np.arange(n_snapshots) >= grokked[..., None]
    scatter = np.exp(spread * rng.normal(size=(*grokked.shape, 1)))
    return np.round(5 * N_SITES[:, None, None] ** np.where(after, post, pre) * scatter).astype(int)


def test_the_grokking_window_is_of_scale_means_and_counts_the_ungrokked():
    grokked = np.array([[10, 20], [4, 6], [12, 99], [30, 30]])
    log = log_of(np.ones((4, 2, 41), int), grokked)
    assert grokking.window(log) == (5, 30)
    found = grokking.analyse(log)
    assert found.estimates["grokking_first"].value == 5
    assert found.estimates["grokking_last"].note == "1 of 8 runs never grok"
    assert found.readings["grokking_first"]["earliest run"].value == 4


def test_planted_phases_come_back():
    grokked = np.array([[10, 14, 8, 20, 11, 9]] * 4)
    log = log_of(crossover(0.9, 1.2, grokked), grokked)
    found = phases.analyse(log)
    for key, planted in (("dimension_pre", 0.9), ("dimension_post", 1.2), ("phase_separation", 0.3)):
        one = found.estimates[key]
        assert one.low < planted < one.high, key
        assert one.high - one.low < 0.1
    assert found.estimates["leave_one_out_gap"].low > 0.2
    assert "12.0 snapshots a run; 0 of 24 runs have none" in found.estimates["dimension_pre"].note
    assert {"run-peak, every snapshot", "mean, every snapshot"} == set(found.readings["dimension_pre"])
    density, edges = (found.series["bootstrap"]["dimension_pre"][k] for k in ("density", "edges"))
    assert (density * np.diff(edges)).sum() == pytest.approx(1)


def test_runs_without_a_phase_take_no_part_in_it():
    grokked = np.array([[0, 12, 12, 12, 12, 99]] * 4)
    log = log_of(crossover(0.9, 1.2, grokked), grokked)
    found = phases.analyse(log)
    assert "4 of 24 runs have none" in found.estimates["dimension_pre"].note  # grokked at once
    assert "4 of 24 runs have none" in found.estimates["dimension_post"].note  # never grokked
    assert found.estimates["dimension_pre"].value == pytest.approx(0.9, abs=0.03)
    assert found.estimates["dimension_post"].value == pytest.approx(1.2, abs=0.03)


def test_a_study_that_never_groks_has_no_second_phase():
    never = np.full((4, 3), 99)
    log = log_of(crossover(0.9, 1.2, never), never)
    found = phases.analyse(log)
    assert np.isnan(found.estimates["dimension_post"].value)
    assert "must be finite" in found.estimates["dimension_post"].note
    assert found.estimates["dimension_pre"].value == pytest.approx(0.9, abs=0.03)


def test_collapse_finds_the_exponent_the_tails_were_made_with():
    rng = np.random.default_rng(0)
    size = np.stack([(n**1.2 * rng.gamma(2.0, 1.0, (6, 51))).astype(int) + 1 for n in N_SITES])
    found = tails.analyse(log_of(size))
    best = found.estimates["collapse_exponent"]
    assert best.value == pytest.approx(1.2, abs=0.03)
    assert best.low < 1.2 < best.high
    assert found.estimates["collapse_quality_best"].value <= found.estimates["collapse_quality"].value
    assert found.estimates["collapse_quality_best"].value < 2
    assert found.series["ccdf"]["h20"]["p"][0] == 1
    assert (found.series["power_law"]["decades"] >= 0).all()


def gini_log(curves, grokked):
    curves = np.array(curves, float)[None]
    return log_of(np.ones((1, curves.shape[1], curves.shape[2]), int), np.array([grokked]), gini=curves, hidden=(21,))


def test_a_planted_gini_peak_comes_back():
    epoch = np.arange(301)
    peaks = np.array([60, 100, 140])
    curves = 0.4 * (1 + 0.25 * np.exp(-(((epoch - peaks[:, None]) / 30) ** 2)))
    curves[:, 0] = 0.4
    log = gini_log(curves, peaks + np.array([0, 5, -30]))
    found = concentration.analyse(log, log)
    assert found.estimates["gini_rise"].value == pytest.approx(25, abs=0.5)
    assert found.estimates["gini_duration"].value == pytest.approx(2 * 30 * np.sqrt(np.log(2)), abs=2)
    assert found.estimates["gini_near_grokking"].value == pytest.approx(200 / 3)
    assert found.estimates["gini_transient"].value == 100
    aligned = found.series["gini"]["inline"]
    assert aligned["mean"].size == aligned["offset"].size == 251
    assert aligned["lag_counts"].sum() == 3


def test_a_run_that_never_rises_has_no_peak():
    falling, peaked = np.linspace(1, 0.5, 301), 1 + np.exp(-(((np.arange(301) - 100) / 20) ** 2))
    found = concentration.analyse(*[gini_log([falling, peaked], [50, 100])] * 2)
    assert found.estimates["gini_transient"].note == found.estimates["gini_near_grokking"].note == "1 runs"
    assert found.estimates["gini_rise"].note == "2 runs"


def test_a_rise_that_stays_is_not_transient_and_an_ungrokked_run_is_not_aligned():
    curves = [np.linspace(1, 2, 301), np.linspace(1, 2, 301)]
    found = concentration.analyse(*[gini_log(curves, [50, 999])] * 2)
    assert found.estimates["gini_transient"].value == 0
    assert found.estimates["gini_duration"].value == 151
    assert found.estimates["gini_near_grokking"].note == "1 runs"


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
        sweeps = robustness.measure(log, scope, executor)
        other = train_all(replace(SMALL, alpha=0.1, alpha_train=0.1), executor)
    assert np.array_equal(sweeps.inline_alphas[1], log.size)
    assert np.array_equal(sweeps.inline_alphas[0], other.size)
    assert np.array_equal(sweeps.shadow_alphas[1], in_shadow.size)
    assert np.array_equal(sweeps.shadow_quantiles[0], in_shadow.size)
    assert not np.array_equal(sweeps.shadow_alphas[0], in_shadow.size)
    change = shadow.analyse(log, log, (0.0, 0.0)).estimates["shadow_change"]
    assert (change.value, change.low, change.high) == (0, 0, 0)
    steeper = replace(log, size=(log.size * log.n_sites[:, None, None] ** 0.5))
    assert shadow.analyse(log, steeper, (0.0, 0.0)).estimates["shadow_change"].value == pytest.approx(0.5)


def test_angles_are_in_degrees_and_windows_leave_their_ends_out():
    with ThreadPoolExecutor(2) as executor:
        log = train_all(SMALL, executor)
    found = dimension.analyse(log, (10.0, 40.0))
    assert found.estimates["deviation_angle"].value == pytest.approx(np.degrees(log.deviation_angle.mean()))
    assert "over 1 snapshots" in found.estimates["dimension_early"].note  # epoch 0, not 10
    assert "over 2 snapshots" in found.estimates["dimension_late"].note  # epochs 50 and 60, not 40
    assert "over 7 snapshots" in found.estimates["dimension_time_average"].note
    assert found.estimates["steps_capped"].value == pytest.approx(100 * log.capped.mean())
    assert 0 <= found.estimates["dimension_r2"].high <= 1


def test_one_draw_of_a_null_is_one_arrangement_for_all_snapshots():
    fields = np.arange(3)[:, None] * 100.0 + np.arange(41)
    for name in ("permuted", "blocks"):
        drawn = excess.same_for_all(name, fields, np.random.default_rng(0))
        assert np.array_equal(drawn - drawn[:1], fields - fields[:1])
        assert not np.array_equal(drawn, fields)
    signed = excess.same_for_all("signs", fields + 1, np.random.default_rng(0))
    assert np.array_equal(np.sign(signed[0]), np.sign(signed[2]))


def test_nulls_are_of_the_studys_own_snapshots_for_any_number_of_workers():
    found = []
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as executor:
            found.append(excess.measure(SMALL, 2, executor))
    assert set(found[0].sizes) == {"permuted", "blocks", "signs", "gaussian", "rewired"}
    for name, sizes in found[0].sizes.items():
        assert sizes.shape == (2, 3, 3, 7)
        assert np.array_equal(sizes, found[1].sizes[name])
        assert not np.array_equal(sizes[0], sizes[1])


def test_real_sizes_that_are_the_null_have_no_excess():
    null = np.stack([crossover(0.9, 1.2, np.full((4, 6), 20), seed=s) for s in range(4)])
    log = log_of(null[0], np.array([[18], [20], [22], [19]]) * np.ones((1, 6), int))
    sizes = excess.NullSizes({"permuted": np.stack([null[0]] * 3)})
    found = excess.analyse(log, sizes, "permuted")
    one = found.estimates["excess_permuted"]
    assert (one.value, one.low, one.high) == (0, 0, 0)
    assert "p = 1.0000" in one.note
    assert found.estimates["share_permuted"].value == 0
    doubled = excess.NullSizes({"permuted": np.stack([np.round(N_SITES[:, None, None] ** 1.0 * np.ones((4, 6, 40)))] * 3)})
    late = excess.analyse(log, doubled, "permuted")
    assert late.estimates["excess_permuted"].value == pytest.approx(0.2, abs=0.02)
    assert late.estimates["share_permuted"].value == pytest.approx(100, abs=1)
    assert "D_post, mean" in late.readings["excess_permuted"]


GROKKING = StudyConfig(hidden=(20, 30, 50), replicates=2, epochs=120)


def test_marginals_are_of_the_studys_own_snapshots():
    from tdu.models.xor import snapshot_fields

    with ThreadPoolExecutor(2) as executor:
        log, found = train_all(GROKKING, executor), marginals.measure(GROKKING, executor)
    assert found.isolated.shape == found.moment_ratio.shape == log.size.shape
    assert (found.isolated <= 2 * log.size).all()
    fields, _ = snapshot_fields(GROKKING, 30, 1)
    relative = np.abs(fields[4]) / log.threshold[1, 1, 4]
    assert found.tail[1, 1, 4] == pytest.approx([(relative >= x).mean() for x in marginals.TAIL_GRID])
    assert found.isolated[1, 1, 4] == marginals.isolated_size(relative, 0.3, 20)


def test_phases_of_the_tail_are_before_at_and_after_the_runs_own_grokking_epoch():
    with ThreadPoolExecutor(2) as executor:
        log, found = train_all(GROKKING, executor), marginals.measure(GROKKING, executor)
    drawn = marginals.analyse(log, found).series["moment_ratio"]
    for scale in range(3):
        at, after, before = [], [], []
        for run in range(2):
            grokked = log.grokking_epoch[scale, run]
            first = int(np.flatnonzero(log.epoch >= grokked)[0])
            before += list(found.moment_ratio[scale, run, :first])
            at.append(found.moment_ratio[scale, run, first])
            after += list(found.moment_ratio[scale, run, first + 1 :])
        for phase, values in (("before", before), ("at", at), ("after", after)):
            assert drawn[phase][scale] == pytest.approx(np.mean(values)), phase


def test_topplings_per_site_are_flat_where_sizes_are_proportional_to_n():
    with ThreadPoolExecutor(2) as executor:
        log = train_all(GROKKING, executor)
    flat = replace(log, size=np.broadcast_to(log.n_sites[:, None, None] * 2, log.size.shape))
    share = marginals.size_share(flat, {"double": np.stack([2 * flat.size, 4 * flat.size])}).series["size_share"]
    assert share["real"] == pytest.approx([2, 2, 2])
    assert share["double"] == pytest.approx([6, 6, 6])


def test_on_its_own_graph_a_shadow_run_is_probed_as_it_was():
    shadow_config = replace(GROKKING, alpha_train=0.0)
    with ThreadPoolExecutor(2) as executor:
        log = train_all(shadow_config, executor)
        found = topology.measure(GROKKING, executor)
    assert set(found.real) == set(control.TOPOLOGIES) == set(found.permuted)
    # other graphs, the same fields: thresholds are shared, so that the first step is the same and sizes are alike
    ring = found.real["ring"]
    assert ring.shape == log.size.shape
    assert (ring >= log.profile[..., 0]).all()
    assert 0.7 < ring.sum() / log.size.sum() < 1.4
    of_permuted = found.permuted["ring"]
    assert not np.array_equal(of_permuted, ring)
    assert (of_permuted >= log.profile[..., 0]).all()
    summary = topology.analyse(log, found)
    assert len(summary.estimates) == 5
    assert summary.readings[topology.key_of("scale-free")]["permuted"].statistic == "mean"
