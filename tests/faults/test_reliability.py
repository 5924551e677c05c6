"""docs/reliability.md says of each finding which test makes it again: they are there, and the attacks of its table were run."""

import csv
import re
import subprocess
import sys
from pathlib import Path

from tests.torture import full, kills, readonly

ROOT = Path(__file__).parents[2]
TORTURE = ROOT / "tests" / "torture"


def test_a_command_that_is_killed_now_and_then_ends_in_the_same_bits():
    """A little of `make torture`, in a process of its own: it forks."""
    attack = "from tests.torture import commands, kills; print(kills.attack('synth', 3)[0]); commands.clean()"
    done = subprocess.run([sys.executable, "-c", attack], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout, done.stderr) == ("3\n", "")


def rows(name):
    with (TORTURE / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_reproduction_of_each_finding_is_a_test_that_is_there():
    findings = rows("findings.csv")
    assert {row["finding"][0] for row in findings} == set("123456")
    for row in findings:
        file, name = row["reproduction"].split("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.M), row
        assert row["before"], row
        assert row["after"], row


def test_the_table_of_attacks_is_of_one_whole_run():
    record = {row["attack"]: row for row in rows("record.csv")}
    for name in kills.KILLS:
        assert int(record[f"`tdu {name}`: killed (SIGKILL) at random moments, and begun again"]["cases"]) == kills.KILLS[name]
    assert sum(kills.KILLS.values()) >= 200
    attacks = "\n".join(record)
    assert all(f"`tdu {name}`: the disk is full" in attacks for name in full.WRITERS)
    assert all(f"`tdu {name}`: directories and files" in attacks for name in readonly.WRITERS)
    made = {row["part"]: int(row["cases"]) for row in record.values()}
    assert made["calls"] >= 100_000
    assert made["lines"] >= 5_000
    assert made["memory"] >= 10_000
    assert "all of these" in record
