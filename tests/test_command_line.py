"""The habits of the command line, held to by every command that there is, and by any that is added."""

import json
import re
import signal
from dataclasses import replace

import click
import numpy as np
import pytest
from click.testing import CliRunner

from tdu import doctor
from tdu.cli import main
from tdu.config import NetworkConfig, StudyConfig, SyntheticConfig
from tdu.errors import InputError
from tdu.parameters import Counts
from tdu.training.network import task_of
from tests.pages import ROOT

OPTIONS = [(name, one) for name, command in main.commands.items() for one in command.params if isinstance(one, click.Option)]
NUMBERS = [(name, one) for name, one in OPTIONS if isinstance(one.type, click.types.IntParamType | click.types.FloatParamType)]
COUNTS = [(name, one) for name, one in OPTIONS if isinstance(one.type, Counts)]
CONFIGS = {"train": StudyConfig(), "grok": NetworkConfig(task="parity"), "synth": SyntheticConfig()}


def having(option):
    return {name for name, one in OPTIONS if option in one.opts}


def invoke(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)), color=True)


@pytest.mark.parametrize("name", main.commands)
def test_every_command_has_help_that_says_ranges_without_colour(name):
    done = invoke(name, "-h")
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    said = len(re.findall(r"x(>=|>|<=|<)", re.sub(r"\s+", " ", done.output)))
    assert said >= sum(command == name for command, _ in NUMBERS)
    assert done.output.count("N>=") == sum(command == name for command, _ in COUNTS)


@pytest.mark.parametrize("name", main.commands)
def test_wrong_usage_is_one_line_and_two(name):
    done = invoke(name, "--no-such-option")
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: .*no-such-option.*\n", done.stderr)


@pytest.mark.parametrize(("name", "option"), NUMBERS, ids=lambda one: getattr(one, "name", one))
def test_every_number_has_a_range(name, option):
    assert isinstance(option.type, click.IntRange | click.FloatRange)
    assert option.type.min is not None


@pytest.mark.parametrize(("name", "option"), COUNTS, ids=lambda one: getattr(one, "name", one))
def test_every_list_of_numbers_has_a_range_of_each(name, option):
    assert f"[N>={option.type.least}]" in option.help
    given = ["field.npy"] if name == "nulls" else []
    done = invoke(name, *given, option.opts[0], f"9,{option.type.least - 1}")
    assert done.exit_code == 2
    assert f"{option.type.least - 1} is not in the range N>={option.type.least}" in done.stderr


def ends(kind):
    """Numbers at the ends of a range, and the first ones beyond."""
    if isinstance(kind, Counts):
        return [kind.least], [kind.least - 1]
    inside, beyond = [], []
    for end, is_open, out in ((kind.min, kind.min_open, -1), (kind.max, kind.max_open, 1)):
        if end is not None:
            whole = isinstance(kind, click.IntRange)
            further = end + out if whole else float(np.nextafter(end, out * np.inf))
            (beyond if is_open else inside).append(end)
            beyond += [] if is_open else [further]
    return inside, beyond


def built(config, **settings):
    """A configuration with other settings, and the task of networks, which has ranges of its own."""
    found = replace(config, **settings)
    return task_of(found) if isinstance(found, NetworkConfig) else found


@pytest.mark.parametrize(
    ("command", "option"),
    [(name, one) for name, one in (*NUMBERS, *COUNTS) if one.name in getattr(CONFIGS.get(name), "__dataclass_fields__", ())],
    ids=lambda one: getattr(one, "name", one),
)
def test_the_range_is_that_of_the_configuration(command, option):
    config = CONFIGS[command]
    if option.name == "modulus":
        config = replace(config, task="addition")
    is_list = isinstance(getattr(config, option.name), tuple)
    inside, beyond = ends(option.type)
    for value in inside:
        replace(config, **{option.name: (value,) if is_list else value})
    assert beyond
    for value in beyond:
        with pytest.raises(InputError, match=f"`{option.name}`"):
            built(config, **{option.name: (value,) if is_list else value})


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """What commands read, in the directory that they work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_study", lambda n_threads: "")
    np.save("field.npy", np.random.default_rng(0).normal(size=(3, 101)))
    for scale in (5, 7):
        np.save(f"w{scale}-0.npy", np.arange(scale * 10.0))
    return tmp_path


NETWORK = ["--modulus", 5, "--width", 8, "--epochs", 20]
STUDY = ["--hidden", "5,8", "--replicates", 2, "--epochs", 20]
PLAN = ROOT / "experiments" / "nulls" / "experiment.toml"
#: A call of every command that prints a table; of `fit` and `bench`, which take seconds, tests/test_cli.py has one.
TABLES = {
    "doctor": ["--workers", 1],
    "grok": NETWORK,
    "nulls": ["field.npy", "--draws", 2],
    "probe": ["field.npy"],
    "reproduce": ["--quick", *STUDY, "--dry-run"],
    "run": [PLAN, "--quick", "--out", "answer", "--dry-run"],
    "train": [*STUDY, "--dry-run"],
}
#: A dry run of every command whose work may take hours, which are those that other machines may share.
DRY = {
    "grok": NETWORK,
    "probe": ["w{scale}-{step}.npy", "--out", "RUN", "--null", "signs"],
    "reproduce": ["--quick", *STUDY],
    "run": [PLAN, "--quick", "--out", "answer"],
    "train": STUDY,
}
#: Commands that print no table, but where they have written what they made.
WRITERS = {"synth", "figures", "report", "export"}


def test_every_command_that_prints_a_table_says_it_in_json_too():
    assert having("--json") == set(main.commands) - WRITERS == {*TABLES, "bench", "fit"}


@pytest.mark.parametrize("name", TABLES)
def test_json_alone_is_on_standard_output(inputs, name):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    done = invoke(name, *TABLES[name], "--json")
    assert done.exit_code == 0, done.stderr
    rows = [json.loads(line, parse_constant=refuse) for line in done.stdout.splitlines()]
    assert rows
    assert all(isinstance(row, dict) and row for row in rows)


def test_every_long_job_can_be_run_dry():
    assert having("--dry-run") == having("--executor") == set(DRY)


@pytest.mark.parametrize("name", DRY)
def test_a_dry_run_writes_nothing(inputs, name):
    before = sorted(inputs.rglob("*"))
    done = invoke(name, *DRY[name], "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2
    assert sorted(inputs.rglob("*")) == before


def test_networks_that_are_there_are_not_counted(inputs):
    def runs(*arguments):
        rows = [json.loads(line) for line in invoke("grok", *NETWORK, *arguments, "--dry-run", "--json").stdout.splitlines()]
        assert all(row["seconds_a_run"] > 0 and row["n"] == 920 for row in rows if "n" in row)
        return [row["runs"] for row in rows if "width" in row]

    assert runs("--replicate", "0,1") == [2]
    assert invoke("grok", *NETWORK).exit_code == 0
    assert runs("--replicate", "0,1") == [1]
    assert runs("--replicate", "0,1", "--epochs", 40) == [2]
    assert runs() == []


def test_each_exit_code_on_its_page_means_what_it_says(inputs):
    page = (ROOT / "docs" / "command-line.md").read_text()
    codes = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", page, re.M) for code in row.split(",")}
    assert invoke("probe", "field.npy").exit_code == 0
    assert invoke("probe", "none.npy").exit_code == 1
    assert invoke("probe", "field.npy", "--alpha", "2").exit_code == 2
    assert codes == {0, 1, 2, *(128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))}
