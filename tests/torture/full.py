"""A disk that is full from the n-th write of a command on, for every n: one line, and with room again the same bits."""

import ctypes
import errno
import mmap
import os
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

from tests.torture.commands import COMMANDS, content, directory, done, here, must_be_whole, scratch

#: Of so many writes one is failed: each where that takes minutes at most. `train` and `reproduce` with other processes are not
#: here, since a library is not preloaded into these.
WRITERS = {
    "train": 1, "reproduce": 147, "grok": 5, "grok, one network": 3, "grok --save-gradients": 1, "run": 1, "probe": 2,
    "synth": 1, "synth --save-fields": 1, "fit --json": 1, "export": 1, "report": 19, "figures": 27,
}  # fmt: skip
_LIBRARY = "TDU_TORTURE_FULL"


def preloaded():
    """The library that fails writes, in this process, which has to begin anew with it; None where there is no compiler."""
    if shutil.which("cc") is None:
        return None
    if _LIBRARY not in os.environ:
        library = scratch() / "full.so"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
        environment = {**os.environ, _LIBRARY: str(library), "LD_PRELOAD": str(library)}
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
        done(command.begin(alone))
        wanted = content(alone)
        failed = spared = 0
        left = ctypes.c_long.from_buffer(mmap.mmap(-1, 8))  # shared with the fork that counts
        for number in count(0, every):
            out = base / str(number)
            out.mkdir()
            command.before(out)
            left.value, below = number, str(out).encode()
            process = command.begin(out, first=lambda: library.fail_after(below, ctypes.byref(left), error))  # noqa: B023
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
            assert str(out) in lines[0] or "standard output" in lines[0], words
            must_be_whole(command, content(out), wanted)
            done(command.begin(out))
            assert content(out) == wanted, (name, number, set(content(out).items()) ^ set(wanted.items()))
            shutil.rmtree(out)
            failed += 1
    raise AssertionError("no end")
