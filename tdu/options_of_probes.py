"""Options of the commands that measure gradients of others."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from tdu.config import ALPHA, GRAPHS, MAX_STEPS, PRECISIONS, QUANTILE
from tdu.options import FRACTION, LEVEL, PART, decorated, on_workers
from tdu.parameters import NullName


def probe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that probe field files; without a graph they follow the protocol (`tdu.avalanches.protocol`)."""
    options = [
        click.option(
            "--graph",
            help=f"{', '.join(GRAPHS)}, or a .npy of edges.  [default: rook, --ranked, for tensors with names, else ba]",
        ),
        click.option("--paper", is_flag=True, help="As the paper measures: --graph ba, fields as they are."),
        click.option(
            "--ranked/--no-ranked",
            default=None,
            help="Magnitudes by their ranks in each tensor, of fields and nulls.  [default: without --graph]",
        ),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything random."),
        click.option("--alpha", type=FRACTION, default=ALPHA, show_default=True, help="Diffusion strength."),
        click.option(
            "--quantile",
            type=LEVEL,
            default=QUANTILE,
            show_default=True,
            help="Threshold level of |g|.",
        ),
        click.option("--threshold", type=click.FloatRange(0), help="The threshold itself, instead of --quantile."),
        click.option("--max-steps", type=click.IntRange(0), default=MAX_STEPS, show_default=True, help="Steps allowed."),
        click.option("--precision", type=click.Choice(PRECISIONS), default="float64", show_default=True, help="Of the field."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object per snapshot and line."),
    ]

    @wraps(command)
    def on_graph(graph: str | None, paper: bool, **settings: Any) -> Any:
        return command(graph=graph or (GRAPHS[0] if paper else None), **settings)

    return decorated(on_graph, options)


#: Settings of `log_options`, by name.
LOG_SETTINGS = (
    "out", "null", "draws", "profiles", "window", "difference", "include", "exclude", "part", "workers", "dry_run",
)  # fmt: skip


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `tdu probe` that make runs of a log of whole patterns of files."""
    options = [
        click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Log, made or added to."),
        click.option(
            "--null",
            multiple=True,
            type=NullName(),
            help="Null model, repeatable; a wrong name lists all.  [default: blocks, signs; with --graph permuted, blocks]",
        ),
        click.option("--draws", type=click.IntRange(0), help="Draws of each null, for a whole run.  [default: 8]"),
        click.option(
            "--edges/--no-edges",
            default=None,
            help="With Moran's I of |g| and sign concordance on the graph's edges.  [default: without --graph]",
        ),
        click.option("--difference", is_flag=True, help="Files are checkpoints: probe what each adds to the one before."),
        click.option("--include", metavar="RE", help="Tensors in whose names this is found, a regular expression."),
        click.option("--exclude", metavar="RE", help="Leave out tensors in whose names this is found."),
        click.option("--profiles", is_flag=True, help="Record topplings step by step, too, whose mean profiles are collapsed."),
        click.option(
            "--window", type=click.IntRange(0), default=0, help="Spectra of means over so many successive fields of a run."
        ),
        PART,
        click.option("--dry-run", is_flag=True, help="Say fields, sites, about how long and how much memory; measure nothing."),
    ]
    return decorated(on_workers(command), options)
