"""Commands on a log that is there: parse → call → print, as in `tdu.cli`."""

import json
from pathlib import Path

import click

from tdu.options import DIRECTORY, QUANTITIES_AS_JSON, WORKERS
from tdu.terminal import print_rows, print_text


@click.command()
@click.argument("log", type=DIRECTORY)
@click.option(
    "--alarm",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Of `tdu.fit_alarm`: say of each run whether and when it goes off, and fit nothing.",
)
@QUANTITIES_AS_JSON
@WORKERS
def fit(log: Path, alarm: Path | None, as_json: bool, workers: int) -> None:
    """Fit the exponents of LOG, a directory of runs of any source, beside the null models that were probed with them.

    Those of the XOR study are compared with the published ones. With --alarm FILE, a row of each run instead, or a JSON object:
    when it memorised, when the alarm that controls have set went off, when the run grokked, and how long before.
    """
    if alarm is not None:
        from dataclasses import asdict

        from tdu.analysis.alarm import load_alarm, watch
        from tdu.logs.store import load

        print_rows((asdict(one) for one in watch(load_alarm(alarm), load(log))), as_json)
        return
    from concurrent.futures import ThreadPoolExecutor

    from tdu.fitting import fit as fit_log
    from tdu.results.assemble import table
    from tdu.results.store import results_as_json

    with ThreadPoolExecutor(workers) as executor:
        results = fit_log(log, executor)
    if as_json:
        click.echo(json.dumps(results_as_json(results), ensure_ascii=False))
    else:
        print_text(table(results))


@click.command()
@click.argument("run", type=DIRECTORY)
def figures(run: Path) -> None:
    """Draw the figures of RUN, a directory that `tdu reproduce` made."""
    from tdu.results.figures import draw
    from tdu.results.store import blaming, load_results

    results = load_results(run / "results.json")
    with blaming(run / "results.json"):
        for path in draw(results, run / "figures"):
            click.echo(path)


@click.command()
@click.argument("run", type=DIRECTORY)
@WORKERS
def report(run: Path, workers: int) -> None:
    """Draw the figures of RUN, and write RUN/report.html, one page of all that was found in it.

    What `tdu reproduce` found is in RUN/results.json; a log that other commands made is fitted first.
    """
    from concurrent.futures import ThreadPoolExecutor

    from tdu.fitting import results_in
    from tdu.results.figures import draw
    from tdu.results.report import write
    from tdu.results.store import blaming

    with ThreadPoolExecutor(workers) as executor:
        results = results_in(run, executor)
    with blaming(run / "results.json"):
        draw(results, run / "figures")
        click.echo(write(results, run))


@click.command()
@click.argument("log", type=DIRECTORY)
@click.option("--format", "kind", type=click.Choice(["csv", "parquet"]), help="[default: csv, or as the name of --out says]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File; CSV goes to standard output without one.")
def export(log: Path, kind: str | None, out: Path | None) -> None:
    """Write LOG, a directory of runs of any source, as one table, one row per snapshot, for pandas, Polars, DuckDB, R, ….

    Columns are scale, replicate, step, n (the system size N), size, what else is known of a snapshot, a column for each draw of
    each null model, as permuted_00, and grokking_step. What is not known is an empty cell, in Parquet a null. Curves at every
    epoch, which the XOR study has beside its snapshots, are not in the table. Parquet has the log's settings and versions in
    the file's metadata, and needs the extra tdu-ofc[parquet].
    """
    kind = kind or ("parquet" if out and out.suffix == ".parquet" else "csv")
    if kind == "parquet" and out is None:
        raise click.UsageError("--format parquet needs --out, the file to write")
    from tdu.logs import export as exports

    table = exports.table(log)
    if out is None:
        for piece in exports.csv_pieces(table):
            click.echo(piece, nl=False)
    else:
        (exports.write_csv if kind == "csv" else exports.write_parquet)(table, out)
        click.echo(out)
