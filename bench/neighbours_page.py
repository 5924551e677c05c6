"""NEIGHBOURS.md from neighbours.json, no number typed by hand: ``python bench/neighbours_page.py`` renders it again."""

import json
import re
from pathlib import Path

import numpy as np
import pages

from tdu.results.pages import Source, render

#: As the page calls them, and what asks for the weights of the run.
TITLES = {"pyfssa": "pyfssa", "weightwatcher": "WeightWatcher", "pyhessian": "PyHessian"}
OF_WEIGHTS = ("weightwatcher", "pyhessian", "devinterp")
NOT_RUN = "–"


def versions(packages):
    """Which version of every package was asked, and whether it runs."""
    rows = []
    for found in packages.values():
        _, *others = found["theirs"].get("versions", {"": ""}).items()
        rows.append(
            {
                "package": f"`{found['requirements'][0]}`",
                "last release": found["released"],
                "beside": ", ".join(" ".join(other) for other in others) or NOT_RUN,
                "as pip installs it": f"`{found['import_error']}`" if found["import_error"] else "runs",
                "memory, with what it imports": mebibytes(found["theirs"]),
                "tdu's": mebibytes(found["ours"]),
            }
        )
    return rows


def mebibytes(report):
    """The most memory of a process, and how much of it was there before it was asked anything."""
    if "memory" not in report:
        return NOT_RUN
    peak, loaded = (report["memory"][name] / 2**20 for name in ("peak", "loaded"))
    return f"{peak:.0f} MiB ({loaded:.0f} at first)"


def plus_minus(value, error, digits=3):
    """A value with its standard error, which may be unknown."""
    return f"{value:.{digits}f} ± {'unknown' if error is None else f'{error:.{digits}f}'}"


def with_interval(found, digits=3):
    """A value with its 95 % interval; a list of the three will do."""
    value, low, high = (found[name] for name in ("value", "low", "high")) if isinstance(found, dict) else found
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def power_laws(found):
    """Fits of every sample."""
    rows = []
    for name, ours in found["ours"]["answers"]["power_law"].items():
        theirs = found["theirs"]["answers"][name]
        for who, fit in (("powerlaw", theirs), ("powerlaw, α to 50", theirs["wide"]), ("tdu", ours)):
            rows.append(
                {
                    "sample": name,
                    "by": who,
                    "α": plus_minus(fit["alpha"], fit["stderr"]),
                    "x_min": str(fit["xmin"]),
                    "in the tail": f"{fit['n_tail']:,}",
                    "KS distance": f"{fit['ks']:.3f}",
                    "R over log-normal (p)": likelier(fit, "lognormal"),
                    "R over exponential (p)": likelier(fit, "exponential"),
                    "decades": f"{fit['decades']:.2f}" if "decades" in fit else NOT_RUN,
                    "time": pages.seconds(fit["seconds"]),
                }
            )
    return rows


def likelier(fit, other):
    """A likelihood ratio with its p."""
    return f"{fit[other]['ratio']:.2f} ({fit[other]['p']:.2g})" if other in fit else NOT_RUN


def collapses(found, trials):
    """S at exponents that are given."""
    pairs = zip(trials, found["theirs"]["answers"]["qualities"], found["ours"]["answers"]["critical"], strict=True)
    return [
        {
            "ρ_c, ν, ζ": ", ".join(f"{exponent:g}" for exponent in trial),
            "S, pyfssa": f"{theirs['value']:.3f}",
            "S, tdu": f"{ours['value']:.3f}",
            "they differ by": f"{abs(theirs['value'] - ours['value']):.0e}",
            "time, pyfssa": pages.seconds(theirs["seconds"]),
            "time, tdu": pages.seconds(ours["seconds"]),
        }
        for trial, theirs, ours in pairs
    ]


def exponents(found, planted):
    """Exponents of planted collapses, of which each package says other ones."""
    critical, cutoff = (found["theirs"]["answers"][name] for name in ("critical", "cutoff"))
    ours, rows = found["ours"]["answers"]["cutoff"], []

    def add(name, truth, of_fssa, of_tdu, taken, ours_taken):
        numbers = {"planted": f"{planted[truth]:g}", "pyfssa": of_fssa, "tdu": of_tdu}
        times = {"time, pyfssa": pages.seconds(taken), "time, tdu": pages.seconds(ours_taken)}
        rows.append({"exponent": name} | numbers | times)

    for name, truth, key in (("ρ_c", "rho_c", "rho"), ("ν", "nu", "nu"), ("ζ", "zeta", "zeta")):
        add(name, truth, plus_minus(critical[key], critical[f"d{key}"], 4), NOT_RUN, critical["seconds"], None)
    of_collapse, of_means = (with_interval(ours[how]) for how in ("collapse", "regression"))
    of_fssa = plus_minus(cutoff["dimension"], cutoff["stderr"])
    add("D of the best collapse", "dimension", of_fssa, of_collapse, cutoff["seconds"], ours["seconds"])
    add("D of mean sizes, by regression", "dimension", NOT_RUN, of_means, None, ours["seconds_regression"])
    return rows


def branching(found):
    """Branching ratios of planted processes."""
    return [
        {
            "process": name,
            "mrestimator": plus_minus(found["theirs"]["answers"][name]["m"], found["theirs"]["answers"][name]["stderr"]),
            "tdu": with_interval(ours),
            "time, mrestimator": pages.seconds(found["theirs"]["answers"][name]["seconds"]),
            "time, tdu": pages.seconds(ours["seconds"]),
        }
        for name, ours in found["ours"]["answers"]["branching"].items()
    ]


