"""The study of small language models: what its analysis finds in planted logs, and that its training records what it should."""

import hashlib
import importlib.util
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tdu
from tdu.config import LogConfig
from tdu.experiments import char_lm
from tdu.experiments.char_lm_series import Trained
from tdu.experiments.plan import committed, read_plan
from tdu.files import read_csv, write_json
from tdu.logs.store import Store
from tdu.results.assemble import results_of
from tdu.types import Layout, Run

FOLDER = Path(__file__).parent.parent / "experiments" / "char-lm"
WIDTHS, N_SITES, STEPS = (10, 20, 40), (1000, 4000, 16000), np.arange(0, 620, 20)
#: D of each log, before and from step 300, and what D under its nulls is less by.
EARLY = {"mini-batch": 1.0, "large-batch": 1.2, "difference": 0.9, "mini-batch-uncapped": 1.05}
RISE = 0.1
LESS = {"mini-batch": (0.02, 0.01), "large-batch": (0.1, -0.05), "difference": (0.0, 0.0), "mini-batch-uncapped": (0.03, 0.02)}
CONFIG = LogConfig("gradients", {"text_sha256": "abc"}, WIDTHS, 3, seed=7)


def plant(folder, leave_out=None, unfinished=None):
    """Logs whose D is known to the last digit: what a run's sizes differ by from others' is the same at every width."""
    of_run = (0.8, 1.0, 1.3)
    for name, early in EARLY.items():
        store = Store.begin(folder / name, "gradients", {"seed": 0})
        for width, n in zip(WIDTHS, N_SITES, strict=True):
            for k, factor in enumerate(of_run):
                if (width, k) == leave_out:
                    continue
                step = STEPS[:-1] if (name == "difference" or (width, k) == unfinished) else STEPS
                dimension = np.where(step < 300, early, early + RISE)
                columns = {"size": factor * n**dimension, "capped": (step >= 300) * (width > 10) * 1.0, "duration": step + 1.0}
                columns |= {"loss": 4.5 - step / 300 + k / 10, "noise_scale": n * (1.0 + np.where(step == 600, np.nan, step))}
                nulls = {
                    null: np.round(1e6 * factor * n ** (dimension - less) * np.array([[1.5], [0.5]])).astype(int)
                    for null, less in zip(char_lm.NULLS, LESS[name], strict=True)
                }
                columns["size"] = columns["size"] * 1e6  # nulls are whole numbers: a part in a million
                store.write(Run(width, k, Layout.unknown(n), step, columns, nulls, {}, -1))
    write_json(folder / "training.json", {"text_sha256": "abc"})


def measured(folder, config=CONFIG):
    said = []
    with ThreadPoolExecutor(2) as executor:
        return results_of(config, None, char_lm.measure(config, executor, said.append, folder))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    plant(folder)
    return measured(folder)


def mean_of_windows(name, early):
    """All steps, those to 100, those from 300, of a D that rises at step 300."""
    step = STEPS[:-1] if name == "difference" else STEPS
    return [early + RISE * (step >= 300).mean(), early, early + RISE]


@pytest.mark.parametrize("name", char_lm.LOGS)
def test_planted_exponents_come_back_in_every_window(results, name):
    quantity, readings = results.quantities[f"dimension_{name}"], results.readings[f"dimension_{name}"]
    found = [quantity.value, *(readings[window].value for window in ("steps 0–100", "from step 300"))]
    assert found == pytest.approx(mean_of_windows(name, EARLY[name]), abs=1e-6)
    assert quantity.low < quantity.value - 0.01 < quantity.value + 0.01 < quantity.high
    assert readings["peak"].value == pytest.approx(found[0], abs=1e-6)
    for null, less in zip(char_lm.NULLS, LESS[name], strict=True):
        assert readings[null].value == pytest.approx(found[0] - less, abs=1e-6)
        excess = results.quantities[f"beyond_{null}_{name}"]
        assert (excess.value, excess.low, excess.high) == pytest.approx((less,) * 3, abs=1e-6)
        assert [one.value for one in results.readings[f"beyond_{null}_{name}"].values()] == pytest.approx([less] * 2, abs=1e-6)
    assert results.quantities[f"r2_min_{name}"].value == pytest.approx(1, abs=1e-6)
    step = STEPS[:-1] if name == "difference" else STEPS
    assert results.quantities[f"capped_{name}"].value == pytest.approx(100 * 2 / 3 * (step >= 300).mean())


