"""What may not be written or read: directories, files and the cache of compiled kernels; one line each, or the same bits."""

import os
import shutil
import subprocess
import sys

import numpy as np

from tests.torture.commands import COMMANDS, content, directory, done, here, must_be_whole, scratch

#: How many of their files are made unreadable, one after the other: fewer where it takes seconds to begin again.
WRITERS = {
    "train": 8, "grok": 6, "grok --save-gradients": 4, "run": 2, "probe": 8, "synth": 6, "synth --save-fields": 6, "export": 8,
    "report": 2,
}  # fmt: skip
_NOBODY = 65534


def _become_nobody():
    """Modes mean nothing to root."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def _ours(path):
    """Have everything below a path be of the user that commands run as, who may read and write it."""
    for one in (path, *path.rglob("*")):
        if os.geteuid() == 0:
            os.chown(one, _NOBODY, _NOBODY)
        one.chmod(0o755 if one.is_dir() else 0o644)


def _read_only(path, files_only=False):
    for one in (path, *path.rglob("*")):
        if not (files_only and one.is_dir()):
            one.chmod(0o555 if one.is_dir() else 0o444)


def attack(name):
    """Run a command where it may not write, or not read; how many times it said so, and how many times it did not need to."""
    command = COMMANDS[name]
    with directory() as base:
        for one in (scratch(), base):
            one.chmod(0o755)
        whole, fresh = base / "whole", base / "fresh"
        for out in (whole, fresh):
            out.mkdir()
            command.before(out)
        here(command.of(whole))
        _ours(base)
        wanted = content(whole)

        def run(out):
            process = command.begin(out, first=_become_nobody)
            code, words = process.wait(), process.words()
            lines = [
                line for line in words.splitlines() if line and not line.startswith(("found ", "Warning: ", "Usage", "Try "))
            ]
            assert (code, len(lines)) in ((0, 0), (1, 1), (2, 1)), (name, code, words)
            assert not lines or str(out) in lines[0], (name, words)
            must_be_whole(command, content(out), wanted)
            return bool(code)

        before = content(fresh)
        _read_only(fresh)
        said = [run(fresh)]
        assert said == [True], f"{name} says nothing of a directory that it cannot write"
        assert content(fresh) == before
        _read_only(whole)
        said.append(run(whole))
        assert content(whole) == wanted
        _ours(whole)
        _read_only(whole, files_only=True)
        said.append(run(whole))
        assert content(whole) == wanted
        files = sorted(path for path in whole.rglob("*") if path.is_file())
        for path in files[:: -(-len(files) // WRITERS[name])]:
            shutil.rmtree(fresh)
            shutil.copytree(whole, fresh)
            _ours(fresh)
            (fresh / path.relative_to(whole)).chmod(0)
            said.append(run(fresh))
            _ours(fresh)
            done(command.begin(fresh, first=_become_nobody))
            assert content(fresh) == wanted, (name, path)
        return sum(said), len(said) - sum(said)


def cache():
    """A measurement with a cache of compiled kernels that cannot be written, in a mount of its own; None where none can be had.

    Nothing is kept, and nothing fails: the answer is that of a cache that can be written.
    """
    mount = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && exec {1}"
    with directory() as base:
        empty, field = base / "cache", base / "field.npy"
        empty.mkdir()
        np.save(field, np.random.default_rng(0).normal(size=81))
        measure = [sys.executable, "-m", "tdu", "probe", str(field), "--json"]
        asked = {**os.environ, "NUMBA_CACHE_DIR": str(empty), "XDG_CACHE_HOME": str(empty), "HOME": str(empty)}
        words = mount.format(empty, " ".join(measure))
        if subprocess.run(
            ["unshare", "-m", "sh", "-c", mount.format(empty, "true")], capture_output=True, check=False
        ).returncode:
            return None
        found = subprocess.run(["unshare", "-m", "sh", "-c", words], capture_output=True, text=True, env=asked, check=False)
        wanted = subprocess.run(measure, capture_output=True, text=True, check=True)
        said = "".join(line for line in found.stderr.splitlines(True) if not line.startswith("compiling"))
        assert (found.returncode, found.stdout, said) == (0, wanted.stdout, wanted.stderr), found
        assert not any(empty.iterdir())
        return 1
