"""The command line as a user meets it, at times in a process of its own, which takes a second to begin."""

import io
import json
import subprocess
import sys
from contextlib import chdir
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu import files, terminal
from tdu.cli import main
from tdu.config import NULLS
from tdu.results.figures import FIGURES
from tdu.results.published import PUBLISHED
from tdu.rng import Stage, generator
from tdu.statistics.scaling import exponent

STUDY = ["--hidden", "5,8,12", "--replicates", "2", "--epochs", "40", "--workers", "2"]


def run(*arguments, cwd="."):
    with chdir(cwd):
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)


def results_in(directory):
    """What was written, without its checksum, which is of its time too."""
    content = json.loads((directory / "results.json").read_text())
    assert len(content.pop("sha256")) == 64
    return content


def in_a_process(*arguments):
    command = [sys.executable, "-W", "error", "-m", "tdu", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fails(result, code, *words):
    lines = [line for line in result.stderr.strip().splitlines() if not line.startswith("compiling the kernels")]
    assert result.returncode == code, result.stderr
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


@pytest.fixture
def field(tmp_path):
    path = tmp_path / "field.npy"
    np.save(path, np.random.default_rng(0).normal(size=(3, 101)))
    return path


def test_probe_prints_one_object_a_snapshot(field):
    result = in_a_process("probe", field, "--graph", "ba", "--seed", 7, "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0
    assert [row["index"] for row in rows] == [0, 1, 2]
    graph = tdu.barabasi_albert(101, seed=7)
    for row, values in zip(rows, np.load(field), strict=True):
        wanted = tdu.avalanche(values, graph)
        names = ("size", "duration", "extent", "peak", "threshold", "dissipated", "capped")
        assert row == {"file": str(field), "index": row["index"], "n": 101} | {name: getattr(wanted, name) for name in names}


def test_probe_takes_one_field_many_files_other_graphs_and_a_table(field, tmp_path):
    single = tmp_path / "single.npy"
    np.save(single, np.arange(101, dtype=np.float32))
    edges = tmp_path / "edges.npy"
    np.save(edges, np.array([(i, i + 1) for i in range(100)]))
    for graph in ("ring", "small-world", "random", edges):
        lines = run("probe", single, field, "--graph", graph).stdout.splitlines()
        assert lines[0].split("\t")[:4] == ["file", "index", "n", "size"]
        assert len(lines) == 5


@pytest.mark.parametrize(
    ("values", "arguments", "code", "words"),
    [
        ([1.0, np.nan, 2, 3, 4], [], 1, ["field.npy", "snapshot 0", "entry 1 is nan"]),
        ([[1.0, 2, 3, 4, 5], [1, 2, np.inf, 4, 5]], [], 1, ["field.npy", "snapshot 1", "entry 2 is inf"]),
        ([1.0, 2, 3, 4, 5], ["--graph", "tree"], 1, ["'tree'", "small-world"]),
        ([1.0, 2, 3, 4, 5], ["--graph", "missing.npy"], 1, ["missing.npy", "does not exist"]),
        ([1.0, 2], [], 1, ["field.npy", "`n` must exceed `m`"]),
        ([1j, 2, 3], [], 1, ["field.npy", "complex128"]),
        ([1.0, 2, 3, 4, 5], ["--alpha", "2"], 2, ["--alpha", "2.0"]),
        ([1.0, 2, 3, 4, 5], ["--quantile", "1"], 2, ["--quantile"]),
        ([1.0, 2, 3, 4, 5], ["--max-steps", "-1"], 2, ["--max-steps", "-1"]),
        ([1.0, 2, 3, 4, 5], ["--threshold", "nan"], 1, ["`threshold`"]),
        ([1.0, 2, 3, 4, 5], ["--alpha", "nan"], 1, ["`alpha`"]),
    ],
)
def test_probe_refuses_in_one_line(tmp_path, values, arguments, code, words):
    path = tmp_path / "field.npy"
    np.save(path, np.array(values))
    result = run("probe", path, "--json", *arguments, cwd=tmp_path)
    fails(result, code, *words)
    assert result.stdout == ""  # nothing half-written


def test_a_field_that_does_not_fit_the_given_graph_is_named(tmp_path):
    np.save(tmp_path / "field.npy", np.ones(4))
    np.save(tmp_path / "edges.npy", np.array([(0, 5)]))
    result = run("probe", "field.npy", "--graph", "edges.npy", cwd=tmp_path)
    fails(result, 1, "field.npy", "edge 0 = (0, 5) is out of range", "sites 0 … 3")


@pytest.mark.slow
def test_unreadable_files_and_wrong_usage_are_one_line(tmp_path):
    (tmp_path / "text.npy").write_text("hello")
    fails(run("probe", tmp_path / "text.npy"), 1, "text.npy", "not a readable .npy file")
    fails(run("probe", tmp_path / "none.npy"), 1, "none.npy", "does not exist")
    fails(in_a_process("probe"), 2, "FILES")
    fails(run("prob"), 2, "prob")
    fails(run("train", "--hidden", "5,x"), 2, "5,x")
    fails(run("train", "--out", tmp_path / "x", "--hidden", "5,5"), 1, "names a scale twice")
    fails(run("train", "--hidden", "5", "--snapshot-every", 10**20, cwd=tmp_path), 1, "`snapshot_every` must be at most")
    fails(run("reproduce", "--hidden", "20", cwd=tmp_path), 1, "`hidden` names 1 scale", "at least two")
    fails(run("reproduce", "--alpha", "0", cwd=tmp_path), 1, "`alpha` is 0")
    fails(run("fit", tmp_path), 1, "manifest.json does not exist")
    fails(run("figures", tmp_path), 1, "results.json does not exist")
    assert not (tmp_path / "x").exists()


def test_train_then_fit_and_refuse_another_setting(tmp_path):
    assert run("train", "--out", tmp_path / "run", *STUDY).stdout.strip() == str(tmp_path / "run")
    result = run("fit", tmp_path / "run", "--json")
    quantities = json.loads(result.stdout)["quantities"]
    wanted = exponent(tdu.load(tmp_path / "run"), "mean")
    for name in ("value", "low", "high"):
        assert quantities["gamma"][name] == pytest.approx(getattr(wanted, name), rel=1e-9)
    assert "γ, all epochs" in run("fit", tmp_path / "run").stdout
    fails(run("train", "--out", tmp_path / "run", *STUDY, "--alpha", "0.5"), 1, "alpha = 0.3 there, 0.5 here")
    manifest = tmp_path / "run" / "manifest.json"
    text = manifest.read_text()
    files.write_json(manifest, json.loads(text.replace('"learning_rate": 0.5', '"learning_rate": -1')))
    fails(run("fit", tmp_path / "run"), 1, "manifest.json: `learning_rate` must lie in")
    manifest.write_text(text)
    (tmp_path / "run" / "log" / "s00005-r00.npz").unlink()
    fails(run("fit", tmp_path / "run"), 1, "1 of the 6 runs", "missing")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A whole, small study, made once."""
    out = tmp_path_factory.mktemp("reproduced")
    return out, in_a_process("reproduce", "--quick", "--out", out, *STUDY)


@pytest.mark.slow
def test_reproduce_leaves_log_results_figures_and_report(reproduced):
    out, result = reproduced
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""  # progress is for terminals
    assert "not the paper's setting in hidden, replicates, epochs" in result.stdout
    content = results_in(out)
    assert set(content) == {"schema", "config", "scope", "provenance", "quantities", "pooled", "readings", "series"}
    series = content["series"]["dimension_over_time"]
    assert series["epoch"] == [0, 10, 20, 30, 40]
    for name in ("peak", "run-peak", "mean"):
        assert {len(column) for column in series[name].values()} == {5}
    for key in PUBLISHED:
        columns = [
            "value",
            "low",
            "high",
            "statistic",
            "published",
            "published_error",
            "published_text",
            "verdict",
            "needed",
            "note",
        ]
        for quantity in (content["quantities"][key], content["pooled"][key]):
            said = {"agrees": True, "does not agree": False, "cannot tell": None}
            assert list(quantity) == columns + ["agrees"] * (quantity["verdict"] in said)
            assert quantity.get("agrees") == said.get(quantity["verdict"])
    assert list(content["pooled"]) == list(content["quantities"])
    for name in FIGURES.keys() - {"watched", "one-run", "profiles"}:  # the study records none at its snapshots
        assert (out / "figures" / f"{name}.svg").stat().st_size > 1000  # PNG and PDF, too, where a study is not a quick one
    assert (out / "report.html").stat().st_size > 10_000


def test_progress_on_a_terminal_says_how_many_of_how_many(monkeypatch):
    terminal_of_a_user = io.StringIO()
    monkeypatch.setattr(terminal_of_a_user, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", terminal_of_a_user)
    assert list(terminal.progress(iter("abc"), 3)) == list("abc")
    assert "3/3" in terminal_of_a_user.getvalue()
    assert "runs/s" in terminal_of_a_user.getvalue()


@pytest.mark.slow
def test_figures_and_report_are_made_again_the_same(reproduced):
    out, _ = reproduced
    before = {path: path.read_bytes() for path in [*(out / "figures").iterdir(), out / "report.html"]}
    assert len(run("figures", out).stdout.split()) == len(before) - 1
    assert run("report", out).stdout.strip() == str(out / "report.html")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_gone_on_with_or_on_other_workers_the_results_are_the_same(reproduced, tmp_path):
    out, _ = reproduced
    (tmp_path / "log").mkdir()
    for path in ("manifest.json", "log/s00005-r00.npz", "log/s00012-r01.npz"):
        (tmp_path / path).write_bytes((out / path).read_bytes())
    assert run("reproduce", "--quick", "--out", tmp_path, *STUDY[:-1], "1").returncode == 0
    one, other = results_in(out), results_in(tmp_path)
    assert one["provenance"].pop("created")
    assert other["provenance"].pop("created")
    assert one == other


def rows_of(stdout):
    """JSON lines, in which nothing is nan."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in stdout.splitlines()]


@pytest.mark.slow
def test_json_has_a_row_for_each_of_the_table_under_the_same_names(field, tmp_path):
    pattern = str(tmp_path / "w{scale}-{step}.npy")
    for scale, step in ((5, 0), (5, 1), (7, 0)):
        np.save(pattern.format(scale=scale, step=step), np.arange(scale * 10.0))
    for command in (
        ["probe", field],
        ["nulls", field, "--draws", 2],
        ["probe", pattern, "--out", tmp_path / "log", "--null", "signs", "--dry-run"],
        ["bench", "--sizes", "81", "--rounds", 1, "--workers", 1],
    ):
        head, *lines = run(*command).stdout.splitlines()
        rows = rows_of(run(*command, "--json").stdout)
        assert [list(row) for row in rows] == [head.split("\t")] * len(lines), command
        assert all(isinstance(value, int | float | str) for row in rows for value in row.values())
    assert rows[0]["topplings_a_second"] > 0


@pytest.mark.slow
def test_fit_and_reproduce_say_their_results_as_one_json_object(reproduced, tmp_path):
    out, _ = reproduced
    (found,) = rows_of(run("fit", out, "--json").stdout)
    kept = results_in(out)
    assert found["quantities"]["dimension"]["value"] == kept["quantities"]["dimension"]["value"]
    for name in ("manifest.json", "log"):
        (tmp_path / name).symlink_to(out / name)
    (found,) = rows_of(run("reproduce", "--quick", "--json", "--out", tmp_path, *STUDY).stdout)
    assert found == results_in(tmp_path)


def test_what_is_not_a_number_is_null_in_json(capsys):
    terminal.print_rows([{"name": "ρ", "value": float("nan"), "count": 3}], as_json=True)
    assert capsys.readouterr().out == '{"name": "ρ", "value": null, "count": 3}\n'


def test_help_and_import_load_nothing_heavy():
    code = """
import sys, tdu
from tdu.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
heavy = {"numpy", "numba", "scipy", "matplotlib", "igraph"} & set(sys.modules)
assert not heavy, heavy
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for command in main.commands:
        assert command in result.stdout


@pytest.mark.slow
def test_a_closed_pipe_is_no_traceback(field):
    command = f"{sys.executable} -m tdu probe {' '.join([str(field)] * 40)} --json | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr


def test_nulls_stand_beside_the_real_size(field):
    rows = [
        json.loads(line)
        for line in run("nulls", field, "--draws", 19, "--null", "permuted", "--null", "rewired", "--json").stdout.splitlines()
    ]
    sizes = [json.loads(line)["size"] for line in run("probe", field, "--json").stdout.splitlines()]
    assert [row["size"] for row in rows] == sizes
    for row in rows:
        assert row["permuted_low"] <= row["permuted"] <= row["permuted_high"]
        assert 0 < row["rewired_p"] <= 1
    table = run("nulls", field, "--draws", 2).stdout.splitlines()
    assert table[0].split("\t")[:5] == ["file", "index", "n", "size", "permuted"]
    assert len(table) == 4
    # 101 = 4 · 25 + 1 entries are not taken for the XOR network's
    fails(run("nulls", field, "--null", "blocks"), 2, "--null blocks needs --blocks", "2h,h,h,1 for XOR's h hidden units")
    fails(run("nulls", field, "--null", "blocks", "--blocks", "3,4"), 1, "`sizes` add up to 7 but `gradient` has 101 entries")
    assert run("nulls", field, "--null", "blocks", "--blocks", "50,51", "--draws", 2).returncode == 0


def test_a_draw_of_a_null_is_one_arrangement_for_all_snapshots_of_a_file(tmp_path):
    one, other = np.random.default_rng(0).standard_t(2, size=(2, 101))
    np.save(tmp_path / "a.npy", [one, other, one])
    np.save(tmp_path / "b.npy", [one, other, one])
    options = [option for name in NULLS for option in ("--null", name)]
    command = ["a.npy", "b.npy", *options, "--blocks", "50,25,25,1", "--seed", 3, "--json"]
    graph, blocks = tdu.barabasi_albert(101, seed=3), (50, 25, 25, 1)

    def expected(name, rng, field):
        if name == "rewired":
            return tdu.avalanche(field, tdu.nulls.rewired(graph, int(rng.integers(2**63)))).size
        of_sites = {
            "permuted": lambda: field[tdu.nulls.permuted(np.arange(101), rng).astype(int)],
            "blocks": lambda: field[tdu.nulls.blocks(np.arange(101), rng, blocks).astype(int)],
            "signs": lambda: field * tdu.nulls.signs(np.ones(101), rng),
        }
        return tdu.avalanche(of_sites[name](), graph).size

    found = {draws: run("nulls", *command, "--draws", draws, cwd=tmp_path).stdout.splitlines() for draws in (1, 3)}
    rows = {draws: np.array([json.loads(line) for line in lines]).reshape(2, 3) for draws, lines in found.items()}
    for number, which, t in np.ndindex(2, len(NULLS), 3):
        name = NULLS[which]
        if name != "gaussian":
            sizes = [expected(name, rng, (one, other, one)[t]) for rng in generator(3, Stage.NULL, number, which).spawn(3)]
            assert rows[3][number, t][name] == pytest.approx(np.mean(sizes))
            assert rows[1][number, t][name] == sizes[0]
    # of equal snapshots the sizes are equal, but not in another file, and not those that nothing arranges
    for name in NULLS:
        assert (rows[3][0, 0][name] == rows[3][0, 2][name]) == (name != "gaussian")
        assert [row[name] for row in rows[3][0]] != [row[name] for row in rows[3][1]]


@pytest.mark.slow
@pytest.mark.parametrize("odd", [["--hidden", "20,30", "--quantile", "0.999"], ["--replicates", "1", "--epochs", "5"]])
def test_odd_but_legal_studies_are_measured_to_the_end_without_a_warning(tmp_path, odd):
    result = run("reproduce", "--quick", "--out", tmp_path, *STUDY, *odd)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "report.html").exists()
