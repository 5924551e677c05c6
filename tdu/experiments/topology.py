"""Is D of the gradient, or of the graph it is probed on?"""

from concurrent.futures import Executor
from dataclasses import replace

from matplotlib.figure import Figure

from tdu.analysis import control, grokking, topology
from tdu.config import Scope, StudyConfig
from tdu.ensembles import train_all
from tdu.experiments.experiment import Experiment, Say, Table, columns, with_band
from tdu.panels import WIDE, error_bars, panel_title, shade_grokking_window
from tdu.published import PUBLISHED
from tdu.types import Findings, Results


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """Synthetic fields, and the snapshots of training in shadow, on five topologies."""
    say("synthetic control")
    synthetic = control.analyse(config, control.measure(config, scope, executor))
    say("real gradients on every topology")
    shadow = train_all(replace(config, alpha_train=0.0), executor)
    sizes = topology.measure(config, executor)
    say("intervals")
    return [grokking.analyse(shadow), synthetic, topology.analyse(shadow, sizes)]


def tables(results: Results) -> dict[str, Table]:
    """D(t) on each topology, and one row a topology of what is left of it after grokking."""
    of, synthetic = results.series["on_graphs"], results.series["topologies"]
    over_time: Table = []
    for kind in ("real", "permuted"):
        for name, found in of[kind].items():
            repeated = {"topology": [name] * len(of["epoch"]), "field": [kind] * len(of["epoch"]), "epoch": of["epoch"]}
            over_time += columns(**repeated, **with_band(found))
    late = [results.quantities[topology.key_of(name)] for name in synthetic["name"]]
    null = [results.readings[topology.key_of(name)]["permuted"] for name in synthetic["name"]]
    summary = columns(
        topology=synthetic["name"],
        **with_band({"value": synthetic["dimension"], **{k: synthetic[k] for k in ("low", "high")}}, "synthetic"),
        **{f"real {name}": [getattr(q, name) for q in late] for name in ("value", "low", "high")},
        **{f"permuted {name}": [getattr(q, name) for q in null] for name in ("value", "low", "high")},
    )
    return {"dimension": over_time, "topologies": summary}


def draw(results: Results) -> Figure:
    """D(t) of real gradients on five topologies, and its late value beside that of permuted and synthetic fields."""
    figure = Figure(figsize=(WIDE, 2.8))
    over_time, late = figure.subplots(1, 2, width_ratios=(3, 2))
    of, synthetic = results.series["on_graphs"], results.series["topologies"]
    shade_grokking_window(over_time, results)
    for name, found in of["real"].items():
        over_time.plot(of["epoch"], found["value"], label=name)
    over_time.axhline(1, color="0.35", linewidth=0.8)
    over_time.set(xlabel="epoch", ylabel="$D(t)$ of the mean size", xlim=(0, max(of["epoch"][-1], 1)))
    over_time.legend(loc="lower right", ncols=2)
    panel_title(over_time, "a", "real gradients, in shadow")
    real = [results.quantities[topology.key_of(name)] for name in synthetic["name"]]
    null = [results.readings[topology.key_of(name)]["permuted"] for name in synthetic["name"]]
    for offset, label, colour, found in ((-0.15, "real", "C0", real), (0.0, "permuted", "C1", null)):
        value, low, high = ([getattr(q, part) for q in found] for part in ("value", "low", "high"))
        at = [i + offset for i in range(len(value))]
        late.errorbar(at, value, yerr=error_bars(value, low, high), fmt="o", color=colour, capsize=2, label=label)
    at = [i + 0.15 for i in range(len(synthetic["name"]))]
    bars = error_bars(synthetic["dimension"], synthetic["low"], synthetic["high"])
    late.errorbar(at, synthetic["dimension"], yerr=bars, fmt="s", color="C6", capsize=2, label="synthetic Gaussian")
    late.axhline(PUBLISHED["dimension_synthetic"].value or 1, color="0.35", linewidth=0.8, linestyle=":")
    late.set_xticks(range(len(synthetic["name"])), [n.replace("small world, ", "SW ") for n in synthetic["name"]], rotation=40)
    late.set(ylabel="$D(t)$ after the window")
    late.legend(loc=(0.3, 0.15))
    panel_title(late, "b", "after grokking")
    return figure


EXPERIMENT = Experiment(measure, tables, draw)
