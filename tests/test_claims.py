"""Claims of processes that live, die, stop, or are on other machines."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tdu.logs import claims
from tdu.logs.claims import TakenError, held

HOLD = """
import pathlib, sys, time
from tdu.logs.claims import held
with held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(path):
    """A process that holds a claim until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def killed(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def planted(path, number=0, age=0.0, **owner):
    """A claim's file as a process elsewhere would have left it, last touched `age` seconds ago."""
    file = path.with_name(f"{path.name}.{number}")
    elsewhere = {"pid": 1, "host": "elsewhere", "machine": "elsewhere 0", "started": "5", "token": "t"}
    file.write_text(json.dumps({**elsewhere, **owner}))
    os.utime(file, (time.time() - age,) * 2)
    return file


def test_a_claim_is_taken_while_its_process_lives_and_free_once_it_is_killed(tmp_path):
    path = tmp_path / ".claim"
    process = holder(path)
    with (
        pytest.raises(TakenError, match=rf"it is taken \(process {process.pid} on .*\): wait for it"),
        held(path, "it is taken"),
    ):
        pass
    process.send_signal(signal.SIGKILL)
    time.sleep(0.2)  # a zombie now: nobody has waited for it
    with held(path, "it is taken") as after_dead:
        assert after_dead
        assert sorted(file.name for file in tmp_path.iterdir()) == [".claim.0", ".claim.1"]
    assert not list(tmp_path.iterdir())
    killed(process)
    with held(path, "it is taken") as after_dead:
        assert not after_dead


def test_who_is_not_told_that_it_is_taken_waits(tmp_path):
    process = holder(tmp_path / ".lock")
    begun = time.monotonic()
    threading.Timer(0.5, process.kill).start()
    with held(tmp_path / ".lock"):
        assert time.monotonic() - begun > 0.4
    killed(process)


def test_a_process_of_the_same_number_that_began_at_another_time_is_another(tmp_path):
    path = tmp_path / ".claim"
    here = claims._process(os.getpid())
    planted(path, **here)
    with pytest.raises(TakenError), held(path, "it is taken"):
        pass
    planted(path, **{**here, "started": "5"})
    with held(path, "it is taken") as after_dead:
        assert after_dead


def test_of_another_machine_a_claim_is_dead_when_it_has_not_been_touched_for_five_minutes(tmp_path):
    path = tmp_path / ".claim"
    planted(path, age=290)
    with pytest.raises(TakenError, match=r"process 1 on elsewhere"), held(path, "it is taken"):
        pass
    planted(path, age=310)
    with held(path, "it is taken") as after_dead:
        assert after_dead
    assert not list(tmp_path.iterdir())


def test_age_is_told_by_the_clock_of_the_file_system(tmp_path, monkeypatch):
    path = tmp_path / ".claim"
    planted(path)
    monkeypatch.setattr(time, "time", lambda: 1e12)  # this machine's own clock may be anywhere
    with pytest.raises(TakenError), held(path, "it is taken"):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_a_claim_that_does_not_say_whose_it_is_is_judged_by_its_age(tmp_path, content):
    path = tmp_path / ".claim"
    file = planted(path)
    file.write_text(content)
    with pytest.raises(TakenError, match="it is taken"), held(path, "it is taken"):
        pass
    os.utime(file, (time.time() - 310,) * 2)
    with held(path, "it is taken") as after_dead:
        assert after_dead


def test_a_claim_is_touched_while_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "_HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(claims, "_HEARTBEAT", claims._Heartbeat())
    path = tmp_path / ".claim"
    with held(path):
        file = tmp_path / ".claim.0"
        os.utime(file, (0, 0))
        time.sleep(0.3)
        assert file.stat().st_mtime > 0
    with held(path):  # what was let go of is not touched, nor missed
        time.sleep(0.1)


def test_who_was_thought_dead_takes_no_claim_away_when_it_goes_on(tmp_path):
    path = tmp_path / ".claim"
    with held(path):
        planted(path, age=310)  # as one of another machine that was stopped for long
        with held(path, "it is taken"):
            (tmp_path / ".claim.0").unlink()  # it goes on, and lets go
            with pytest.raises(TakenError), held(path, "it is taken"):
                pass


