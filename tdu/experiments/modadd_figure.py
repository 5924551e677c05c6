"""The figure of the study of modular addition."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.analysis import divergence
from tdu.analysis.alignment import Aligned
from tdu.config import NULLS
from tdu.experiments.modadd_runs import DELAYED, FEW, GROKKING, NO_DECAY
from tdu.experiments.modadd_series import AroundGrokking, BesideControl, OverEpochs, TrainingRuns
from tdu.results.panels.style import SIZES, WIDE, null_styles, panel_title, shade
from tdu.types import Results, SizeStatistic


def draw(results: Results) -> Figure:
    """(a, b) Accuracies of every width; (c–f) D(t) at grokking, and its nulls; (g, h) runs that grok and runs that do not."""
    around = results.all_of(AroundGrokking)
    training = results.series_of(TrainingRuns).runs
    drawn: list[tuple[str, Callable[[Axes], None]]] = [
        *(
            (_in_words(name), partial(_draw_accuracies, runs=training[name]))
            for name in (around[0].condition, around[-1].condition)
        ),
        *((_in_words(one.condition), partial(_draw_aligned, aligned=one)) for one in around),
        ("$D(t)$ at absolute epochs", partial(_draw_groups, results=results)),
        ("grokking − control", partial(_draw_differences, results=results)),
    ]
    n_rows = (len(drawn) + 1) // 2
    figure = Figure(figsize=(WIDE, 2.25 * n_rows))
    panels = figure.subplots(n_rows, 2).ravel()
    for axes, letter, (title, draw_on) in zip(panels, "abcdefgh", drawn, strict=False):
        draw_on(axes)
        panel_title(axes, letter, title)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    figure.legend(*panels[2].get_legend_handles_labels(), loc="outside upper center", ncols=8)
    return figure


def _in_words(name: str) -> str:
    """A condition's name in labels: kind, modulus, training."""
    kind, modulus, training = name.rsplit("-", 2)
    return f"{kind}, $p = {modulus}$, {'in-line' if training == 'inline' else training}"


def _styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A colour for each modulus and training, a line for each kind; a kind that occurs only once has a colour of its own."""
    found = {name: name.rsplit("-", 2) for name in names}
    groups = list(dict.fromkeys((modulus, training) for _, modulus, training in found.values()))
    lines = {GROKKING: "-", FEW: "--", DELAYED: "-.", NO_DECAY: ":"}
    own = {DELAYED: "C6", NO_DECAY: "C3"}
    return {
        name: {"color": own.get(kind, f"C{groups.index((modulus, training))}"), "linestyle": lines[kind]}
        for name, (kind, modulus, training) in found.items()
    }


def _draw_accuracies(axes: Axes, runs: Aligned) -> None:
    colours = mpl.colormaps[SIZES](np.linspace(0, 0.95, len(runs.n_sites)))
    for k, (n, colour) in enumerate(zip(runs.n_sites, colours, strict=True)):
        axes.plot(runs.epoch, runs.accuracy[k].mean(axis=0), color=colour, linewidth=0.8, linestyle="--")
        axes.plot(runs.epoch, runs.test_accuracy[k].mean(axis=0), color=colour, label=f"{n:,}")
    axes.axhline(0.99, color="0.35", linewidth=0.8, linestyle=":")
    axes.set(xlabel="epoch", ylabel="accuracy (train dashed)")
    axes.legend(title="$N$", fontsize="x-small")


def _draw_aligned(axes: Axes, aligned: AroundGrokking) -> None:
    real, peak = aligned.bands["real", SizeStatistic.MEAN], aligned.bands["real", SizeStatistic.LARGEST]
    shade(axes, aligned.offset, real, "C0")
    axes.plot(aligned.offset, real.value, color="C0", linewidth=1.8, label="real", zorder=3)
    axes.plot(aligned.offset, peak.value, ":", color="C0", linewidth=0.8, label="real, peak")
    for name, style in null_styles(NULLS).items():
        null = aligned.bands[name, SizeStatistic.MEAN]
        if name in ("permuted", "blocks"):
            shade(axes, aligned.offset, null, style.colour, style.dashes)
        axes.plot(aligned.offset, null.value, color=style.colour, linestyle=style.dashes, label=name)
    axes.axhline(1, color="0.35", linewidth=0.8)
    axes.axvline(0, color="C4", linewidth=0.8)
    axes.set(xlabel="epochs from grokking", ylabel="$D(t)$ of the mean size")


def _draw_groups(axes: Axes, results: Results) -> None:
    over_time = {one.condition: one for one in results.all_of(OverEpochs)}
    for name, style in _styles(results.series_of(TrainingRuns).runs).items():
        one = over_time[name]
        axes.plot(one.epoch, one.bands["real", SizeStatistic.MEAN].value, linewidth=0.9, label=_in_words(name), **style)
    axes.axhline(1, color="0.35", linewidth=0.8)
    low, high = axes.get_ylim()
    last = min(one.epoch[-1] for one in over_time.values())  # those that are delayed go on
    axes.set(xlabel="epoch", ylabel="$D(t)$ of the mean size", xlim=(0, last), ylim=(low - 0.5 * (high - low), high))
    axes.legend(fontsize="x-small", loc="lower right", ncols=2, columnspacing=1)


def _draw_differences(axes: Axes, results: Results) -> None:
    controls = {one.control: one for one in results.all_of(BesideControl)}
    for name, style in _styles(results.series_of(TrainingRuns).runs).items():
        one = controls.get(name)
        if one is not None:
            with np.errstate(invalid="ignore"):  # pairs start with no difference and no error
                ratio = one.difference / one.error
            axes.plot(one.epoch, ratio, linewidth=0.9, label=_in_words(name), **style)
    for bound in (-divergence.LEVEL, divergence.LEVEL):
        axes.axhline(bound, color="0.35", linewidth=0.8, linestyle=":")
    axes.set(xlabel="epoch", ylabel="standard errors")
    axes.legend(fontsize="x-small")
