"""README.md from results.json: no number in it is typed by hand. ``python bench/pages.py`` renders it again."""

import json
from pathlib import Path

import numpy as np

from tdu.results.pages import Source, render

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def seconds(value):
    """A time in the unit that suits it."""
    if value is None:
        return "–"
    scale, unit = next(((scale, unit) for scale, unit in _UNITS if value >= scale), _UNITS[-1])
    return f"{value / scale:.3g} {unit}"


def median(taken, way):
    """The median time of one way, if it was measured."""
    return seconds(taken[way]["median"] if way in taken else None)


def times(value):
    """A ratio."""
    return "–" if value is None else f"{value:.2f}"


def both(value):
    """A ratio: median, and between the best of each."""
    return f"{value['median']:.2f} ({value['least']:.2f})"


def probes(results):
    """Time a probe in every way."""
    ways = ["tdu", "tdu, 2 threads", "C", "C, 2 threads", "C, first draft", "scipy.sparse", "NumPy", "PyTorch", "networkx"]
    return [
        {"field": row["workload"], **{way: median(row["seconds"], way) for way in ways}, "bound": seconds(row["bound"])}
        for row in results["probes"]
    ]


def ratios(results):
    """Ratios and rates of the probe."""
    rows = []
    for row in results["probes"]:
        taken = row["seconds"]["tdu"]["median"]
        rows.append(
            {
                "field": row["workload"],
                "of C's time": times(row["ratio_to_c"]),
                "of C's first draft": times(row["ratio_to_first_draft"]),
                "of the bound": times(row["ratio_to_bound"]),
                "1 thread of 2 (at best)": both(row["two_threads"]),
                "arithmetic, 1 of 2": both(row["arithmetic"]),
                "topplings/s": f"{row['topplings'] / taken:.2g}",
                "edges/s": f"{row['pushes'] / taken:.2g}",
                "a random add": seconds(row["random_add"]),
            }
        )
    return rows


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
    jobs = {
        "grid": "48 runs, a probe every epoch",
        "grid, Gini": "the same, and the Gini coefficient at every epoch",
        "many": "1000 runs of h = 21, a probe every 10 epochs, Gini coefficient at every epoch",
    }
    rows = []
    for name, label in jobs.items():
        found = results["grids"][name]
        rows.append(
            {
                "job": label,
                "tdu": median(found["seconds"], "tdu, 1"),
                "tdu, 2 threads": median(found["seconds"], "tdu, 2"),
                "C": median(found["seconds"], "C, 1"),
                "C, 2 threads": median(found["seconds"], "C, 2"),
                "of C's time": times(found["ratio_to_c_1"]),
                "of C's, 2 threads": times(found["ratio_to_c_2"]),
                "1 thread of 2 (at best)": both(found["two_threads"]),
                "arithmetic, 1 of 2": both(found["arithmetic"]),
            }
        )
    return rows


def trainings(results):
    """Epochs a second of the transformers."""
    ways = [(f"{who}, {threads}", "s" * (threads == 2)) for who in ("tdu", "PyTorch") for threads in (1, 2)]
    return [
        {
            "d": str(row["width"]),
            "N": f"{row['n_sites']:,}",
            **{
                f"{way} thread{plural}": f"{1 / row['seconds'][way]['median']:.0f}" if way in row["seconds"] else "–"
                for way, plural in ways
            },
            "times PyTorch": times(row["times_torch_1"]),
            "on 2 threads": times(row["times_torch_2"]),
        }
        for row in results["trainings"]
    ]


def torch_line(results):
    """What PyTorch and networkx take for the grid."""
    other = results["grids"].get("torch_networkx")
    if other is None:
        return "PyTorch or networkx was not installed."
    taken, ratio = seconds(other["seconds"]["median"]), other["ratio"]
    return (
        "PyTorch for the network and networkx for the avalanche, as one would write it first, take "
        f"{taken} for that grid without the Gini coefficient, recording what C records (a run of each scale, times six): "
        f"{ratio['median']:.0f} times ours on two threads, {ratio['least']:.0f} times between the best rounds."
    )


def thresholds(results):
    """The threshold of one field."""
    return [
        {
            "N": f"{row['n_sites']:,}",
            "np.quantile": median(row["seconds"], "np.quantile"),
            "tdu": median(row["seconds"], "tdu"),
            "tdu, guessed from the last epoch": median(row["seconds"], "tdu, guessed"),
            "of np.quantile's time": times(row["ratio"]),
        }
        for row in results["parts"]["threshold"]
    ]


def graphs(results):
    """Growing a graph."""
    return [
        {
            "N": f"{row['n_sites']:,}",
            "tdu": median(row["seconds"], "tdu"),
            "igraph, converted": median(row["seconds"], "igraph"),
            "times": f"{row['ratio']:.0f}",
        }
        for row in results["parts"]["graph"]
    ]


def memory(results):
    """Bytes a site."""
    return [
        {
            "N": f"{row['n_sites']:,}",
            "graph, while it grows (bytes a site)": f"{row['graph']:.0f}",
            "with field and avalanche": f"{row['all']:.0f}",
            "growing": seconds(row["grown"]),
            "one probe": seconds(row["probed"]),
        }
        for row in results["memory"]
    ]


