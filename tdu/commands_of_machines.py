"""Commands on the machine they run on: parse → call → print, as in `tdu.cli`."""

import click

from tdu.options import WORKERS
from tdu.parameters import Counts
from tdu.terminal import announce_compilation, print_rows


@click.command()
@click.option("--sizes", type=Counts(3), default="81,2001,100000,1000000", show_default=True, help="System sizes.  [N>=3]")
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True, help="Repetitions; the median counts.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per measurement and line.")
@WORKERS
def bench(sizes: tuple[int, ...], rounds: int, workers: int, as_json: bool) -> None:
    """How long a probe takes on this machine, and how many topplings a second it does, on one thread and on --workers."""
    announce_compilation()
    from tdu.avalanches.throughput import measure

    rows = (
        {
            "field": rate.workload,
            "n": rate.n_sites,
            "threads": rate.threads,
            "microseconds": rate.seconds * 1e6,
            "topplings_a_second": rate.topplings,
            "edges_a_second": rate.pushes,
        }
        for rate in measure(sizes, workers, rounds)
    )
    print_rows(rows, as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per finding and line.")
@WORKERS
def doctor(as_json: bool, workers: int) -> None:
    """Say what this installation is, and check it: versions, processor, compiled code, and the default study's log.

    That log is the same to the last bit on every machine; here it is made in a few seconds. Where something is wrong, the last
    line says what to do, and the exit status is 1.
    """
    announce_compilation()
    from tdu.doctor import examine

    found = list(examine(workers))
    print_rows((finding._asdict() for finding in found), as_json)
    wrong = [finding for finding in found if finding.verdict == "wrong"]
    if wrong:
        raise click.ClickException(f"{wrong[0].name}: {wrong[0].value}; {wrong[0].remedy}")
