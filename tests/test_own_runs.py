"""The how-to for training runs of one's own: it runs where the frameworks are installed, and the logs hold what it says."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu.cli import main

PAGE = (Path(__file__).parent.parent / "docs" / "own-runs.md").read_text()
#: Language and text of each block; those of PyTorch and Lightning need the first.
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
OBSERVABLES = {"size", "duration", "extent", "peak", "capped", "branching_ratio", "gradient_norm", "moran", "concordance"}


def block(known_by, language="python"):
    (found,) = [text for of_language, text in BLOCKS if of_language == language and known_by in text]
    return found


def execute(*blocks):
    namespace = {}
    for text in blocks:
        exec(compile(text, "own-runs.md", "exec"), namespace)
    return namespace


def answers(known_by):
    """What the command lines say that stand beside the one given."""
    for line in block(known_by, "").splitlines():
        program, *arguments = shlex.split(line)
        assert program == "tdu"
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        yield result.stdout


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def n_parameters(width):
    return 10 * width + 1


def columns_of(path, n_sites, steps, *more):
    """The columns of a log, which has the steps and observables that it should."""
    log = tdu.load(path)
    assert log.n_sites.tolist() == n_sites
    assert log.step.tolist() == steps
    assert set(log.columns) >= {*OBSERVABLES, *more}
    assert set(log.nulls) == {"blocks", "signs"}
    assert (log.size > 0).all()
    return log.columns


def test_ten_lines_of_the_loop_are_the_probes():
    lines = [line for line in block("def train(").splitlines() if re.search(r"tdu|probe|record", line)]
    assert 3 <= len(lines) <= 10


@pytest.mark.torch
def test_files_are_probed_by_one_command_and_fitted_by_another():
    execute(block("def network"), block("np.savez"))
    log, fitted = answers("tdu probe")
    assert log == "FILES\n"
    columns = columns_of("FILES", [n_parameters(width) for width in (16, 32, 64, 128)], [0, 10, 20])
    assert columns["size"].shape == (4, 2, 3)
    assert "γ" in fitted


@pytest.mark.torch
def test_a_loop_records_what_fit_report_and_export_read():
    execute(block("def network"), block("def train("))
    columns = columns_of("RUN", [n_parameters(width) for width in (16, 32, 64, 128)], [0, 10, 20], "loss")
    assert (np.diff(columns["loss"]) < 0).all()
    assert columns["loss"].shape == (4, 2, 3)
    _, report, table = answers("tdu report")
    assert Path(report.strip()).stat().st_size > 10_000
    assert len(table.splitlines()) == 1 + 4 * 2 * 3


@pytest.mark.torch
def test_files_and_the_loop_give_one_log():
    execute(block("def network"), block("np.savez"), block("def train("))
    next(answers("tdu probe"))
    files, loop = tdu.load("FILES"), tdu.load("RUN")
    assert set(loop.columns) - set(files.columns) == {"loss"}
    for name, values in files.columns.items():
        np.testing.assert_array_equal(values, loop.columns[name], err_msg=name)
    for name, sizes in files.nulls.items():
        np.testing.assert_array_equal(sizes, loop.nulls[name], err_msg=name)


@pytest.mark.torch
def test_accumulated_and_freed_gradients_are_those_of_the_whole_batch():
    execute(block("def network"), block("def train(").partition("def train(")[0], block("x.split"), block("_grad_hook"))
    accumulated = columns_of("ACCUMULATED", [n_parameters(32)], [0, 5])
    hooked = columns_of("HOOKS", [n_parameters(32)], [0, 5], "loss")
    np.testing.assert_allclose(accumulated["gradient_norm"], hooked["gradient_norm"], rtol=1e-4)


@pytest.mark.torch
def test_sharded_gradients_are_recorded_whole_by_the_first_of_two_processes(tmp_path):
    (tmp_path / "sharded.py").write_text(block("fully_shard"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "CUDA_VISIBLE_DEVICES": ""}
    processes = [
        subprocess.Popen([sys.executable, "sharded.py"], env=os.environ | common | {"RANK": str(rank)}) for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=300) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    columns_of("SHARDED", [n_parameters(32)], [0, 5])


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")  # Lightning's own, of workers and logging that a small example does without
def test_lightning_records_an_update_at_a_time():
    pytest.importorskip("lightning", reason="Lightning is not here")
    found = execute(block("def network"), block("import lightning"))
    assert found["trainer"].global_step == 12
    assert np.isfinite(columns_of("LIGHTNING", [n_parameters(32)], [0, 5, 10], "loss")["loss"]).all()


@pytest.mark.torch
def test_jax_records_a_tree_under_the_names_of_its_paths():
    pytest.importorskip("jax", reason="JAX is not here")
    execute(block("import jax"))
    columns = columns_of("JAX", [8 * 32 + 32 + 32], [0, 5], "loss", "weight_norm", "gini", "effective_rank")
    assert (np.diff(columns["loss"]) < 0).all()
