"""The command that a report prints makes the same configuration when the command line reads it."""

import shlex
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdu import cli
from tdu.config import (
    ACTIVATIONS,
    INITIALISATIONS,
    INPUTS,
    NULLS,
    QUICK,
    QUICK_SCOPE,
    LogConfig,
    NetworkConfig,
    Scope,
    StudyConfig,
)
from tdu.results.command import commands, without_option
from tdu.training.network_grid import grid_of

FRACTIONS = st.floats(0, 1)
OTHER_SETTINGS = {
    "hidden": st.lists(st.integers(1, 2000), min_size=1, max_size=4, unique=True).map(tuple),
    "replicates": st.integers(1, 9),
    "epochs": st.integers(0, 900),
    "snapshot_every": st.integers(1, 50),
    "learning_rate": st.floats(1e-6, 10),
    "alpha": FRACTIONS,
    "alpha_train": FRACTIONS,
    "quantile": st.floats(0, 1, exclude_min=True, exclude_max=True),
    "max_steps": st.integers(0, 99),
    "seed": st.integers(0, 2**31),
    "activation": st.sampled_from(ACTIVATIONS),
    "initialisation": st.sampled_from(INITIALISATIONS),
    "inputs": st.sampled_from(INPUTS),
    "nulls": st.lists(st.sampled_from(NULLS), min_size=1, unique=True).map(tuple),
    "n_null_draws": st.integers(0, 20),
}
#: Studies in which any number of settings differ from the paper's, or from those of a quick one.
SETTINGS = st.fixed_dictionaries({}, optional=OTHER_SETTINGS)


def parsed(line):
    """The name of a command of `tdu`, and its parameters as click reads them."""
    program, name, *arguments = shlex.split(line)
    assert program == "tdu"
    return name, cli.main.commands[name].make_context(name, arguments, parent=cli.main.make_context("tdu", [name])).params


def study_of(line):
    """The study that a command line asks for, and whether it is a quick one."""
    name, settings = parsed(line)
    out, quick = str(settings.pop("out")), settings.pop("quick")
    assert out == "RUN"
    for not_of_the_study in ("workers", "executor", "scheduler", "hand_back", "part", "dry_run", "as_json"):
        settings.pop(not_of_the_study, None)
    return name, cli._config(quick, settings), quick


@given(SETTINGS, st.booleans())
def test_a_study_comes_back_from_its_command(settings, quick):
    config, scope = replace(QUICK if quick else StudyConfig(), **settings), QUICK_SCOPE if quick else Scope()
    (line,) = commands(config, scope)
    assert study_of(line) == ("reproduce", config, quick)


@given(SETTINGS)
def test_a_log_of_a_study_comes_back_from_its_command(settings):
    config = replace(StudyConfig(), **settings)
    trained, reported = commands(config, None)
    assert study_of(trained) == ("train", config, False)
    assert parsed(reported)[0] == "report"


def test_a_setting_of_the_default_is_not_said():
    assert commands(StudyConfig(), Scope()) == ["tdu reproduce --out RUN"]
    assert commands(QUICK, QUICK_SCOPE) == ["tdu reproduce --out RUN --quick"]
    assert commands(StudyConfig(hidden=(5, 10), seed=3), Scope()) == ["tdu reproduce --out RUN --hidden 5,10 --seed 3"]
    # --alpha sets that of training too
    assert commands(StudyConfig(alpha=0.2, alpha_train=0.2), Scope()) == ["tdu reproduce --out RUN --alpha 0.2"]
    assert commands(StudyConfig(alpha=0.2), Scope()) == ["tdu reproduce --out RUN --alpha 0.2 --alpha-train 0.3"]


def test_runs_of_a_network_come_back_from_their_commands():
    settings = {
        name: value
        for name, value in asdict(NetworkConfig(modulus=31, layer_norm=True, nulls=("signs",))).items()
        if name not in ("width", "replicate")
    }
    *runs, reported = commands(LogConfig("network", settings, (8, 16), 2), None)
    assert parsed(reported)[0] == "report"
    found = []
    for line in runs:
        name, asked = parsed(line)
        assert name == "grok"
        others = {"out", "save_gradients", "part", "dry_run", "as_json", "workers", "executor", "scheduler", "hand_back"}
        found += grid_of(**{key: value for key, value in asked.items() if key not in others and value is not None})
    assert found == [NetworkConfig(**settings, width=width, replicate=k) for width in (8, 16) for k in (0, 1)]


@pytest.mark.parametrize("scope", [None, Scope(), QUICK_SCOPE])
def test_a_scope_that_the_command_sets_needs_no_words(scope):
    assert without_option(scope) == {}


def test_settings_that_no_option_sets_are_said():
    assert without_option(replace(Scope(), n_studies=3, alphas=(0.1, 0.2))) == {"n_studies": 3, "alphas": (0.1, 0.2)}
