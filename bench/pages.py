"""README.md from results.json: no number in it is typed by hand. ``python bench/pages.py`` renders it again."""

import json
from pathlib import Path

import numpy as np

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def seconds(value):
    """A time in the unit that suits it."""
    if value is None:
        return "–"
    scale, unit = next(((scale, unit) for scale, unit in _UNITS if value >= scale), _UNITS[-1])
    return f"{value / scale:.3g} {unit}"


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def times(value):
    """A ratio."""
    return "–" if value is None else f"{value:.2f}"


def both(value):
    """A ratio: median, and between the best of each."""
    return f"{value['median']:.2f} ({value['least']:.2f})"


def probes(results):
    """Time a probe in every way."""
    ways = ["tdu", "tdu, 2 threads", "C", "C, 2 threads", "C, first draft", "scipy.sparse", "NumPy", "PyTorch", "networkx"]
    rows = [
        [row["workload"], *(seconds(row["seconds"].get(way, {}).get("median")) for way in ways), seconds(row["bound"])]
        for row in results["probes"]
    ]
    return table(["field", *ways, "bound"], rows)


def ratios(results):
    """Ratios and rates of the probe."""
    head = [
        "field",
        "of C's time",
        "of C's first draft",
        "of the bound",
        "1 thread of 2 (at best)",
        "arithmetic, 1 of 2",
        "topplings/s",
        "edges/s",
        "a random add",
    ]
    rows = []
    for row in results["probes"]:
        taken = row["seconds"]["tdu"]["median"]
        rates = [f"{row['topplings'] / taken:.2g}", f"{row['pushes'] / taken:.2g}", seconds(row["random_add"])]
        named = ("ratio_to_c", "ratio_to_first_draft", "ratio_to_bound")
        threads = both(row["two_threads"]), both(row["arithmetic"])
        rows.append([row["workload"], *(times(row[name]) for name in named), *threads, *rates])
    return table(head, rows)


def slopes(results):
    """Log–log slopes of the time a probe against N from 10⁵ on, Gaussian fields, and the largest N.

    As measured; with the time taken off by which what the bound counts, random additions and two passes, is dearer than at 10⁵;
    and divided by the cost of an addition, as if nothing else took time.
    """
    large = [row for row in results["probes"] if row["workload"].startswith("Gaussian") and row["n_sites"] >= 100_000]
    points = [(row["n_sites"], row["seconds"]["tdu"]["median"], row["random_add"], row["read"]) for row in large]
    points += [
        (row["n_sites"], row["probed"], row["random_add"], row["read"])
        for row in results["memory"]
        if row["n_sites"] > points[-1][0]
    ]
    n, taken, add, read = np.array(points).T
    pushes = n * large[-1]["pushes"] / large[-1]["n_sites"]
    dearer = pushes * (add - add[0]) + 2 * n * (read - read[0])
    found = (np.polyfit(np.log(n), np.log(t), 1)[0] for t in (taken, taken - dearer, taken * add[0] / add))
    return [f"{slope:.2f}" for slope in found], f"{int(n[-1]):,}"


def grids(results):
    """The grid of the paper and the many runs."""
    of = results["grids"]
    head = ["job", "tdu", "tdu, 2 threads", "C", "C, 2 threads", "of C's time", "of C's, 2 threads"]
    head += ["1 thread of 2 (at best)", "arithmetic, 1 of 2"]
    jobs = {
        "grid": "48 runs, a probe every epoch",
        "grid, Gini": "the same, and the Gini coefficient at every epoch",
        "many": "1000 runs of h = 21, a probe every 10 epochs, Gini coefficient at every epoch",
    }
    rows = []
    for name, label in jobs.items():
        taken = of[name]["seconds"]
        cells = [seconds(taken[way]["median"]) for way in ("tdu, 1", "tdu, 2", "C, 1", "C, 2")]
        ratios = [times(of[name][key]) for key in ("ratio_to_c_1", "ratio_to_c_2")]
        rows.append([label, *cells, *ratios, both(of[name]["two_threads"]), both(of[name]["arithmetic"])])
    return table(head, rows)


def trainings(results):
    """Epochs a second of the transformers."""
    ways = [f"{who}, {threads}" for who in ("tdu", "PyTorch") for threads in (1, 2)]
    head = ["d", "N", *(f"{way} thread{'s' * (way[-1] == '2')}" for way in ways), "times PyTorch", "on 2 threads"]
    rows = []
    for row in results["trainings"]:
        rates = [f"{1 / row['seconds'][way]['median']:.0f}" if way in row["seconds"] else "–" for way in ways]
        rows.append([row["width"], f"{row['n_sites']:,}", *rates, *(times(row[f"times_torch_{k}"]) for k in (1, 2))])
    return table(head, rows)


