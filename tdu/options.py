"""Options that several commands share, and those derived from a configuration's fields, which have the defaults."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

from tdu.config import (
    ACTIVATIONS,
    EXECUTORS,
    GRAPHS,
    INITIALISATIONS,
    INPUTS,
    MEASURED_ON,
    NETWORK_MEASURED_ON,
    NETWORK_SITE_ORDERS,
    NETWORKS,
    OPTIMISERS,
    PARAMETRISATIONS,
    PRECISIONS,
    SITE_ORDERS,
    TARGET_NAMES,
    TASKS,
    UNIT_NAMES,
    NetworkConfig,
    StudyConfig,
    SyntheticConfig,
)  # fmt: skip
from tdu.parameters import Counts, Names, Part

FRACTION = click.FloatRange(0, 1)
LEVEL = click.FloatRange(0, 1, min_open=True, max_open=True)
#: What can be planted in fields: `tdu.avalanches.planted.KINDS`, which loads NumPy; a test holds the names to it.
PLANTED = ("gaussian", "heavy", "heavy-n", "units", "magnitudes", "signs", "graph", "rank-1", "row-scale")


def _n_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


DIRECTORY = click.Path(file_okay=False, path_type=Path)
QUANTITIES_AS_JSON = click.option("--json", "as_json", is_flag=True, help="The quantities as one JSON object.")
WORKERS = click.option("--workers", type=click.IntRange(1), default=_n_processors(), help="Threads.  [default: all processors]")


_ON_WORKERS = (
    click.option(
        "--workers", type=click.IntRange(1), default=_n_processors(), help="Threads, or processes.  [default: all processors]"
    ),
    click.option(
        "--executor", type=click.Choice(EXECUTORS), default=EXECUTORS[0], show_default=True, help="What runs are made by."
    ),
    click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster, as tcp://host:8786, for --executor dask."),
    click.option(
        "--hand-back/--no-hand-back",
        default=None,
        help="Workers hand runs back, or write them where they see --out.  [default: back from dask and mpi]",
    ),
)


def on_workers(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what makes runs, which the command is given as one: `workers`."""

    @wraps(command)
    def with_workers(workers: int, executor: str, scheduler: str | None, hand_back: bool | None, **settings: Any) -> Any:
        from tdu.executors import Workers

        return command(workers=Workers(workers, executor, scheduler, hand_back), **settings)

    return decorated(with_workers, _ON_WORKERS)


