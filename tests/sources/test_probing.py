"""Files of gradients become the log that the recorder makes of the same gradients, to the same bits."""

import json
import re
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu.avalanches import threads
from tdu.avalanches.gauges import of_weights
from tdu.avalanches.ranked import ranked
from tdu.avalanches.structure import rook
from tdu.cli import main
from tdu.logs import claims, growing
from tdu.logs.store import Store
from tdu.rng import Stage, derived_seed
from tdu.sources import probing
from tdu.sources.formats import open_tensors
from tdu.sources.patterns import found
from tdu.types import Layout

FIXTURES = Path(__file__).parent / "fixtures"

SHAPES = {"weight": lambda width: (width, 7), "bias": lambda width: (width,)}
WIDTHS, REPLICATES, STEPS = (6, 10, 16), (0, 1), (0, 5, 10)


def gradients(width, replicate, step):
    rng = np.random.default_rng([width, replicate, step])
    return {name: rng.standard_t(3, size=shape(width)).astype(np.float32) for name, shape in SHAPES.items()}


def every():
    return [(width, replicate, step) for width in WIDTHS for replicate in REPLICATES for step in STEPS]


@pytest.fixture
def files(tmp_path):
    for width, replicate, step in every():
        folder = tmp_path / f"w{width}-s{replicate}"
        folder.mkdir(exist_ok=True)
        np.savez(folder / f"{step:04}.npz", **gradients(width, replicate, step))
    return f"{tmp_path}/w{{scale}}-s{{replicate}}/{{step}}.npz"


@pytest.fixture
def recorded(tmp_path):
    probe = tdu.Probe(draws=2, seed=3)
    for width in WIDTHS:
        for replicate in REPLICATES:
            with probe.record(tmp_path / "recorded", scale=width, replicate=replicate) as rec:
                for step in STEPS:
                    rec(step, gradients(width, replicate, step))
    return tdu.load(tmp_path / "recorded")


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def same(one, other):
    assert one.n_sites.tolist() == other.n_sites.tolist()
    assert one.step.tolist() == other.step.tolist()
    for name in one.columns:
        np.testing.assert_array_equal(one.columns[name], other.columns[name], err_msg=name)
    for name in one.nulls:
        np.testing.assert_array_equal(one.nulls[name], other.nulls[name], err_msg=name)


@pytest.mark.parametrize("workers", [1, 2])
def test_files_give_what_the_recorder_gives(files, recorded, tmp_path, workers):
    result = run("probe", files, "--out", tmp_path / "log", "--draws", 2, "--seed", 3, "--workers", workers)
    assert result.stdout.strip() == str(tmp_path / "log")
    same(tdu.load(tmp_path / "log"), recorded)
    assert Store.open(tmp_path / "log").source == "gradients"


@pytest.mark.slow
def test_on_processes_and_in_shares_files_give_the_same(files, recorded, tmp_path):
    of_probe = ["--draws", 2, "--seed", 3, "--workers", 2]
    run("probe", files, "--out", tmp_path / "processes", *of_probe, "--executor", "processes")
    for part in ("2/2", "1/2"):
        run("probe", files, "--out", tmp_path / "shares", *of_probe, "--part", part)
        if part == "2/2":
            assert len(Store.open(tmp_path / "shares").addresses()) == 3
    for name in ("processes", "shares"):
        same(tdu.load(tmp_path / name), recorded)
        assert not list((tmp_path / name).glob(".*"))


def test_a_run_that_somebody_is_measuring_is_waited_for_and_the_others_come_first(files, recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "_LOOK_SECONDS", (0.02, 0.1))
    probe, selection = tdu.Probe(draws=2, seed=3), probing.Selection()
    runs = probing.runs_in(found(files).snapshots, selection)
    with probe.record(tmp_path / "log", scale=6, replicate=0) as somebody:
        measuring = probing.probe_runs(tmp_path / "log", runs, probe, selection)
        seen = [next(measuring).scale for _ in range(12)]
        threading.Timer(0.5, somebody.close).start()
        with pytest.warns(UserWarning, match="waiting for 1 runs that other processes are making"):
            seen += [run.scale for run in measuring]
    assert seen == [6] * 3 + [10] * 6 + [16] * 6 + [6] * 3
    same(tdu.load(tmp_path / "log"), recorded)


