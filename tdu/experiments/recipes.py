"""Which recipes, of those the paper may have used, make its D(t), and which turn it upside down?"""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tdu.analysis import recipes
from tdu.config import Scope, StudyConfig
from tdu.experiments.experiment import Experiment, Say, Table
from tdu.results.panels.style import panel_title
from tdu.results.published import PUBLISHED
from tdu.series import Series
from tdu.training.ensembles import train_all
from tdu.types import Estimate, Findings, Results

_COLOURS = {"rises": "C0", "rises through 1": "C0", "falls": "C1", "falls through 1": "C1"}
_SHAPES = ("rises through 1", "rises", "undecided", "falls", "falls through 1", "a scale never groks")


@dataclass(frozen=True)
class Recipe:
    """What a study of one recipe found: what D(t) does, runs that never grok, and compatible figures."""

    recipe: str
    training: str
    shape: str
    ungrokked: int
    compatible: int
    found: dict[str, Estimate]


@dataclass(frozen=True, eq=False)
class Recipes(Series):
    """Every recipe, in-line and in shadow."""

    key = "recipes"
    rows: list[Recipe]


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """A study of every recipe; each row of the series is one."""
    rows: list[Recipe] = []
    for one in recipes.configurations(config):
        log = train_all(one, executor, gini=True)
        found = recipes.of_log(log)
        training = "shadow" if one.alpha_train == 0 else "in-line"
        say(f"{one.activation}, {one.initialisation}, {one.inputs}, {training}")
        rows.append(
            Recipe(
                recipe=f"{one.activation} {one.initialisation} {one.inputs}",
                training=training,
                shape=recipes.shape_of(found),
                ungrokked=int((log.grokking_step < 0).sum()),
                compatible=recipes.n_compatible(found),
                found=found,
            )
        )
    distance = {f"{row.recipe}, {row.training}": row.found["distance"] for row in rows}
    nearest = min((e for e in distance.values() if not np.isnan(e.value)), key=lambda e: e.value, default=_unknown())
    return [Findings({"distance": nearest}, {"distance": distance}, (Recipes(rows),))]


def _unknown() -> Estimate:
    return Estimate(np.nan, np.nan, np.nan, "mean", "no recipe groks at every scale")


def tables(results: Results) -> dict[str, Table]:
    """One row per recipe; the same by what D(t) does."""
    rows = sorted(results.series_of(Recipes).rows, key=_rank)
    table: Table = []
    for row in rows:
        cells: dict[str, object] = {
            name: getattr(row, name) for name in ("recipe", "training", "shape", "compatible", "ungrokked")
        }
        for key, estimate in row.found.items():
            cells |= {key: estimate.value, f"{key} low": estimate.low, f"{key} high": estimate.high}
        table.append(cells)
    summary = [
        {
            "recipe": row.recipe,
            "training": row.training,
            "D(t)": row.shape,
            "before": _short(row.found["dimension_early"]),
            "after": _short(row.found["dimension_late"]),
            "distance": _short(row.found["distance"]),
            "D": _short(row.found["dimension"]),
            "γ": _short(row.found["gamma"]),
            "D_pre": _short(row.found["dimension_pre"]),
            "D_post": _short(row.found["dimension_post"]),
            "window": f"{row.found['grokking_first'].value:.0f}–{row.found['grokking_last'].value:.0f}",
            "ungrokked": row.ungrokked,
            "angle": f"{row.found['deviation_angle'].value:.0f}",
            "steps": f"{row.found['steps_mean'].value:.1f}",
            "Gini rise": f"{row.found['gini_rise'].value:.0f}",
            "compatible": f"{row.compatible} of {len(recipes.COMPARED)}",
        }
        for row in rows
    ]
    shapes: Table = []
    for shape in _SHAPES:
        found = [row for row in rows if row.shape == shape]
        named = "; ".join(f"{row.recipe}, {row.training}" for row in found)
        shapes.append({"D(t)": shape, "recipes": len(found), "which": named or "none"})
    shapes.append({"D(t)": "all", "recipes": len(rows), "which": ""})
    best = sorted(rows, key=lambda row: -row.compatible)[:5]
    compatible: Table = [
        {
            "place": str(i + 1),
            "recipe": f"{row.recipe}, {row.training}",
            "compatible": row.compatible,
            "Gini rise (%)": f"{row.found['gini_rise'].value:.0f}",
        }
        for i, row in enumerate(best)
    ]
    return {"recipes": table, "summary": summary, "shapes": shapes, "compatible": compatible}


def _rank(row: Recipe) -> tuple[float, str]:
    distance = row.found["distance"].value
    return (np.inf if np.isnan(distance) else distance, row.recipe)


def _short(estimate: Estimate) -> str:
    if np.isnan(estimate.value):
        return "–"
    between = "unknown" if np.isnan(estimate.low) else f"{estimate.low:.2f}, {estimate.high:.2f}"
    return f"{estimate.value:.2f} [{between}]"


def draw(results: Results) -> Figure:
    """D(t) before and after the grokking window of every recipe, (a) in-line and (b) in shadow."""
    rows = results.series_of(Recipes).rows
    names = list(dict.fromkeys(row.recipe for row in rows))
    figure = Figure(figsize=(7.0, 0.2 * len(names) + 1.2))
    for letter, training, axes in zip(
        "ab", ("in-line", "shadow"), figure.subplots(1, 2, sharey=True, sharex=True), strict=True
    ):
        for key, style in (("dimension_early", ":"), ("dimension_late", "-.")):
            axes.axvline(PUBLISHED[key].value or np.nan, color="0.35", linestyle=style, linewidth=0.8)
        axes.axvline(1, color="0.75", linewidth=0.8)
        for row in (row for row in rows if row.training == training):
            at = names.index(row.recipe)
            early, late = row.found["dimension_early"], row.found["dimension_late"]
            colour = _COLOURS.get(row.shape, "0.5")
            if np.isnan(row.found["rise"].value):
                axes.text(1.3, at, "a scale never groks", color="0.5", va="center", fontsize=6)
                continue
            axes.plot([early.value, late.value], [at, at], color=colour, linewidth=1)
            axes.plot(early.value, at, "o", color=colour, markerfacecolor="white", markersize=4)
            axes.errorbar(
                late.value, at, xerr=[[max(late.value - late.low, 0)], [max(late.high - late.value, 0)]],
                fmt="o", color=colour, markersize=4, capsize=1.5, linewidth=0.6,
            )  # fmt: skip
        axes.set(xlabel="$D(t)$ of the mean size", ylim=(len(names) - 0.5, -0.5))
        panel_title(axes, letter, training)
    figure.axes[0].set_yticks(range(len(names)), names)
    handles = [
        Line2D([], [], color="0.2", marker="o", markerfacecolor="white", linewidth=0, label="before the window"),
        Line2D([], [], color="0.2", marker="o", linewidth=0, label="after"),
        Line2D([], [], color="C0", label="rises"),
        Line2D([], [], color="C1", label="falls"),
        Line2D([], [], color="0.5", label="undecided"),
        Line2D([], [], color="0.35", linestyle=":", label="published before"),
        Line2D([], [], color="0.35", linestyle="-.", label="published after"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


EXPERIMENT = Experiment(measure, tables, draw)
