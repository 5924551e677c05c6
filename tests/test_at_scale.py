"""docs/at-scale.md: its loops run, its commands are read, its figures follow from one another."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import tdu
from tdu import cli
from tdu.training.planning import Cost, schedule

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "at-scale.md").read_text()
LOOPS = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) if block.startswith("for job")]
#: A small study in place of the paper's, and no report.
SMALL = f"""tdu() {{
  if [ $1 = train ]; then {shlex.quote(sys.executable)} -m tdu "$@" --hidden 5,8,12 --replicates 2 --epochs 20; fi
}}
"""


VALUES = {"$job": "2", "$SLURM_ARRAY_TASK_ID": "3", "$SLURM_ARRAY_TASK_COUNT": "64", "$HOME": "/home"}


def commands():
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S):
        for name, value in VALUES.items():
            block = block.replace(name, value)
        yield from re.findall(r"(?:^| )tdu ([a-z]+ [^&\n]*)", block, re.M)


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_of_the_page_is_one(command):
    name, *arguments = shlex.split(command)
    cli.main.commands[name].make_context(name, arguments, parent=cli.main.make_context("tdu", [name]))


def test_the_page_has_commands():
    assert len(list(commands())) >= 7
    assert len(LOOPS) == 2


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_of_the_page_leaves_a_whole_log(loop, tmp_path):
    script = SMALL + loop.replace("RUN", shlex.quote(str(tmp_path / "run")))
    result = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert tdu.load(tmp_path / "run").size.shape == (3, 2, 3)
    assert not list((tmp_path / "run").glob(".*"))


@pytest.mark.slow
def test_the_python_of_the_page_runs(tmp_path):
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "train_study" in block]
    script = tmp_path / "study.py"
    script.write_text(f"from pathlib import Path\nRUN = Path({str(tmp_path / 'run')!r})\n{block}")
    result = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert tdu.load(tmp_path / "run").size.shape == (2, 3, 3)


def rows(heading):
    """The cells of a table as numbers, those too small to be said as nothing."""
    _, _, table = PAGE.partition(heading)
    for line in table.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [0.0 if "<" in cell else float(cell) for cell in line.strip("| ").split("|")]


def test_core_hours_memory_and_schedules_follow_from_seconds_a_run():
    of_scales = list(rows("| h | N |"))
    assert len(of_scales) == 10
    assert of_scales[-1][1] == 100_000_001
    for h, n, *columns in of_scales:
        assert n == 4 * h + 1
        for (seconds, core_hours, memory), snapshots in zip((columns[:3], columns[3:]), (51, 0), strict=True):
            assert core_hours == pytest.approx(100 * seconds / 3600, rel=0.01, abs=0.001)
            assert memory == pytest.approx(n * (100 + 24 * snapshots) / 2**30, rel=0.01, abs=0.001)
    for at, column in ((1, 2), (3, 5)):
        found = [Cost(int(row[0]), int(row[1]), 100, row[column], 0, 0) for row in of_scales]
        for row in rows("| workers |"):
            said = schedule(found, int(row[0]))
            assert row[at] == pytest.approx(said.seconds / 3600, rel=0.01)
            assert row[at + 1] == pytest.approx(said.efficiency, abs=0.006)
