"""The command line: parse → call → print. Everything else is imported inside the commands, so that help costs nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tdu.commands_of_logs import export, figures, fit, report
from tdu.commands_of_machines import bench, doctor
from tdu.config import QUICK, QUICK_SCOPE, Scope, StudyConfig, SyntheticConfig
from tdu.options import (
    DIRECTORY,
    PART,
    QUANTITIES_AS_JSON,
    dry_run,
    network_options,
    on_workers,
    study_options,
    synthetic_options,
)
from tdu.options_of_probes import LOG_SETTINGS, log_options, probe_options
from tdu.parameters import Counts, NullName
from tdu.terminal import OneLineErrors, announce_compilation, print_rows, print_tables, print_text, progress, say

if TYPE_CHECKING:
    from tdu.executors import Workers


def _config(quick: bool, settings: dict[str, Any]) -> StudyConfig:
    given = {name: value for name, value in settings.items() if value is not None}
    if "alpha" in given:
        given.setdefault("alpha_train", given["alpha"])
    return replace(QUICK if quick else StudyConfig(), **given)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tdu-ofc")
def main() -> None:
    """Criticality in training: gradients → avalanches → exponents, with intervals."""


for _command in (fit, figures, report, export, bench, doctor):
    main.add_command(_command)


@main.command()
@click.option("--out", type=DIRECTORY, default="tdu-run", show_default=True, help="Run directory, made or gone on with.")
@PART
@dry_run("core-hours, disk and memory, and how long workers take; train nothing")
@study_options
def train(
    out: Path,
    quick: bool,
    workers: "Workers",
    part: tuple[int, int] | None,
    dry_run: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train the XOR study and log its avalanches.

    Any number of these commands may work at one directory at once, on machines that share it: each run is made by one. The
    last to end leaves a whole log; with --part K/M, each makes its own share of the study and no more.
    """
    announce_compilation()
    from tdu.reproduce import planned, train_study

    if dry_run:
        print_tables(planned(out, _config(quick, settings), workers.number, part), as_json)
        return
    train_study(out, _config(quick, settings), workers, progress, part=part)
    click.echo(out)


