import json
from dataclasses import fields, replace

import numpy as np
import pytest

from tdu import files
from tdu.avalanches.cascades import gather
from tdu.config import StudyConfig
from tdu.training import store
from tdu.training.xor import run_of_study
from tdu.types import Run

CONFIG = StudyConfig(hidden=(5, 8), replicates=2, epochs=20)


def begin(path, config=CONFIG):
    with store.RunDirectory.writing(path, config) as directory:
        return directory


@pytest.fixture
def directory(tmp_path):
    return begin(tmp_path / "run")


@pytest.fixture(scope="module")
def run():
    return run_of_study(CONFIG, 5, 1)


def test_a_shard_comes_back_as_it_went(directory, run):
    directory.write(run)
    again = directory.read(5, 1)
    for field in fields(Run):
        one, other = getattr(run, field.name), getattr(again, field.name)
        assert np.array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
    assert directory.missing() == [(5, 0), (8, 0), (8, 1)]


def test_the_same_run_is_the_same_file(directory, run, tmp_path):
    directory.write(run)
    other = begin(tmp_path / "other")
    other.write(run)
    assert directory.shard(5, 1).read_bytes() == other.shard(5, 1).read_bytes()


def test_a_log_has_scales_runs_and_snapshots_in_order(directory):
    for address in reversed(directory.missing()):
        directory.write(run_of_study(CONFIG, *address))
    log = gather(CONFIG, directory.runs())
    assert log.n_sites.tolist() == [21, 33]
    assert log.size.shape == (2, 2, 3)
    assert log.curves["loss"].shape == (2, 2, 21)
    assert np.array_equal(log.size[1, 0], run_of_study(CONFIG, 8, 0).size)
    assert log.grokking_step.shape == (2, 2)


def test_manifest_says_what_was_run_and_with_what(directory):
    manifest = json.loads((directory.path / "manifest.json").read_text())
    assert manifest["schema"] == files.SCHEMA
    assert manifest["config"]["hidden"] == [5, 8]
    assert set(manifest["provenance"]) == {"packages", "python", "commit", "platform", "cpu", "created"}
    assert "numba" in manifest["provenance"]["packages"]
    assert store.RunDirectory.open(directory.path).config == CONFIG


def test_another_configuration_is_refused_by_its_settings_once_runs_are_there(directory, run):
    assert begin(directory.path, replace(CONFIG, alpha=0.5)).config.alpha == 0.5  # nothing is lost: no run was there
    begin(directory.path)
    directory.write(run)
    with pytest.raises(ValueError, match=r"another study \(replicates = 2 there, 3 here; alpha = 0.3 there, 0.5 here\)"):
        begin(directory.path, replace(CONFIG, alpha=0.5, replicates=3))
    with pytest.raises(ValueError, match="hidden = 5,8 there, 5 here"):
        begin(directory.path, replace(CONFIG, hidden=(5,)))


def test_a_shard_is_trusted_for_what_it_holds_not_for_its_name(directory, run):
    directory.write(run)
    directory.shard(8, 1).write_bytes(directory.shard(5, 1).read_bytes())
    with pytest.raises(ValueError, match=r"h0008-r01\.npz is of another study, run or version of tdu"):
        directory.missing()
    directory.shard(8, 1).unlink()
    (directory.path / "manifest.json").unlink()
    with pytest.raises(ValueError, match=r"h0005-r01\.npz is of another study, run or version of tdu"):
        begin(directory.path, replace(CONFIG, seed=1)).missing()


def test_a_damaged_shard_is_made_again(directory, run):
    directory.write(run)
    assert (5, 1) not in directory.missing()
    directory.shard(5, 1).write_bytes(b"")
    assert (5, 1) in directory.missing()


def test_an_unfinished_log_says_so(directory, run):
    directory.write(run)
    with pytest.raises(ValueError, match=r"3 of the 4 runs in .* are missing"):
        directory.runs()


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "pickle", "other arrays"])
def test_a_damaged_shard_is_named(directory, run, damage):
    directory.write(run)
    path = directory.shard(5, 1)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not a shard")
    elif damage == "pickle":
        np.savez(path, evil=np.array([{}], dtype=object))
    else:
        np.savez(path, size=np.zeros(3))
    with pytest.raises(ValueError, match=str(path)):
        directory.read(5, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a run directory"),
        ("[]", "has schema None, but this version of tdu reads schema 1"),
        ('{"schema": 99}', "has schema 99"),
        ('{"schema": 1, "config": {"hidden": [1]}}', "does not hold exactly"),
        ('{"schema": 1, "config": 3}', "does not hold exactly"),
    ],
)
def test_a_damaged_manifest_is_named(directory, text, message):
    (directory.path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        store.RunDirectory.open(directory.path)


def test_a_directory_without_a_manifest_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no run directory"):
        store.RunDirectory.open(tmp_path)


def test_a_failing_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "results.json"
    files.write_json(path, {"kept": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(path, {"bad": float("nan")})
    assert json.loads(path.read_text()) == {"kept": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_one_writer_at_a_time_and_only_its_own_leftovers_are_swept(directory):
    log = directory.path / "log"
    log.mkdir()
    leftover, foreign, other = log / "h0005-r00.npz.part", log / "film.part", directory.path / "download.part"
    for path in (leftover, foreign, other):
        path.write_bytes(b"half")
    with store.RunDirectory.writing(directory.path, CONFIG):
        assert not leftover.exists()
        assert foreign.exists()
        assert other.exists()
        with pytest.raises(ValueError, match="another process is writing"):
            begin(directory.path)
    begin(directory.path)


def test_a_file_is_never_seen_half_written(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with files.atomic(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        before = path.stat().st_ino
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != before  # renamed into place, not copied


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is not a readable .npy file"),
        (b"\x93NUMPY garbage", "is not a readable .npy file"),
        (np.zeros((2, 2, 2)), r"has shape \(2, 2, 2\)"),
        (np.array([{}], dtype=object), "is not a readable .npy file"),
    ],
)
def test_unreadable_fields_are_named(tmp_path, content, message):
    path = tmp_path / "field.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        files.read_fields(path)


def test_runs_of_other_bits_are_not_gone_on_with(tmp_path, monkeypatch):
    """An older version's graphs and sums give other runs for the same settings: a study of both would be of neither."""
    with monkeypatch.context() as older, store.RunDirectory.writing(tmp_path, CONFIG) as directory:
        older.setattr(store, "BITS", store.BITS - 1)
        directory.write(run_of_study(CONFIG, CONFIG.hidden[0], 0))
    with pytest.raises(ValueError, match="version of tdu"):
        store.RunDirectory.open(tmp_path).missing()
