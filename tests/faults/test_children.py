"""Processes that draw figures: none outlives the command, however that ends, or is interrupted by the terminal itself."""

import os
import signal
import sys

import pytest

from tdu import children
from tests.faults.commands import end, gone, group, started, wait_for

#: Stands for figures: processes of the same kind as theirs, that are at work for as long as one likes.
DRAWING = """
import sys, threading, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from tdu import children, interrupts
from tests.faults.commands import at_work

if __name__ == "__main__":
    interrupts.listen()
    try:
        with ThreadPoolExecutor(1) as aside:
            def draw():
                with ProcessPoolExecutor(2, children.context(sys.argv[1]), children.begin) as executor:
                    list(executor.map(at_work, [sys.argv[2]] * 2, range(2)))
            aside.submit(draw).result()
    except KeyboardInterrupt:
        sys.exit(interrupts.report())
"""


@pytest.fixture(params=["forkserver", "spawn"])
def drawing(request, tmp_path):
    """A command whose two processes are at work, in a group with whatever else they need."""
    script = tmp_path / "drawing.py"
    script.write_text(DRAWING)
    (tmp_path / "work").mkdir()
    command = [sys.executable, str(script), request.param, str(tmp_path / "work")]
    path = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
    process = started(command, env={**os.environ, "PYTHONPATH": path})
    wait_for(lambda: len(list((tmp_path / "work").iterdir())) == 2, process)
    assert len(group(process)) >= 4
    return process


@pytest.mark.parametrize(
    ("number", "whole_group", "code", "words"),
    [
        (signal.SIGKILL, False, -signal.SIGKILL, ""),
        (signal.SIGTERM, False, 143, "Error: terminated; the same command goes on where this one stopped\n"),
        (signal.SIGINT, True, 130, "Error: interrupted; the same command goes on where this one stopped\n"),
    ],
    ids=["killed", "terminated", "interrupted"],
)
def test_no_process_that_draws_outlives_its_command(drawing, number, whole_group, code, words):
    """Its pipes are closed too: `end` reads them to their end."""
    found, _, said, seconds = end(drawing, number, whole_group=whole_group)
    assert (found, said) == (code, words)
    assert seconds < 20
    assert not gone(drawing, 10)


def test_figures_are_drawn_by_such_processes():
    from tdu.results import figures

    context = figures._processes()
    assert type(context) in children._CONTEXTS.values()
    assert type(context).Process.start is not type(context).Process.__mro__[1].start
