"""D over training, and when and how runs grok (Fig. 1)."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.config import LogConfig
from tdu.results.panels.style import (
    WIDE,
    curve,
    error_bars,
    log_scale,
    panel_title,
    published_of,
    shade_grokking_window,
    time_unit,
)
from tdu.results.series import DimensionOverTime, Gini, GrokkingEpochs, OneRun, Training
from tdu.types import Band, Floats, Integers, Results, SizeStatistic


def dimension(axes: Axes, step: Floats | Integers, band: Band, **line: Any) -> None:
    """D(t) with its interval."""
    curve(axes, step, band, **line)
    axes.set(ylabel="effective dimensionality $D(t)$")


def accuracy_and_loss(axes: Axes, run: OneRun, **line: Any) -> None:
    """Accuracy and loss of one run, and when it groks."""
    epochs = np.arange(len(run.accuracy))
    axes.plot(epochs, run.accuracy, **{"color": "C0", "label": "accuracy", "drawstyle": "steps-post", **line})
    axes.plot(epochs, run.loss, **{"color": "C1", "label": "loss (nats)", **line})
    if np.isfinite(run.grokking_epoch):
        axes.axvline(run.grokking_epoch, color="C4", label=f"groks at epoch {run.grokking_epoch:.0f}")
    axes.set(xlabel="epoch", ylabel="accuracy, loss")


def grokking_epochs(axes: Axes, found: GrokkingEpochs, **line: Any) -> None:
    """When each run groks, and the mean of each scale."""
    for run in found.epoch.T:
        axes.plot(found.n_sites, run, "o", color="C0", alpha=0.5, markeredgewidth=0)
    axes.plot(found.n_sites, found.mean, **{"color": "C1", "label": "mean over runs", **line})
    # the limits do not come from the data, which is unknown where no run groks
    axes.set(xlim=(0.8 * found.n_sites[0], 1.25 * found.n_sites[-1]), xlabel="parameters $N$", ylabel="grokking epoch")
    axes.update_datalim([(found.n_sites[0], 0)])
    log_scale(axes, "x")


def dimension_figure(results: Results) -> Figure:
    """Fig. 1b: (a) D(t) with its bands, (b) how straight the fits are."""
    figure = Figure(figsize=(3.4, 3.8))
    axes, quality = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    over_time = results.series_of(DimensionOverTime)
    shade_grokking_window(axes, results)
    runs = "runs" if isinstance(results.config, LogConfig) else "seeds"
    statistics = (
        (SizeStatistic.LARGEST, f"largest over {runs}", "C0"),
        (SizeStatistic.MEAN, f"mean over {runs}", "C1"),
    )
    for statistic, label, colour in statistics:
        found = over_time.bands[statistic]
        dimension(axes, over_time.epoch, found, color=colour, label=label)
        if found.r2 is not None:
            quality.plot(over_time.epoch, found.r2, color=colour, linewidth=0.8)
    for one in results.all_of(OneRun):
        axes.axvline(one.grokking_epoch, color="C4", label="one run of $h = 21$ groks")
    if (overall := results.quantities.get("dimension")) is not None:
        axes.errorbar(
            [0.97 * over_time.epoch[-1]],
            [overall.value],
            yerr=error_bars(overall),
            fmt="s",
            color="C3",
            capsize=2,
            label=f"all {time_unit(results)}s, largest",
        )
    for key, style in (("dimension_early", ":"), ("dimension", "--"), ("dimension_late", "-.")):
        published = published_of(results, key)
        if published is not None and published.value is not None:
            axes.axhline(
                published.value, color="0.35", linestyle=style, linewidth=0.8, label=f"published {published.value:.2f}"
            )
    if (least := published_of(results, "r2_min")) is not None:
        quality.axhline(least.low, color="0.35", linestyle=":", linewidth=0.8)
    axes.set(xlim=(0, max(over_time.epoch[-1], 1)))
    quality.set(xlabel=time_unit(results), ylabel="$R^2$")
    panel_title(axes, "a", "exponent of each snapshot")
    panel_title(quality, "b", "quality of its fit")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def accuracy_figure(results: Results) -> Figure:
    """Fig. 1a."""
    figure = Figure(figsize=(WIDE, 2.5))
    left, right = figure.subplots(1, 2)
    one, many = results.series_of(OneRun), results.series_of(GrokkingEpochs)
    accuracy_and_loss(left, one)
    published = published_of(results, "grokking_example")
    if published is not None and published.value is not None:
        left.axvline(published.value, color="0.35", linestyle=":", label=f"published run: {published.value:.0f}")
    left.set(xlim=(0, min(200, len(one.accuracy) - 1)), ylim=(0, 1.05))
    left.legend(loc=(0.62, 0.42))
    panel_title(left, "a", "one run of $h = 21$")
    grokking_epochs(right, many)
    for key, style in (("grokking_first", ":"), ("grokking_last", "--")):
        level = published_of(results, key)
        if level is not None and level.value is not None:
            right.axhline(level.value, color="0.35", linestyle=style, linewidth=0.8, label=f"published {level.value:.0f}")
    right.legend(loc=(0.24, 0.62))
    panel_title(right, "b", "all runs")
    return figure


def gini_figure(results: Results) -> Figure:
    """Fig. 1c."""
    figure = Figure(figsize=(WIDE, 4.6))
    gini = results.series_of(Gini)
    trainings: tuple[Training, ...] = ("inline", "shadow")
    for row, (training, panels) in enumerate(zip(trainings, figure.subplots(2, 3), strict=True)):
        found = gini.trainings[training]
        one, aligned, timing = panels
        one.plot(found.example, color="C2")
        one.axvline(found.example_grokking_epoch, color="C4")
        one.set(xlabel="epoch", ylabel="change of Gini (%)")
        for inner, alpha in ((1, 0.15), (2, 0.3)):
            low, high = found.quantiles[inner - 1], found.quantiles[-inner]
            aligned.fill_between(found.offset, low, high, color="C2", alpha=alpha, linewidth=0)
        aligned.plot(found.offset, found.mean, color="C2")
        aligned.axvline(0, color="C4")
        if (rise := published_of(results, "gini_rise")) is not None:
            aligned.axhline(rise.value or 0, color="0.35", linestyle=":")
        aligned.set(xlabel="epochs from grokking", ylabel="change of Gini (%)")
        timing.stairs(found.lag_counts, found.lag_edges, fill=True, color="C2")
        timing.axvspan(-10, 10, color="0.35", alpha=0.25, linewidth=0)
        timing.set(xlabel="Gini peak − grokking (epochs)", ylabel="runs")
        name = "in-line" if training == "inline" else "shadow"
        for letter, axes, title in zip("abcdef"[3 * row :], panels, ("one run", "all runs", "timing"), strict=False):
            panel_title(axes, letter, f"{name}, {title}")
    return figure