def stages(results):
    """Where `tdu reproduce` spends its time."""
    total = {"stage": "all", **{what: sum(row[what] for row in results["stages"]) for what in ("cpu", "wall")}}
    return [
        {"stage": row["stage"], "CPU": seconds(row["cpu"]), "wall": seconds(row["wall"])} for row in [*results["stages"], total]
    ]


def in_brief(results):
    """Of a run on one kind of processor, the ratios that were aimed at, and what made it."""
    grids, made = results["grids"], results["provenance"]
    return {
        "commit": made["commit"],
        "created": made["created"],
        "probes": [row["ratio_to_c"] for row in results["probes"]],
        "grid": [grids["grid"]["ratio_to_c_1"], grids["grid"]["ratio_to_c_2"]],
        "grid_gini": [grids["grid, Gini"]["ratio_to_c_1"], grids["grid, Gini"]["ratio_to_c_2"]],
        "many": [grids["many"]["ratio_to_c_1"], grids["many"]["ratio_to_c_2"]],
        "nulls": max(ratio["median"] for ratio in results["parts"]["nulls"]["ratios"].values()),
        "one_field": results["one_field"]["two_threads"]["median"],
        "price_of_bits": results["price_of_bits"]["ratio"]["median"],
        "reproduce": results["reproduce"]["median"],
    }


def in_brief_by_processor(directory):
    """The last run in brief on every kind of processor there was, by its name."""
    return json.loads((directory / "processors.json").read_text())["processors"]


def processors(briefs):
    """A row for every kind of processor."""

    def ratios(values):
        return " and ".join(map(times, values))

    return [
        {
            "processor": name,
            "on": brief["created"][:10],
            "at": brief["commit"][:7],
            "a probe, of C's time": f"{min(brief['probes']):.2f} to {max(brief['probes']):.2f}",
            "grid, 1 and 2 threads": ratios(brief["grid"]),
            "with Gini": ratios(brief["grid_gini"]),
            "1000 runs": ratios(brief["many"]),
            "a null at most": times(brief["nulls"]),
            "10⁷ on two threads": times(brief["one_field"]),
            "equal bits": times(brief["price_of_bits"]),
            "`reproduce`": seconds(brief["reproduce"]),
        }
        for name, brief in sorted(briefs.items())
    ]


def source(results, briefs):
    """What the page quotes."""
    (measured, taken_off, divided), largest = slopes(results)
    one, parts, start_up = results["one_field"], results["parts"], results["start_up"]
    by_c = results["trained"]["cpu"] / results["grids"]["grid"]["ratio_to_c_1"]
    texts = {
        "cpu": results["provenance"]["cpu"],
        "python": results["provenance"]["python"],
        "numba": results["provenance"]["packages"]["numba"],
        "slope": measured,
        "slope_taken_off": taken_off,
        "slope_divided": divided,
        "largest": largest,
        "one_alone": median(one["seconds"], "1"),
        "one_shared": median(one["seconds"], "2"),
        "one_ratio": both(one["two_threads"]),
        "adds_ratio": both(one["random_adds_two_threads"]),
        "reads_ratio": both(one["reads_two_threads"]),
        "arithmetic_ratio": both(one["arithmetic"]),
        "one_n": f"{one['n_sites']:,}",
        "torch": torch_line(results),
        "bootstrap": ", ".join(
            f"{median(parts['bootstrap'], how)} {what}"
            for how, what in (("mean", "of means"), ("maximum", "of maxima"), ("runs", "with the runs handed over"))
        ),
        "nulls": ", ".join(f"`{name}` {both(times)}" for name, times in parts["nulls"]["ratios"].items()),
        "null_real": median(parts["nulls"]["seconds"], "real"),
        "reproduce": seconds(results["reproduce"]["median"]),
        "reproduce_least": seconds(results["reproduce"]["least"]),
        "bits_equal": median(results["price_of_bits"]["seconds"], "equal"),
        "bits_free": median(results["price_of_bits"]["seconds"], "free"),
        "bits_ratio": both(results["price_of_bits"]["ratio"]),
        "trained_runs": f"{results['trained']['runs']:,}",
        "trained": seconds(results["trained"]["cpu"]),
        "trained_by_c": seconds(by_c),
        "least_reproduce": seconds(by_c / 2),
    }
    tables = {
        "probes": probes(results),
        "ratios": ratios(results),
        "grids": grids(results),
        "trainings": trainings(results),
        "threshold": thresholds(results),
        "graph": graphs(results),
        "warm": [
            {"command, compiled": f"`{name}`", "time": median(start_up["warm"], name)} for name in start_up["warm"]
        ],
        "cold": [
            {"command, nothing compiled": f"`{name}`", "time": seconds(taken)} for name, taken in start_up["cold"].items()
        ],
        "memory": memory(results),
        "stages": stages(results),
        "processors": processors(briefs),
    }  # fmt: skip
    return Source({}, tables=tables, texts=texts)


def page(results, briefs, template):
    """The page."""
    return render(template, {"": source(results, briefs)})


def write(directory):
    """Render README.md in `directory`."""
    results, template = json.loads((directory / "results.json").read_text()), (directory / "README.template.md").read_text()
    (directory / "README.md").write_text(page(results, in_brief_by_processor(directory), template))


if __name__ == "__main__":
    write(Path(__file__).parent)
