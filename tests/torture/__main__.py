"""``python -m tests.torture [PART …] [--share 0.1] [--seed 1]``: run the attacks, print their table, and keep it.

Without a part, all: four processes share them. docs/torture.md has the table.
"""

import argparse
import csv
import errno
import fcntl
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

from tests.faults import fuzz, fuzz_lines, test_damage
from tests.faults.foreign import FOREIGN
from tests.faults.kinds import KINDS
from tests.faults.kinds import content as read
from tests.torture import crowds, full, kills, memory, readonly
from tests.torture.commands import COMMANDS, begin, clean, directory, done, scratch

RECORD = Path(__file__).with_name("record.csv")
N_CALLS, N_LINES, N_PROBES = 100_000, 5_000, 10_000
_WHOLE = "all of these"
_BATCH = 2_000  # examples of one seed: hypothesis remembers all of them
_ROOM = 12 << 30  # bytes that calls may have
#: What is done at once, in processes that are a session each: a scheduler that shares by sessions gives none all.
LANES = (("kills", "memory"), ("full",), ("calls",), ("lines", "damage", "crowds", "readonly"))


def _kills(share, seed):
    for name, number in kills.KILLS.items():
        begun = time.monotonic()
        killed, asked, completed = kills.attack(name, max(round(number * share), 1), seed)
        gently = f"; beside, {asked} asked to end, and did" if asked else ""
        words = f"{completed} times the same bits{gently}; seed {seed}"
        yield f"`tdu {name}`: killed (SIGKILL) at random moments, and begun again", killed, words, begun


def _full(share, seed):
    if (library := full.preloaded()) is None:
        yield "the disk is full from a write on", 0, "not attacked: there is no C compiler (`cc`)", time.monotonic()
        return
    for name, every in full.WRITERS.items():
        begun = time.monotonic()
        failed, spared = full.attack(name, library, errno.ENOSPC, every * round(1 / share))
        words = f"one line, then the same bits{f'; {spared} it could do without' if spared else ''}"
        which = "each" if every == 1 else f"one in {every}"
        yield f"`tdu {name}`: the disk is full from a write on, {which} in turn", failed + spared, words, begun


def _readonly(share, seed):
    for name in readonly.WRITERS:
        begun = time.monotonic()
        said, spared = readonly.attack(name)
        words = f"{said} times one line, {spared} times the same bits without"
        yield f"`tdu {name}`: directories and files that cannot be written, or read", said + spared, words, begun
    begun = time.monotonic()
    cases = readonly.cache()
    words = "kernels are compiled, not kept; the same answer" if cases else "not attacked: no mount of one's own here"
    yield "`tdu probe`: a cache of compiled kernels that cannot be written", cases or 0, words, begun


def _crowds(share, seed):
    for name, sizes in crowds.CROWDS.items():
        for number in sizes:
            begun = time.monotonic()
            crowds.crowd(name, number)
            yield f"{number} of `tdu {name}` in one directory", number, "all end well, the bits of one", begun


def _memory(share, seed):
    begun, number = time.monotonic(), round(N_PROBES * share)
    grown = memory.attack(number)
    yield "probes, alone and with nulls", number, f"{grown / 2**20:.1f} MiB more than after the first tenth", begun


def _damage(share, seed):
    for kinds, whose in ((KINDS, "tdu writes"), (FOREIGN, "others write")):
        begun, counts = time.monotonic(), {test_damage.RIGHT: 0, test_damage.REFUSED: 0, test_damage.WRONG: 0}
        sample = None if share == 1 else round(1000 * share)
        for kind in kinds.values():
            with tempfile.TemporaryDirectory(dir=scratch()) as folder:
                wanted = read(kind.read(kind.write(Path(folder)))) if kinds is KINDS else None
                for outcome, number in test_damage.attacked(kind, Path(folder), wanted, sample, sample).items():
                    counts[outcome] += number
        assert not counts[test_damage.WRONG], counts
        words = f"{counts[test_damage.REFUSED]:,} named errors, {counts[test_damage.RIGHT]:,} values"
        words += ", all right" if kinds is KINDS else ""
        attack = f"{len(kinds)} kinds of files that {whose}: a bit of each byte flipped, cut to each length"
        yield attack, sum(counts.values()), words, begun


