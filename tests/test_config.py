"""Configurations check themselves, and whatever the user can mend is an `InputError`."""

import re
from dataclasses import fields, replace

import click
import pytest
from click.testing import CliRunner

import tdu
from tdu import cli, config
from tdu.config import GrokkingConfig, NetworkConfig, Scope, StudyConfig
from tdu.errors import InputError, InputTypeError
from tdu.logs.store import Store


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (StudyConfig, {"hidden": ()}, "`hidden` names no scale: a study needs at least one"),
        (StudyConfig, {"hidden": (5, 0)}, "`hidden` must be at least 1, but it is 0"),
        (StudyConfig, {"hidden": (5, 5)}, "`hidden` names a scale twice: 5, 5"),
        (StudyConfig, {"hidden": (2**29,)}, f"`hidden` must be at most {2**29 - 1}: its 4h + 1 sites are 32-bit numbers"),
        (StudyConfig, {"replicates": 0}, "`replicates` must be at least 1"),
        (StudyConfig, {"epochs": -1}, "`epochs` must be at least 0"),
        (StudyConfig, {"snapshot_every": 0}, "`snapshot_every` must be at least 1"),
        (StudyConfig, {"learning_rate": float("nan")}, "`learning_rate` must lie in [0, inf]"),
        (StudyConfig, {"alpha": 1.5}, "`alpha` must lie in [0, 1], but it is 1.5"),
        (StudyConfig, {"alpha_train": -0.5}, "`alpha_train` must lie in [0, 1]"),
        (StudyConfig, {"quantile": 1}, "`quantile` must lie in (0, 1)"),
        (StudyConfig, {"max_steps": -1}, "`max_steps` must be at least 0"),
        (StudyConfig, {"seed": 2**64}, f"`seed` must be at most {2**64 - 1}"),
        (StudyConfig, {"n_null_draws": -1}, "`n_null_draws` must be at least 0"),
        (StudyConfig, {"activation": "gelu"}, "`activation` must be one of tanh, relu, sigmoid, but it is gelu"),
        (StudyConfig, {"initialisation": "zero"}, "`initialisation` must be one of pytorch"),
        (StudyConfig, {"inputs": "ternary"}, "`inputs` must be one of binary, bipolar"),
        (NetworkConfig, {"task": "power"}, "`task` must be one of addition"),
        (NetworkConfig, {"network": "rnn"}, "`network` must be one of transformer, mlp, but it is rnn"),
        (NetworkConfig, {"unit": "tanh"}, "`unit` must be one of relu, gelu"),
        (NetworkConfig, {"precision": "float16"}, "`precision` must be one of float32, float64"),
        (NetworkConfig, {"optimiser": "lion"}, "`optimiser` must be one of adamw, sgd, momentum"),
        (NetworkConfig, {"width": 0}, "`width` must be at least 1"),
        (NetworkConfig, {"heads": 0}, "`heads` must be at least 1"),
        (NetworkConfig, {"replicate": -1}, "`replicate` must be at least 0"),
        (NetworkConfig, {"train_fraction": 1.1}, "`train_fraction` must lie in [0, 1]"),
        (NetworkConfig, {"weight_decay": float("inf")}, "`weight_decay` must lie in"),
        (NetworkConfig, {"alpha_train": 2}, "`alpha_train` must lie in [0, 1], but it is 2"),
        (NetworkConfig, {"seed": -1}, "`seed` must be at least 0"),
        (GrokkingConfig, {"widths": ()}, "`widths` names no scale"),
        (GrokkingConfig, {"moduli": (59, 1)}, "`moduli` must be at least 2"),
        (GrokkingConfig, {"moduli": (59, 59)}, "`moduli` names a value twice: 59, 59"),
        (GrokkingConfig, {"window": 0}, "`window` must be at least 1"),
        (GrokkingConfig, {"few_fraction": 2}, "`few_fraction` must lie in [0, 1]"),
        (GrokkingConfig, {"delayed_learning_rate": -1}, "`delayed_learning_rate` must lie in [0, inf]"),
        (GrokkingConfig, {"seed": -1}, "`seed` must be at least 0"),
        (Scope, {"n_draws": 0}, "`n_draws` must be at least 1"),
        (Scope, {"alphas": (0.1, 2)}, "`alphas` must lie in [0, 1], but it is 2"),
        (Scope, {"quantiles": (0.8, 1.0)}, "`quantiles` must lie in (0, 1)"),
        (Scope, {"figure_formats": ("svg", "gif")}, "`figure_formats` must be one of pdf, svg, png, but it is gif"),
    ],
)
def test_a_configuration_that_cannot_be_is_not_made(kind, change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kind(**change)
    with pytest.raises(InputError, match=re.escape(message)):
        replace(kind(), **change)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (StudyConfig, {"hidden": 5}, "`hidden` must be a list, but it is 5"),
        (StudyConfig, {"hidden": (5.0,)}, "`hidden` must be an integer, but it is 5.0"),
        (StudyConfig, {"activation": 1}, "`activation` must be a name, but it is 1"),
        (NetworkConfig, {"epochs": True}, "`epochs` must be an integer, but it is True"),
        (GrokkingConfig, {"alpha": "0.3"}, "`alpha` must be a real number, but it is '0.3'"),
        (Scope, {"figure_formats": "svg"}, "`figure_formats` must be a list, but it is 'svg'"),
    ],
)
def test_a_setting_of_a_wrong_kind_is_a_type_error_and_an_input_error(kind, change, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        kind(**change)
    assert issubclass(InputTypeError, tdu.InputError)


@pytest.mark.parametrize("nulls", [3, "permuted"])
def test_nulls_that_are_no_list_are_the_users_mistake(nulls):
    with pytest.raises(InputTypeError, match=re.escape(f"`nulls` must be a list, but it is {nulls!r}")):
        tdu.Probe(nulls=nulls)


def test_the_probes_defaults_are_the_same_everywhere():
    import inspect

    for settings in (StudyConfig(), NetworkConfig(), tdu.Probe()):
        assert (settings.alpha, settings.quantile, settings.max_steps) == (config.ALPHA, config.QUANTILE, config.MAX_STEPS)
    assert GrokkingConfig().alpha == config.ALPHA
    for function in (tdu.avalanche, tdu.train_xor):
        signature = inspect.signature(function).parameters
        found = tuple(signature[name].default for name in ("alpha", "quantile", "max_steps"))
        assert found == (config.ALPHA, config.QUANTILE, config.MAX_STEPS)
    probe = {option.name: option.default for option in cli.main.commands["probe"].params}
    assert (probe["alpha"], probe["quantile"], probe["max_steps"]) == (config.ALPHA, config.QUANTILE, config.MAX_STEPS)


def test_names_are_those_of_the_tables():
    from tdu.models import layers, mlp, networks, optimisers, tasks
    from tdu.training.xor import PATTERNS

    for names, table in (
        (config.TASKS, tasks.TASKS),
        (config.NETWORKS, networks.NETWORKS),
        (config.UNIT_NAMES, layers.UNITS),
        (config.OPTIMISERS, optimisers.OPTIMISERS),
        (config.ACTIVATIONS, mlp.ACTIVATION_NUMBER),
        (config.INPUTS, PATTERNS),
    ):
        assert names == tuple(table)


def test_null_models_that_a_study_names_are_there():
    from tdu.avalanches.nulls import MODELS
    from tdu.reproduce import fittable

    assert set(config.NULLS) <= set(MODELS)
    with pytest.raises(InputError, match="`nulls` must be one of permuted"):
        fittable(StudyConfig(nulls=("permuted", "scrambled")))


@pytest.mark.slow
def test_sparse_parity_is_a_task_by_name(tmp_path):
    settings = {"task": "parity", "n_bits": 6, "n_relevant": 2, "width": 8, "epochs": 20}
    options = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    done = CliRunner().invoke(cli.main, ["grok", "--out", str(tmp_path / "log"), *options])
    assert done.exit_code == 0, done.stderr
    run = Store.open(tmp_path / "log").read(8, 0)
    alone = tdu.train_network(NetworkConfig(**settings))
    assert run.columns["loss"].tolist() == alone.columns["loss"].tolist()
    assert run.layout.sizes[0] == 3 * 8  # an embedding for each of 0, 1 and =
    assert "modulus" not in Store.open(tmp_path / "log").settings
    assert Store.open(tmp_path / "log").settings["n_relevant"] == 2
    with pytest.raises(InputError, match="`n_relevant` must be at most 6, but it is 7"):
        tdu.train_network(replace(NetworkConfig(**settings), n_relevant=7), tmp_path / "none")
    assert not (tmp_path / "none").exists()


ON_WORKERS = {"workers", "executor", "scheduler", "hand_back"}


def test_every_option_of_a_configuration_is_one_of_its_fields():
    for command, kind, others in (
        ("train", StudyConfig, {"out", "quick", "part", "dry_run", "as_json", *ON_WORKERS}),
        ("grok", NetworkConfig, {"out", "save_gradients", "part", "dry_run", "as_json", *ON_WORKERS}),
    ):
        named = [option.name for option in cli.main.commands[command].params if option.name not in others]
        assert named == [item.name for item in fields(kind)]


def command_that_raises(error):
    @click.group(cls=cli.OneLineErrors)
    def group():
        pass

    @group.command()
    def work():
        raise error

    return CliRunner().invoke(group, ["work"])


@pytest.mark.parametrize("error", [InputError("too\nsmall"), InputTypeError("too small"), OSError("too small")])
def test_what_the_user_can_mend_is_one_line(error):
    done = command_that_raises(error)
    assert (done.exit_code, done.stderr) == (1, "Error: too small\n")


@pytest.mark.parametrize("error", [ValueError("a bug"), TypeError("a bug"), KeyError("a bug")])
def test_a_bug_is_not_taken_for_a_mistake_of_the_user(error):
    done = command_that_raises(error)
    assert (done.exit_code, done.exception) == (1, error)  # Python prints its traceback
    assert "Error:" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ValueError", "TypeError", "KeyError"])
def test_a_bug_in_a_command_shows_its_traceback(kind):
    import subprocess
    import sys

    code = (
        "import tdu.avalanches.sources as sources, tdu.cli\n"
        f"def broken(*_, **__): raise {kind}('planted')\n"
        "sources.probe_files = broken\n"
        "tdu.cli.main(['probe', 'field.npy'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "planted" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("setting", ["max_steps", "epochs"])
def test_sizes_that_no_memory_holds_are_named(setting):
    for kind in (StudyConfig, NetworkConfig):
        with pytest.raises(ValueError, match=f"`{setting}` must be at most 1000000000, but it is {2**60}"):
            kind(**{setting: 2**60})
    with pytest.raises(ValueError, match="`max_steps` must be at most 1000000000"):
        tdu.Probe(max_steps=2**60)
    with pytest.raises(ValueError, match="`max_steps` must be at most 1000000000"):
        tdu.avalanche([1.0, 1.0, 1.0], tdu.ring(3, k=2), max_steps=2**60)