@main.command()
@click.option("--out", type=DIRECTORY, default="tdu-synthetic", show_default=True, help="Log, made or gone on with.")
@synthetic_options
def synth(out: Path, workers: int, save_fields: Path | None, kind: str, strength: float, **settings: Any) -> None:
    """Log the avalanches of Gaussian fields of several sizes, the paper's control, for `tdu fit` to set beside other logs.

    With --save-fields, fields are written to files instead, of any --kind: heavy tails, the same at every N or heavier with N;
    the parameters of each hidden unit alike in value, in magnitude or in sign alone; neighbours on a --graph of up to 2,500
    sites alike; units × parameters near rank 1; units of a scale each.
    """
    if save_fields is None and kind != "gaussian":
        raise click.UsageError("--kind needs --save-fields: a log is of Gaussian fields, others are for `tdu probe` to read")
    config = SyntheticConfig(**{name: value for name, value in settings.items() if value is not None})
    announce_compilation()
    from tdu.sources.synthetic import synthesise, write_fields

    n_runs = len(config.hidden) * config.replicates
    if save_fields is not None:
        for _ in progress(write_fields(save_fields, config, kind, strength), n_runs * config.fields, "fields"):
            pass
        click.echo(save_fields / "{scale}-{replicate}" / "{step}.npz")
        return
    for _ in progress(synthesise(out, config, workers), n_runs):
        pass
    click.echo(out)


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="FILES | PATTERN")
@log_options
@probe_options
def probe(files: tuple[str, ...], graph: str | None, seed: int, as_json: bool, **settings: Any) -> None:
    """Measure the avalanches of gradient fields.

    FILES are .npy of one field (N,) or many (T, N), or any others of tensors, which together are one field: a row is printed
    for each snapshot. Without --graph or --paper, tensors are measured by the protocol that docs/what-d-measures.md ends with:
    ranked, on rook, with the statistics of its edges; a .npy, of whose parts nothing is known, as the paper does.

    With --out, PATTERN names the files of whole runs, as in 'grads/w{scale}-s{replicate}/{step}.safetensors', or is an index of
    them in CSV or TOML; the runs are added to the log in that directory, which `tdu fit` and `tdu report` read. Tensors are
    read from .npy, .npz, .safetensors, .pt, and folders of them. The same command goes on where it stopped.
    """
    of_log = {name: settings.pop(name) for name in LOG_SETTINGS}
    if of_log["out"] is None and (unused := [name for name, value in of_log.items() if value and name != "workers"]):
        raise click.UsageError(f"--{unused[0].replace('_', '-')} needs --out, the directory of a log")
    if of_log["out"] is None and of_log["workers"].executor != "threads":
        raise click.UsageError("--executor needs --out, the directory of a log")
    if of_log["out"] is None and any("{" in file for file in files):
        raise click.UsageError(f"{files[0]} is a pattern: give --out RUN, the directory of the log that its runs are added to")
    announce_compilation()
    if of_log["out"] is None:
        from tdu.avalanches.sources import probe_files
        from tdu.sources.command import choices_for
        from tdu.sources.formats import fields_in, layout_in

        paths, (ranked, edges) = [Path(file) for file in files], (settings.pop(name) for name in ("ranked", "edges"))
        choices, word = choices_for(paths, graph, ranked, edges, threshold=settings["threshold"])
        print_rows(probe_files(paths, choices, seed, fields_in, layout_in, **settings), as_json)
        if word:
            click.echo(word, err=True)
    else:
        from tdu.sources.command import asked

        dry_run = of_log.pop("dry_run")
        wanted = asked(files, graph=graph, seed=seed, **settings, **of_log)
        click.echo(wanted.found, err=True)
        if dry_run:
            print_rows(wanted.plan(), as_json)
        else:
            for _ in progress(wanted.measured(), wanted.n_fields, "fields"):
                pass
            click.echo(json.dumps({"log": str(wanted.out), "fields": wanted.n_fields}) if as_json else wanted.out)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--null",
    "names",
    multiple=True,
    type=NullName(),
    help="Null model, repeatable; a wrong name lists all.  [default: signs, with blocks on rook, else permuted]",
)
@click.option("--draws", type=click.IntRange(1), default=99, show_default=True, help="Independent draws per file.")
@click.option(
    "--blocks", type=Counts(0), help="Lengths of the layers' weights and biases, for `--null blocks` of a .npy.  [N>=0]"
)
@probe_options
def nulls(files: tuple[Path, ...], names: tuple[str, ...], graph: str | None, as_json: bool, **settings: Any) -> None:
    """Compare the avalanches of gradient fields, as in `tdu probe`, with those of their null models.

    A file of many fields is one run: a draw is one arrangement (order, signs, or rewired graph) for all its snapshots. Only
    gaussian is drawn anew at each.
    """
    if "blocks" in names and settings["blocks"] is None and any(file.suffix == ".npy" for file in files):
        raise click.UsageError(
            "--null blocks needs --blocks, the lengths of the layers' weights and biases: 2h,h,h,1 for XOR's h hidden units"
        )
    announce_compilation()
    from tdu.avalanches.sources import null_files
    from tdu.sources.command import choices_for
    from tdu.sources.formats import fields_in, layout_in

    choices, word = choices_for(files, graph, settings.pop("ranked"), nulls=names, threshold=settings["threshold"])
    print_rows(null_files(files, choices, read=fields_in, layout_of=layout_in, **settings), as_json)
    if word:
        click.echo(word, err=True)