def test_large_fields_share_their_threads_and_give_the_same(files, recorded, tmp_path, monkeypatch):
    for module in ("run_probe", "cascades"):
        monkeypatch.setattr(f"tdu.avalanches.{module}.MIN_SITES_THREADED", 1)
    monkeypatch.setattr("tdu.sources.probing.MIN_SITES_THREADED", 1)
    run("probe", files, "--out", tmp_path / "log", "--draws", 2, "--seed", 3, "--workers", 2)
    same(tdu.load(tmp_path / "log"), recorded)
    assert threads.MIN_SITES_THREADED > 1


def test_the_same_command_goes_on_where_it_stopped_and_takes_what_has_come(files, recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(growing, "_SAVE_SECONDS", -1.0)
    later = tmp_path / "w10-s1/0005.npz"
    away = later.rename(tmp_path / "away.npz")
    run("probe", files, "--out", tmp_path / "log", "--draws", 2, "--seed", 3)
    assert np.isnan(tdu.load(tmp_path / "log").size[1, 1, 1])
    away.rename(later)
    (tmp_path / "w6-s0/0000.npz").write_bytes(b"is not read again")
    np.savez(tmp_path / "w6-s0/0000.npz", **{name: np.ones(shape(6)) for name, shape in SHAPES.items()})
    run("probe", files, "--out", tmp_path / "log", "--draws", 2, "--seed", 3)
    same(tdu.load(tmp_path / "log"), recorded)


def test_what_was_measured_before_a_damaged_file_is_kept(files, tmp_path):
    (tmp_path / "w6-s0/0010.npz").write_bytes(b"damaged")
    result = run("probe", files, "--out", tmp_path / "log", "--workers", 1, code=1)
    assert "0010.npz is not a readable .npz file" in result.stderr
    assert Store.open(tmp_path / "log").read(6, 0).step.tolist() == [0, 5]


def test_a_difference_is_what_a_checkpoint_adds_to_the_one_before(files, tmp_path):
    run("probe", files, "--out", tmp_path / "log", "--difference", "--draws", 0)
    probe = tdu.Probe(draws=0)
    with probe.record(tmp_path / "wanted", scale=10, replicate=1) as rec:
        for step, after in pairwise(STEPS):
            before, then = gradients(10, 1, step), gradients(10, 1, after)
            rec(step, {name: then[name] - before[name] for name in before}, weights=before)
    found, wanted = (Store.open(tmp_path / name).read(10, 1) for name in ("log", "wanted"))
    assert found.step.tolist() == [0, 5]
    for name, values in wanted.columns.items():
        np.testing.assert_array_equal(found.columns[name], values, err_msg=name)
    assert found.columns["gini"][0] == of_weights(gradients(10, 1, 0))["gini"]


def test_tensors_are_chosen_by_name(files, tmp_path):
    run("probe", files, "--out", tmp_path / "log", "--exclude", "bias$", "--draws", 0)
    assert tdu.load(tmp_path / "log").n_sites.tolist() == [7 * width for width in WIDTHS]
    assert Store.open(tmp_path / "log").read(6, 0).layout.tensors == (("weight", (6, 7)),)
    result = run("probe", files, "--out", tmp_path / "log", "--draws", 0, code=1)
    assert f"{tmp_path / 'log'} holds runs of another probe (--exclude 'bias$' there, no --exclude here): give" in result.stderr


def test_what_was_found_is_said_before_it_is_measured(files, tmp_path):
    result = run("probe", files, "--out", tmp_path / "log", "--draws", 0)
    assert result.stderr == "found 3 scales (N = 48, 80, 128), 6 runs, 18 snapshots\n"
    result = run("probe", files, "--out", tmp_path / "differences", "--draws", 0, "--difference")
    assert result.stderr == "found 3 scales (N = 48, 80, 128), 6 runs, 12 differences\n"
    np.savez(tmp_path / "8-0.npz", **gradients(10, 0, 0))
    result = run("probe", f"{tmp_path}/{{scale}}-{{step}}.npz", "--out", tmp_path / "one")
    assert result.stderr == "found 1 scale (N = 80), 1 run, 1 snapshot\n"


def test_files_join_the_log_of_a_recorder_with_the_same_settings_and_the_reverse(files, recorded, tmp_path):
    (tmp_path / "recorded" / "log" / "s00010-r01.npz").unlink()
    run("probe", files, "--out", tmp_path / "recorded", "--draws", 2, "--seed", 3)
    same(tdu.load(tmp_path / "recorded"), recorded)
    run("probe", files, "--out", tmp_path / "log", "--draws", 2, "--seed", 3)
    with tdu.Probe(draws=2, seed=3).record(tmp_path / "log", scale=10, replicate=2) as rec:
        rec(0, gradients(10, 2, 0))
    assert tdu.load(tmp_path / "log").size.shape == (3, 3, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--draws 2 there, --draws 8 here; --seed 3 there, --seed 0 here"),
        (["--draws", 2, "--seed", 3, "--alpha", 0.5], "--alpha 0.3 there, --alpha 0.5 here"),
        (["--draws", 2, "--seed", 3, "--null", "signs"], "--null blocks --null signs there, --null signs here"),
        (
            ["--draws", 2, "--seed", 3, "--no-ranked", "--no-edges"],
            "--ranked there, --no-ranked here; --edges there, --no-edges here",
        ),
        (["--draws", 2, "--seed", 3, "--precision", "float32"], "--precision float64 there, --precision float32 here"),
        (["--draws", 2, "--seed", 3, "--profiles"], "no --profiles there, --profiles here"),
        (["--draws", 2, "--seed", 3, "--difference"], "no --difference there, --difference here"),
        (["--draws", 2, "--seed", 3, "--include", "weight$"], "no --include there, --include 'weight$' here"),
        (
            ["--draws", 2, "--seed", 3, "--max-steps", 5, "--graph", "ring", "--ranked", "--edges"],
            "--graph rook there, --graph ring here; --max-steps 20",
        ),
    ],
)
def test_settings_that_differ_from_the_recorders_are_said_as_options(files, recorded, tmp_path, options, said):
    result = run("probe", files, "--out", tmp_path / "recorded", *options, code=1)
    assert f"recorded holds runs of another probe ({said}" in result.stderr
    assert result.stderr.endswith("here): give the options that are there, or another --out\n")


