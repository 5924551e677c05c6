"""The options that several commands share, and those that make up a configuration: a default is said where it is kept."""

import os
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from tdu.config import (
    ACTIVATIONS,
    ALPHA,
    INITIALISATIONS,
    INPUTS,
    MAX_STEPS,
    MODULAR_TASKS,
    NETWORKS,
    OPTIMISERS,
    PRECISIONS,
    QUANTILE,
    UNIT_NAMES,
    NetworkConfig,
    StudyConfig,
)  # fmt: skip

FRACTION = click.FloatRange(0, 1)


def _n_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


WORKERS = click.option("--workers", type=click.IntRange(1), default=_n_processors(), help="Threads.  [default: all processors]")


if TYPE_CHECKING:
    _TupleType = click.ParamType[tuple[Any, ...]]
else:  # before click 8.4 the class takes no type argument at run time
    _TupleType = click.ParamType


class Counts(_TupleType):
    """Whole numbers as a comma-separated list."""

    name = "N,N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """``"20,50"`` → ``(20, 50)``."""
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a comma-separated list of whole numbers", param, ctx)


class Names(_TupleType):
    """Names as a comma-separated list."""

    name = "NAME,NAME,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """``"permuted,signs"`` → ``("permuted", "signs")``."""
        return tuple(value.split(",")) if isinstance(value, str) else tuple(value)


def study_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make up a `StudyConfig`; what is not given keeps the paper's setting."""
    paper = StudyConfig()
    options = [
        click.option("--hidden", type=Counts(), help=f"Scales: hidden units h.  [default: {','.join(map(str, paper.hidden))}]"),
        click.option("--replicates", type=click.IntRange(1), help=f"Runs per scale.  [default: {paper.replicates}]"),
        click.option("--epochs", type=click.IntRange(0), help=f"Updates per run.  [default: {paper.epochs}]"),
        click.option(
            "--snapshot-every", type=click.IntRange(1), help=f"Epochs between avalanches.  [default: {paper.snapshot_every}]"
        ),
        click.option("--learning-rate", type=float, help=f"η of gradient descent.  [default: {paper.learning_rate}]"),
        click.option("--alpha", type=FRACTION, help=f"Diffusion strength of the probe.  [default: {paper.alpha}]"),
        click.option("--alpha-train", type=FRACTION, help="Diffusion strength in training; 0: shadow.  [default: as --alpha]"),
        click.option(
            "--quantile", type=click.FloatRange(0, 1, True, True), help=f"Threshold level.  [default: {paper.quantile}]"
        ),
        click.option("--max-steps", type=click.IntRange(0), help=f"Steps allowed per avalanche.  [default: {paper.max_steps}]"),
        click.option("--seed", type=click.IntRange(0), help=f"Seed of everything random.  [default: {paper.seed}]"),
        click.option("--activation", type=click.Choice(ACTIVATIONS), help=f"Hidden units.  [default: {paper.activation}]"),
        click.option(
            "--initialisation",
            type=click.Choice(INITIALISATIONS),
            help=f"Of the parameters.  [default: {paper.initialisation}]",
        ),
        click.option("--inputs", type=click.Choice(INPUTS), help=f"XOR in {{0, 1}} or ±1.  [default: {paper.inputs}]"),
        click.option("--nulls", type=Names(), help=f"Null models.  [default: {','.join(paper.nulls)}]"),
        click.option(
            "--n-null-draws", type=click.IntRange(0), help=f"Draws of each null a snapshot.  [default: {paper.n_null_draws}]"
        ),
        click.option("--quick", is_flag=True, help="A small study of seconds."),
        WORKERS,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make up a `NetworkConfig`."""
    choices = {"task": MODULAR_TASKS, "network": NETWORKS, "unit": UNIT_NAMES, "optimiser": OPTIMISERS, "precision": PRECISIONS}
    helps = {
        "task": "Of two numbers mod p.",
        "modulus": "p.",
        "train_fraction": "Of all pairs.",
        "network": "One-layer transformer, or MLP on embeddings.",
        "width": "Of the stream, or hidden units.",
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
        "replicate": "Which of the runs of this seed and width.",
    }
    for setting in reversed(fields(NetworkConfig)):
        flag = "--" + setting.name.replace("_", "-")
        default: Any = setting.default
        if isinstance(default, tuple):
            default = ",".join(default)
        command = click.option(
            f"{flag}/--no-{flag[2:]}" if isinstance(default, bool) else flag,
            type=click.Choice(choices[setting.name])
            if setting.name in choices
            else Names()
            if setting.name == "nulls"
            else type(default),
            default=default,
            show_default=True,
            help=helps[setting.name],
        )(command)
    return command


def probe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that probe field files."""
    options = [
        click.option(
            "--graph", default="ba", show_default=True, help="ba, ring, small-world, random, or a .npy of edges (E, 2)."
        ),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything random."),
        click.option("--alpha", type=FRACTION, default=ALPHA, show_default=True, help="Diffusion strength."),
        click.option(
            "--quantile",
            type=click.FloatRange(0, 1, True, True),
            default=QUANTILE,
            show_default=True,
            help="Threshold level of |g|.",
        ),
        click.option("--threshold", type=click.FloatRange(0), help="The threshold itself, instead of --quantile."),
        click.option("--max-steps", type=click.IntRange(0), default=MAX_STEPS, show_default=True, help="Steps allowed."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object per snapshot and line."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
