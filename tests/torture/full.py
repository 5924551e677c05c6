"""A disk that is full from the n-th write of a command on, for every n: one line, and with room again the same bits."""

import ctypes
import errno
import mmap
import os
import subprocess
import sys
from itertools import count
from pathlib import Path

from tests.torture.commands import COMMANDS, SCRATCH, begin, content, directory, done, here

#: Those that write within their own process: a library is not preloaded into others.
WRITERS = ("train", "grok, one network", "grok", "probe", "synth", "export", "report", "run")
_LIBRARY = "TDU_TORTURE_FULL"


def preloaded():
    """The library that fails writes, in this process, which has to begin anew with it."""
    if _LIBRARY not in os.environ:
        library = SCRATCH / "full.so"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
        environment = {**os.environ, "TDU_TORTURE": str(SCRATCH), _LIBRARY: str(library), "LD_PRELOAD": str(library)}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    os.environ.pop("LD_PRELOAD", None)
    return ctypes.CDLL(os.environ[_LIBRARY])


def attack(name, library, error=errno.ENOSPC, every=1):
    """Fail every write of a command in turn, or some; how many, and how many of them the command could do without."""
    command = COMMANDS[name]
    with directory() as base:
        alone = base / "alone"
        alone.mkdir()
        command.before(alone)
        here(command.of(alone))
        wanted = content(alone)
        failed = spared = 0
        left = ctypes.c_long.from_buffer(mmap.mmap(-1, 8))  # shared with the fork that counts
        for number in count(0, every):
            out = base / str(number)
            out.mkdir()
            command.before(out)
            left.value, below = number, str(out).encode()
            process = begin(command.of(out), first=lambda: library.fail_after(below, ctypes.byref(left), error))  # noqa: B023
            code, words = process.wait(), process.words()
            lines = [line for line in words.splitlines() if line and not line.startswith(("found ", "Warning: "))]
            if code == 0 and lines == [] and content(out) == wanted:
                if left.value >= 0:
                    return failed, spared
                spared += 1
                continue
            assert (code, len(lines)) == (1, 1), (name, number, code, words)
            assert lines[0].startswith("Error: "), words
            assert os.strerror(error) in lines[0], words
            done(begin(command.of(out)))
            assert content(out) == wanted, (name, number, set(content(out).items()) ^ set(wanted.items()))
            failed += 1
    raise AssertionError("no end")
