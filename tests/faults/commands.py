"""Commands in processes of their own, who may be stopped at any moment; and what is left of them."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

TDU = (sys.executable, "-m", "tdu")


def start(*arguments, **options):
    """A `tdu` command with its group of processes, as a terminal starts it."""
    return started([*TDU, *map(str, arguments)], **options)


def started(command, **options):
    """A command that hears signals, even where the tests do not: in the background, or under nohup."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **{**pipes, **options}, process_group=0, preexec_fn=_hear)


def _hear():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def group(process):
    """The processes of its group that live, by what they run."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == process.pid and fields[0] not in "ZX":
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def gone(process, seconds):
    """Wait until the whole group has gone; those that have not."""
    until = time.monotonic() + seconds
    while (left := group(process)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def end(process, number, *, whole_group=False):
    """Send a signal, as a terminal does to the whole group; exit code, output, what it said, seconds."""
    begun = time.monotonic()
    (os.killpg if whole_group else os.kill)(process.pid, number)
    out, said = process.communicate(timeout=120)
    said = "".join(line for line in said.splitlines(True) if not line.startswith("compiling the kernels"))
    return process.returncode, out, said, time.monotonic() - begun


def wait_for(found, process, seconds=120):
    """Wait until something is there."""
    until = time.monotonic() + seconds
    while not found():
        assert process.poll() is None, (process.returncode, process.stderr.read())
        assert time.monotonic() < until
        time.sleep(0.005)


def content(directory):
    """Digests of all that a command has made, but for the time in it and for checksums of that, by path."""
    files = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            data = re.sub(rb'"(created|sha256)": "[^"]*"', b"", path.read_bytes())
            files[str(path.relative_to(directory))] = hashlib.sha256(data).hexdigest()
    return files


def at_work(directory, number):
    """Say that a process has begun, and work for long."""
    Path(directory, str(number)).touch()
    time.sleep(60)