@main.command()
@click.option("--out", type=DIRECTORY, default="tdu-network", show_default=True, help="Log, made or added to.")
@click.option("--save-gradients", is_flag=True, help="Keep the snapshots' gradients in a .npy file, for `tdu probe`.")
@PART
@click.option("--json", "as_json", is_flag=True, help="One JSON object per network, or row of --dry-run, and line.")
@click.option("--dry-run", is_flag=True, help="Say core-hours, and how long workers take; train nothing.")
@network_options
def grok(
    out: Path,
    save_gradients: bool,
    workers: "Workers",
    part: tuple[int, int] | None,
    dry_run: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train networks on arithmetic or parity until they generalise, and log the avalanches of their gradients.

    --width and --replicate are one number, or several with commas between, for a network of each. With another width or
    replicate, the log in --out gets a further run, which `tdu fit` and `tdu report` read; other processes may add theirs
    meanwhile. The same command goes on after an interruption, with more --epochs too.
    """
    announce_compilation()
    from tdu.training.network_grid import grid_of, train_networks

    grid = grid_of(**{name: value for name, value in settings.items() if value is not None or name in ("width", "replicate")})
    if dry_run:
        from tdu.training.network_planning import planned

        print_tables(planned(grid, out, workers.number, part), as_json)
        return
    for run in train_networks(grid, out, workers, part=part, save_gradients=save_gradients):
        found = {"width": run.scale, "replicate": run.replicate, "n": run.n_sites, "grokking_epoch": run.grokking_epoch}
        when = "never" if run.grokking_epoch is None else f"at epoch {run.grokking_epoch}"
        words = f"{out}: width {run.scale}, replicate {run.replicate}, N = {run.n_sites}, groks {when}"
        click.echo(json.dumps({"log": str(out), **found}) if as_json else words)


@main.command()
@click.argument("experiment", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", type=DIRECTORY, help="Directory of tables, figure and README.  [default: that of EXPERIMENT]")
@click.option("--quick", is_flag=True, help="A small study of seconds; needs --out, so as not to replace what is there.")
@dry_run("the question, the settings of its study, and what is written; train nothing")
@on_workers
def run(experiment: Path, out: Path | None, quick: bool, dry_run: bool, as_json: bool, workers: "Workers") -> None:
    """Answer the question of EXPERIMENT, an experiment.toml: train, measure, write data/*.csv, the figure and README.md."""
    if quick and out is None:
        raise click.UsageError("--quick needs --out: the answer of a small study must not replace that of the whole one")
    announce_compilation()
    from tdu.experiments import plan as experiments

    if dry_run:
        print_rows(experiments.described(experiment, out or experiment.parent, quick), as_json)
        return
    for path in experiments.run(experiment, out or experiment.parent, quick, workers, say):
        click.echo(path)


@main.command()
@click.option("--out", type=DIRECTORY, default="results", show_default=True, help="Directory of log, results.json and figures.")
@QUANTITIES_AS_JSON
@click.option("--dry-run", is_flag=True, help="Say core-hours of all that is trained, to which statistics add; train nothing.")
@study_options
def reproduce(out: Path, as_json: bool, dry_run: bool, quick: bool, workers: "Workers", **settings: Any) -> None:
    """The paper's study: train, fit, draw, and compare with the published figures."""
    from tdu.results import figures

    if workers.number > 1 and not dry_run:
        figures.make_ready()
    announce_compilation()
    from tdu import reproduce as study
    from tdu.results.assemble import table
    from tdu.results.store import results_as_json

    scope = QUICK_SCOPE if quick else Scope()
    if dry_run:
        print_rows(study.planned_stages(out, _config(quick, settings), scope), as_json)
        return
    results = study.reproduce(out, _config(quick, settings), scope, workers, progress, say)
    if as_json:
        click.echo(json.dumps(results_as_json(results), ensure_ascii=False))
    else:
        print_text(f"{table(results)}\n\nSHA-256 of the log: {results.provenance['log']}")
        click.echo(f"{out / 'results.json'}, {out / 'figures'} and {out / 'report.html'} are written")
