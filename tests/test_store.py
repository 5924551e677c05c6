"""One store for every source's runs: whole files or none, checked to the last bit, claimed by one process at a time."""

import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

import tdu
from tdu import files
from tdu.config import StudyConfig
from tdu.logs import store
from tdu.logs.log import every_epoch, first_runs, gather
from tdu.training.ensembles import study_of, study_store
from tdu.training.xor import run_of_study
from tdu.types import Layout, Run

CONFIG = StudyConfig(hidden=(5, 8), replicates=2, epochs=20, n_null_draws=2)


@pytest.fixture
def log(tmp_path):
    return study_store(tmp_path / "run", CONFIG)


@pytest.fixture(scope="module")
def run():
    return run_of_study(CONFIG, 5, 1)


def planted(scale=5, replicate=0, n_sites=21, step=(0, 10, 20), size=(3, 4, 5), **others):
    """A run with sizes and the draws of one null."""
    sizes = np.array(size)
    fixed = {"columns": {"size": sizes}, "nulls": {"permuted": np.stack([sizes + 1, sizes + 2])}, "curves": {}}
    return Run(scale, replicate, Layout.unknown(n_sites), np.array(step), **{**fixed, "grokking_step": -1, **others})


def same(one, other):
    for field in fields(Run):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, dict):
            assert list(a) == list(b)
            for name in a:
                assert np.array_equal(a[name], b[name]), name
                assert a[name].dtype == b[name].dtype, name
        elif isinstance(a, np.ndarray):
            assert np.array_equal(a, b)
        else:
            assert a == b


def test_a_run_comes_back_as_it_went(log, run):
    log.write(run)
    same(log.read(5, 1), run)
    assert log.missing() == [(5, 0), (8, 0), (8, 1)]
    assert log.addresses() == [(5, 1)]
    assert run.layout == Layout.of({"W1": (5, 2), "b1": (5,), "W2": (5,), "b2": (1,)})
    assert {name: sizes.shape for name, sizes in run.nulls.items()} == dict.fromkeys(CONFIG.nulls, (2, 3))
    assert {name: curve.shape for name, curve in run.curves.items()} == dict.fromkeys(
        ("loss", "accuracy", "gini", "size"), (21,)
    )


def test_the_same_run_is_the_same_file(log, run, tmp_path):
    log.write(run)
    other = study_store(tmp_path / "other", CONFIG)
    other.write(run)
    assert log.file(5, 1).read_bytes() == other.file(5, 1).read_bytes()


def test_a_log_has_scales_runs_and_snapshots_in_order(log):
    for address in reversed(log.missing()):
        log.write(run_of_study(CONFIG, *address))
    found = tdu.load(log.path)
    assert found.scale.tolist() == [5, 8]
    assert found.n_sites.tolist() == [21, 33]
    assert found.step.tolist() == [0, 10, 20]
    assert found.size.shape == (2, 2, 3)
    assert found.nulls["signs"].shape == (2, 2, 2, 3)
    assert found.curves["loss"].shape == (2, 2, 21)
    one = run_of_study(CONFIG, 8, 0)
    assert np.array_equal(found.size[1, 0], one.size)
    assert np.array_equal(found.nulls["signs"][:, 1, 0], one.nulls["signs"])
    assert found.grokking_step.shape == (2, 2)
    assert found.seed == CONFIG.seed
    dense = every_epoch(found)
    assert np.array_equal(dense.size[..., ::10], found.size)
    assert dense.step.tolist() == list(range(21))


def test_the_first_runs_of_a_log_are_the_log_of_these():
    runs = [
        planted(scale, k, 4 * scale + 1, size=(k, 1, 2), curves={"loss": np.full(21, k)}) for scale in (5, 8) for k in (0, 1, 2)
    ]
    found, made = first_runs(gather(runs, seed=3), 2), gather((run for run in runs if run.replicate < 2), seed=3)
    assert found.digest == made.digest != gather(runs, seed=3).digest


