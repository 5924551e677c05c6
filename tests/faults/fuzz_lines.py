"""Command lines of whatever words there are, run in this process: exit 0, 1 or 2, one line of error, and no traceback."""

import contextlib
import io
import os
import re
import warnings

import numpy as np
from hypothesis import strategies as st

from tdu.cli import main
from tests.faults.fuzz import given_examples, in_time

_WORDS = [
    "",
    "-",
    "--",
    "x",
    "0",
    "-1",
    "1",
    "5",
    "0.5",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "9" * 30,
    "\0",
    "\x1b[31m",
    "é",
    "a b",
    "../x",
    "1,2",
    "5,8",
    "ba",
    "ring",
    "csv",
    "permuted",
    "{step}.npz",
]
_PATTERN = "w{scale}-s{replicate}/{step}.npz"
_FILES = ["field.npy", "field.npy", "missing.npy", ".", "log", "log", _PATTERN, "w4-s0/0.npz", "experiment.toml"]
#: No way to anywhere else.
_TEXTS = st.text(max_size=4).filter(lambda text: "/" not in text and not text.startswith("~"))


@st.composite
def lines(draw, files=()):
    """A command with options of its own, and values of any kind; files that are there now and then."""
    name = draw(st.sampled_from(sorted(main.commands)))
    command = main.commands[name]
    words = [name]
    for _ in range(draw(st.integers(0, 4))):
        option = draw(st.sampled_from([one.opts[0] for one in command.params if one.param_type_name == "option"] or ["--x"]))
        words.append(option)
        if draw(st.integers(0, 4)):
            words.append(draw(st.sampled_from([*_WORDS, *files]) | _TEXTS))
    for _ in range(draw(st.integers(0, 2))):
        words.append(draw(st.sampled_from([*_WORDS, *files])))
    return words


_STUDY = ["--hidden", "5", "--replicates", "1", "--epochs", "4"]
#: What makes a command take long is not asked of it: these come last, and count.
_QUICK = {
    "train": [*_STUDY, "--workers", "1"],
    "reproduce": ["--quick", "--hidden", "5,6,8", "--replicates", "0", "--workers", "1"],
    "synth": ["--hidden", "5", "--replicates", "1", "--fields", "2", "--workers", "1"],
    "grok": ["--modulus", "5", "--epochs", "3", "--width", "4", "--replicate", "0", "--workers", "1"],
    "run": ["--quick", "--workers", "1"],
    "bench": ["--sizes", "81", "--rounds", "1", "--workers", "1"],
    "doctor": ["--help"],
}


def commanded(words):
    """Run a command in this process: what is wrong, or None."""
    words = [*words, *_QUICK.get(words[0], [])]
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said), warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            with in_time():
                main(words)
        except SystemExit as end:
            code = end.code
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        else:
            return "no exit"
    lines = [line for line in said.getvalue().splitlines() if line.startswith("Error: ")]
    if code not in (0, 1, 2):
        return f"exit {code}"
    if code == 0 and _NO_NUMBER.search(out.getvalue()):
        return "a number of --json that JSON has not"
    return None if code != 1 or len(lines) == 1 else f"{len(lines)} lines of error"


_NO_NUMBER = re.compile(r"\b(NaN|Infinity)\b")


def fuzz_commands(directory, n_lines, number=0):
    """Run so many command lines in a directory that holds fields and a log; what was wrong, with the line, each kind once."""
    wrong, came_through, before = {}, [0], os.getcwd()
    work = directory / "some" / "where"  # so that what goes up from here stays in the directory
    for step in range(3):
        for scale in (4, 6, 9):
            (work / f"w{scale}-s0").mkdir(parents=True, exist_ok=True)
            np.savez(work / f"w{scale}-s0" / f"{step}.npz", w=np.linspace(-1, 1 + step, 3 * scale).reshape(scale, 3))
    np.save(work / "field.npy", np.linspace(-1, 1, 12))
    (work / "experiment.toml").write_text("question = 'gini'\n[study]\nhidden = [5, 6]\nreplicates = 0\n")

    @given_examples(n_lines, number, lines(_FILES))
    def once(words):
        found = commanded(words)
        came_through[0] += 1
        if found is not None:
            wrong.setdefault((words[0], found[:40]), (found, words))

    os.chdir(work)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            main(["probe", _PATTERN, "--out", "log", "--draws", "1", "--workers", "1"])
        once()
    finally:
        os.chdir(before)
    return wrong, came_through[0]