def _calls(share, seed):
    """In two processes, whose memory is bounded."""
    begun, number, made = time.monotonic(), round(N_CALLS * share), 0
    batches = [(min(_BATCH, number - at), seed + at // _BATCH) for at in range(0, number, _BATCH)]
    with get_context("fork").Pool(2, resource.setrlimit, (resource.RLIMIT_AS, (_ROOM, _ROOM))) as pool:
        for of_seed, wrong, more in pool.imap(_batch, batches):
            assert not wrong, (of_seed, wrong)
            made += more
    words = f"right, or a named error; nothing not finite without a word; seeds {seed} to {batches[-1][1]}"
    yield f"{len(fuzz.CALLS)} public functions and types, called with anything", made, words, begun


def _batch(sizes):
    n_calls, seed = sizes
    return seed, *fuzz.fuzz(sorted(fuzz.CALLS), n_calls, seed)


def _lines(share, seed):
    begun, made, first, number = time.monotonic(), 0, seed, round(N_LINES * share)
    while made < number:
        with tempfile.TemporaryDirectory(dir=scratch()) as directory:
            wrong, more = fuzz_lines.fuzz_commands(Path(directory), min(_BATCH // 4, number - made), number=seed)
        assert not wrong, (seed, wrong)
        made, seed = made + more, seed + 1
    words = f"exit 0, 1 or 2; no traceback, one line of error; seeds {first} to {seed - 1}"
    yield f"{len(fuzz_lines.main.commands)} commands, of lines of anything", made, words, begun


PARTS = {
    "kills": _kills,
    "full": _full,
    "readonly": _readonly,
    "crowds": _crowds,
    "damage": _damage,
    "calls": _calls,
    "lines": _lines,
    "memory": _memory,
}


def _keep(row):
    """One more row of the table, or another one of its name."""
    with RECORD.open("a+", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        rows = {one["attack"]: one for one in csv.DictReader(file)}
        rows[row["attack"]] = row
        if whole := rows.get(_WHOLE):  # one of its parts made again is one of its parts
            whole["cases"] = sum(int(one["cases"]) for one in rows.values() if one is not whole)
        file.truncate(0)
        table = csv.DictWriter(file, row, lineterminator="\n")
        table.writeheader()
        table.writerows(sorted(rows.values(), key=lambda one: [*PARTS, ""].index(one["part"])))


def _attack(wanted, share, seed):
    if "full" in wanted:
        full.preloaded()  # begins this process anew
    for part in wanted:
        for attack, cases, result, begun in PARTS[part](share, seed):
            row = {
                "attack": attack,
                "cases": cases,
                "result": result,
                "seconds": f"{time.monotonic() - begun:.0f}",
                "part": part,
            }
            print(*row.values(), sep="\t", flush=True)
            _keep(row)


def _compile(seed):
    """Have the kernels compiled once: four processes would each do so, and a call that does is taken for one without end."""
    for name in ("reproduce", "grok", "synth"):
        with directory() as out:
            done(begin(COMMANDS[name].of(out)))
    with get_context("fork").Pool(1) as pool:
        pool.apply(_batch, ((100, seed),))


def main():
    parser = argparse.ArgumentParser("python -m tests.torture", description="Run the attacks, print and keep their table.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them, at once, without")
    parser.add_argument("--share", type=float, default=1.0, help="of all cases, from 0 to 1 (default: 1)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of what is drawn (default: the time)")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    if asked.parts:
        _attack(asked.parts, asked.share, asked.seed)
        return 0
    RECORD.unlink(missing_ok=True)
    begun, settings = time.monotonic(), ["--share", str(asked.share), "--seed", str(asked.seed)]
    scratch()  # one for all
    _compile(asked.seed)
    words = [sys.executable, "-m", "tests.torture"]
    lanes = [subprocess.Popen([*words, *lane, *settings], start_new_session=True) for lane in LANES]
    try:
        failed = [lane.wait() for lane in lanes]
    finally:
        for lane in lanes:
            lane.kill()
    minutes = f"{(time.monotonic() - begun) / 60:.1f} minutes"
    result = f"{minutes}, four processes; seed {asked.seed}"
    _keep({"attack": _WHOLE, "cases": 0, "result": result, "seconds": f"{time.monotonic() - begun:.0f}", "part": ""})
    return max(failed)


if __name__ == "__main__":
    try:
        code = main()
    finally:
        clean()
    sys.exit(code)
