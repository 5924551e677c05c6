"""What `tdu doctor` says of an installation that works, and of one that does not."""

import json

import pytest

from tdu import doctor
from tests.pages import ROOT
from tests.test_cli import run


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(doctor, "_study", lambda n_threads: f"on {n_threads} threads")


def test_the_study_that_is_checked_is_the_committed_one():
    assert json.loads((ROOT / "docs" / "results.json").read_text())["provenance"]["log"] == doctor.STUDY


def test_a_sound_installation_is_ok_in_all_that_is_checked():
    found = {finding.name: finding for finding in doctor.examine(2)}
    assert found["python"].verdict == ""
    assert found["threads"].value.startswith("2 of ")
    checked = [name for name, finding in found.items() if finding.verdict]
    assert checked == ["compiled kernels", "avalanche of a known field", "log written and read", "default study"]
    assert {found[name].verdict for name in checked} == {"ok"}
    assert found["default study"].value.startswith("on 2 threads, ")
    assert found["avalanche of a known field"].value.startswith("size 1, ")


def test_what_differs_is_wrong_and_says_what_to_do(monkeypatch):
    def other_bits(n_threads):
        doctor._expect("SHA-256 of the log", "abc", doctor.STUDY)

    monkeypatch.setattr(doctor, "_study", other_bits)
    done = run("doctor", "--json", "--workers", 1)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-1]["verdict"] == "wrong"
    assert rows[-1]["value"] == f"SHA-256 of the log is abc, not {doctor.STUDY}"
    assert done.returncode == 1
    assert done.stderr.strip().endswith("report it with this table: the log should be the same on every machine")
