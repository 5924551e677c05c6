"""What others answer on the same data: ``python bench/neighbours.py [--package NAME]… [--work DIRECTORY]``.

Makes an environment for every package of `PACKAGES` with pinned versions, trains a dozen small networks, asks the packages and
tdu in turns, writes neighbours.json beside this file and renders NEIGHBOURS.md. With ``--package`` others keep what
neighbours.json has of them. Environments, of 4 GB in all, and runs stay in the working directory.
"""

import argparse
import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "beside"))

import neighbours_page  # noqa: E402
import samples  # noqa: E402
import trained  # noqa: E402

import tdu  # noqa: E402
from tdu import files  # noqa: E402

RESULTS = HERE / "neighbours.json"
ROUNDS = 2
TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Package:
    """A neighbour: what pip installs, what Python imports, the month of the release, and what it is asked for."""

    requirements: tuple[str, ...]
    module: str
    released: str
    questions: tuple[str, ...]
    rounds: int = ROUNDS


PACKAGES = {
    "powerlaw": Package(("powerlaw==2.0.0",), "powerlaw", "2026-01", ("power_law",)),
    "pyfssa": Package(("fssa==0.7.6",), "fssa", "2015-12", ("critical", "cutoff")),
    "mrestimator": Package(("mrestimator==0.2.0",), "mrestimator", "2025-06", ("branching",)),
    "weightwatcher": Package(("weightwatcher==0.7.7", TORCH), "weightwatcher", "2026-02", ("weights", "examples"), 1),
    "pyhessian": Package(("pyhessian==0.1", TORCH), "pyhessian", "2021-04", ("weights", "examples"), 1),
    "devinterp": Package(("devinterp==2.0.1", TORCH), "devinterp", "2026-04", ("weights", "examples"), 1),
}


def environment(package, work):
    """The Python of an environment that has a package, made if it is not there."""
    directory = work / package.module
    python, stamp, wanted = directory / "bin" / "python", directory / "installed.txt", "\n".join(package.requirements)
    if not (stamp.exists() and stamp.read_text() == wanted):
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-compile", *package.requirements], check=True)
        stamp.write_text(wanted)
    return python


def ask(python, script, data, work):
    """What a script of beside/ answers to arrays by name, or the last line of its error."""
    given, answered = work / "data.npz", work / "answers.json"
    np.savez(given, **data)
    answered.unlink(missing_ok=True)
    done = subprocess.run([python, HERE / "beside" / script, given, answered], capture_output=True, text=True, env=alone())
    return json.loads(answered.read_text()) if answered.exists() else {"error": last_line(done.stderr)}


def alone():
    """One thread each, so that processor time compares."""
    return os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def last_line(text):
    """Of an error, what it says, without the paths of this machine."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].partition(" (/")[0] if lines else "no error was printed"


def imported(python, module):
    """What Python says to an import of the package as it is; None if nothing."""
    done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, text=True, env=alone())
    return last_line(done.stderr) if done.returncode else None


def beside(package, data, work):
    """The package and tdu in turns, a process each: answers of the first round, medians of times over rounds."""
    python = environment(package, work)
    asked = {name: values for name, values in data.items() if name.startswith(package.questions)}
    found = [(ask(python, f"of_{package.module}.py", asked, work), ask(sys.executable, "of_tdu.py", asked, work))
             for _ in range(package.rounds)]  # fmt: skip
    theirs, ours = ([one[k] for one in found] for k in (0, 1))
    return {
        "requirements": list(package.requirements),
        "released": package.released,
        "import_error": imported(python, package.module),
        "theirs": median_times(theirs),
        "ours": median_times(ours),
    }


def median_times(found):
    """The first of several answers, but the medians of what is a time or memory."""
    first = found[0]
    if isinstance(first, dict):
        timed = {"seconds", "peak", "loaded", "gradient"}
        return {
            name: float(np.median([one[name] for one in found]))
            if name.partition("_")[0] in timed
            else median_times([one[name] for one in found])
            for name in first
        }
    return [median_times(list(one)) for one in zip(*found, strict=True)] if isinstance(first, list) else first


def data_of(kept):
    """All that is asked about, by question and name."""
    log = samples.sizes_with_a_cutoff()
    grid, p, error = samples.tails(log)
    curves = zip(("length", "rho", "a", "error"), samples.critical_point(), strict=True)
    groups = {
        "power_law": samples.power_laws(),
        "critical": dict(curves) | {"trials": np.array(samples.TRIAL_EXPONENTS)},
        "cutoff": {"n_sites": log.n_sites, "log": log.size, "sizes": grid, "p": p, "error": error},
        "branching": {samples.named(*key): activity for key, activity in samples.branching().items()},
        "weights": kept,
        "examples": trained.examples(),
    }
    return {f"{question}/{name}": values for question, group in groups.items() for name, values in group.items()}


def runs(work):
    """The log of the runs and the weights of the watched one; trained if they are not there."""
    kept = work / "weights.npz"
    if not kept.exists():
        np.savez(kept, **trained.train_all(work / "log"))
    weights = dict(np.load(kept))
    return trained.over_time(tdu.load(work / "log"), weights), weights


def before():
    """What was measured of the packages, which stays until they are asked again."""
    return json.loads(RESULTS.read_text())["packages"] if RESULTS.exists() else {}


def main():
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", action="append", choices=PACKAGES)
    parser.add_argument("--work", type=Path, default=HERE.parent / ".venv-neighbours")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    over_time, kept = runs(options.work)
    data, planted = data_of(kept), samples.settings() | {"modulus": trained.MODULUS}
    for name in options.package or PACKAGES:
        asked = beside(PACKAGES[name], data, options.work)
        found = before() | {name: asked}
        packages = {name: found[name] for name in PACKAGES if name in found}
        results = {"provenance": files.provenance(), "packages": packages, "planted": planted, "over_time": over_time}
        files.write_json(RESULTS, results)
    neighbours_page.write(HERE)


if __name__ == "__main__":
    main()