def test_a_log_is_ragged_where_its_runs_are():
    runs = [
        planted(8, 4, 33, step=(0, 20), size=(7, 8)),
        planted(5, 2, curves={"loss": np.arange(3.0)}),
        planted(5, 0, step=(10, 30), size=(1, 2), nulls={}, grokking_step=10),
    ]
    found = gather(runs, seed=3)
    assert (found.scale.tolist(), found.n_sites.tolist(), found.step.tolist()) == ([5, 8], [21, 33], [0, 10, 20, 30])
    nan = np.nan
    np.testing.assert_array_equal(found.size, [[[nan, 1, nan, 2], [3, 4, 5, nan]], [[7, nan, 8, nan], [nan] * 4]])
    np.testing.assert_array_equal(found.nulls["permuted"][1], [[[nan] * 4, [5, 6, 7, nan]], [[9, nan, 10, nan], [nan] * 4]])
    np.testing.assert_array_equal(found.curves["loss"], [[[nan] * 3, [0, 1, 2]], [[nan] * 3] * 2])
    assert found.grokking_step.tolist() == [[10, -1], [-1, -1]]
    assert found.complete.tolist() == [True, False, True, False]
    assert found.seed == 3
    assert repr(found).splitlines() == [
        "<Log of 2 scales, 3 runs, 4 steps",
        "  N: 21, 33 (scale 5, 8)",
        "  runs of each: 2, 1",
        "  steps: 0 … 30",
        f"  columns: {', '.join(found.columns)}",
        "  nulls: permuted × 2>",
    ]


def test_runs_that_do_not_belong_together_are_named():
    with pytest.raises(ValueError, match="run 1 of scale 5 has 33 sites but run 0 21: they are not of one scale"):
        gather([planted(), planted(replicate=1, n_sites=33)])
    with pytest.raises(ValueError, match="run 0 of scale 5 is there twice"):
        gather([planted(), planted()])
    with pytest.raises(ValueError, match="a log needs at least one"):
        gather([])


def test_manifest_says_what_was_run_and_with_what(log):
    manifest = json.loads((log.path / "manifest.json").read_text())
    assert manifest["schema"] == files.SCHEMA
    assert manifest["source"] == "xor"
    assert manifest["plan"] == [[5, 0], [5, 1], [8, 0], [8, 1]]
    assert set(manifest["provenance"]) == {"packages", "python", "commit", "platform", "cpu", "created"}
    assert "numba" in manifest["provenance"]["packages"]
    assert study_of(store.Store.open(log.path)) == CONFIG


def test_another_configuration_is_refused_by_its_settings_once_runs_are_there(log, run):
    assert study_store(log.path, replace(CONFIG, alpha=0.5)).settings["alpha"] == 0.5  # nothing is lost: no run was there
    study_store(log.path, CONFIG)
    log.write(run)
    with pytest.raises(
        ValueError, match=r"another study \(alpha = 0.3 there, 0.5 here; scales 5,8 × 2 replicates there, scales"
    ):
        study_store(log.path, replace(CONFIG, alpha=0.5, replicates=3))
    with pytest.raises(ValueError, match="scales 5,8 × 2 replicates there, scales 5 × 2 replicates here"):
        study_store(log.path, replace(CONFIG, hidden=(5,)))
    with pytest.raises(ValueError, match="holds a log of source xor, not network"):
        store.Store.begin(log.path, "network", log.settings)


def test_a_run_is_trusted_for_what_it_holds_not_for_its_name(log, run):
    log.write(run)
    log.file(8, 1).write_bytes(log.file(5, 1).read_bytes())
    with pytest.raises(ValueError, match=r"s00008-r01\.npz is of another study, run or version of tdu"):
        log.missing()
    log.file(8, 1).unlink()
    (log.path / "manifest.json").unlink()
    with pytest.raises(ValueError, match=r"s00005-r01\.npz is of another study, run or version of tdu"):
        study_store(log.path, replace(CONFIG, seed=1)).missing()


def test_a_damaged_run_is_made_again(log, run):
    log.write(run)
    assert (5, 1) not in log.missing()
    log.file(5, 1).write_bytes(b"")
    assert (5, 1) in log.missing()


def test_an_unfinished_log_says_so(log, run):
    log.write(run)
    with pytest.raises(ValueError, match=r"3 of the 4 runs in .* are missing"):
        log.runs()
    unplanned = store.Store.begin(log.path.parent / "empty", "network", {})
    with pytest.raises(ValueError, match="holds no run: nothing has been finished in it, or recorded"):
        unplanned.log()


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "pickle", "other arrays"])
def test_a_damaged_file_is_named(log, run, damage):
    log.write(run)
    path = log.file(5, 1)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not a run")
    elif damage == "pickle":
        np.savez(path, evil=np.array([{}], dtype=object))
    else:
        np.savez(path, size=np.zeros(3))
    with pytest.raises(ValueError, match=str(path)):
        log.read(5, 1)