def test_differences_of_logs_are_those_of_their_exponents(results):
    for key, (one, other) in {"noise": ("mini-batch", "large-batch"), "limit": ("mini-batch", "mini-batch-uncapped")}.items():
        assert results.quantities[key].value == pytest.approx(EARLY[one] - EARLY[other], abs=1e-6)
        for place, null in enumerate(char_lm.NULLS):
            wanted = LESS[one][place] - LESS[other][place]
            found = results.quantities[f"{key}_beyond_{null}"]
            assert (found.value, found.low, found.high) == pytest.approx((wanted,) * 3, abs=1e-6)
            assert len(results.readings[f"{key}_beyond_{null}"]) == 2


def test_what_the_tables_say(results):
    tables = char_lm.tables(results)
    assert [row["width"] for row in tables["runs"]] == list(WIDTHS)
    narrow, wide = tables["runs"][0], tables["runs"][-1]
    assert (narrow["N"], narrow["runs"]) == (1000, 3)
    assert (narrow["loss at step 0"], narrow["loss at step 600"]) == pytest.approx((4.6, 2.6))
    assert wide["noise scale, steps 0–100"] == pytest.approx(16000 * 51)
    assert wide["noise scale, from step 300"] == pytest.approx(16000 * 451)  # nan counts as more than all
    assert narrow["capped, mini-batch (%)"] == 0
    assert wide["capped, mini-batch (%)"] == pytest.approx(100 * 16 / 31)
    assert wide["capped, difference (%)"] == pytest.approx(100 * 15 / 30)
    named = ("levels", "excesses", "noise", "limit", "losses", "without")
    words = {row["what"]: row["words"] for name in named for row in tables[name]}
    assert words["mini-batch − large-batch, all steps"] == "lower"
    assert words["mini-batch − permuted, from step 300"] == "higher"
    assert words["large-batch − blocks, steps 0–100"] == "lower"
    assert words["large-batch, all steps"] == "above 1"
    assert [len(tables[name]) for name in named] == [3 * 3, 3 * 2 * 3, 3 * 3, 3 * 3, 2 * 2 * 3, 3 * 3]
    assert tables["levels"][0]["p"] == ""
    assert all(0 < float(row["p"]) <= 1 for row in tables["excesses"])
    without = [row["value"] for row in tables["without"] if row["what"].startswith("difference without N = ")]
    assert without == pytest.approx([1.0] * 3, abs=1e-6)
    of_losses = {row["what"]: row["value"] for row in tables["losses"]}
    assert {what: value for what, value in of_losses.items() if what.startswith("large")} == pytest.approx(
        {
            f"large-batch{field}, loss {level}": value
            for level in (3.0, 2.8)  # one run does not come to 2.6
            for field, value in (("", 1.3), (" − permuted", 0.1), (" − blocks", -0.05))
        },
        abs=1e-6,
    )
    per_site = {(r["log"], r["field"], r["window"], r["N"]): r["mean size / N"] for r in tables["per-site"]}
    assert per_site["difference", "permuted", "steps 0–100", 4000] == pytest.approx(1e6 * 3.1 / 3 * 4000**-0.1, rel=1e-5)
    first = tables["dimension"][0]
    assert (first["log"], first["step"], first["real"]) == ("mini-batch", 0, pytest.approx(1, abs=1e-6))
    assert first["excess over blocks"] == pytest.approx(0.01, abs=1e-6)
    assert first["R² of real"] == pytest.approx(1)
    noise, limit = (tables["differences"][at] for at in (0, STEPS.size))
    assert (noise["what"], noise["step"], noise["value"]) == ("mini-batch − large-batch", 0, pytest.approx(-0.2, abs=1e-6))
    assert (limit["what"], limit["value"]) == ("mini-batch − mini-batch-uncapped", pytest.approx(-0.05, abs=1e-6))
    assert [row["what"] for row in tables["correlations"]] == [
        f"{log}, {column}" for log in ("mini-batch", "large-batch") for column in ("loss", "noise_scale")
    ]
    assert results.quantities["correlation_loss_mini-batch"].value < -0.8


