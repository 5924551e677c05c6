"""The commands that are attacked: small ones, each with what it needs and the directory that it fills."""

import atexit
import hashlib
import io
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

import numpy as np

from tdu import cli, config
from tdu.__main__ import main
from tdu.files import TEMPORARY

ROOT = Path(__file__).parents[2]
STUDY = ["--hidden", "5,8,12", "--replicates", "3", "--epochs", "60", "--n-null-draws", "1"]
NETWORK = ["--modulus", "5"]
#: States of a training, and runs of a probe, which go on from what they hold.
_GROWS = ("state/", "log/log/")
PATIENCE = 300.0
#: Of each figure the report's alone, so that drawing leaves time for the rest.
_SCOPE = replace(config.QUICK_SCOPE, figure_formats=("svg",))


@cache
def scratch():
    """Where everything is: of this process and of all that it begins, which are told by the environment."""
    made = Path(os.environ.get("TDU_TORTURE") or tempfile.mkdtemp(prefix=f"torture-{os.getpid()}-"))
    os.environ["TDU_TORTURE"] = str(made)
    return made


def clean():
    """Remove it, unless it is that of the process that began this one."""
    if scratch().name.startswith(f"torture-{os.getpid()}-"):
        shutil.rmtree(scratch(), ignore_errors=True)


def _nothing(*_):
    pass


@dataclass
class Command:
    """`arguments` of `tdu`, in which {out} is the directory that is filled, after `before` has made it what it must be."""

    name: str
    arguments: list[str]
    before: Callable[[Path], None] = field(default=_nothing)
    answer: str | None = None

    def of(self, out):
        return [argument.format(out=out, root=ROOT) for argument in self.arguments]

    def begin(self, out, first=_nothing):
        """Begin it; `first` is called in its process, and its `answer`, on standard output, is a file if it has a name."""
        return begin(self.of(out), first, out / self.answer if self.answer else None)


def _fields(directory):
    rng = np.random.default_rng(0)
    for scale in (4, 6, 9):
        for replicate in range(2):
            run = directory / "fields" / f"{scale}-{replicate}"
            run.mkdir(parents=True)
            for step in range(4):
                np.savez(run / f"{step}.npz", w=rng.normal(size=(scale, 3)), b=rng.normal(size=scale))


@cache
def _made(*arguments):
    """What a command makes, once for all that need it."""
    made = Path(tempfile.mkdtemp(dir=scratch()))
    here([argument.format(out=made) for argument in arguments])
    return made


def _study(directory):
    shutil.copytree(_made("train", "--out", "{out}", *STUDY, "--workers", "1"), directory, dirs_exist_ok=True)


def _results(directory):
    reproduce = ("reproduce", "--quick", "--out", "{out}", *STUDY, "--workers", "1")
    shutil.copytree(_made(*reproduce), directory, dirs_exist_ok=True)
    (directory / "report.html").unlink()


COMMANDS = {
    one.name: one
    for one in (
        Command("train", ["train", "--out", "{out}", *STUDY, "--workers", "2"]),
        Command("train on processes", ["train", "--out", "{out}", *STUDY, "--workers", "2", "--executor", "processes"]),
        Command("reproduce", ["reproduce", "--quick", "--out", "{out}", *STUDY, "--workers", "1"]),
        Command("reproduce, processes draw", ["reproduce", "--quick", "--out", "{out}", *STUDY, "--workers", "2"]),
        Command(
            "grok",
            ["grok", "--out", "{out}", *NETWORK, "--width", "4,8", "--replicate", "0,1", "--epochs", "200", "--workers", "2"],
        ),
        Command("grok, one network", ["grok", "--out", "{out}", *NETWORK, "--width", "8", "--epochs", "400"]),
        Command(
            "grok --save-gradients",
            ["grok", "--out", "{out}", *NETWORK, "--width", "4", "--epochs", "100", "--save-gradients", "--workers", "1"],
        ),
        Command("run", ["run", "{root}/experiments/gini/experiment.toml", "--quick", "--out", "{out}", "--workers", "1"]),
        Command(
            "probe",
            [
                "probe",
                "{out}/fields/{{scale}}-{{replicate}}/{{step}}.npz",
                "--out",
                "{out}/log",
                "--draws",
                "2",
                "--workers",
                "2",
            ],
            _fields,
        ),
        Command(
            "synth", ["synth", "--out", "{out}", "--hidden", "5,8", "--replicates", "3", "--fields", "40", "--workers", "2"]
        ),
        Command(
            "synth --save-fields",
            ["synth", "--save-fields", "{out}", "--hidden", "5", "--replicates", "2", "--fields", "3"],
        ),
        Command("fit --json", ["fit", "{out}", "--json", "--workers", "1"], _study, "fit.json"),
        Command("export", ["export", "{out}", "--format", "csv", "--out", "{out}/tables"], _study),
        Command("report", ["report", "{out}"], _results),
        Command("figures", ["figures", "{out}"], _results),
    )
}


