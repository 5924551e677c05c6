"""The record of a mutation run: what mutmut left in ``mutants/``, with a reason for every survivor, as JSON and as a page.

``python -m tests.mutation`` reads the results and ``reasons.toml``, and writes ``record.json`` and ``README.md``; with
``--again`` it has the next ``mutmut run`` test again what has survived so far. A rule of
``reasons.toml`` names where it holds (patterns of ``module.function``) and the change (a regular expression for all of
``old → new``, of what differs between the two lines), so that it holds on when mutants are numbered anew. The first that fits
gives the reason.
"""

import fnmatch
import json
import re
import subprocess
import tomllib
from collections import Counter
from datetime import date
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
MUTANTS = ROOT / "mutants" / "tdu"
#: Exit codes of the tests under a mutant, as mutmut keeps them: 3 is an internal error of pytest, which is a kill too.
KILLED, TIMEOUT, NOT_RUN = {1, 3}, {-24, 24, 36, 152, 255}, {None, 2, 34}
#: Of what is not equivalent.
WANTED = 0.95


def read():
    """The record of the results in ``mutants/``."""
    rules = tomllib.loads((FOLDER / "reasons.toml").read_text())["rule"]
    modules, survivors = {}, []
    for path in sorted(MUTANTS.rglob("*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        if not codes:
            continue
        counts = Counter(outcome(code) for code in codes.values())
        for name in sorted((name for name, code in codes.items() if outcome(code) == "survived"), key=_by_number):
            survivors.append(survivor(name, change_of(name), rules))
        module = path.relative_to(MUTANTS.parent).with_suffix("").as_posix()
        modules[module] = {"mutants": len(codes), **counts}
    commit = subprocess.run(["git", "describe", "--always"], cwd=ROOT, capture_output=True, text=True, check=True)
    of = {"date": date.today().isoformat(), "mutmut": version("mutmut"), "after_commit": commit.stdout.strip()}
    return {"run": of, "modules": modules, "survivors": survivors}


def outcome(code):
    """What became of a mutant; what no test reaches has survived."""
    return "timeout" if code in TIMEOUT else "killed" if code in KILLED else "not run" if code in NOT_RUN else "survived"


def _by_number(name):
    function, _, number = name.rpartition("_")
    return function, int(number)


def survivor(name, lines, rules):
    """A survivor and the reason that the first rule that fits it gives; none is "" and counts as left."""
    function = name.rpartition("__mutmut_")[0].replace("tdu.", "", 1).replace(".x_", ".")
    fits = (rule for rule in rules if _within(function, rule["where"]) and _changes(lines, rule))
    rule = next(fits, {"reason": "", "equivalent": False})
    return {"function": function, "change": shortened(lines), "reason": rule["reason"], "equivalent": rule["equivalent"]}


def _changes(lines, rule):
    return re.fullmatch(rule["change"], core(lines)) and re.search(rule.get("line", ""), lines)


def _within(function, where):
    patterns = [where] if isinstance(where, str) else where
    return any(fnmatch.fnmatch(function, pattern) for pattern in patterns)


def change_of(name):
    """``old line → new line`` of a mutant."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    old, new = [], []
    for line in get_diff_for_mutant(name).splitlines():
        if line[:1] in "+-" and not line.startswith(("---", "+++")):
            (old if line[0] == "-" else new).append(line[1:].strip())
    return f"{' '.join(old)} → {' '.join(new)}"


def _differing(lines):
    """Old line, new line, and how many characters they share at the beginning and at the end."""
    old, _, new = lines.partition(" → ")
    head = len(_common(old, new))
    return old, new, head, len(_common(old[head:][::-1], new[head:][::-1]))


def core(lines):
    """``old → new`` of the argument, operand or word that changes."""
    old, new, head, tail = _differing(lines)
    while head and old[head - 1] not in " ,()[]{}:":
        head -= 1
    while tail and old[len(old) - tail] not in " ,()[]{}:":
        tail -= 1
    return " → ".join(part[head : len(part) - tail].strip(" ,") for part in (old, new))


def shortened(lines):
    """The part of a line that changes, with a few characters around it."""
    old, new, head, tail = _differing(lines)
    start = max(old.rfind(" ", 0, max(head - 24, 0)) + 1, 0)
    stop = tail - min(tail, 8)
    before, after = "… " if start else "", " …" if stop else ""
    cut = [f"{before}{part[start : len(part) - stop]}{after}" for part in (old, new)]
    return f"{cut[0]} → {cut[1]}"


def _common(one, other):
    n = 0
    while n < min(len(one), len(other)) and one[n] == other[n]:
        n += 1
    return one[:n]


def score(record):
    """Killed, a timeout among them, of all mutants that are not equivalent."""
    total, equivalent = Counter(), sum(survivor["equivalent"] for survivor in record["survivors"])
    for counts in record["modules"].values():
        total.update(counts)
    return (total["killed"] + total["timeout"]) / (total["mutants"] - total["not run"] - equivalent)


def page(record):
    """README.md of a record."""
    of = record["run"]
    total = Counter()
    equivalents = Counter(_module(survivor) for survivor in record["survivors"] if survivor["equivalent"])
    survived = Counter(_module(survivor) for survivor in record["survivors"])
    rows = []
    for module, counts in record["modules"].items():
        name = module.removesuffix(".py").removeprefix("tdu/").replace("/", ".")
        rows.append((module, counts, survived[name], equivalents[name]))
        total.update(counts)
    rows.append(("all", total, len(record["survivors"]), sum(equivalents.values())))
    lines = [
        "# Do the tests notice when the analysis changes?",
        "",
        "mutmut changes the analysis, the statistics, the nulls and what builds the published table in one place at a time, "
        "and runs the tests that reach that place. What they do not notice has survived.",
        "",
        f"**{100 * score(record):.1f} %** of what is not equivalent is killed (wanted: {100 * WANTED:.0f} %). "
        f"`make mutation`, mutmut {of['mutmut']}, {of['date']}, after commit {of['after_commit']}.",
        "",
        "| module | mutants | killed | timeouts | survived | of these equivalent | killed of the others |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for module, counts, n_survived, n_equivalent in rows:
        killed, timeouts = counts.get("killed", 0), counts.get("timeout", 0)
        run = counts["mutants"] - counts.get("not run", 0) - n_equivalent
        share = f"{100 * (killed + timeouts) / run:.1f} %" if run else "–"
        lines.append(f"| {module} | {counts['mutants']} | {killed} | {timeouts} | {n_survived} | {n_equivalent} | {share} |")
    if total["not run"]:
        lines += ["", f"{total['not run']} mutants were not run: the run was cut short."]
    lines += [
        "",
        "Functions are mutated, not what stands outside of them: published constants are held against a transcription of the "
        "paper (`tests/oracles/paper.json`), windows and quantiles against the definitions in `tests/analysis`.",
        "",
        "## Survivors",
        "",
        "Rendered from `record.json`; reasons are in `reasons.toml`. Equivalent ones first.",
    ]
    by_reason = {}
    for one in sorted(record["survivors"], key=lambda one: (not one["equivalent"], one["reason"] == "")):
        by_reason.setdefault((one["equivalent"], one["reason"] or "No reason yet."), []).append(one)
    for (equivalent, reason), group in by_reason.items():
        lines += ["", f"**{'Equivalent' if equivalent else 'Left'}.** {reason}", ""]
        for one in group:
            change = one["change"].replace("`", "'")
            lines.append(f"- `{one['function']}`: `{change}`")
    return "\n".join(lines) + "\n"


def _module(survivor):
    return survivor["function"].rpartition(".")[0]


def write():
    """Read the results of a run and write both files."""
    record = read()
    (FOLDER / "record.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    (FOLDER / "README.md").write_text(page(record))
    unexplained = sum(not one["reason"] for one in record["survivors"])
    print(f"killed {100 * score(record):.1f} % of what is not equivalent; {unexplained} survivors without a reason")


def forget_survivors():
    """Have the next ``mutmut run`` test again what has survived so far, and nothing that was killed."""
    for path in MUTANTS.rglob("*.meta"):
        kept = json.loads(path.read_text())
        codes = kept["exit_code_by_key"]
        kept["exit_code_by_key"] = {name: None if outcome(code) == "survived" else code for name, code in codes.items()}
        path.write_text(json.dumps(kept, indent=4))
    (MUTANTS.parent / "mutmut-stats.json").unlink(missing_ok=True)  # which test reaches what may have changed