def test_the_figure_shows_training_and_every_log(results):
    figure = char_lm.draw(results)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:3] == ["(a) loss", "(b) gradient noise", "(c) mini-batch, sizes"]
    assert titles[3:6] == ["(d) mini-batch, $D(t)$", "(e) real − null", "(f) mini − large batch"]
    assert titles[8] == "(i) 20 steps − 1,000 steps"
    assert titles[11] == "(l) difference, sizes"
    line = next(line for line in figure.axes[3].lines if line.get_label() == "real")
    assert np.asarray(line.get_ydata()) == pytest.approx(np.where(STEPS < 300, 1.0, 1.1), abs=1e-6)


def test_a_part_of_the_log_is_measured_where_the_plan_says_so(tmp_path):
    plant(tmp_path)
    trained = measured(tmp_path, replace(CONFIG, replicates=2)).series_of(Trained)
    assert trained.runs.tolist() == [2, 2, 2]
    assert trained.loss[:, 0] == pytest.approx([4.55] * 3)


@pytest.mark.parametrize(
    ("planted", "config", "message"),
    [
        ({}, replace(CONFIG, scales=(10, 20, 80)), "does not have all of scales 10, 20, 80 × 3 runs: train.py makes them"),
        ({}, replace(CONFIG, replicates=4), "scales 10, 20, 40 × 4 runs"),
        ({"leave_out": (20, 1)}, CONFIG, "mini-batch does not have all of scales 10, 20, 40 × 3 runs"),
        ({"unfinished": (40, 2)}, CONFIG, "mini-batch does not have all"),
        ({}, replace(CONFIG, settings={"text_sha256": "abd"}), "is of a text of sha256 abc, but the plan of abd"),
        (None, CONFIG, "training.json does not exist: train.py makes it with the logs"),
    ],
)
def test_logs_that_are_not_those_of_the_plan_are_refused(tmp_path, planted, config, message):
    if planted is not None:
        plant(tmp_path, **planted)
    with pytest.raises(tdu.InputError, match=message):
        measured(tmp_path, config)


def test_the_committed_logs_are_those_of_the_plan():
    config = read_plan(FOLDER / "experiment.toml").config
    assert replace(config, settings={}) == char_lm.EXPERIMENT.study
    settings = config.settings
    trained = json.loads((FOLDER / "log" / "training.json").read_text())
    assert trained["text_sha256"] == settings["text_sha256"]
    assert trained["python"].startswith("3.11.")
    for name in char_lm.LOGS:
        log, probed = tdu.load(FOLDER / "log" / name), Store.open(FOLDER / "log" / name).settings
        assert log.scale.tolist() == list(config.scales)
        assert log.step.tolist() == list(range(0, settings["steps"] + (name != "difference"), settings["snapshot_every"]))
        assert sorted(log.nulls) == sorted(settings["nulls"])
        assert log.nulls["blocks"].shape == (settings["draws"], 5, 4, log.step.size)
        assert probed["max_steps"] == settings["many_steps" if name.endswith("uncapped") else "max_steps"]
        assert probed.get("difference", False) == (name == "difference")
        assert not np.isnan(log.size).any()
        for address in Store.open(FOLDER / "log" / name).addresses():  # one graph and one arrangement of nulls in all logs
            of_run, first = (Store.open(FOLDER / "log" / one).read(*address) for one in (name, "mini-batch"))
            assert of_run.layout == first.layout


