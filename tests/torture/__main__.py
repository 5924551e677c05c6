"""``python -m tests.torture [PART …] [--share 0.1]``: run the attacks, print their table, and keep it (docs/torture.md)."""

import csv
import errno
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import fuzz
from tests.torture import crowds, full, kills, memory
from tests.torture.commands import SCRATCH

RECORD = Path(__file__).with_name("record.csv")
N_CALLS, N_LINES, N_PROBES = 100_000, 5_000, 10_000


def _kills(share):
    for name, number in kills.KILLS.items():
        begun = time.monotonic()
        killed, asked, completed = kills.attack(name, max(round(number * share), 1))
        yield (
            f"`tdu {name}` killed, or asked to end, at random moments",
            killed + asked,
            f"{completed} times the same bits",
            begun,
        )


def _full(share):
    library = full.preloaded()
    for name in full.WRITERS:
        begun = time.monotonic()
        failed, spared = full.attack(name, library, errno.ENOSPC, every=max(round(1 / share), 1))
        words = f"one line, then the same bits{f'; {spared} it could do without' if spared else ''}"
        yield f"`tdu {name}`: the disk is full from a write on", failed + spared, words, begun


def _crowds(share):
    for name, sizes in crowds.CROWDS.items():
        for number in sizes:
            begun = time.monotonic()
            crowds.crowd(name, number)
            yield f"{number} of `tdu {name}` in one directory", number, "all end well, the bits of one", begun


def _memory(share):
    begun, number = time.monotonic(), round(N_PROBES * share)
    grown = memory.attack(number)
    yield "probes, alone and with nulls", number, f"{grown / 2**20:.1f} MiB more than after the first tenth", begun


def _fuzz(share):
    begun, number = time.monotonic(), round(N_CALLS * share)
    wrong, made = fuzz.fuzz(sorted(fuzz.CALLS), number, number=int(time.time()))
    assert not wrong, wrong
    yield "public functions, called with anything", made, "right, or a named error; nothing not finite without a word", begun
    begun, number = time.monotonic(), round(N_LINES * share)
    with tempfile.TemporaryDirectory() as directory:
        wrong, made = fuzz.fuzz_commands(Path(directory), number, number=int(time.time()))
    assert not wrong, wrong
    yield "command lines, of anything", made, "exit 0, 1 or 2; no traceback", begun


PARTS = {"kills": _kills, "full": _full, "crowds": _crowds, "memory": _memory, "fuzz": _fuzz}


def main(arguments):
    share = float(arguments[arguments.index("--share") + 1]) if "--share" in arguments else 1.0
    wanted = [name for name in arguments if name in PARTS] or list(PARTS)
    if "full" in wanted:
        full.preloaded()  # begins this process anew
    for part in wanted:
        for attack, cases, result, begun in PARTS[part](share):
            seconds = f"{time.monotonic() - begun:.0f}"
            rows = {row["attack"]: row for row in csv.DictReader(RECORD.open())} if RECORD.exists() else {}
            rows[attack] = {"attack": attack, "cases": cases, "result": result, "seconds": seconds, "part": part}
            print(*rows[attack].values(), sep="\t", flush=True)
            with RECORD.open("w", newline="") as file:
                table = csv.DictWriter(file, rows[attack], lineterminator="\n")
                table.writeheader()
                table.writerows(rows.values())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    finally:
        shutil.rmtree(SCRATCH)