def test_structural_graphs_ranks_and_edge_statistics_are_those_of_the_recorder(files, tmp_path):
    for width in WIDTHS:
        for replicate in REPLICATES:
            with tdu.Probe("rook", draws=2, ranked=True, edges=True).record(tmp_path / "one", width, replicate) as rec:
                for step in STEPS:
                    rec(step, gradients(width, replicate, step))
    asked = ["--graph", "rook", "--ranked", "--edges", "--draws", 2]
    assert "memory_gib" in run("probe", files, "--out", tmp_path / "two", *asked, "--dry-run").stdout
    run("probe", files, "--out", tmp_path / "two", *asked)
    same(tdu.load(tmp_path / "one"), tdu.load(tmp_path / "two"))
    result = run("probe", files, "--out", tmp_path / "two", "--graph", "rook", "--draws", 2, code=1)
    assert "(--ranked there, --no-ranked here; --edges there, --no-edges here)" in result.stderr


def test_spectra_of_means_over_files_are_those_of_the_recorder(files, tmp_path):
    for width in WIDTHS:
        for replicate in REPLICATES:
            with tdu.Probe(draws=1, window=2).record(tmp_path / "one", width, replicate) as rec:
                for number, step in enumerate(STEPS):
                    rec(number, gradients(width, replicate, step))
    for workers in (1, 2):
        run("probe", files, "--out", tmp_path / f"{workers}", "--draws", 1, "--window", 2, "--workers", workers)
        one, other = tdu.load(tmp_path / "one"), tdu.load(tmp_path / f"{workers}")
        assert other.step.tolist() == list(STEPS)
        same(one, replace(other, step=one.step))
    assert np.isnan(one.columns["spectral"][..., 0]).all()
    layout = Layout.of({name: shape(10) for name, shape in sorted(SHAPES.items())})
    first, second = (np.concatenate([gradients(10, 1, step)[name].ravel() for name in ("bias", "weight")]) for step in (0, 5))
    found = tdu.spectrum((first.astype(float) + second) / 2, layout).pooled
    assert {name: one.columns[name][1, 1, 1] for name in found} == {name: contrast.value for name, contrast in found.items()}
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert one.columns["cosine"][1, 1, 1] == pytest.approx(cosine, rel=1e-5)
    result = run("probe", files, "--out", tmp_path / "1", "--draws", 1, code=1)
    assert "(--window 2 there, --window 0 here)" in result.stderr


