"""Synthetic fields as a log: the fields of the study's control, on the graphs of the probe, fitted as any log."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu.analysis import control
from tdu.avalanches.families import FAMILIES
from tdu.cli import main
from tdu.config import GRAPHS, LogConfig, Scope, StudyConfig, SyntheticConfig
from tdu.logs.store import Store
from tdu.results.command import commands
from tdu.results.published import label
from tdu.rng import Stage, derived_seed, generator, normal
from tdu.sources.synthetic import probe_of, run_of, synthesise

SMALL = ["--hidden", "3,6,12", "--replicates", "2", "--fields", "5", "--seed", "7"]
CONFIG = SyntheticConfig(hidden=(3, 6, 12), replicates=2, fields=5, seed=7)


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def test_families_have_the_names_that_the_help_lists():
    assert tuple(FAMILIES) == GRAPHS


def test_on_a_ring_sizes_are_those_of_the_study_control(tmp_path):
    study = StudyConfig(hidden=CONFIG.hidden, replicates=2, seed=7)
    with ThreadPoolExecutor(1) as executor:
        known = control.measure(study, Scope(n_draws=5), executor)
    run("synth", "--out", tmp_path, *SMALL, "--graph", "ring")
    log = tdu.load(tmp_path)
    np.testing.assert_array_equal(log.size.mean(axis=-1), known.topologies[list(control.TOPOLOGIES).index("ring")])
    assert (log.n_sites.tolist(), log.step.tolist()) == ([13, 25, 49], [0, 1, 2, 3, 4])


def test_a_field_is_measured_on_its_runs_graph_beside_its_nulls(tmp_path):
    assert run("synth", "--out", tmp_path, *SMALL, "--nulls", "permuted,blocks", "--n-null-draws", 3).stdout == f"{tmp_path}\n"
    found = Store.open(tmp_path).read(6, 1)
    fields = normal(generator(7, Stage.SYNTHETIC_FIELD, 6, 1), (5, 25), 0.5)
    graph = tdu.barabasi_albert(25, seed=derived_seed(7, Stage.GRAPH, 6, 1))
    for t, field in enumerate(fields):
        wanted = tdu.avalanche(field, graph)
        assert (found.size[t], found.columns["threshold"][t]) == (wanted.size, wanted.threshold)
    assert {name: sizes.shape for name, sizes in found.nulls.items()} == {"permuted": (3, 5), "blocks": (3, 5)}
    again = probe_of(SyntheticConfig(nulls=("blocks",), n_null_draws=3, seed=7)).of_run(found.layout, 6, 1)
    np.testing.assert_array_equal(again.null_sizes(fields, found.step)["blocks"], found.nulls["blocks"])


def test_neither_workers_nor_an_interruption_nor_the_width_of_a_field_matter(tmp_path):
    list(synthesise(tmp_path / "one", CONFIG, 1))
    some = synthesise(tmp_path / "two", CONFIG, 2)
    next(some)
    some.close()
    assert 0 < len(Store.open(tmp_path / "two").addresses()) < 6
    with pytest.raises(tdu.InputError, match=r"of the 6 runs in .* are missing: the command that began it finishes it"):
        tdu.load(tmp_path / "two")
    assert len(list(synthesise(tmp_path / "two", CONFIG, 2))) == len(Store.open(tmp_path / "one").addresses()) - 1
    one, two = tdu.load(tmp_path / "one"), tdu.load(tmp_path / "two")
    np.testing.assert_array_equal(one.size, two.size)
    wide = run_of(SyntheticConfig(fields=5, seed=7, std=4.0), 12, 1)
    np.testing.assert_array_equal(wide.size, one.size[2, 1])
    np.testing.assert_allclose(wide.columns["threshold"], 8 * one.columns["threshold"][2, 1])


def test_another_setting_or_a_wrong_one_is_refused_before_anything_is_written(tmp_path):
    run("synth", "--out", tmp_path / "log", *SMALL)
    refused = run("synth", "--out", tmp_path / "log", *SMALL, "--fields", 6, code=1)
    assert "fields = 5 there, 6 here" in refused.stderr
    for options, words in (
        (["--nulls", "shuffled"], "`nulls` must be one of permuted"),
        (["--hidden", "3,3"], "`hidden` names a scale twice"),
    ):
        assert words in run("synth", "--out", tmp_path / "other", *options, code=1).stderr
    for option in ("--std", "--fields"):
        assert f"Invalid value for '{option}'" in run("synth", "--out", tmp_path / "other", option, 0, code=2).stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_fit_and_report_read_it_and_its_gamma_is_one(tmp_path):
    run("synth", "--out", tmp_path, "--hidden", "20,50,120,300", "--replicates", 4, "--nulls", "permuted", "--n-null-draws", 4)
    found = json.loads(run("fit", tmp_path, "--json").stdout)["quantities"]
    assert found["gamma"]["value"] == pytest.approx(1.0, abs=0.02)
    excess = found["excess_at_all_steps_permuted"]
    assert excess["low"] < 0 < excess["high"] < excess["low"] + 0.07
    page = run("report", tmp_path).stdout.strip()
    text = (tmp_path / "report.html").read_text()
    assert page == str(tmp_path / "report.html")
    assert "Avalanches of synthetic fields" in text
    assert "Avalanches of independent Gaussian fields of 4 scales" in text
    said = "tdu synth --out RUN --hidden 20,50,120,300 --replicates 4 --nulls permuted --n-null-draws 4"
    assert f"{said}\ntdu report RUN" in text
    for words in ("γ, all fields (⟨s⟩)", "D(t), mean over fields", "excess of D(t) over permuted, all fields"):
        assert words in text
    assert "epoch" not in text.partition('<h2 id="figures">')[0]


def test_its_command_says_what_differs_from_the_paper():
    settings = {"graph": "ring", "fields": 50, "std": 0.5, "nulls": (), "seed": 0}
    assert commands(LogConfig("synthetic", settings, (3, 6), 6), None)[0] == "tdu synth --out RUN --hidden 3,6 --graph ring"
    assert label("half_width", LogConfig("synthetic", settings, (3, 6), 6)) == "half-width of D(t), mean over fields"


def test_planted_fields_are_written_for_the_probe_to_find_what_is_in_them(tmp_path):
    pattern = str(tmp_path / "fields" / "{scale}-{replicate}" / "{step}.npz")
    made = ["--hidden", "50,100,200", "--replicates", 1, "--fields", 3, "--seed", 7]
    for kind, graph, seen in (("units", "units", True), ("graph", "rook", True), ("gaussian", "units", False)):
        planted = ["--kind", kind, "--strength", 0.6, "--graph", graph]
        assert run("synth", "--save-fields", tmp_path / "fields", *made, *planted).stdout == f"{pattern}\n"
        settings = ["--graph", graph, "--ranked", "--edges", "--draws", 2, "--seed", 7]
        run("probe", pattern, "--out", tmp_path / kind, *settings)
        log = tdu.load(tmp_path / kind)
        assert log.n_sites.tolist() == [201, 401, 801]
        assert ((log.columns["concordance_z"].mean(axis=(1, 2)) > 3) == seen).all()
    assert not (tmp_path / "tdu-synthetic").exists()
    assert "--kind needs --save-fields" in run("synth", "--out", tmp_path / "log", "--kind", "units", code=2).stderr


def test_ranked_fields_and_edges_are_asked_for_and_else_leave_no_trace(tmp_path):
    run("synth", "--out", tmp_path / "log", *SMALL, "--graph", "rook", "--ranked", "--edges")
    found = tdu.load(tmp_path / "log")
    assert {"moran", "moran_z", "concordance", "concordance_z"} <= set(found.columns)
    assert np.isfinite(found.columns["moran_z"]).all()
    assert found.columns["threshold"][2].std() < 1e-12, "one distribution has one threshold"
    run("synth", "--out", tmp_path / "plain", *SMALL)
    plain = tdu.load(tmp_path / "plain")
    assert "moran" not in plain.columns
    assert not {"ranked", "edges"} & set(Store.open(tmp_path / "plain").settings)
