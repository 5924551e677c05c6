"""What `precursor` makes of runs whose answers are planted, and what it measures of a run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tdu
from tdu.avalanches import gauges
from tdu.avalanches.averaging import cosine
from tdu.avalanches.edges import edge_statistics
from tdu.avalanches.ranked import ranked
from tdu.avalanches.spectrum import SPECTRAL_COLUMNS
from tdu.config import NetworkConfig
from tdu.experiments import precursor_statistics as statistics
from tdu.experiments.precursor_alarms import alarmed, frozen, resolved, without_grokking
from tdu.experiments.precursor_figure import of_tables
from tdu.experiments.precursor_observables import OBSERVABLES, OF_FIELDS, WINDOW, Probes
from tdu.experiments.precursor_runs import CONTROLS, GROKS, MLP, SET, Group, watched_run
from tdu.files import read_csv, read_tables
from tdu.logs.log import gather
from tdu.models.networks import NETWORKS
from tdu.models.optimisers import optimiser
from tdu.rng import Stage, generator
from tdu.training.network import task_of
from tdu.types import Layout, Run

T = 80  # snapshots, ten epochs apart
MEMORISED, HALF, MOST, GROKKED = 5, 30, 34, 40


DRIFT = 1 / 128  # a snapshot; a fraction of two, so that sums are exact


def planted(k, *, groks, shift=0.0, rise=0.0, loss_scale=1.0):
    """A run that memorises at snapshot 5; every column, or its logarithm, drifts, and rises from snapshot 20 on."""
    t = np.arange(T)
    test = np.where(t >= GROKKED, 1.0, np.where(t >= MOST, 0.8, np.where(t >= HALF, 0.6, 0.1))) if groks else np.full(T, 0.1)
    value = shift + DRIFT * t + rise * (t >= 20)
    known = {one.name: np.exp(value) if one.of_log else value for one in OBSERVABLES}
    columns = {**known, "accuracy": np.where(t >= MEMORISED, 1.0, 0.5), "test_accuracy": test}
    columns["loss"] = loss_scale * np.exp(-0.05 * t)
    return Run(8, k, Layout.unknown(4), 10 * t, columns, {}, {}, 10 * GROKKED if groks else -1)


def runs_of(groks, *controls):
    return statistics.runs_of([(gather(groks), [gather(control) for control in controls])])


def blocks(n=5, rise=0.5):
    rng = np.random.default_rng(0)
    shifts = rng.integers(-8, 8, size=(4, n)) / 8
    groks = [planted(k, groks=True, shift=shifts[0, k], rise=rise) for k in range(n)]
    controls = [[planted(k, groks=False, shift=shifts[c, k]) for k in range(n)] for c in (1, 2, 3)]
    return runs_of(groks, *controls)


def test_phases_are_counted_from_memorisation_and_test_accuracy():
    runs = blocks()
    first = MEMORISED + 3  # three snapshots make the level that changes count from
    middle = (first + MOST) // 2
    found = {name: statistics.phase(runs, 0, name).tolist() for name in statistics.PHASES}
    assert found == {
        "plateau": [middle - 2, middle - 1, middle],
        "at 0.5": [HALF - 2, HALF - 1, HALF],
        "at 0.75": [MOST - 2, MOST - 1, MOST],
        "after": [GROKKED, GROKKED + 1, GROKKED + 2],
    }


def test_a_change_less_that_of_matched_controls_is_what_was_planted():
    """All runs drift, and those that grok rise by 0.5."""
    runs = blocks()
    pairs = statistics.partners(runs)
    assert (pairs == np.arange(T)).all()  # equal losses: each snapshot with that of the same epoch
    change = statistics.mean_change(runs, "moran", "at 0.5", seed=0)
    assert change.value == pytest.approx(0.5 + DRIFT * (HALF - 1 - (MEMORISED + 1)))
    apart = statistics.contrast(runs, pairs, "moran", "at 0.5", seed=0)
    assert (apart.value, apart.low, apart.high) == pytest.approx((0.5,) * 3)
    assert apart.note == "5 of 5 runs matched"
    before = statistics.contrast(runs, pairs, "moran", "plateau", seed=0)
    assert before.value == pytest.approx(0.5 * 2 / 3)  # of the three snapshots midway, 19 to 21, two have risen


def test_controls_that_are_never_as_far_are_no_controls():
    groks = [planted(k, groks=True) for k in range(3)]
    lower = [planted(k, groks=False, loss_scale=1e-6) for k in range(3)]
    runs = runs_of(groks, lower)
    pairs = statistics.partners(runs)
    found = statistics.contrast(runs, pairs, "moran", "at 0.5", seed=0)
    assert np.isnan(found.value)
    assert found.note == "0 of 3 runs matched"
    assert np.isnan(statistics.auroc(runs, pairs, "moran", seed=0).value)
    assert np.isfinite(statistics.auroc(runs, None, "moran", seed=0).value)


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    """With a rise all matched snapshots from 20 on are in order, and those before are tied."""
    runs = blocks(rise=0.5)
    pairs = statistics.partners(runs)
    soon = np.arange(GROKKED - 30, GROKKED)  # 300 epochs
    in_order = np.mean(np.where(soon >= 20, 1.0, 0.5))
    assert statistics.auroc(runs, pairs, "moran", seed=0).value == pytest.approx(in_order)
    change = DRIFT * np.arange(T) + 0.5 * (np.arange(T) >= 20)
    mine = change[soon][:, None]
    of_controls = np.tile(DRIFT * np.arange(8, T), 15)
    of_itself = np.tile(change[8 : GROKKED - 30], 5)
    others = np.concatenate([of_controls, of_itself])
    wanted = np.mean((mine > others) + 0.5 * (mine == others))
    assert statistics.auroc(runs, None, "moran", seed=0).value == pytest.approx(wanted)


def test_controls_of_one_kind_are_told_from_alone():
    groks, same, lower = ([planted(k, groks=kind == 0, rise=0.5 * (kind < 2)) for k in range(3)] for kind in range(3))
    runs = runs_of(groks, same, lower)
    found = []
    for kind in (1, 2):
        beside = statistics.beside(runs, kind)
        assert beside.kind.tolist() == [0] * 3 + [kind] * 3
        found.append(statistics.auroc(beside, statistics.partners(beside), "moran", seed=0).value)
    assert found == [0.5, pytest.approx(np.mean(np.where(np.arange(GROKKED - 30, GROKKED) >= 20, 1.0, 0.5)))]


def test_without_controls_or_runs_that_grok_nothing_is_known():
    groks = [planted(k, groks=True) for k in range(2)]
    for runs in (runs_of(groks, groks), runs_of([planted(0, groks=False)], [planted(0, groks=False)])):
        pairs = statistics.partners(runs)
        assert np.isnan(statistics.contrast(runs, pairs, "moran", "at 0.5", seed=0).value)
        assert np.isnan(statistics.auroc(runs, pairs, "moran", seed=0).value)


def test_runs_of_a_block_are_scored_at_the_same_epochs():
    runs = blocks(rise=0.5)
    found = statistics.scores(runs, "moran")
    drift = DRIFT * (np.mean(np.arange(GROKKED - 30, GROKKED)) - (MEMORISED + 1))
    np.testing.assert_allclose(found[~runs.groks], drift)
    np.testing.assert_allclose(found[runs.groks], drift + 0.5 * 20 / 30)
    assert statistics.of_labels(found, runs.groks) == 1
    assert statistics.of_labels(np.ones(found.size), runs.groks) == 0.5


def test_the_best_of_many_columns_of_noise_is_what_permuted_labels_say():
    rng = np.random.default_rng(1)
    runs = blocks(n=6)
    noisy = {one.name: rng.normal(size=(runs.groks.size, 1)) + np.zeros(T) for one in OBSERVABLES}
    runs = replace(runs, change=noisy)
    names = tuple(noisy)
    chance = statistics.under_permuted_labels(runs, names, seed=0, n=200)
    assert chance.shape == (200, len(names))
    one, best = np.quantile(chance, 0.95), np.quantile(chance.max(axis=1), 0.95)
    assert 0.2 < one < 0.35 < best < 0.5
    found = max(abs(statistics.of_labels(statistics.scores(runs, name), runs.groks) - 0.5) for name in names)
    assert found < best


def test_an_alarm_that_controls_have_set_is_tried_on_runs_and_controls_of_a_role():
    """What the last three snapshots of controls reach is 71 drifts; runs that grok are beyond it from snapshot 20 on."""
    logs = {}
    for role in (SET, MLP):
        logs[Group(role, GROKS)] = gather(planted(k, groks=True, rise=0.5) for k in range(4))
        for kind in CONTROLS:
            logs[Group(role, kind)] = gather(planted(k, groks=False) for k in range(4))
    logs[Group(MLP, CONTROLS[0])] = gather([planted(0, groks=False, rise=0.5), planted(1, groks=True, rise=0.5)])
    alarm = frozen(next(one for one in OBSERVABLES if one.name == "moran"), "rise", logs)
    assert alarm.threshold == 71 * DRIFT
    found = alarmed(alarm, logs, [MLP], seed=0)
    assert (found.off.value, found.off.note) == (1.0, "4 of 4")
    assert found.false.note == "1 of 9"  # one control is beyond, another that groks is none
    assert (found.lead.value, found.lead.low, found.lead.high) == (10 * GROKKED - 220,) * 3


def test_gradients_below_what_single_precision_resolves_are_left_out():
    log = gather([planted(0, groks=False, loss_scale=1e-4)])
    seen = resolved(log)
    lost = log.columns["loss"][0, 0] < 1e-5
    assert 0 < lost.sum() < T
    np.testing.assert_array_equal(np.isnan(seen.columns["spectral"][0, 0]), lost)
    np.testing.assert_array_equal(seen.columns["accuracy"], log.columns["accuracy"])


def test_runs_that_should_grok_and_do_not_and_controls_that_do_are_left_out():
    groks = [planted(0, groks=True), planted(1, groks=False)]
    controls = [planted(0, groks=False), planted(1, groks=True)]
    runs = runs_of(groks, controls)
    assert runs.left_out == (1, 1)
    assert runs.groks.tolist() == [True, False]
    left = without_grokking(gather(controls))
    assert (left.grokking_step == -1).all()
    assert np.isnan(left.size[0, 1]).all()


def test_what_the_pages_say_in_words_is_what_the_data_say():
    data = Path(__file__).parent.parent / "experiments" / "precursor" / "data"
    told, precision = ({row["what"]: row for row in read_csv(data / f"{name}.csv")} for name in ("told", "precision"))

    def of_fresh(column):
        return {one.name: float(told[f"fresh, {one.name}"][column] or "nan") for one in OBSERVABLES if one.of_gradient}

    matched = of_fresh("AUROC matched")
    assert max(matched, key=matched.get) == "spectral_signs"
    assert told["fresh, spectral_signs"]["direction"] == "fall"
    avalanches = ("ba_epsilon", "size", "epsilon", "moran", "concordance")
    assert all(float(told[f"fresh, {name}"]["AUROC matched low"]) < 0.5 for name in avalanches)
    assert max(of_fresh("alarm before grokking").values()) < 0.2  # no observable of a gradient has an alarm as was decided
    for name in ("weight_norm", "effective_rank", "test_accuracy"):
        assert told[f"fresh, {name}"]["alarm before grokking"] == "1"
    assert told["fresh, spectral_signs"]["resolved, alarm before grokking"] == "1"
    assert float(told["token MLP, spectral_signs"]["resolved, alarm before grokking"]) == 0
    assert float(told["token MLP, spectral"]["AUROC matched"]) < 0.5 < float(told["token MLP, spectral_signs"]["AUROC matched"])
    for what, row in precision.items():
        assert float(row["S"]) < -0.5 if what.endswith("single") else abs(float(row["S"])) < 0.1, what


def test_the_figure_is_of_the_tables_that_are_kept():
    data = Path(__file__).parent.parent / "experiments" / "precursor" / "data"
    figure, rows = of_tables(read_tables(data)), read_csv(data / "training.csv")
    assert len(figure.axes) == 14
    signs = figure.axes[3]
    for line, kind in zip(signs.lines, (GROKS, *CONTROLS), strict=True):
        values = [float(row["change of spectral_signs"] or "nan") for row in rows if row["kind"] == kind]
        np.testing.assert_array_equal(line.get_ydata(), values)
    raw, _ = (line for line in figure.axes[12].lines if len(line.get_xdata()) == len(OBSERVABLES))
    told = {row["what"]: row for row in read_csv(data / "told.csv")}
    assert list(raw.get_xdata()) == [float(told[f"fresh, {one.name}"]["AUROC"]) for one in OBSERVABLES]


def test_a_run_has_every_observable_of_its_own_gradients_and_is_read_back(tmp_path):
    config = NetworkConfig(modulus=7, width=8, epochs=20, learning_rate=1e-2, nulls=())
    run, made = watched_run(config, tmp_path)
    again, made_again = watched_run(config, tmp_path)
    assert (made, made_again) == (True, False)
    assert {one.name for one in OBSERVABLES} <= set(run.columns)
    np.testing.assert_array_equal(run.columns["spectral"], again.columns["spectral"])
    network = NETWORKS["transformer"](task_of(config), config)
    theta, gradients = network.initial(generator(0, Stage.PARAMETERS, 8, 0)), []
    method = optimiser(config.optimiser, theta, config.learning_rate, config.weight_decay)
    for epoch in range(11):
        weights = theta.copy()
        loss, _, gradient = network.loss_and_gradient(theta, network.task.train)
        gradients.append(gradient)
        method.step(theta, gradient, epoch + 1)
    assert run.columns["loss"][1] == pytest.approx(loss)
    mean = np.mean(gradients[-WINDOW:], axis=0, dtype=np.float64)
    field = gradient.astype(np.float64)
    found = Probes(network.layout, 0, 8, 0).of(field, mean)
    assert set(found) == set(OF_FIELDS)
    for name, value in found.items():
        assert run.columns[name][1] == pytest.approx(value), name
    pooled = tdu.spectrum(mean, network.layout).pooled
    assert run.columns["spectral"][1] == pytest.approx(pooled["spectral"].value)
    graph = tdu.Probe("rook").of_run(network.layout, 8, 0).graph
    assert found["moran"] == pytest.approx(edge_statistics(ranked(field, network.layout), graph)["moran"])
    assert run.columns["gradient_norm"][1] == pytest.approx(gauges.norm(field))
    assert run.columns["weight_norm"][1] == pytest.approx(gauges.norm(weights))
    assert run.columns["cosine"][1] == pytest.approx(cosine(gradients[-2], gradient))
    assert np.isnan([run.columns[name][0] for name in SPECTRAL_COLUMNS]).all()  # no window, and no gradient before