def test_what_the_page_says_in_words_is_what_the_data_say():
    source, page = committed(FOLDER), " ".join((FOLDER / "README.md").read_text().split())
    words = {row["what"]: row["words"] for name in ("levels", "excesses", "noise", "losses") for row in source.tables[name]}
    logs, late, early = ("mini-batch", "large-batch", "difference"), "from step 300", "steps 0–100"
    assert "Over `permuted` the excess is positive in all logs from step 300 on" in page
    assert all(words[f"{log} − permuted, {late}"] == "higher" for log in logs)
    assert "no excess over it is positive in any log or window" in page
    assert all(words[f"{log} − blocks, {window}"] != "higher" for log in logs for window in ("all steps", early, late))
    assert "arrangement within tensors *lowers* D(t) of gradients" in page
    assert [words[f"{log} − blocks, {early}"] for log in logs] == ["lower", "lower", "not to be told apart"]
    assert all(words[f"{log} − blocks, {late}"] == "not to be told apart" for log in logs)
    assert "Noise raises D(t) early" in page
    assert words[f"mini-batch − large-batch, {early}"] == words["mini-batch − large-batch, all steps"] == "higher"
    assert all(words[f"(mini-batch − blocks) − (large-batch − blocks), {w}"] == "not to be told apart" for w in (early, late))
    assert "above 1 at a loss of 2.6 in both logs" in page
    assert [words[f"{log}, loss 2.6"] for log in logs[:2]] == ["above 1"] * 2
    rows = {log: [row for row in source.tables["dimension"] if row["log"] == log] for log in logs}
    dips = {log: min((float(row["real"]), int(row["step"])) for row in rows[log]) for log in logs[:2]}
    assert "falls below 0.8 within the first 100 steps" in page
    assert all(value < 0.8 and step <= 100 for value, step in dips.values())
    p = {row["what"]: row["p"] for row in source.tables["excesses"]}
    assert (p[f"mini-batch − permuted, {late}"], p["mini-batch − permuted, all steps"]) == ("< 0.001", "0.006")
    apart = [abs(float(row[f"excess over {null}"])) for log in logs for row in rows[log] for null in char_lm.NULLS]
    assert "at no step further off than 0.022" in page
    assert 0.021 < max(apart) < 0.022
    noise = {}
    for row in source.tables["training"]:
        noise.setdefault(int(row["N"]), []).append((int(row["step"]), float(row["noise scale"])))
    above = [next(step for step, value in of_width if value > 32) for of_width in noise.values()]
    assert "between step 20 and step 160, the wide models first" in page
    assert above == sorted(above, reverse=True)
    assert (above[-1], above[0]) == (20, 160)
    mini, large = (tdu.load(FOLDER / "log" / log).size.mean(axis=(1, 2)) for log in logs[:2])
    assert "sizes of mini-batch gradients are smaller at every N" in page
    assert (mini < large).all()
    loss = tdu.load(FOLDER / "log" / "large-batch").columns["loss"].mean(axis=1)
    assert "the two widest pass a loss of 3 in their first 20 steps" in page
    assert (loss[:, 1] < 3).tolist() == [False, False, False, True, True]


def test_a_scale_off_the_line_is_told_by_the_exponents_without_it():
    n, factor = np.array([100, 400, 1600, 6400]), np.array([1.0, 1.0, 1.0, 4.0])
    size = np.broadcast_to((factor * n)[:, None, None], (4, 2, 2))
    log = tdu.Log(n, n, np.array([0, 300]), {"size": size}, {}, {}, np.full((4, 2), -1))
    found = [char_lm.without_scale("log", log, left_out) for left_out in range(4)]
    assert found[-1].what == "log without N = 6400"
    assert found[-1].found.value == pytest.approx(1)
    assert all(one.found.value > 1.2 for one in found[:-1])


def test_runs_are_compared_at_their_first_snapshot_of_a_loss():
    """Sizes 0, 1, 2, … over snapshots, and draws of nulls told from each other."""
    size = np.arange(24.0).reshape(2, 3, 4)
    draws = {"permuted": np.stack([size + 100, size + 200]), "blocks": np.stack([size + 300, size + 400])}
    log = tdu.Log(np.array([1, 2]), np.array([1, 2]), np.arange(4), {"size": size}, draws, {}, np.full((2, 3), -1))
    picked = char_lm.at(log, np.array([[0, 1, 2], [3, 0, 1]]))
    assert picked.size[..., 0].tolist() == [[0, 5, 10], [15, 16, 21]]
    assert picked.nulls["permuted"][:, 0, 1, 0].tolist() == [105, 205]
    assert picked.nulls["blocks"][:, 1, 2, 0].tolist() == [321, 421]
    assert picked.complete.tolist() == [True]


@pytest.mark.slow
def test_the_committed_tables_are_what_the_committed_logs_give():
    config = read_plan(FOLDER / "experiment.toml").config
    results = measured(FOLDER / "log", config)
    kept = committed(FOLDER)
    for key, quantity in kept.quantities.items():
        found = results.quantities[key]
        assert [found.value, found.low, found.high] == pytest.approx(
            [quantity.value, quantity.low, quantity.high], rel=1e-4, abs=1e-4, nan_ok=True
        ), key
    rows = read_csv(FOLDER / "data" / "dimension.csv")
    again = char_lm.tables(results)["dimension"]
    assert [float(row["real"]) for row in rows] == pytest.approx([row["real"] for row in again], rel=1e-4)


