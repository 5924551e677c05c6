"""Commands killed at random moments and begun again: what they leave in the end is, to the bit, what one left alone does."""

import os
import signal
import time
from random import Random

from tdu.files import TEMPORARY
from tests.torture.commands import COMMANDS, begin, content, directory, done, here

#: How often each is killed: those that write most, most; those that start further processes are slow to begin.
KILLS = {
    "train": 60, "probe": 40, "export": 20, "synth": 20, "grok": 40, "grok, one network": 20, "run": 20, "report": 20,
    "figures": 10, "reproduce": 20, "train on processes": 10,
}  # fmt: skip
#: What is no log is nobody's claim, so that what a killed process was writing stays, under a name that nothing reads.
_OF_LOGS = ("train", "train on processes", "grok", "grok, one network", "probe", "synth")
#: One in so many is asked to end rather than killed: it must say so in a line, and soon.
ASKED = 5
_SOON = 2.0 + 10.0  # seconds: what it gives itself, and what a busy machine may add


def attack(name, number, seed=0):
    """Kill a command so many times; rows of how often it was killed, asked, and completed."""
    random, command = Random(f"{name} {seed}"), COMMANDS[name]
    with directory() as base:
        wanted, seconds = _alone(command, base / "alone")
        killed = asked = completed = 0
        while killed + asked < number or not completed:
            out = base / f"{completed}"
            out.mkdir()
            command.before(out)
            while True:
                process = begin(command.of(out))
                time.sleep(random.uniform(0, seconds))
                last = killed + asked >= number
                gently = random.randrange(ASKED) == 0
                if not last and process.poll() is None:
                    how = random.choice([signal.SIGINT, signal.SIGTERM]) if gently else signal.SIGKILL
                    os.kill(process.pid, how)
                    _must_end(process, how)
                    killed, asked = (killed, asked + 1) if gently else (killed + 1, asked)
                    continue
                done(process)
                break
            found = {path: digest for path, digest in content(out).items() if name in _OF_LOGS or not path.endswith(TEMPORARY)}
            assert found == wanted, (name, sorted(set(found.items()) ^ set(wanted.items())))
            completed += 1
    return killed, asked, completed


def _alone(command, out):
    """What a command makes that nobody kills, and how long it takes; this process has then loaded what it needs."""
    out.mkdir()
    command.before(out)
    here(command.of(out))
    again = out.with_name("again")
    again.mkdir()
    command.before(again)
    process = begin(command.of(again))
    done(process)
    seconds = time.monotonic() - process.begun
    assert content(out) == content(again)
    return content(again), seconds


def _must_end(process, how):
    begun = time.monotonic()
    code, words = process.wait(), process.words()
    assert time.monotonic() - begun < _SOON, (how, words)
    assert not process.left(), f"processes live on after signal {how}"
    process.said.unlink()
    if how == signal.SIGKILL:
        assert code in (-how, 0), (code, words)
        assert not words.strip() or words.startswith(("found ", "Warning: ")), words
        return
    lines = [line for line in words.splitlines() if line and not line.startswith(("found ", "Warning: "))]  # click ends ^C
    assert code in (128 + how, 0, -how), (code, words)  # before it listens, a signal kills it
    assert lines == [] if code in (0, -how) else len(lines) == 1, words
    if lines:
        assert lines[0].startswith("Error: " + {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}[how]), words
