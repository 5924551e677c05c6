"""What killed processes leave of files that they were writing, and what the next one that writes these does with it."""

import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import tdu
from tdu import files
from tdu._processes import start
from tdu.config import SyntheticConfig
from tdu.errors import InputError
from tdu.logs.store import Store
from tdu.sources.synthetic import write_fields
from tdu.types import Layout, Run

KILLED = """
import os, pathlib, signal, sys
from tdu.files import atomic
with atomic(pathlib.Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def left(tmp_path):
    """Half a table, of a process that was killed while it wrote it."""
    path = tmp_path / "table[1].csv"
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == -signal.SIGKILL
    (half,) = tmp_path.iterdir()
    assert half.read_bytes() == b"half"
    assert half.name.startswith("table[1].csv.")
    assert half.name.endswith(files.TEMPORARY)
    return path


def test_half_a_file_of_a_killed_process_is_swept_by_who_writes_it_next(left):
    with files.atomic(left) as file:
        file.write(b"whole")
    assert {path.name: path.read_bytes() for path in left.parent.iterdir()} == {left.name: b"whole"}


def test_what_others_write_or_wrote_elsewhere_stays(left, tmp_path):
    (half,) = tmp_path.iterdir()
    kept = {
        "another file": half.with_name(half.name.replace("table[1]", "table")),
        "another machine": half.with_name(half.name.replace(files._machine(), "0" * 8)),
        "somebody's own": half.with_name("table[1].csv.film.part"),
    }
    for path in kept.values():
        path.write_bytes(b"")
    with files.atomic(left), files.atomic(left) as inner:  # of a process that lives
        inner.write(b"whole")
    assert set(tmp_path.iterdir()) == {left, *kept.values()}


def test_a_process_of_the_same_number_that_started_at_another_time_is_another(tmp_path):
    mine = tmp_path / f"a.{'0' * 8}-{os.getpid()}-{start(os.getpid())}-{files._machine()}.part"
    before = tmp_path / f"a.{'0' * 8}-{os.getpid()}-5-{files._machine()}.part"
    for path in (mine, before):
        path.touch()
    files.sweep_dead(tmp_path, "a")
    assert list(tmp_path.iterdir()) == [mine]


def test_a_directory_of_thousands_of_runs_is_not_looked_through_for_each(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "sweep_dead", lambda *_: pytest.fail("looked through"))
    files.write_arrays(tmp_path / "s00005-r00.npz", {}, {})
    files.write_tensors(tmp_path / "0.npz", {})


def test_fields_that_are_written_again_leave_nothing_of_a_killed_command(tmp_path):
    config = SyntheticConfig(hidden=(5,), replicates=1, fields=2)
    first = next(iter(write_fields(tmp_path, config)))
    assert subprocess.run([sys.executable, "-c", KILLED, str(first.with_name("9.npz"))], check=False).returncode < 0
    assert len(list(first.parent.glob("9.npz.*"))) == 1
    written = set(write_fields(tmp_path, config))
    assert set(first.parent.iterdir()) == written


def test_gradients_that_are_kept_of_a_run_gone_on_with_leave_nothing_of_a_killed_loop(tmp_path):
    probe = tdu.Probe(draws=0)
    with probe.record(tmp_path, scale=8, keep_gradients=True) as record:
        record(0, {"weight": np.eye(8)})
    kept = tmp_path / "gradients" / "s00008-r00"
    assert subprocess.run([sys.executable, "-c", KILLED, str(kept / "00000001.npz")], check=False).returncode < 0
    assert len(list(kept.glob("00000001.npz.*"))) == 1
    with probe.record(tmp_path, scale=8, keep_gradients=True, resume=True) as record:
        record(2, {"weight": np.eye(8)})
    assert {path.name for path in kept.iterdir()} == {"00000000.npz", "00000002.npz"}


def test_a_log_that_is_removed_while_its_runs_are_made_is_one_line(tmp_path):
    """What was written into the directory of that name, which is another one, was an exit 0 and no log."""
    log = Store.begin(tmp_path / "log", "network", {"seed": 3, "alpha": 0.3}, ((5, 0),))
    shutil.rmtree(log.path)
    run = Run(5, 0, Layout.unknown(4), np.array([0, 10]), {"size": np.array([1, 2])}, {}, {}, -1)
    with pytest.raises(InputError, match=r"log was removed while runs of it were made: the same command begins it anew"):
        log.write(run)
    assert not log.path.exists()
