"""The figure of `precursor`: runs over training, and how well each observable tells them apart.

It is drawn from the tables: ``python -m tdu.experiments.precursor_figure experiments/precursor`` draws it again from those
that are kept, and trains nothing.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.experiments.precursor_observables import OBSERVABLES, Observable
from tdu.experiments.precursor_runs import CONTROLS, GROKS
from tdu.experiments.precursor_tables import tables
from tdu.files import read_tables
from tdu.results.figures import STYLE
from tdu.results.panels.style import WIDE, panel_title
from tdu.types import Results

Rows = Sequence[Mapping[str, Any]]

_COLOURS = dict(zip((GROKS, *CONTROLS), ("C0", "C1", "C2", "0.5"), strict=True))
_OVER_TRAINING = (
    "test_accuracy", "loss", "spectral", "spectral_signs", "row_correlation", "column_correlation",
    "moran", "epsilon", "cosine", "gradient_norm", "weight_norm", "effective_rank",
)  # fmt: skip
_SYMBOLS = (("log s", "log $s$"), ("ε", r"$\varepsilon$"), ("Moran's I", "Moran's $I$"))


def _label(of: Observable) -> str:
    """Short, with symbols as mathematics."""
    label = of.label.removesuffix(" of weights").removesuffix(", ranked")
    if label.startswith("S"):
        return f"$S${label[1:]}"
    for word, symbol in _SYMBOLS:
        label = label.replace(word, symbol)
    return label


_LABELS = {one.name: _label(one) for one in OBSERVABLES}


def draw(results: Results) -> Figure:
    """(a–l) Mean changes since memorisation of runs that set the alarms; (m, n) AUROC and alarms of fresh runs."""
    return of_tables(tables(results))


def of_tables(found: Mapping[str, Rows]) -> Figure:
    """The same of the tables by name, as they are made or as they were written."""
    figure = Figure(figsize=(WIDE, 9.4))
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.55, 1))[:, 0]
    panels = top.subplots(3, 4, sharex=True)
    for axes, letter, name in zip(panels.ravel(), "abcdefghijkl", _OVER_TRAINING, strict=True):
        column = "test accuracy" if name == "test_accuracy" else f"change of {name}"
        for kind, colour in _COLOURS.items():
            of_kind = [row for row in found["training"] if row["kind"] == kind]
            axes.plot(_numbers(of_kind, "epoch"), _numbers(of_kind, column), color=colour, label=kind)
        panel_title(axes, letter, _LABELS[name])
    for axes in panels[-1]:
        axes.set_xlabel("epoch")
    top.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(_COLOURS))
    told = [row for row in found["told"] if row["what"] in {f"fresh, {name}" for name in _LABELS}]
    left, right = bottom.subplots(1, 2, sharey=True)
    _draw_intervals(left, told, "AUROC", "C0", -0.15, "raw")
    _draw_intervals(left, told, "AUROC matched", "C3", 0.15, "matched in loss and epoch")
    left.axvline(0.5, color="0.35", linewidth=0.6)
    names = [row["what"].removeprefix("fresh, ") for row in told]
    left.set(yticks=range(len(told)), yticklabels=[_LABELS[name] for name in names], xlim=(0, 1))
    left.invert_yaxis()
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
    panel_title(left, "m", "AUROC, fresh runs")
    _draw_intervals(right, told, "alarm before grokking", "C0", -0.15, "alarm before grokking")
    _draw_intervals(right, told, "false alarms", "0.5", 0.15, "alarm in a control")
    right.set(xlim=(0, 1))
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
    panel_title(right, "n", "share of fresh runs")
    return figure


def _numbers(rows: Rows, column: str) -> list[float]:
    return [np.nan if row[column] == "" else float(row[column]) for row in rows]


def _draw_intervals(axes: Axes, rows: Rows, column: str, colour: str, shift: float, label: str) -> None:
    at = np.arange(len(rows)) + shift
    value, low, high = (_numbers(rows, f"{column}{end}") for end in ("", " low", " high"))
    axes.plot(value, at, color=colour, marker="o", markersize=3, linestyle="", label=label)
    axes.hlines(at, low, high, color=colour, linewidth=1)


def main(folder: str) -> None:
    """Draw the figure of an experiment's folder again."""
    with mpl.rc_context(fname=STYLE):
        of_tables(read_tables(Path(folder) / "data")).savefig(Path(folder) / "figure.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
