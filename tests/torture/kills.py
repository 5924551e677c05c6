"""Commands killed at random moments and begun again: what they leave in the end is, to the bit, what one left alone does."""

import os
import signal
import time
from random import Random

from tests.torture.commands import COMMANDS, content, directory, done, here, must_be_whole

#: How often each is killed: those that write most, most; those that start further processes are slow to begin.
KILLS = {
    "train": 60, "reproduce": 6, "grok": 20, "grok, one network": 15, "run": 20, "probe": 30, "synth": 15, "export": 30,
    "report": 12, "figures": 3, "reproduce, processes draw": 3, "train on processes": 4,
}  # fmt: skip
#: Beside these, one in so many is asked to end: it must say so in a line, and soon.
ASKED = 5
_SOON = 2.0 + 30.0  # seconds: what it gives itself, and what a busy machine may add


def attack(name, number, seed=0):
    """Kill a command so many times; how often it was killed, was asked to end, and came to its end."""
    random, command = Random(f"{name} {seed}"), COMMANDS[name]
    with directory() as base:
        wanted, seconds = _alone(command, base / "alone")
        killed = asked = completed = 0
        while killed < number or not completed:
            out = base / f"{completed}"
            out.mkdir()
            command.before(out)
            while killed < number:
                process = command.begin(out)
                time.sleep(random.uniform(0, seconds))
                if process.poll() is not None:
                    break
                how = random.choice([signal.SIGINT, signal.SIGTERM]) if random.randrange(ASKED) == 0 else signal.SIGKILL
                os.kill(process.pid, how)
                _must_end(process, how)
                killed, asked = (killed + 1, asked) if how == signal.SIGKILL else (killed, asked + 1)
                must_be_whole(command, content(out), wanted)
            else:
                process = command.begin(out)
            done(process)
            found = content(out)
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
    process = command.begin(again)
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
