"""What each figure draws: results in, a matplotlib figure out. Nothing is computed here, and nothing saved."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from tdu.published import PUBLISHED
from tdu.types import Floats, Results

WIDE = 7.0  # inches, both columns of a journal; one is 3.4
SIZES = "cividis"  # a sequential map that colour-blind readers see as others do


def dimension_figure(results: Results) -> Figure:
    """Fig. 1b."""
    figure = Figure(figsize=(3.4, 3.4))
    axes, quality = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    series = results.series["dimension_over_time"]
    shade_grokking_window(axes, results)
    for name, label, colour in (("peak", "largest over seeds", "C0"), ("mean", "mean over seeds", "C1")):
        of = series[name]
        axes.fill_between(series["epoch"], of["low"], of["high"], color=colour, alpha=0.2, linewidth=0)
        axes.plot(series["epoch"], of["value"], color=colour, label=label)
        quality.plot(series["epoch"], of["r2"], color=colour, linewidth=0.8)
    if "accuracy" in results.series:
        axes.axvline(results.series["accuracy"]["grokking_epoch"], color="C4", label="one run of h = 21 groks")
    overall = results.quantities["dimension"]
    axes.errorbar(
        [0.97 * series["epoch"][-1]],
        [overall.value],
        yerr=error_bars(overall.value, overall.low, overall.high),
        fmt="s",
        color="C3",
        capsize=2,
        label="all epochs, largest",
    )
    for key, style in (("dimension_early", ":"), ("dimension", "--"), ("dimension_late", "-.")):
        published = PUBLISHED[key]
        if published.value is not None:
            axes.axhline(
                published.value, color="0.35", linestyle=style, linewidth=0.8, label=f"published {published.value:.2f}"
            )
    quality.axhline(PUBLISHED["r2_min"].low, color="0.35", linestyle=":", linewidth=0.8)
    axes.set(ylabel="effective dimensionality $D(t)$", xlim=(0, max(series["epoch"][-1], 1)))
    quality.set(xlabel="epoch", ylabel="$R^2$ of the fit")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def shade_grokking_window(axes: Axes, results: Results) -> None:
    """The epochs between the earliest and the latest mean grokking epoch of a scale."""
    first, last = results.quantities["grokking_first"].value, results.quantities["grokking_last"].value
    if first <= last:  # nan where no run groks
        axes.axvspan(first, last, color="C4", alpha=0.18, linewidth=0, label="grokking window")


def accuracy_figure(results: Results) -> Figure:
    """Fig. 1a."""
    figure = Figure(figsize=(WIDE, 2.5))
    left, right = figure.subplots(1, 2)
    one, many = results.series["accuracy"], results.series["grokking"]
    epochs = np.arange(len(one["accuracy"]))
    left.plot(epochs, one["accuracy"], label="accuracy", drawstyle="steps-post")
    left.plot(epochs, one["loss"], color="C1", label="loss (nats)")
    left.axvline(one["grokking_epoch"], color="C4", label=f"groks at epoch {one['grokking_epoch']:.0f}")
    published = PUBLISHED["grokking_example"].value
    if published is not None:
        left.axvline(published, color="0.35", linestyle=":", label=f"published run: {published:.0f}")
    left.set(xlabel="epoch", ylabel="accuracy, loss", xlim=(0, min(200, epochs[-1])), ylim=(0, 1.05))
    left.legend(loc="center right")
    panel_title(left, "a", "one run of h = 21")
    for run in np.asarray(many["epoch"]).T:
        right.plot(many["n_sites"], run, "o", color="C0", alpha=0.5, markeredgewidth=0)
    right.plot(many["n_sites"], many["mean"], color="C1", label="mean over runs")
    for key, style in (("grokking_first", ":"), ("grokking_last", "--")):
        level = PUBLISHED[key].value
        if level is not None:
            right.axhline(level, color="0.35", linestyle=style, linewidth=0.8, label=f"published {level:.0f}")
    # the limits do not come from the data, which is unknown where no run groks
    right.set(xlim=(0.8 * many["n_sites"][0], 1.25 * many["n_sites"][-1]), xlabel="parameters $N$", ylabel="grokking epoch")
    right.update_datalim([(many["n_sites"][0], 0)])
    log_scale(right, "x")
    right.legend(loc=(0.24, 0.62))
    panel_title(right, "b", "all runs")
    return figure


def gini_figure(results: Results) -> Figure:
    """Fig. 1c."""
    figure = Figure(figsize=(WIDE, 4.6))
    for row, (training, panels) in enumerate(zip(("inline", "shadow"), figure.subplots(2, 3), strict=True)):
        of = results.series["gini"][training]
        one, aligned, timing = panels
        one.plot(of["example"], color="C2")
        one.axvline(of["example_grokking_epoch"], color="C4")
        one.set(xlabel="epoch", ylabel="change of Gini (%)")
        for inner, band in ((1, 0.15), (2, 0.3)):
            low, high = of["quantiles"][inner - 1], of["quantiles"][-inner]
            aligned.fill_between(of["offset"], low, high, color="C2", alpha=band, linewidth=0)
        aligned.plot(of["offset"], of["mean"], color="C2")
        aligned.axvline(0, color="C4")
        aligned.axhline(PUBLISHED["gini_rise"].value or 0, color="0.35", linestyle=":")
        aligned.set(xlabel="epochs from grokking", ylabel="change of Gini (%)")
        timing.stairs(of["lag_counts"], of["lag_edges"], fill=True, color="C2")
        timing.axvspan(-10, 10, color="0.35", alpha=0.25, linewidth=0)
        timing.set(xlabel="Gini peak − grokking (epochs)", ylabel="runs")
        name = "in-line" if training == "inline" else "shadow"
        for letter, axes, title in zip("abcdef"[3 * row :], panels, ("one run", "all runs", "timing"), strict=False):
            panel_title(axes, letter, f"{name}, {title}")
    return figure


def scaling_figure(results: Results) -> Figure:
    """Fig. 2 and a panel of power-law fits."""
    figure = Figure(figsize=(WIDE, 5.2))
    (tails, fits), (collapse, best) = figure.subplots(2, 2)
    scales = list(results.series["ccdf"].items())
    colours = mpl.colormaps[SIZES](np.linspace(0, 0.95, len(scales)))
    for colour, (name, of) in zip(colours, scales, strict=True):
        tails.step(of["size"], of["p"], where="post", color=colour, linewidth=0.9, label=name.replace("h", "h = "))
    log_scale(tails, "xy")
    tails.set(xlabel="avalanche size $s$", ylabel="$P(S ≥ s)$")
    tails.set(xlim=(None, 6 * max(float(of["size"][-1]) for _, of in scales)))
    tails.legend(loc="upper right")
    panel_title(tails, "a", "distributions of the scales")
    of = results.series["collapse"]
    for axes, letter, exponent, quality, name in zip(
        (collapse, best), "cd", of["exponents"], of["qualities"], ("$D$ of the regression", "the best exponent"), strict=True
    ):
        for colour, n, size, p, error in zip(colours, of["n_sites"], of["size"], of["p"], of["error"], strict=True):
            x = size / float(n) ** exponent
            axes.fill_between(x, np.maximum(p - error, 1e-3), p + error, color=colour, alpha=0.15, linewidth=0)
            axes.plot(x, p, color=colour, linewidth=0.9)
        axes.set(xlabel=f"$s / N^{{{exponent:.2f}}}$", ylabel="$P(S ≥ s)$", ylim=(1e-3, 1.5))
        log_scale(axes, "xy")
        panel_title(axes, letter, f"collapse at {name}, $S$ = {quality:.1f}")
    lines = results.series["scaling"]
    for name, colour, label in (("peak", "C0", "$s_{max}$"), ("mean", "C1", "⟨$s$⟩")):
        one = lines[name]
        runs = np.asarray(one["runs"])
        fits.plot(np.repeat(lines["n_sites"], runs.shape[1]), runs.ravel(), "_", color=colour, alpha=0.5)
        fits.plot(lines["n_sites"], one["size"], "o", color=colour)
        line = np.exp(one["intercept"]) * np.asarray(lines["n_sites"], float) ** one["exponent"]
        fits.plot(lines["n_sites"], line, color=colour, label=f"{label} ~ $N^{{{one['exponent']:.2f}}}$")
    log_scale(fits, "xy")
    fits.set(xlabel="parameters $N$", ylabel="avalanche size")
    fits.legend()
    panel_title(fits, "b", "scaling of maximum and mean")
    return figure


def power_law_figure(results: Results) -> Figure:
    """Strict power-law fits per scale."""
    figure = Figure(figsize=(WIDE, 2.4))
    exponents, decades = figure.subplots(1, 2)
    of = results.series["power_law"]
    exponents.errorbar(of["n_sites"], of["alpha"], yerr=1.96 * np.asarray(of["stderr"]), fmt="o", capsize=2)
    log_scale(exponents, "x")
    exponents.set(xlabel="parameters $N$", ylabel="power-law exponent")
    panel_title(exponents, "a", "maximum-likelihood exponent of each scale")
    decades.plot(of["n_sites"], of["decades"], "o")
    decades.axhline(PUBLISHED["decades"].high, color="0.35", linestyle=":", label="1.5 decades")
    log_scale(decades, "x")
    decades.set(xlabel="parameters $N$", ylabel="decades above $x_{min}$", ylim=(0, None))
    decades.legend()
    panel_title(decades, "b", "range it was fitted over")
    return figure


_PHASES = (
    ("dimension_pre", "$D_{pre}$", "C2"),
    ("dimension_post", "$D_{post}$", "C1"),
    ("dimension_synthetic", "$D_{synth}$", "C0"),
)


def phases_figure(results: Results) -> Figure:
    """Fig. 3."""
    figure = Figure(figsize=(WIDE, 2.8))
    distributions, left_out, topologies = figure.subplots(1, 3)
    for key, _, colour in _PHASES:
        of = results.series["bootstrap"][key]
        distributions.stairs(of["density"], of["edges"], fill=True, color=colour, alpha=0.6)
        published = PUBLISHED[key]
        distributions.axvspan(published.low, published.high, color=colour, alpha=0.2, linewidth=0)
        one = results.series["leave_one_out"]
        gap = error_bars(one[key]["value"], one[key]["low"], one[key]["high"])
        left_out.errorbar(one["n_sites"], one[key]["value"], yerr=gap, fmt="o-", color=colour, capsize=2, linewidth=0.8)
        left_out.axhline(results.quantities[key].value, color=colour, linestyle=":", linewidth=0.8)
    distributions.set(xlabel="exponent $D$", ylabel="density", yscale="symlog")
    log_scale(left_out, "x")
    left_out.set(xlabel="scale $N$ left out", ylabel="exponent $D$ of the others")
    panel_title(distributions, "a", "10,000 resamples of runs")
    panel_title(left_out, "b", "leave one scale out")
    of = results.series["topologies"]
    at = np.arange(len(of["name"]))
    topologies.errorbar(
        at, of["dimension"], yerr=error_bars(of["dimension"], of["low"], of["high"]), fmt="s", color="C0", capsize=2
    )
    published = PUBLISHED["dimension_synthetic"]
    topologies.axhspan(published.low, published.high, color="C0", alpha=0.2, linewidth=0)
    topologies.set_xticks(at, [name.replace("small world, ", "SW\n") for name in of["name"]], rotation=60)
    topologies.set(ylabel="$D_{synth}$")
    panel_title(topologies, "c", "five topologies")
    handles = [Patch(color=colour, alpha=0.6, label=label) for _, label, colour in _PHASES]
    handles += [Patch(color="0.5", alpha=0.3, label="published, with its error")]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


NULL_COLOURS = {"permuted": "C1", "blocks": "C2", "signs": "C3", "rewired": "C5", "gaussian": "C6"}


def nulls_figure(results: Results) -> Figure:
    """D(t) beside its nulls, and the excess over each."""
    figure = Figure(figsize=(WIDE, 3.0))
    levels, excess = figure.subplots(1, 2)
    of = results.series["dimension_over_time"]
    levels.fill_between(of["epoch"], of["mean"]["low"], of["mean"]["high"], color="C0", alpha=0.2, linewidth=0)
    levels.plot(of["epoch"], of["mean"]["value"], color="C0", linewidth=1.8, label="real")
    for name, colour in NULL_COLOURS.items():
        null = results.series[f"null_{name}"]
        levels.plot(of["epoch"], null["value"], color=colour, label=name)
        if name != "gaussian":
            excess.fill_between(of["epoch"], null["excess_low"], null["excess_high"], color=colour, alpha=0.12, linewidth=0)
            excess.plot(of["epoch"], null["excess"], color=colour)
    excess.axhline(0, color="0.35", linewidth=0.8)
    for axes in (levels, excess):
        shade_grokking_window(axes, results)
        axes.set(xlabel="epoch", xlim=(0, max(of["epoch"][-1], 1)))
    levels.set(ylabel="$D(t)$ of the mean size")
    excess.set(ylabel="$D(t)$, real − null")
    panel_title(levels, "a", "real and null")
    panel_title(excess, "b", "excess over the null")
    figure.legend(*levels.get_legend_handles_labels(), loc="outside upper center", ncols=7)
    return figure


_TRAININGS = (("inline", "in-line", "C0"), ("shadow", "shadow", "C1"), ("synthetic", "synthetic", "C2"))


def robustness_figure(results: Results) -> Figure:
    """Exponents over the settings of the probe."""
    figure = Figure(figsize=(WIDE, 4.2))
    of = results.series["robustness"]
    rows = (("peak", "$D$ ($s_{max}$)"), ("mean", "$γ$ (⟨$s$⟩)"))
    for (statistic, ylabel), row in zip(rows, figure.subplots(2, 2, sharex="col"), strict=True):
        for axes, axis, xlabel in zip(row, ("alpha", "quantile"), ("diffusion strength α", "threshold level $Q$"), strict=True):
            for training, label, colour in _TRAININGS:
                found = of.get(f"{axis}, {training}, {statistic}")
                if found is not None:
                    bars = error_bars(found["value"], found["low"], found["high"])
                    axes.errorbar(
                        of[axis], found["value"], yerr=bars, fmt="o-", color=colour, capsize=2, linewidth=0.8, label=label
                    )
            axes.set(ylabel=ylabel)
            if statistic == "mean":
                axes.set(xlabel=xlabel)
                axes.legend()
    return figure


def error_bars(value: object, low: object, high: object) -> Floats:
    """Error bars; none to a side where the interval, of another centre than the value, does not reach beyond it."""
    middle, below, above = (np.atleast_1d(np.asarray(v, float)) for v in (value, low, high))
    return np.asarray(np.maximum(np.stack([middle - below, above - middle]), 0))


def log_scale(axes: Axes, which: str) -> None:
    """Logarithmic axes with few ticks and plain numbers: minor ticks and powers of ten are slow to set and hard to read."""
    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        if not np.isfinite(np.asarray(axes.dataLim.minpos)["xy".index(name)]):
            continue  # nothing known to draw, and nothing to scale by
        axes.set(**{f"{name}scale": "log"})
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 30 * low else (1,)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(NullLocator())


def panel_title(axes: Axes, letter: str, title: str) -> None:
    """(a) What a panel shows, to the left."""
    axes.set_title(f"({letter}) {title}", loc="left")