def of_branching(found):
    """The largest errors of both for what is driven once, and where the interval of tdu does not hold m."""
    ours, theirs = found["ours"]["answers"]["branching"], found["theirs"]["answers"]
    once = {name: float(re.search(r"m = ([\d.]+)", name)[1]) for name in ours if name.startswith("driven once")}
    missed = sorted({m for name, m in once.items() if not ours[name]["low"] <= m <= ours[name]["high"]})
    return {
        "ratio_error": f"{max(abs(ours[name]['value'] - m) for name, m in once.items()):.3f}",
        "multistep_error": f"{max(abs(theirs[name]['m'] - m) for name, m in once.items()):.3f}",
        "ratio_missed": " and ".join(f"m = {m:g}" for m in missed) or "no m",
    }


def over_time(results):
    """All of one run, step by step, and D of the log that it is in."""
    found, packages = results["over_time"], results["packages"]
    weights, curvature, learning = (packages[name]["theirs"].get("answers", {}) for name in OF_WEIGHTS)
    rows = []
    for k, step in enumerate(found["step"]):
        of_layers, of_loss, of_chains = (answers.get(str(step)) for answers in (weights, curvature, learning))
        signs = found["spectral_signs"][k]
        layers = [of_layers[name] for name in ("hidden", "readout")] if of_layers else []
        rows.append(
            {
                "step": str(step),
                "test accuracy": f"{found['test_accuracy'][k]:.2f}",
                "loss": f"{found['loss'][k]:.2g}",
                "D": with_interval(found["dimension"][k], 2),
                "D − D of `blocks`": with_interval(found["excess"][k]),
                "ε (z)": "{:.3f} ({:.1f})".format(*found["epsilon"][k]),
                "S of signs": NOT_RUN if signs is None else f"{signs:.3f}",
                "effective rank": f"{found['effective_rank'][k]:.1f}",
                "α of layers": ", ".join(f"{layer['alpha']:.1f}" for layer in layers) or NOT_RUN,
                "stable rank of layers": ", ".join(f"{layer['stable_rank']:.1f}" for layer in layers) or NOT_RUN,
                "largest eigenvalue": f"{of_loss['top']:.2g}" if of_loss else NOT_RUN,
                "trace": f"{of_loss['trace']:.2g} ± {of_loss['stderr']:.1g}" if of_loss else NOT_RUN,
                "local learning coefficient": plus_minus(of_chains["llc"], of_chains["sd"], 0) if of_chains else NOT_RUN,
            }
        )
    return rows


def costs(packages):
    """Time of a snapshot and memory, beside a gradient."""
    ours = packages["pyhessian"]["ours"]
    of_tdu = ours["answers"]["weights"]
    rows = [("tdu, with 2 × 4 draws and spectra", of_tdu["seconds"], ours)]
    for name in OF_WEIGHTS:
        theirs = packages[name]["theirs"]
        taken = [one["seconds"] for one in theirs.get("answers", {}).values()]
        rows.append((TITLES.get(name, name), float(np.median(taken)) if taken else None, theirs))
    return [
        {
            "what": what,
            "time of a snapshot": pages.seconds(seconds),
            "in gradients of the full batch": NOT_RUN if seconds is None else number(seconds / of_tdu["gradient"]),
            "memory": mebibytes(report),
        }
        for what, seconds, report in rows
    ]


def number(value):
    """Two figures, or as many as a whole number has."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def source(results):
    """What the page quotes."""
    packages, of_run = results["packages"], results["over_time"]
    fssa = packages["pyfssa"]
    pairs = zip(fssa["theirs"]["answers"]["qualities"], fssa["ours"]["answers"]["critical"], strict=True)
    in_turn = [theirs["seconds"] / ours["seconds"] for theirs, ours in pairs]
    laws = packages["powerlaw"]
    theirs, ours = laws["theirs"]["answers"], laws["ours"]["answers"]["power_law"]
    ratios = [theirs[name]["seconds"] / ours[name]["seconds"] for name in ours]
    planted = results["planted"]
    texts = {
        "sizes": f"{planted['sizes']:,}",
        "xor_width": str(planted["width"]),
        "xor_runs": str(planted["runs"]),
        "modulus": str(planted["modulus"]),
        **of_branching(packages["mrestimator"]),
        **{how: "{} trials of {:,} steps".format(*planted[how]) for how in ("driven", "once")},
        "cpu": results["provenance"]["cpu"],
        "python": results["provenance"]["python"],
        "tdu": results["provenance"]["packages"]["tdu-ofc"],
        "numpy": results["provenance"]["packages"]["numpy"],
        "n_sites": ", ".join(f"{n:,}" for n in of_run["n_sites"]),
        "watched": f"{of_run['watched']:,}",
        "runs": str(of_run["runs"]),
        "fssa_error": f"`{fssa['import_error']}`",
        "collapse_times": f"{np.median(in_turn):.0f}",
        "power_law_times": f"{min(ratios):.0f} to {max(ratios):.0f}",
    }
    tables = {
        "versions": versions(packages),
        "power_laws": power_laws(laws),
        "collapses": collapses(fssa, planted["trials"]),
        "exponents": exponents(fssa, planted),
        "branching": branching(packages["mrestimator"]),
        "over_time": over_time(results),
        "costs": costs(packages),
    }
    return Source({}, tables=tables, texts=texts)


def page(directory):
    """The page, from what lies in `directory`."""
    results = json.loads((directory / "neighbours.json").read_text())
    return render((directory / "neighbours.template.md").read_text(), {"": source(results)})


def write(directory):
    """Render NEIGHBOURS.md in `directory`."""
    (directory / "NEIGHBOURS.md").write_text(page(directory))


if __name__ == "__main__":
    write(Path(__file__).parent)