def test_a_claim_that_was_judged_dead_too_long_ago_is_not_outnumbered(tmp_path, monkeypatch):
    """Between the look at a dead claim and the file above it, another process takes it over, lets go, and a third has it."""
    path = tmp_path / ".claim"
    planted(path, age=310)
    create = claims._create

    def late(file):
        monkeypatch.setattr(claims, "_create", create)
        planted(path, token="of the third")
        return create(file)

    monkeypatch.setattr(claims, "_create", late)
    with pytest.raises(TakenError), held(path, "it is taken"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == [".claim.0"]


def test_nor_one_below_a_claim_that_has_come_meanwhile(tmp_path, monkeypatch):
    path = tmp_path / ".claim"
    create = claims._create

    def late(file):
        monkeypatch.setattr(claims, "_create", create)
        planted(path, number=2)
        return create(file)

    monkeypatch.setattr(claims, "_create", late)
    with pytest.raises(TakenError), held(path, "it is taken"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == [".claim.2"]


def test_a_claim_is_never_seen_without_its_content(tmp_path, monkeypatch):
    """Who is killed between the two leaves no claim, but a part that the next sweeps."""
    path = tmp_path / ".claim"
    link = os.link

    def looked_at(source, target):
        assert json.loads(source.read_bytes())["pid"] == os.getpid()
        assert not target.exists()
        link(source, target)

    monkeypatch.setattr(os, "link", looked_at)
    (tmp_path / ".claim.0.0123abcd.part").touch()
    with held(path, "it is taken") as after_dead:
        assert not after_dead
        assert json.loads((tmp_path / ".claim.0").read_bytes())["pid"] == os.getpid()
        with pytest.raises(TakenError), held(path, "it is taken"):
            pass
    assert not list(tmp_path.iterdir())


def test_a_link_whose_answer_was_lost_was_made(tmp_path, monkeypatch):
    link = os.link

    def lost(source, target):
        link(source, target)
        raise FileExistsError(target)

    monkeypatch.setattr(os, "link", lost)
    with held(tmp_path / ".claim", "it is taken"):
        assert [file.name for file in tmp_path.iterdir()] == [".claim.0"]


def test_without_links_a_claim_is_one_all_the_same(tmp_path, monkeypatch):
    def refused(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with held(tmp_path / ".claim", "it is taken"):
        assert json.loads((tmp_path / ".claim.0").read_bytes())["pid"] == os.getpid()
        with pytest.raises(TakenError, match=f"process {os.getpid()}"), held(tmp_path / ".claim", "it is taken"):
            pass
    assert not list(tmp_path.iterdir())


def _count(directory, turns):
    for _ in range(turns):
        with held(directory / ".claim"):
            number = int((directory / "number").read_text())
            (directory / "number").write_text(str(number + 1))
            if number % 7 == 0:
                with held(directory / ".other"):
                    pass


def test_many_processes_of_which_some_are_killed_each_have_the_claim_alone(tmp_path):
    (tmp_path / "number").write_text("0")
    context = multiprocessing.get_context("spawn")
    counting = [context.Process(target=_count, args=(tmp_path, 60)) for _ in range(4)]
    for process in counting:
        process.start()
    for _ in range(3):
        killed(holder(tmp_path / ".claim"))
    for process in counting:
        process.join()
    assert [process.exitcode for process in counting] == [0] * 4
    assert (tmp_path / "number").read_text() == "240"
    with held(tmp_path / ".claim"):  # the last to be killed may have been so after all had counted
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["number"]


def test_a_fork_holds_nothing_of_its_parents(tmp_path):
    with held(tmp_path / ".claim"):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(writing, bytes([len(claims._HEARTBEAT.files), claims._HEARTBEAT.thread is not None]))
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(reading, 2) == bytes([0, 0])
        os.close(reading)
        os.close(writing)