def test_spectra_of_differences_are_those_of_the_whole_span(files, tmp_path):
    run("probe", files, "--out", tmp_path / "log", "--draws", 0, "--window", 2, "--difference")
    log, layout = tdu.load(tmp_path / "log"), Layout.of({name: shape(6) for name, shape in sorted(SHAPES.items())})
    first, last = (np.concatenate([gradients(6, 0, step)[name].ravel() for name in ("bias", "weight")]) for step in (0, 10))
    found = tdu.spectrum(last.astype(float) - first, layout).pooled
    assert log.columns["row_correlation"][0, 0].tolist() == pytest.approx([np.nan, found["row_correlation"].value], nan_ok=True)


def test_fields_of_float32_are_a_log_of_their_own_from_files_and_from_the_loop(files, tmp_path):
    run("probe", files, "--out", tmp_path / "log", "--draws", 2, "--precision", "float32")
    with tdu.Probe(draws=2, precision="float32").record(tmp_path / "log", scale=10, replicate=2) as rec:
        rec(0, gradients(10, 2, 0))
    log = tdu.load(tmp_path / "log")
    for replicate in range(3):
        tensors = dict(sorted(gradients(10, replicate, 0).items()))
        field = np.concatenate([tensor.ravel() for tensor in tensors.values()])
        layout = Layout.of({name: tensor.shape for name, tensor in tensors.items()})
        graph = rook(layout, derived_seed(0, Stage.GRAPH, 10, replicate))
        found = tdu.avalanche(ranked(field, layout), graph, precision="float32")
        assert log.columns["threshold"][log.scale == 10, replicate, log.step == 0] == found.threshold
    result = run("probe", files, "--out", tmp_path / "log", "--draws", 2, code=1)
    assert "(--precision float32 there, --precision float64 here)" in result.stderr


def test_a_graph_that_was_given_in_python_is_no_option(files, tmp_path):
    with tdu.Probe(tdu.ring(48), nulls=(), ranked=True, edges=True).record(tmp_path / "log", scale=6) as rec:
        rec(0, gradients(6, 0, 0))
    result = run("probe", files, "--out", tmp_path / "log", code=1)
    assert (
        "(a graph given in Python there, --graph rook here; no --null there, --null blocks --null signs here)" in result.stderr
    )


@pytest.mark.parametrize("command", ["probe", "nulls"])
def test_a_file_of_tensors_is_measured_on_a_structural_graph_without_a_log(tmp_path, command):
    tensors = {"weight": np.random.default_rng(0).normal(size=(9, 7)), "bias": np.arange(9.0)}
    np.savez(tmp_path / "field.npz", **tensors)
    layout = Layout.of({"bias": (9,), "weight": (9, 7)})
    field = np.concatenate([tensors["bias"], tensors["weight"].ravel()])
    row = json.loads(run(command, tmp_path / "field.npz", "--graph", "rook", "--seed", 4, "--json").stdout)
    assert row["size"] == tdu.avalanche(field, rook(layout, 4)).size
    np.save(tmp_path / "field.npy", field)
    result = run(command, tmp_path / "field.npy", "--graph", "rook", code=1)
    assert "field.npy, snapshot 0: `rook` needs the names and shapes of the tensors" in result.stderr