def text_of(modules):
    return "".join(Path(importlib.util.find_spec(name).origin).read_text(encoding="utf-8") for name in modules)


def trained_by_script(folder, **changed):
    """Two widths for two steps under the plan of the experiment, on the text of the Python at hand."""
    plan = (FOLDER / "experiment.toml").read_text()
    modules = read_plan(FOLDER / "experiment.toml").config.settings["modules"]
    sha256 = hashlib.sha256(text_of(modules).encode()).hexdigest()
    small = {
        "scales": "[8, 12]", "replicates": "1", "steps": "2", "snapshot_every": "1", "draws": "1", "large_batch": "64",
        "text_sha256": f'"{sha256}"',
    } | changed  # fmt: skip
    lines = [next((f"{k} = {v}" for k, v in small.items() if line.startswith(f"{k} =")), line) for line in plan.splitlines()]
    folder.mkdir(exist_ok=True)
    (folder / "experiment.toml").write_text("\n".join(lines))
    script = [sys.executable, FOLDER / "train.py", folder / "experiment.toml", folder / "log"]
    root = str(FOLDER.parent.parent)
    return subprocess.run(script, capture_output=True, text=True, env={"PYTHONPATH": root}, timeout=600)


@pytest.mark.torch
def test_training_records_gradients_and_keeps_checkpoints(tmp_path):
    for folder in (tmp_path / "one", tmp_path / "two"):
        done = trained_by_script(folder)
        assert done.returncode == 0, done.stderr
    logs = {name: tdu.load(tmp_path / "one" / "log" / name) for name in char_lm.LOGS if name != "difference"}
    again = {name: tdu.load(tmp_path / "two" / "log" / name) for name in logs}
    for name, log in logs.items():
        assert log.n_sites.tolist() == [24 * width**2 + 250 * width + 95 for width in (8, 12)]
        assert (log.scale.tolist(), log.step.tolist()) == ([8, 12], [0, 1, 2])
        assert all(np.array_equal(values, again[name].columns[key], equal_nan=True) for key, values in log.columns.items())
        assert log.nulls["permuted"].shape == log.nulls["blocks"].shape == (1, 2, 1, 3)
    mini, large, uncapped = (logs[name] for name in ("mini-batch", "large-batch", "mini-batch-uncapped"))
    assert (mini.columns["loss"][..., -1] < mini.columns["loss"][..., 0]).all()
    assert abs(mini.columns["loss"] - large.columns["loss"]).max() < 0.3
    assert np.array_equal(mini.columns["gradient_norm"], uncapped.columns["gradient_norm"])
    assert not np.array_equal(mini.columns["gradient_norm"], large.columns["gradient_norm"])
    assert (uncapped.size >= mini.size).all()
    assert np.isfinite(large.columns["noise_scale"][..., 0]).all()
    checkpoints = [np.load(tmp_path / "one" / "runs" / "w12-s0" / f"{step}.npz") for step in (0, 1)]
    theta = [np.concatenate([np.ravel(file[name]).astype(float) for name in file.files]) for file in checkpoints]
    assert mini.columns["weight_norm"][1, 0, :2] == pytest.approx([np.linalg.norm(values) for values in theta])
    pattern = tmp_path / "one" / "runs" / "w{scale}-s{replicate}" / "{step}.npz"
    out = tmp_path / "one" / "log" / "difference"
    command = [sys.executable, "-m", "tdu", "probe", pattern, "--difference", "--null", "blocks", "--draws", "1", "--out", out]
    assert subprocess.run(list(map(str, command)), capture_output=True, timeout=600).returncode == 0
    difference = tdu.load(out)
    assert difference.step.tolist() == [0, 1]
    assert difference.columns["gradient_norm"][1, 0, 0] == pytest.approx(np.linalg.norm(theta[1] - theta[0]), rel=1e-5)


@pytest.mark.torch
def test_another_text_is_refused_by_its_digest(tmp_path):
    done = trained_by_script(tmp_path, text_sha256='"0"')
    assert done.returncode == 1
    assert "has sha256" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "log").exists()