def test_no_flipped_bit_goes_unnoticed(log, run):
    """Wherever it is, the file is refused, or what is read is what was written."""
    log.write(run)
    path, rng = log.file(5, 1), np.random.default_rng(0)
    whole = path.read_bytes()
    refused = 0
    for at in rng.choice(len(whole), 300, replace=False):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            same(log.read(5, 1), run)
        except ValueError:
            refused += 1
    assert refused > 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": np.arange(3.0)}, "`step` must be ascending int64"),
        ({"step": np.array([0, 20, 10])}, "`step` must be ascending int64"),
        ({"columns": {"size": np.arange(4)}}, r"`column.size` is int64 \(4,\) beside 3 steps"),
        ({"columns": {"size": np.array(["a", "b", "c"])}}, "`column.size` is <U1"),
        ({"nulls": {"permuted": np.ones((2, 3))}}, "`null.permuted` is float64"),
        ({"nulls": {"permuted": np.ones(3, int)}}, r"`null.permuted` is int64 \(3,\)"),
    ],
)
def test_types_and_shapes_are_checked(log, change, message):
    log.write(replace(planted(), **change))
    with pytest.raises(ValueError, match=message):
        log.read(5, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no log of tdu"),
        ("[]", "has schema None, but this version of tdu reads schema 2"),
        ('{"schema": 1, "config": {}}', "has schema 1, but this version of tdu reads schema 2: make it again"),
        ('{"schema": 2, "plan": [[1]]}', "is damaged"),
        ('{"schema": 2, "plan": [], "source": "xor", "settings": 3, "bits": 6}', "is damaged"),
        ('{"schema": 2, "plan": [], "source": "xor", "settings": {"seed": "x"}, "bits": 6}', "is damaged .*: 'x'"),
        ('{"schema": 2, "plan": [], "source": "xor", "settings": {}, "bits": 5}', "whose bits are 5, not 6"),
        ('{"schema": 2, "plan": [], "source": "dice", "settings": {}, "bits": 5}', "of a source `dice`, which this version"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is read unverified")
def test_a_damaged_manifest_is_named(log, text, message):
    (log.path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        store.Store.open(log.path)


def test_a_directory_without_a_log_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no log of tdu"):
        tdu.load(tmp_path)


def test_the_directory_of_an_older_network_run_is_refused_by_name(tmp_path):
    (tmp_path / "state.npz").write_bytes(b"")
    for attempt in (tdu.load, lambda path: store.Store.begin(path, "network", {})):
        with pytest.raises(ValueError, match=r"state\.npz is of an older `tdu grok`, which kept one run a directory"):
            attempt(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_a_failing_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "results.json"
    files.write_json(path, {"kept": 1})
    whole = path.read_text()
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(path, {"bad": float("nan")})
    assert path.read_text() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_is_made_by_one_process_at_a_time(log):
    with log.claim(5, 0):
        taken = rf"another process is making run 0 of scale 5 in .* \(process {os.getpid()} on .*\): wait for it"
        with pytest.raises(ValueError, match=taken), log.claim(5, 0):
            pass
        with log.claim(5, 1):
            pass
    with log.claim(5, 0):
        pass
    assert not list(log.path.glob(".*"))  # neither claims nor locks are left


def _add(path, replicate):
    log = store.Store.begin(path, "network", {"seed": 0})
    for scale in range(20, 40):
        with log.claim(scale, replicate):
            log.write(planted(scale, replicate))


def test_processes_that_add_runs_to_one_new_log_at_once_lose_none(tmp_path):
    context = multiprocessing.get_context("spawn")
    adding = [context.Process(target=_add, args=(tmp_path / "log", replicate)) for replicate in range(3)]
    for process in adding:
        process.start()
    for process in adding:
        process.join()
    assert [process.exitcode for process in adding] == [0, 0, 0]
    assert tdu.load(tmp_path / "log").size.shape == (20, 3, 3)


def test_a_killed_claim_is_free_again_and_only_what_it_left_of_its_own_is_swept(log):
    program = (
        "import os, signal, sys, pathlib; from tdu.logs.store import Store\n"
        "with Store.open(pathlib.Path(sys.argv[1])).claim(5, 0): os.kill(os.getpid(), signal.SIGKILL)"
    )
    folder = log.path / "log"
    folder.mkdir()
    own, other, foreign = (folder / name for name in ("s00005-r00.npz.0a.part", "s00005-r01.npz.0a.part", "film.part"))
    for path in (own, other, foreign):
        path.write_bytes(b"half")
    assert subprocess.run([sys.executable, "-c", program, str(log.path)], check=False).returncode == -9
    with log.claim(5, 0):
        assert not own.exists()
        assert other.exists()
        assert foreign.exists()
    assert not list(log.path.glob(".*"))


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
    with monkeypatch.context() as older:
        older.setitem(store.BITS, "xor", store.BITS["xor"] - 1)
        study_store(tmp_path, CONFIG).write(run_of_study(CONFIG, CONFIG.hidden[0], 0))
    with pytest.raises(ValueError, match="of a version of tdu whose bits are 5, not 6"):
        store.Store.open(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ValueError, match="is of another study, run or version of tdu"):
        study_store(tmp_path, CONFIG).missing()