def torch_line(results):
    """What PyTorch and networkx take for the grid."""
    other = results["grids"].get("torch_networkx")
    if other is None:
        return "PyTorch and networkx were not installed."
    taken, ratio = seconds(other["seconds"]["median"]), other["ratio"]
    return (
        "PyTorch for the network and networkx for the avalanche, as one would write it first, take "
        f"{taken} for that grid without the Gini coefficient, recording what C records (a run of each scale, times six): "
        f"{ratio['median']:.0f} times ours on two threads, {ratio['least']:.0f} times between the best rounds."
    )


def parts(results):
    """Thresholds, graphs, nulls and bootstraps."""
    of = results["parts"]
    threshold = [
        [f"{row['n_sites']:,}", *(seconds(row["seconds"][way]["median"]) for way in ("np.quantile", "tdu", "tdu, guessed")),
         times(row["ratio"])]
        for row in of["threshold"]
    ]  # fmt: skip
    graph = [
        [f"{row['n_sites']:,}", *(seconds(row["seconds"][way]["median"]) for way in ("tdu", "igraph")), f"{row['ratio']:.0f}"]
        for row in of["graph"]
    ]
    boot = ", ".join(
        f"{seconds(of['bootstrap'][how]['median'])} {what}"
        for how, what in (("mean", "of means"), ("maximum", "of maxima"), ("runs", "with the runs handed over"))
    )
    null = ", ".join(f"{name} {seconds(taken['median'])}" for name, taken in of["nulls"].items())
    return "\n\n".join(
        [
            "**Threshold** of one field, beside `np.quantile`:",
            table(["N", "np.quantile", "tdu", "tdu, guessed from the last epoch", "of np.quantile's time"], threshold),
            "**Barabási–Albert graphs**, m = 2, adjacency arrays included:",
            table(["N", "tdu", "igraph, converted", "times"], graph),
            f"**Bootstrap**, 10,000 resamples of 48 runs: {boot}. **Nulls** of one field of 2,001 sites: {null}.",
        ]
    )


def start_up(results):
    """Start-up and compilation."""
    of = results["start_up"]
    warm = table(["command, compiled", "time"], [[f"`{name}`", seconds(taken["median"])] for name, taken in of["warm"].items()])
    cold = table(["command, nothing compiled", "time"], [[f"`{name}`", seconds(taken)] for name, taken in of["cold"].items()])
    return f"{warm}\n\n{cold}"


def memory(results):
    """Bytes a site."""
    rows = [
        [f"{row['n_sites']:,}", f"{row['graph']:.0f}", f"{row['all']:.0f}", seconds(row["grown"]), seconds(row["probed"])]
        for row in results["memory"]
    ]
    return table(["N", "graph, while it grows (bytes a site)", "with field and avalanche", "growing", "one probe"], rows)


def stages(results):
    """Where `tdu reproduce` spends its time."""
    rows = [[row["stage"], seconds(row["cpu"]), seconds(row["wall"])] for row in results["stages"]]
    total = [sum(row[what] for row in results["stages"]) for what in ("cpu", "wall")]
    return table(["stage", "CPU", "wall"], [*rows, ["all", *map(seconds, total)]])


def page(results, template):
    """The page."""
    (measured, taken_off, divided), largest = slopes(results)
    one = results["one_field"]
    fill = {
        "cpu": results["provenance"]["cpu"],
        "python": results["provenance"]["python"],
        "numba": results["provenance"]["packages"]["numba"],
        "probes": probes(results),
        "ratios": ratios(results),
        "slope": measured,
        "slope_taken_off": taken_off,
        "slope_divided": divided,
        "largest": largest,
        "one_alone": seconds(one["seconds"]["1"]["median"]),
        "one_shared": seconds(one["seconds"]["2"]["median"]),
        "one_ratio": both(one["two_threads"]),
        "adds_ratio": both(one["random_adds_two_threads"]),
        "reads_ratio": both(one["reads_two_threads"]),
        "arithmetic_ratio": both(one["arithmetic"]),
        "one_n": f"{one['n_sites']:,}",
        "grids": grids(results),
        "torch": torch_line(results),
        "trainings": trainings(results),
        "parts": parts(results),
        "start_up": start_up(results),
        "memory": memory(results),
        "stages": stages(results),
        "reproduce": seconds(results["reproduce"]["median"]),
        "reproduce_least": seconds(results["reproduce"]["least"]),
    }
    for name, text in fill.items():
        template = template.replace("{{" + name + "}}", text)
    return template


def write(directory):
    """Render README.md in `directory`."""
    results = json.loads((directory / "results.json").read_text())
    (directory / "README.md").write_text(page(results, (directory / "README.template.md").read_text()))


if __name__ == "__main__":
    write(Path(__file__).parent)
