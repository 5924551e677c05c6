import copy
import hashlib
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from tdu.config import StudyConfig
from tdu.executors import Elsewhere
from tdu.reproduce import train_study
from tdu.training.ensembles import addresses, over_grid, study_store, train_all
from tdu.training.finishing import finish
from tdu.types import Layout, Run

CONFIG = StudyConfig(hidden=(5, 8, 12), replicates=3, epochs=60)


class AtOnce(Executor):
    """The simplest executor there is: runs what it is given while it is given."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def digests(directory):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (directory / "log").iterdir()}


def test_any_executor_and_any_number_of_workers_give_the_same_files(tmp_path):
    for name, executor in (
        ("at once", AtOnce()),
        ("one", ThreadPoolExecutor(1)),
        ("four", ThreadPoolExecutor(4)),
        ("processes", ProcessPoolExecutor(2, get_context("spawn"))),
    ):
        store = study_store(tmp_path / name, CONFIG)
        with executor:
            assert len(list(finish(store, CONFIG, store.missing(), executor))) == 9
    assert (
        digests(tmp_path / "at once")
        == digests(tmp_path / "one")
        == digests(tmp_path / "four")
        == digests(tmp_path / "processes")
    )
    assert len(digests(tmp_path / "one")) == 9


def test_a_run_does_not_depend_on_the_grid_around_it(tmp_path):
    train_study(tmp_path / "grid", CONFIG, 2)
    train_study(tmp_path / "alone", StudyConfig(hidden=(8,), replicates=2, epochs=60), 1)
    alone = digests(tmp_path / "alone")
    assert alone.items() <= digests(tmp_path / "grid").items()


def test_a_log_without_gini_coefficients_is_the_same_otherwise():
    with ThreadPoolExecutor(2) as executor:
        plain, whole = (train_all(CONFIG, executor, gini=asked) for asked in (False, True))
    assert plain.curves["gini"].shape == (3, 3, 0)
    gini = whole.curves["gini"]
    assert gini.shape == (3, 3, 61)
    assert ((gini > 0) & (gini < 1)).all()
    for name, values in {**whole.columns, **whole.curves}.items():
        if name != "gini":
            assert np.array_equal({**plain.columns, **plain.curves}[name], values), name


def test_what_is_there_is_not_touched_and_what_is_missing_is_made(tmp_path):
    train_study(tmp_path, CONFIG, 2)
    before = digests(tmp_path)
    (tmp_path / "log" / "s00008-r01.npz").unlink()
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "log").iterdir()}
    train_study(tmp_path, CONFIG, 2)
    assert digests(tmp_path) == before
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "log").iterdir()}.items() >= times.items()


def test_a_failing_run_is_an_error_and_what_is_finished_stays(tmp_path):
    diverging = StudyConfig(hidden=(5,), replicates=2, epochs=20, learning_rate=1.7e308)
    with pytest.raises(ValueError, match="diverged"):
        train_study(tmp_path, diverging, 1)
    assert not list(tmp_path.rglob("*.npz"))
    train_study(tmp_path, StudyConfig(hidden=(5,), replicates=2, epochs=20), 1)  # the corrected command is not refused
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a POSIX signal")
def test_killed_in_the_middle_and_started_again_gives_the_same_files(tmp_path):
    settings = ["--hidden", "20,60,200", "--replicates", "6", "--epochs", "400", "--workers", "2"]

    def train(out):
        return subprocess.Popen([sys.executable, "-m", "tdu", "train", "--out", str(out), *settings], stdout=subprocess.DEVNULL)

    assert train(tmp_path / "whole").wait() == 0
    process = train(tmp_path / "killed")
    log = tmp_path / "killed" / "log"
    while not (log.exists() and len(list(log.glob("*.npz"))) >= 2):
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 2 <= len(list(log.glob("*.npz"))) < 18, "the process was to be killed in the middle"
    assert train(tmp_path / "killed").wait() == 0
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")


@pytest.mark.parametrize("handed_over", [lambda run: pickle.loads(pickle.dumps(run)), copy.copy, copy.deepcopy])
def test_a_run_that_is_handed_over_is_the_same_run(handed_over):
    columns = {"size": np.array([3, 5]), "capped": np.array([True, False]), "loss": np.array([0.5, np.nan], ">f4")}
    nulls = {"permuted": np.arange(6).reshape(2, 3)[:, :2], "signs": np.empty((0, 2), np.int64)}
    run = Run(8, 3, Layout.of({"W": (2, 4), "b": (1,)}), np.array([0, 10]), columns, nulls, {"gini": np.empty(0)}, 10, -1)
    again = handed_over(run)
    numbers = ("scale", "replicate", "layout", "grokking_step", "diverged_step")
    assert [getattr(again, name) for name in numbers] == [getattr(run, name) for name in numbers]
    assert again.step.tolist() == [0, 10]
    for name in ("columns", "nulls", "curves"):
        assert list(getattr(again, name)) == list(getattr(run, name))
        for key, values in getattr(run, name).items():
            found = getattr(again, name)[key]
            assert (found.dtype, found.shape) == (values.dtype, values.shape)
            assert np.array_equal(found, values, equal_nan=values.dtype.kind == "f")
            assert found.flags.aligned
            found[...] = 0  # as ever: it is a user's own array


class Counting(AtOnce):
    n_jobs = 0

    def submit(self, fn, /, *args, **kwargs):
        self.n_jobs += 1
        return super().submit(fn, *args, **kwargs)


def test_runs_that_other_processes_hand_back_come_in_fewer_jobs(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    grid = addresses(StudyConfig(hidden=(5,), replicates=192))
    for elsewhere, n_jobs in ((False, 64), (True, 16)):
        here = Counting()
        executor = Elsewhere(here, here, lambda: 1, False) if elsewhere else here
        found = dict(over_grid(CONFIG, lambda _, *address: address, executor, grid))
        assert found == {address: address for address in grid}
        assert here.n_jobs == n_jobs
