"""The figure of `precursor`: runs over training, and how well each observable tells them apart."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.experiments.precursor_observables import OBSERVABLES, Observable
from tdu.experiments.precursor_runs import CONTROLS, GROKS, SET
from tdu.experiments.precursor_series import Told, Trained
from tdu.results.panels.style import WIDE, panel_title
from tdu.types import Estimate, Floats, Results

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
    """(a–l) Changes since memorisation in runs that set the alarms; (m, n) AUROC and alarms of fresh runs."""
    figure = Figure(figsize=(WIDE, 9.4))
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.55, 1))[:, 0]
    panels = top.subplots(3, 4, sharex=True)
    trained = [one for one in results.all_of(Trained) if one.role == SET]
    for axes, letter, name in zip(panels.ravel(), "abcdefghijkl", _OVER_TRAINING, strict=True):
        for one in trained:
            values = one.test_accuracy if name == "test_accuracy" else one.change[name]
            _draw_runs(axes, one, values)
        panel_title(axes, letter, _LABELS[name])
    for axes in panels[-1]:
        axes.set_xlabel("epoch")
    top.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(_COLOURS))
    told = [one for one in results.all_of(Told) if one.runs == "fresh"]
    left, right = bottom.subplots(1, 2, sharey=True)
    _draw_intervals(left, [one.raw for one in told], "C0", -0.15, "raw")
    _draw_intervals(left, [one.matched for one in told], "C3", 0.15, "matched in loss and epoch")
    left.axvline(0.5, color="0.35", linewidth=0.6)
    left.set(yticks=range(len(told)), yticklabels=[_LABELS[one.observable.name] for one in told], xlim=(0, 1))
    left.invert_yaxis()
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
    panel_title(left, "m", "AUROC, fresh runs")
    _draw_intervals(right, [one.alarmed.off for one in told], "C0", -0.15, "alarm before grokking")
    _draw_intervals(right, [one.alarmed.false for one in told], "0.5", 0.15, "alarm in a control")
    right.set(xlim=(0, 1))
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
    panel_title(right, "n", "share of fresh runs")
    return figure


def _draw_runs(axes: Axes, one: Trained, values: Floats) -> None:
    """Each run thinly, and their mean."""
    axes.plot(one.step, values.T, color=_COLOURS[one.kind], linewidth=0.3, alpha=0.4)
    known = ~np.isnan(values)
    enough = known.mean(axis=0) > 0.5
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    axes.plot(one.step[enough], mean[enough], color=_COLOURS[one.kind], linewidth=1.2, label=one.kind)


def _draw_intervals(axes: Axes, found: list[Estimate], colour: str, shift: float, label: str) -> None:
    at = np.arange(len(found)) + shift
    axes.plot([one.value for one in found], at, color=colour, marker="o", markersize=3, linestyle="", label=label)
    axes.hlines(at, [one.low for one in found], [one.high for one in found], color=colour, linewidth=1)