@dataclass
class Process:
    """A command at work, in a group of its own; its words are in files."""

    pid: int
    said: Path
    begun: float
    code: int | None = None

    def poll(self):
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, seconds=PATIENCE):
        until = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > until:
                os.killpg(self.pid, signal.SIGKILL)
                raise AssertionError(f"no end after {seconds:.0f} s: {self.words()}")
            time.sleep(0.002)
        return self.code

    def words(self):
        """What it said on standard error, but for what is no fault."""
        lines = self.said.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("compiling the kernels"))

    def left(self, seconds=10.0):
        """Processes of its group that live `seconds` after it has ended."""
        until = time.monotonic() + seconds
        while (found := group(self.pid)) and time.monotonic() < until:
            time.sleep(0.01)
        return found


def group(pgid):
    """The processes of a group that live."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                after = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(after[2]) == pgid and after[0] not in "ZX":
                found.append(int(entry.name))
    return found


def begin(arguments, first=_nothing, answer=None):
    """Fork a process that runs a command, whose answer goes to a file or nowhere; `first` is called in it before."""
    said, name = tempfile.mkstemp(dir=scratch())
    pid = os.fork()
    if pid:
        os.close(said)
        return Process(pid, Path(name), time.monotonic())
    try:
        forkserver._forkserver.__init__()  # processes of the one that this is a fork of are not its children
        resource_tracker._resource_tracker.__init__()
        os.setpgid(0, 0)
        os.dup2(said, 2)
        os.dup2(os.open(answer or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        sys.argv, cli.QUICK_SCOPE = ["tdu", *arguments], _SCOPE
        first()
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    _exit(code)


def _exit(code):
    """As the interpreter ends: what it does at exit, then nothing of the process that it is a fork of."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(code)


def here(arguments):
    """Run a command in this process, which then has all that it needs compiled and loaded."""
    cli.QUICK_SCOPE = _SCOPE
    with redirect_stdout(io.StringIO()), suppress(SystemExit):
        cli.main(arguments)


def done(process):
    """It must have ended well."""
    process.wait()
    words = process.words()
    process.said.unlink()
    assert process.code == 0, (process.code, words)
    return words


def content(directory):
    """Digests of all that a command has made, but for the time in it, by path."""
    files = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            data = re.sub(rb'"(created|sha256)": "[^"]*"', b"", path.read_bytes())
            data = re.sub(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", b"", data)
            files[str(path.relative_to(directory))] = hashlib.sha256(data).hexdigest()
    return files


def must_be_whole(command, found, wanted):
    """What a command that was kept from its end leaves, by name, is what one left alone does, but for what grows."""
    ours = [path for path in found if not path.endswith(TEMPORARY) and "/." not in f"/{path}" and not path.startswith(_GROWS)]
    half = [path for path in ours if found[path] != wanted.get(path) and path != command.answer]
    assert half == [], command.name


@contextmanager
def directory():
    """One that is gone afterwards, if nothing went wrong in it."""
    made = Path(tempfile.mkdtemp(dir=scratch()))
    yield made
    shutil.rmtree(made)