@pytest.mark.parametrize("command", ["probe", "nulls"])
def test_tensors_of_one_file_or_folder_are_one_field_without_a_log(files, tmp_path, command):
    tensors = gradients(6, 0, 5)
    flat = np.concatenate([tensors["bias"], tensors["weight"].ravel()])  # in order of their names
    np.save(tmp_path / "flat.npy", flat)
    (tmp_path / "folder").mkdir()
    for name, tensor in tensors.items():
        np.save(tmp_path / "folder" / f"{name}.npy", tensor)
    size = tdu.avalanche(flat, tdu.barabasi_albert(48)).size
    for name in ("flat.npy", "w6-s0/0005.npz", "folder"):
        (row,) = map(json.loads, run(command, tmp_path / name, "--paper", "--json").stdout.splitlines())
        assert (row["file"], row["index"], row["n"], row["size"]) == (str(tmp_path / name), 0, 48, size)
    for file in ("f32.safetensors", "bf16.safetensors", "f32.pt"):
        field = open_tensors(FIXTURES / file).field()
        (row,) = map(json.loads, run(command, FIXTURES / file, "--paper", "--json").stdout.splitlines())
        assert row["size"] == tdu.avalanche(field, tdu.barabasi_albert(field.size)).size
    (tmp_path / "a.docx").write_text("no tensors")
    assert "a.docx is of no known format: tensors are read from .npy, .npz" in run(command, tmp_path / "a.docx", code=1).stderr


def test_metrics_and_grokking_steps_of_an_index_are_carried_along(files, tmp_path):
    rows = [f"w{w}-s{r}/{step:04}.npz,{w},{r},{step},{1 / (1 + step)},{5 if w == 6 else ''}" for w, r, step in every()]
    (tmp_path / "index.csv").write_text("path,scale,replicate,step,loss,grokking_step\n" + "\n".join(rows))
    run("probe", tmp_path / "index.csv", "--out", tmp_path / "log", "--draws", 0)
    log = tdu.load(tmp_path / "log")
    assert log.columns["loss"][1, 1].tolist() == [1, 1 / 6, 1 / 11]
    assert log.grokking_step.tolist() == [[5, 5], [-1, -1], [-1, -1]]


def test_a_field_that_is_not_finite_is_left_out_with_a_word(files, tmp_path):
    bad = gradients(6, 0, 5)
    bad["bias"][0] = np.nan
    np.savez(tmp_path / "w6-s0/0005.npz", **bad)
    with pytest.warns(UserWarning, match=r"0005.npz is not finite: this snapshot is left out"):
        run("probe", files, "--out", tmp_path / "log", "--draws", 0)
    assert Store.open(tmp_path / "log").read(6, 0).step.tolist() == [0, 10]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda at: np.savez(at / "w6-s0/0005.npz", weight=np.ones((6, 7))), "0005.npz: `bias` is not there, but was of shape"),
        (
            lambda at: np.savez(at / "w6-s1/0000.npz", weight=np.ones((6, 7))),
            "scale 6 has N = 48 in .*, but scale 6 has N = 42 in",
        ),
        (
            lambda at: [np.savez(at / f"w7-s0/{step}.npz", **gradients(6, 0, 0)) for step in (0, 1)],
            "scale 6 has N = 48 in .*, but scale 7 has N = 48 in .*: each scale has its own N",
        ),
    ],
)
def test_files_that_do_not_belong_together_are_named(files, tmp_path, change, message):
    (tmp_path / "w7-s0").mkdir()
    change(tmp_path)
    result = run("probe", files, "--out", tmp_path / "log", "--draws", 0, code=1)
    assert re.search(message, result.stderr)


def test_a_dry_run_says_what_there_is_to_do_and_measures_nothing(files, tmp_path):
    result = run("probe", files, "--out", tmp_path / "log", "--draws", 4, "--null", "signs", "--dry-run", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["scale"], row["n"], row["runs"], row["fields"], row["avalanches"]) for row in rows] == [
        (width, 8 * width, 2, 6, 30) for width in WIDTHS
    ]
    assert all(0 < row["seconds"] < 1 for row in rows)
    assert all(row["memory_gib"] < 1e-3 for row in rows)
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.npz", "b.npz", "--out", "log"], 1, "--out takes one pattern, but 2 are given: put it in quotes"),
        (["{scale}/{step}", "--out", "log", "--threshold", "1"], 1, "--threshold is for single files"),
        (["a.npy", "--difference"], 2, "--difference needs --out, the directory of a log"),
        (["a.npy", "--null", "signs"], 2, "--null needs --out"),
        (["a.npy", "--dry-run"], 2, "--dry-run needs --out"),
        (["{scale}/{step}", "--out", "log", "--graph", "edges.npy"], 1, "`graph` must be one of ba, ring"),
    ],
)
def test_options_that_do_not_go_together_are_named(arguments, code, message):
    assert message in run("probe", *arguments, code=code).stderr
