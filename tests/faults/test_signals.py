"""A command that is asked to end says so in one line, soon, and with the exit code of a shell's convention."""

import signal
import subprocess
import sys
import time

import pytest

from tests.faults.commands import content, end, gone, start, started, wait_for

LONG = ["--hidden", "20,60,200", "--replicates", "8", "--epochs", "400", "--workers", 1]
LISTENING = """
import sys, threading, time
from tdu import interrupts
def ready(): print("ready", flush=True)
interrupts.listen()
"""
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


def listening(code):
    """A process that listens to signals and does what `code` says."""
    process = started([sys.executable, "-c", LISTENING + code])
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", WORDS)
def test_a_command_that_comes_to_its_end_says_why_once(number):
    waiting = (
        "try:\n  ready()\n  time.sleep(60)\nexcept KeyboardInterrupt:\n  sys.exit(interrupts.report() or interrupts.report())"
    )
    code, _, said, seconds = end(listening(waiting), number)
    assert (code, said) == (128 + number, f"Error: {WORDS[number]}; the same command goes on where this one stopped\n")
    assert seconds < 2


@pytest.mark.parametrize(
    "stuck",
    [
        "while True:\n  try:\n    ready()\n    time.sleep(60)\n  except KeyboardInterrupt:\n    pass",
        "thread = threading.Thread(target=time.sleep, args=[60])\nthread.start()\n"
        "try:\n  ready()\n  time.sleep(60)\nexcept KeyboardInterrupt:\n  sys.exit(interrupts.report())",
        "lock = threading.Lock()\nlock.acquire()\ntry:\n  ready()\n  lock.acquire()\nfinally:\n  lock.acquire()",
    ],
    ids=["swallowed by a library", "in a thread, as kernels are", "cleaning up"],
)
def test_what_keeps_it_from_its_end_is_ended_after_two_seconds(stuck):
    code, _, said, seconds = end(listening(stuck), signal.SIGTERM)
    assert code == 143
    assert said.endswith("Error: terminated; the same command goes on where this one stopped\n")
    assert 1.9 < seconds < 50


def test_further_signals_change_nothing():
    """As `timeout` sends them: one to the process, one to its group."""
    slow = "try:\n  ready()\n  time.sleep(60)\nexcept KeyboardInterrupt:\n  time.sleep(0.5)\n  sys.exit(interrupts.report())"
    process = listening(slow)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    code, _, said, _ = end(process, signal.SIGINT, whole_group=True)
    assert (code, said) == (143, "Error: terminated; the same command goes on where this one stopped\n")


def test_what_is_ignored_stays_ignored():
    """As under nohup, or of a background job of a shell without job control."""
    code = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", code + LISTENING + "ready()\ntime.sleep(1)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    assert process.communicate()[1] == ""
    assert process.returncode == 0


def test_an_interrupt_while_modules_are_loaded_is_one_line():
    slow = "class Slow:\n  def __getattr__(self, name):\n    ready()\n    time.sleep(60)\n"
    loading = f"{slow}sys.modules['tdu.cli'] = Slow()\nfrom tdu.__main__ import main\nmain()"
    code, _, said, _ = end(listening(loading), signal.SIGINT, whole_group=True)
    assert (code, said) == (130, "Error: interrupted; the same command goes on where this one stopped\n")


@pytest.mark.slow
def test_a_terminated_training_goes_on_to_the_same_bits(tmp_path):
    alone = start("train", "--out", tmp_path / "alone", *LONG)
    assert alone.communicate(timeout=300)[0] == f"{tmp_path / 'alone'}\n"
    process = start("train", "--out", tmp_path / "run", *LONG)
    wait_for(lambda: len(list((tmp_path / "run" / "log").glob("*.npz"))) > 3, process)
    code, out, said, seconds = end(process, signal.SIGTERM)
    assert (code, out) == (143, "")
    assert said.strip() == "Error: terminated; the same command goes on where this one stopped"
    assert seconds < 20
    assert not gone(process, 5)
    assert start("train", "--out", tmp_path / "run", *LONG).communicate(timeout=300)[0] == f"{tmp_path / 'run'}\n"
    assert content(tmp_path / "run") == content(tmp_path / "alone")
