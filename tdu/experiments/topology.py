"""Is D of the gradient, or of the graph it is probed on?"""

from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from tdu.analysis import control, grokking, topology
from tdu.config import Scope, StudyConfig
from tdu.experiments.experiment import Experiment, Say, Table, columns, with_band
from tdu.results.panels.style import (
    DASHES,
    MARKERS,
    WIDE,
    error_bars,
    names_below,
    null_styles,
    panel_title,
    shade_grokking_window,
)
from tdu.results.published import PUBLISHED
from tdu.results.series import Topologies
from tdu.training.ensembles import train_with_fields
from tdu.types import Band, Findings, Quantity, Results


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """Synthetic fields, and the snapshots of training in shadow, on five topologies."""
    say("synthetic control")
    synthetic = control.analyse(config, control.measure(config, scope, executor))
    say("real gradients on every topology")
    shadow = train_with_fields(replace(config, alpha_train=0.0), executor)
    sizes = topology.measure(shadow, executor)
    say("intervals")
    return [grokking.analyse(shadow.log), synthetic, topology.analyse(shadow.log, sizes)]


def tables(results: Results) -> dict[str, Table]:
    """D(t) on each topology, and one row per topology of what is left of it after grokking."""
    one, synthetic = results.series_of(topology.DimensionOnGraphs), results.series_of(Topologies)
    over_time: Table = []
    for kind, fields in (("real", one.real), ("permuted", one.permuted)):
        for name, found in fields.items():
            repeated = {"topology": [name] * len(one.epoch), "field": [kind] * len(one.epoch), "epoch": one.epoch}
            over_time += columns(**repeated, **with_band(found))
    late = [results.quantities[topology.key_of(name)] for name in synthetic.name]
    null = [results.readings[topology.key_of(name)]["permuted"] for name in synthetic.name]
    summary = columns(
        topology=synthetic.name,
        **with_band(synthetic.dimension, "synthetic"),
        **{f"real {name}": [getattr(q, name) for q in late] for name in ("value", "low", "high")},
        **{f"permuted {name}": [getattr(q, name) for q in null] for name in ("value", "low", "high")},
    )
    return {"dimension": over_time, "topologies": summary}


def draw(results: Results) -> Figure:
    """(a) D(t) of real gradients on five topologies, (b) its late value beside that of permuted and synthetic fields."""
    figure = Figure(figsize=(WIDE, 2.8))
    over_time, late = figure.subplots(1, 2, width_ratios=(3, 2))
    one, synthetic = results.series_of(topology.DimensionOnGraphs), results.series_of(Topologies)
    shade_grokking_window(over_time, results)
    for dashes, (name, found) in zip(DASHES, one.real.items(), strict=True):
        over_time.plot(one.epoch, found.value, linestyle=dashes, label=name.replace("p = ", "$p = $"))
    over_time.axhline(1, color="0.35", linewidth=0.8)
    over_time.set(xlabel="epoch", ylabel="$D(t)$ of the mean size", xlim=(0, max(one.epoch[-1], 1)))
    over_time.legend(loc="lower right", ncols=2)
    panel_title(over_time, "a", "real gradients, in shadow")
    real = [results.quantities[topology.key_of(name)] for name in synthetic.name]
    null = [results.readings[topology.key_of(name)]["permuted"] for name in synthetic.name]
    styles = null_styles(["permuted", "gaussian"])
    drawn = (
        ("real", "C0", _as_band(real)),
        ("permuted", styles["permuted"].colour, _as_band(null)),
        ("synthetic Gaussian", styles["gaussian"].colour, synthetic.dimension),
    )
    for place, (label, colour, found) in enumerate(drawn):
        at = np.arange(len(found.value)) + 0.15 * (place - 1)
        late.errorbar(at, found.value, yerr=error_bars(found), fmt=MARKERS[place], color=colour, capsize=2, label=label)
    late.axhline(PUBLISHED["dimension_synthetic"].value or 1, color="0.35", linewidth=0.8, linestyle=":")
    names_below(late, synthetic.name, 40)
    late.set(ylabel="$D(t)$ after the window")
    late.legend(loc=(0.3, 0.15))
    panel_title(late, "b", "after grokking")
    return figure


def _as_band(found: list[Quantity]) -> Band:
    return Band(*(np.array([getattr(q, end) for q in found]) for end in ("value", "low", "high")))


EXPERIMENT = Experiment(measure, tables, draw)