def dry_run(what: str) -> Callable[..., Any]:
    """The options of a command that prints a table of `what` it would do, and nothing else that is one."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def checked(*, dry_run: bool, as_json: bool, **settings: Any) -> Any:
            if as_json and not dry_run:
                raise click.UsageError("--json is for --dry-run: what is made is in a directory")
            return command(dry_run=dry_run, as_json=as_json, **settings)

        options = [
            click.option("--dry-run", is_flag=True, help=f"Say {what}."),
            click.option("--json", "as_json", is_flag=True, help="Of --dry-run, one JSON object per row and line."),
        ]
        return decorated(checked, options)

    return decorate


PART = click.option("--part", type=Part(), help="The K-th of M shares, as 2/8 in the second of eight jobs.  [default: all]")


_STUDY_HELPS = {
    "hidden": "Scales: hidden units h.",
    "replicates": "Runs per scale.",
    "epochs": "Updates per run.",
    "snapshot_every": "Epochs between avalanches.",
    "learning_rate": "η of gradient descent.",
    "alpha": "Diffusion strength of the probe.",
    "alpha_train": "Diffusion strength in training; 0: shadow.",
    "quantile": "Threshold level.",
    "max_steps": "Steps allowed per avalanche.",
    "seed": "Seed of everything random.",
    "activation": "Hidden units.",
    "initialisation": "Of the parameters.",
    "inputs": "XOR in {0, 1} or ±1.",
    "nulls": "Null models.",
    "n_null_draws": "Draws of each null a snapshot.",
    "parametrisation": "How start and rates depend on h.",
    "site_order": "Of parameters on the graph.",
    "measured_on": "Training graph, another, or another family's.",
    "targets": "What is learnt of the two bits.",
}
_NETWORK_HELPS = {
    "task": "Of two numbers mod p, or of bits.",
    "modulus": "p.",
    "n_bits": "Of a pattern, for --task parity.",
    "n_relevant": "Bits whose parity is asked for.",
    "train_fraction": "Of all examples.",
    "shuffled_labels": "Answers permuted once: nothing to generalise.",
    "network": "One-layer transformer, or MLP on embeddings.",
    "width": "Of the stream, or hidden units; several give several networks.",
    "heads": "Of attention.",
    "unit": "Of the MLP.",
    "layer_norm": "Norm before attention, MLP and unembedding.",
    "precision": "Of all arrays.",
    "optimiser": "Full batch.",
    "learning_rate": "η.",
    "weight_decay": "λ, decoupled.",
    "epochs": "Updates.",
    "snapshot_every": "Epochs between avalanches.",
    "alpha": "Diffusion strength of the probe.",
    "alpha_train": "Diffusion strength in training; 0: shadow.",
    "quantile": "Threshold level.",
    "max_steps": "Steps allowed per avalanche.",
    "nulls": "Null models.",
    "n_null_draws": "Draws of each null model probed with every snapshot.",
    "seed": "Seed of everything random.",
    "replicate": "Which of the runs of this seed and width, or several.",
    "window": "Spectra of gradients averaged over so many epochs up to a snapshot; 0: none.",
    "site_order": "Of parameters on the graph.",
    "measured_on": "Training graph, another, or another family's.",
}
_SYNTHETIC_HELPS = {
    "hidden": "Scales: h, of N = 4h + 1 sites.",
    "replicates": "Runs per scale.",
    "fields": "Fields per run.",
    "std": "Standard deviation of their entries.",
    "graph": "Family of graphs.",
    "alpha": "Diffusion strength of the probe.",
    "quantile": "Threshold level.",
    "max_steps": "Steps allowed per avalanche.",
    "nulls": "Null models.",
    "n_null_draws": "Draws of each null a field.",
    "seed": "Seed of everything random.",
    "ranked": "Magnitudes by their ranks in each tensor.",
    "edges": "Moran's I and sign concordance on the graph too.",
}
#: Ranges of the numbers that options set; those of the configurations, to which a test holds them.
_RANGES: dict[str, Any] = {
    "hidden": Counts(),
    "width": Counts(),
    "replicate": Counts(0),
    **dict.fromkeys(("replicates", "snapshot_every", "fields", "heads", "n_relevant"), click.IntRange(1)),
    **dict.fromkeys(("epochs", "max_steps", "n_null_draws", "window", "seed"), click.IntRange(0)),
    **dict.fromkeys(("alpha", "alpha_train", "train_fraction"), FRACTION),
    **dict.fromkeys(("learning_rate", "weight_decay"), click.FloatRange(0)),
    "modulus": click.IntRange(2, 2**15),
    "n_bits": click.IntRange(1, 20),
    "quantile": LEVEL,
    "std": click.FloatRange(0, min_open=True),
}
#: Types of other options where that of the default does not do.
_STUDY_TYPES: dict[str, Any] = {
    "activation": click.Choice(ACTIVATIONS),
    "initialisation": click.Choice(INITIALISATIONS),
    "inputs": click.Choice(INPUTS),
    "parametrisation": click.Choice(PARAMETRISATIONS),
    "site_order": click.Choice(SITE_ORDERS),
    "measured_on": click.Choice(MEASURED_ON),
    "targets": click.Choice(TARGET_NAMES),
    "nulls": Names(),
}
_SYNTHETIC_TYPES: dict[str, Any] = {"graph": click.Choice(GRAPHS), "nulls": Names()}
_NETWORK_TYPES: dict[str, Any] = {
    "task": click.Choice(TASKS),
    "network": click.Choice(NETWORKS),
    "unit": click.Choice(UNIT_NAMES),
    "precision": click.Choice(PRECISIONS),
    "optimiser": click.Choice(OPTIMISERS),
    "nulls": Names(),
    "site_order": click.Choice(NETWORK_SITE_ORDERS),
    "measured_on": click.Choice(NETWORK_MEASURED_ON),
}


def decorated(command: Callable[..., Any], options: Iterable[Callable[..., Any]]) -> Callable[..., Any]:
    """`command` with `options`, which its help lists in the order given."""
    for option in reversed(list(options)):
        command = option(command)
    return command


def _settings(
    config: StudyConfig | NetworkConfig | SyntheticConfig, helps: dict[str, str], types: dict[str, Any], **derived: str
) -> Iterator[Callable[..., Any]]:
    """An option for each field of a configuration; None if it is not given, so that the command chooses among defaults.

    `derived` words the default of a setting that depends on another.
    """
    for setting in fields(config):
        flag, default = "--" + setting.name.replace("_", "-"), getattr(config, setting.name)
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        if isinstance(default, bool):
            shown, flag = flag[2:] if default else f"no-{flag[2:]}", f"{flag}/--no-{flag[2:]}"
        kind = (types | _RANGES).get(setting.name, type(default))
        words = f"{helps[setting.name]}  [default: {derived.get(setting.name, shown)}]"
        yield click.option(flag, type=kind, default=None, help=words + (f"  {kind.said}" if isinstance(kind, Counts) else ""))


def study_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make up a `StudyConfig`; settings that are not given keep the paper's value."""
    settings = _settings(StudyConfig(), _STUDY_HELPS, _STUDY_TYPES, alpha_train="as --alpha")
    quick = click.option("--quick", is_flag=True, help="A small study of seconds.")
    return decorated(on_workers(command), [*settings, quick])


def synthetic_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make up a `SyntheticConfig`; settings that are not given keep the paper's value."""
    settings = _settings(SyntheticConfig(), _SYNTHETIC_HELPS, _SYNTHETIC_TYPES, nulls="none")
    planted = [
        click.option(
            "--save-fields", type=DIRECTORY, help="Write {scale}-{replicate}/{step}.npz there, for `tdu probe`, and no log."
        ),
        click.option(
            "--kind", type=click.Choice(PLANTED), default=PLANTED[0], help="What is planted in them.  [default: nothing]"
        ),
        click.option(
            "--strength",
            type=click.FloatRange(0, 1, max_open=True),
            default=0.5,
            show_default=True,
            help="ρ, the share of variance that is planted: so do a unit's parameters correlate.",
        ),
    ]
    return decorated(command, [*settings, *planted, WORKERS])


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make up a `NetworkConfig`; settings that are not given keep their default."""
    return decorated(on_workers(command), _settings(NetworkConfig(), _NETWORK_HELPS, _NETWORK_TYPES))
