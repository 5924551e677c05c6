"""The figure of `arrangement`: what each probe detects, and what the statistics do over training."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from tdu.experiments.arrangement_power import NEAREST, OWN_GRAPH, Powers
from tdu.experiments.arrangement_runs import CONTROLS, MEASURED, ON_BA, XOR
from tdu.experiments.arrangement_series import Changes
from tdu.results.panels.style import DASHES, WIDE, panel_title
from tdu.types import Results

_COLOURS = {"ba": "C0", "ring": "C1", "units": "C2", "rook": "C3"}
_LINES = {"ranked": "-", "Moran": DASHES[0], "values": DASHES[1], "concordance": DASHES[2]}
_WORDS = {"ranked": "avalanche", "Moran": "Moran's $I$ of $|g|$", "values": "Moran's $I$ of $g$", "concordance": "concordance"}
_PLANTS = (
    ("values", "within units: values"),
    ("magnitudes", "within units: $|g|$"),
    ("signs", "within units: signs"),
    (OWN_GRAPH, "along the graph itself"),
    ("rank 1", "matrix: rank 1"),
    ("row scale", "matrix: row scale"),
)
_TASKS = dict(zip((XOR, *CONTROLS), ("C0", "C1", "C2", "C4", "0.5"), strict=True))
_TITLES = dict(
    zip(
        MEASURED,
        (r"$\varepsilon$ over blocks", r"$\varepsilon$ over signs", "Moran's $I$ of $|g|$", "concordance", "Moran's $I$ of $g$",
         r"BA: $\varepsilon$ over blocks", r"BA: $\varepsilon$ over signs"),
        strict=True,
    )
)  # fmt: skip
_OVER_TRAINING = (MEASURED[0], MEASURED[2], MEASURED[4], ON_BA[0])


def draw(results: Results) -> Figure:
    """(a–f) Power at six runs; (g–j) XOR and its controls on `units`, (k–n) transformers on `rook`, and both on BA."""
    figure = Figure(figsize=(WIDE, 8.2))
    top, middle, bottom = figure.subfigures(3, 1, squeeze=False, height_ratios=(2, 1.1, 1.1))[:, 0]
    found = results.series_of(Powers)
    panels = top.subplots(2, 3, sharex=True, sharey=True)
    for axes, letter, (plant, title) in zip(panels.ravel(), "abcdef", _PLANTS, strict=True):
        _draw_power(axes, found, plant)
        panel_title(axes, letter, title)
    for axes in panels[-1]:
        axes.set_xlabel(r"strength $\rho$")
    for axes in panels[:, 0]:
        axes.set_ylabel("power, six runs")
    handles = [Line2D([], [], color=colour, label=name.upper() if name == "ba" else name) for name, colour in _COLOURS.items()]
    handles += [Line2D([], [], color="0.35", linestyle=line, label=_WORDS[name]) for name, line in _LINES.items()]
    top.legend(handles=handles, loc="outside upper center", ncols=4)
    groups = results.all_of(Changes)
    xor, networks = groups[: len(_TASKS)], groups[len(_TASKS) :]
    _draw_training(middle, "ghij", xor, list(_TASKS.values()), "units")
    _draw_training(bottom, "klmn", networks, ["C0", "C1"], "rook")
    return figure


def _draw_power(axes: Axes, found: Powers, plant: str) -> None:
    """Every statistic on graphs that mean something; on others the avalanche alone, but where the plant lies along them."""
    for graph, colour in _COLOURS.items():
        for statistic, line in _LINES.items():
            rows = [one for one in found.detected if (one.plant, one.graph, one.statistic) == (plant, graph, statistic)]
            shown = statistic == "ranked" or (graph in ("units", "rook") and plant != OWN_GRAPH) or statistic == "values"
            if rows and shown and graph != NEAREST:
                power = [one.power.value for one in rows]
                axes.plot([one.strength for one in rows], power, color=colour, linestyle=line, marker="o", markersize=2.5)
    axes.axhline(0.05, color="0.35", linewidth=0.6, linestyle=":")
    axes.set(ylim=(0, 1.03), xlim=(0, None))


def _draw_training(figure: SubFigure, letters: str, groups: list[Changes], colours: list[str], graph: str) -> None:
    """Means over widths and runs, within 1.96 standard errors."""
    panels = figure.subplots(1, len(_OVER_TRAINING), sharex=True)
    for axes, letter, statistic in zip(panels, letters, _OVER_TRAINING, strict=True):
        for one, colour in zip(groups, colours, strict=True):
            group = one.group
            runs = group.measured[statistic].reshape(-1, group.step.size)
            error = 1.96 * runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
            mean = runs.mean(axis=0)
            axes.plot(group.step + 1, mean, color=colour, label=group.name, linewidth=1)
            axes.fill_between(group.step + 1, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0)
        axes.axhline(0, color="0.35", linewidth=0.6)
        axes.set(xscale="log", xlabel="epoch + 1")
        panel_title(axes, letter, _TITLES[statistic] if statistic in ON_BA else f"{graph}: {_TITLES[statistic]}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(groups))
