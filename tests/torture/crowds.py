"""Many processes at one directory, and one that nobody may write."""

import os
import stat
from functools import cache

from tests.torture.commands import COMMANDS, SCRATCH, begin, content, directory, here

CROWDS = {"train": (2, 10), "grok": (2, 10), "probe": (2, 10)}
#: What a command may not write it says in one line, or has nothing to write.
_READ_ONLY = ("train", "grok", "grok, one network", "probe", "synth", "export", "report", "figures")


@cache
def alone(name):
    """What a command makes that nobody disturbs."""
    command = COMMANDS[name]
    with directory() as base:
        command.before(base)
        here(command.of(base))
        return content(base)


def crowd(name, number):
    """So many processes of a command begin at once in one directory; all end well, and it is as if one had been there."""
    command, wanted = COMMANDS[name], alone(name)
    with directory() as out:
        command.before(out)
        for process in [begin(command.of(out)) for _ in range(number)]:
            process.wait()
            lines = [line for line in process.words().splitlines() if not line.startswith(("found ", "Warning: waiting for"))]
            assert (process.code, lines) == (0, []), (name, process.code, lines)
        assert content(out) == wanted, (name, set(content(out).items()) ^ set(wanted.items()))


def _as_nobody():
    if os.geteuid() == 0:  # whom no mode keeps from writing
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def read_only(name, *, begun):
    """Nobody may write the directory, empty or with all that the command makes: one line or nothing to do; nothing changes."""
    command = COMMANDS[name]
    alone(name)
    SCRATCH.chmod(0o755)
    with directory() as out:
        out.chmod(0o755)
        command.before(out)
        if begun:
            here(command.of(out))
        before = content(out)
        _allow(out, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        process = begin(command.of(out), first=_as_nobody)
        code, words = process.wait(), process.words()
        _allow(out, stat.S_IRWXU)
        lines = [line for line in words.splitlines() if not line.startswith(("found ", "Warning: "))]
        assert content(out) == before, name
        assert (code, len(lines)) in ((0, 0), (1, 1)), (name, begun, code, words)
        assert not lines or (lines[0].startswith("Error: ") and str(out) in lines[0]), (name, words)


def _allow(out, mode):
    for path in (out, *out.rglob("*")):
        path.chmod(mode | (mode & 0o444) >> 2 if path.is_dir() else mode)


READ_ONLY = [(name, begun) for name in _READ_ONLY for begun in (False, True)]
