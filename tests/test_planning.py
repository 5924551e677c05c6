"""What a study is said to cost is what it costs, and a schedule is that of workers who take the largest run left."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tdu import reproduce
from tdu.cli import main
from tdu.config import QUICK_SCOPE, StudyConfig
from tdu.kernels import training as kernels
from tdu.reproduce import planned, planned_stages, train_study
from tdu.training import planning
from tdu.training.ensembles import study_store
from tdu.training.planning import Cost, schedule
from tdu.training.xor import run_of_study


def cost(runs, seconds):
    return Cost(scale=5, n_sites=21, runs=runs, seconds=seconds, disk=0, memory=0)


@pytest.mark.parametrize(
    ("found", "workers", "seconds"),
    [
        ([cost(4, 3.0)], 2, 6.0),
        ([cost(5, 3.0)], 2, 9.0),
        ([cost(2, 1.0), cost(1, 2.0)], 2, 2.0),
        ([cost(3, 2.0), cost(2, 3.0)], 2, 7.0),  # not the 6 that 3 + 3 and 2 + 2 + 2 would take
        ([cost(1, 10.0), cost(90, 0.1)], 10, 10.0),
        ([], 3, 0.0),
    ],
)
def test_a_schedule_by_hand(found, workers, seconds):
    wanted = sum(one.runs * one.seconds for one in found) / (workers * seconds) if seconds else 1.0
    said = schedule(found, workers)
    assert (said.workers, said.seconds, said.efficiency) == (workers, pytest.approx(seconds), pytest.approx(wanted))


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=20), st.integers(1, 12))
def test_a_schedule_keeps_within_what_is_known_of_largest_first(seconds, workers):
    found = [cost(1, one) for one in seconds]
    least = max(max(seconds), sum(seconds) / workers)
    assert least * (1 - 1e-9) <= schedule(found, workers).seconds <= least * (4 / 3 + 1e-9) + max(seconds) * 2 / 3
    assert 0 < schedule(found, workers).efficiency <= 1 + 1e-9


@pytest.mark.parametrize("change", [{}, {"epochs": 35, "snapshot_every": 4}, {"n_null_draws": 0}, {"nulls": ("signs",)}])
def test_a_run_takes_as_much_of_the_disk_as_is_said(tmp_path, change):
    config = replace(StudyConfig(hidden=(5,), replicates=1, epochs=60, n_null_draws=2), **change)
    store = study_store(tmp_path, config)
    store.write(run_of_study(config, 5, 0))
    assert planning._bytes_on_disk(config) == pytest.approx(store.file(5, 0).stat().st_size, abs=200)  # digits in the headers


def test_time_is_added_up_from_parts_timed_apart(monkeypatch):
    """A clock by which to begin takes 1 second, an epoch 0.02, to arrange the nulls 3, and a snapshot under them 0.05."""
    config = StudyConfig(epochs=500, snapshot_every=10, n_null_draws=8)

    def timed(job):
        name, arguments = getattr(job.func, "__name__", ""), job.args
        if name == "<lambda>":  # trains so many epochs
            return 1 + 0.02 * arguments[0], None
        result = job()
        if name == "of_run":
            return 0.5 + 3 * job.func.__self__.draws, result
        return 0.05 * len(arguments[1]), result

    monkeypatch.setattr(planning, "_timed", timed)
    assert planning._seconds(config, 5) == pytest.approx(1 + 500 * 0.02 + 8 * (3 + 51 * 0.05))
    assert planning._seconds(replace(config, n_null_draws=0), 5) == pytest.approx(1 + 500 * 0.02)
    assert planning._seconds(replace(config, epochs=0, n_null_draws=0), 5) == pytest.approx(1)


def test_beyond_a_million_sites_time_grows_by_a_power(monkeypatch):
    monkeypatch.setattr(planning, "_seconds", lambda _config, scale: 2.0 * scale)
    config = StudyConfig(hidden=(10, 2_500_000), replicates=2)
    found = list(planning.costs(config, [(10, 0), (2_500_000, 0), (2_500_000, 1)]))
    assert [(one.scale, one.n_sites, one.runs) for one in found] == [(10, 41, 1), (2_500_000, 10_000_001, 2)]
    assert [one.seconds for one in found] == pytest.approx([20, 500_000 * 10**1.22])
    assert found[1].memory == 10_000_001 * (100 + 24 * 51)


def test_a_plan_is_of_what_is_missing_and_of_a_share(tmp_path):
    config = StudyConfig(hidden=(5, 8), replicates=3, epochs=10, n_null_draws=0)
    runs = [row["runs"] for row in planned(tmp_path / "run", config, 1)[0]]
    assert runs == [3, 3]
    assert not (tmp_path / "run").exists()
    train_study(tmp_path / "run", replace(config), 1, part=(1, 2))
    assert [row["runs"] for row in planned(tmp_path / "run", config, 1, (1, 2))[0]] == []
    of_scales, of_workers = planned(tmp_path / "run", config, 3, (2, 2))
    assert sum(row["runs"] for row in of_scales) == 3
    assert [row["workers"] for row in of_workers] == [3, 64, 1024]
    for row in of_workers:
        assert row["core_hours"] == pytest.approx(sum(one["core_hours"] for one in of_scales))
        assert row["hours"] * row["workers"] * row["efficiency"] == pytest.approx(row["core_hours"])


def test_a_dry_run_says_rows_in_a_table_and_in_json(tmp_path):
    study = ["train", "--out", str(tmp_path / "run"), "--hidden", "5,8", "--replicates", "2", "--epochs", "10", "--dry-run"]
    table = CliRunner().invoke(main, study).stdout.splitlines()
    rows = [json.loads(line) for line in CliRunner().invoke(main, [*study, "--json"]).stdout.splitlines()]
    assert [len(row) for row in rows[:2]] == [len(table[0].split("\t"))] * 2
    assert list(rows[0]) == table[0].split("\t")
    assert list(rows[2]) == table[3].split("\t")
    assert len(rows) == len(table) - 2
    assert not (tmp_path / "run").exists()
    refused = CliRunner().invoke(main, ["train", "--json"])
    assert refused.exit_code == 2
    assert "--json is for --dry-run" in refused.stderr


@pytest.mark.slow
def test_a_run_takes_about_as_long_as_is_said():
    config = StudyConfig(hidden=(1000,), replicates=1)
    planning.compile_kernels(config)
    said = np.median([planning._seconds(config, 1000) for _ in range(3)])
    real = np.median([planning._timed(lambda: run_of_study(config, 1000, 0))[0] for _ in range(3)])
    assert said == pytest.approx(real, rel=0.6)


def test_all_that_reproduce_trains_is_counted(tmp_path, monkeypatch):
    """A kernel trains a run; every one that the stages of `tdu reproduce` start is one of those said."""
    config = StudyConfig(hidden=(5, 8, 12), replicates=2, epochs=20, n_null_draws=2)
    scope = replace(QUICK_SCOPE, n_gini_runs=3)
    said = list(planned_stages(tmp_path / "none", config, scope))
    counted, train = [], kernels.train
    monkeypatch.setattr(kernels, "train", lambda *arguments: counted.append(1) or train(*arguments))
    with ThreadPoolExecutor(1) as executor:
        store = train_study(tmp_path / "run", config, 1)
        of_study = len(counted)
        own = reproduce.material_of(config, store.log(), scope, executor)
        beside = len(counted) - of_study
        monkeypatch.setattr(reproduce, "findings_of", lambda *_, **__: [])
        monkeypatch.setattr(reproduce.pooled, "analyse", lambda *_: {})
        reproduce.measure_pooled(config, scope, executor, own=own)
    assert [row["runs"] for row in said] == [of_study, beside, len(counted) - of_study - beside, len(counted)]
    assert said[-1]["core_hours"] == pytest.approx(sum(row["core_hours"] for row in said[:-1]))
    assert next(planned_stages(tmp_path / "run", config, scope))["runs"] == 0
