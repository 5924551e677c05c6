"""What each figure draws: results in, a matplotlib figure out. Nothing is computed here, and nothing saved."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogFormatterMathtext, LogLocator, NullFormatter, StrMethodFormatter

from tdu.results.published import PUBLISHED
from tdu.types import Floats, Results

WIDE = 7.0  # inches, both columns of a journal; one is 3.4
_TAIL = r"$P(S \geq s)$"
_MINOR = range(2, 10)
SIZES = "cividis"  # a sequential map that colour-blind readers see as others do


def dimension_figure(results: Results) -> Figure:
    """Fig. 1b: (a) D(t) with its bands, (b) how straight the fits are."""
    figure = Figure(figsize=(3.4, 3.8))
    axes, quality = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    series = results.series["dimension_over_time"]
    shade_grokking_window(axes, results)
    for name, label, colour in (("peak", "largest over seeds", "C0"), ("mean", "mean over seeds", "C1")):
        of = series[name]
        band(axes, series["epoch"], of["low"], of["high"], colour)
        axes.plot(series["epoch"], of["value"], color=colour, label=label)
        quality.plot(series["epoch"], of["r2"], color=colour, linewidth=0.8)
    if "accuracy" in results.series:
        axes.axvline(results.series["accuracy"]["grokking_epoch"], color="C4", label="one run of $h = 21$ groks")
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
    quality.set(xlabel="epoch", ylabel="$R^2$")
    panel_title(axes, "a", "exponent of each snapshot")
    panel_title(quality, "b", "quality of its fit")
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
    left.legend(loc=(0.62, 0.42))
    panel_title(left, "a", "one run of $h = 21$")
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
        tails.step(of["size"], of["p"], where="post", color=colour, linewidth=0.9, label=f"$h = {name.removeprefix('h')}$")
    log_scale(tails, "xy")
    tails.set(xlabel="avalanche size $s$", ylabel=_TAIL)
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
        axes.set(xlabel=f"$s / N^{{{exponent:.2f}}}$", ylabel=_TAIL, ylim=(1e-3, 1.5))
        log_scale(axes, "xy")
        panel_title(axes, letter, f"collapse at {name}, $S$ = {quality:.1f}")
    lines = results.series["scaling"]
    for name, colour, label in (("peak", "C0", r"s_{\mathrm{max}}"), ("mean", "C1", r"\langle s\rangle")):
        one = lines[name]
        runs = np.asarray(one["runs"])
        fits.plot(np.repeat(lines["n_sites"], runs.shape[1]), runs.ravel(), "_", color=colour, alpha=0.5)
        fits.plot(lines["n_sites"], one["size"], "o", color=colour)
        line = np.exp(one["intercept"]) * np.asarray(lines["n_sites"], float) ** one["exponent"]
        fits.plot(lines["n_sites"], line, color=colour, label=rf"${label} \sim N^{{{one['exponent']:.2f}}}$")
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
    decades.set(xlabel="parameters $N$", ylabel=r"decades above $x_{\mathrm{min}}$", ylim=(0, None))
    decades.legend()
    panel_title(decades, "b", "range it was fitted over")
    return figure


#: From one exponent or training to the next, so that colour is not all that tells them apart.
MARKERS = "os^"
_PHASES = (
    ("dimension_pre", r"$D_{\mathrm{pre}}$", "C2"),
    ("dimension_post", r"$D_{\mathrm{post}}$", "C1"),
    ("dimension_synthetic", r"$D_{\mathrm{synth}}$", "C0"),
)


def phases_figure(results: Results) -> Figure:
    """Fig. 3: (a) resamples, (b) the exponents with one scale left out, side by side at its N, (c) the topologies."""
    figure = Figure(figsize=(WIDE, 2.8))
    distributions, left_out, topologies = figure.subplots(1, 3)
    for place, (key, _, colour) in enumerate(_PHASES):
        of = results.series["bootstrap"][key]
        distributions.stairs(of["density"], of["edges"], fill=True, color=colour, alpha=0.6)
        published = PUBLISHED[key]
        distributions.axvspan(published.low, published.high, color=colour, alpha=0.2, linewidth=0)
        one = results.series["leave_one_out"]
        gap = error_bars(one[key]["value"], one[key]["low"], one[key]["high"])
        beside = 0.94 ** (1 - place) * np.asarray(one["n_sites"])
        left_out.errorbar(beside, one[key]["value"], yerr=gap, fmt=f"{MARKERS[place]}-", color=colour, capsize=2, linewidth=0.8)
        left_out.axhline(results.quantities[key].value, color=colour, linestyle=":", linewidth=0.8)
    distributions.set(xlabel="exponent $D$", ylabel="density")
    distributions.set_yscale("symlog", subs=_MINOR)
    log_scale(left_out, "x")
    left_out.set(xlabel="scale $N$ left out", ylabel="exponent $D$ of the others")
    panel_title(distributions, "a", "10,000 resamples of runs")
    panel_title(left_out, "b", "leave one scale out")
    of = results.series["topologies"]
    at = np.arange(len(of["name"]))
    topologies.errorbar(
        at, of["dimension"], yerr=error_bars(of["dimension"], of["low"], of["high"]), fmt=MARKERS[2], color="C0", capsize=2
    )
    published = PUBLISHED["dimension_synthetic"]
    topologies.axhspan(published.low, published.high, color="C0", alpha=0.2, linewidth=0)
    names_below(topologies, of["name"], 60)
    topologies.set(ylabel=_PHASES[2][1])
    panel_title(topologies, "c", "five topologies")
    handles = [Patch(color=colour, alpha=0.6, label=label) for _, label, colour in _PHASES]
    handles += [Patch(color="0.5", alpha=0.3, label="published, with its error")]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


#: The nulls in every figure, in other hues than the real gradients' C0; `NULL_DASHES` tells them apart without colour.
NULL_COLOURS = {"permuted": "C1", "blocks": "C2", "signs": "C3", "rewired": "C7", "gaussian": "C6"}
#: Lines that can be told apart without colour; the last is solid.
DASHES: tuple[Any, ...] = ((0, (5, 1)), (0, (4, 1, 1, 1)), (0, (1, 0.8)), (0, (4, 1, 1, 1, 1, 1)), "-")
NULL_DASHES = dict(zip(NULL_COLOURS, DASHES, strict=True))


def nulls_figure(results: Results) -> Figure:
    """(a) D(t) beside its nulls; (b–e) the excess over each null with its band, one panel a null on one scale."""
    figure = Figure(figsize=(WIDE, 3.4))
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(5, 6))[0]
    levels = left.subplots()
    of = results.series["dimension_over_time"]
    band(levels, of["epoch"], of["mean"]["low"], of["mean"]["high"], "C0")
    levels.plot(of["epoch"], of["mean"]["value"], color="C0", linewidth=1.8, label="real")
    for name, colour in NULL_COLOURS.items():
        value = results.series[f"null_{name}"]["value"]
        levels.plot(of["epoch"], value, color=colour, linestyle=NULL_DASHES[name], label=name)
    levels.set(ylabel="$D(t)$ of the mean size")
    panel_title(levels, "a", "real and null")
    excesses = right.subplots(2, 2, sharex=True, sharey=True)
    named = [name for name in NULL_COLOURS if name != "gaussian"]
    for axes, letter, name in zip(excesses.ravel(), "bcde", named, strict=True):
        null, style = results.series[f"null_{name}"], {"color": NULL_COLOURS[name], "linestyle": NULL_DASHES[name]}
        axes.axhline(0, color="0.35", linewidth=0.8)
        band(axes, of["epoch"], null["excess_low"], null["excess_high"], NULL_COLOURS[name])
        axes.plot(of["epoch"], null["excess"], **style)
        panel_title(axes, letter, f"real − {name}")
    for axes in (levels, *excesses.ravel()):
        shade_grokking_window(axes, results)
        axes.set(xlim=(0, max(of["epoch"][-1], 1)))
    for axes in (levels, *excesses[-1]):
        axes.set(xlabel="epoch")
    for axes in excesses[:, 0]:
        axes.set(ylabel="excess of $D(t)$")
    figure.legend(*levels.get_legend_handles_labels(), loc="outside upper center", ncols=7)
    return figure


_TRAININGS = (("inline", "in-line", "C0"), ("shadow", "shadow", "C1"), ("synthetic", "synthetic", "C2"))


def robustness_figure(results: Results) -> Figure:
    """Exponents over the settings of the probe: (a, b) D and (c, d) γ over the strength and the level."""
    figure = Figure(figsize=(WIDE, 4.4))
    of = results.series["robustness"]
    rows = (("peak", r"$D$ of $s_{\mathrm{max}}$"), ("mean", r"$\gamma$ of $\langle s\rangle$"))
    columns = (("alpha", "diffusion strength", r"$\alpha$"), ("quantile", "threshold level", "$Q$"))
    for (statistic, ylabel), letters, row in zip(rows, ("ab", "cd"), figure.subplots(2, 2, sharex="col"), strict=True):
        for axes, letter, (axis, words, symbol) in zip(row, letters, columns, strict=True):
            settings = np.asarray(of[axis], float)
            for place, (training, label, colour) in enumerate(_TRAININGS):
                found = of.get(f"{axis}, {training}, {statistic}")
                if found is not None:
                    bars = error_bars(found["value"], found["low"], found["high"])
                    beside = settings + 0.012 * (place - 1) * np.ptp(settings)
                    axes.errorbar(
                        beside,
                        found["value"],
                        yerr=bars,
                        fmt=f"{MARKERS[place]}-",
                        color=colour,
                        capsize=2,
                        linewidth=0.8,
                        label=label,
                    )
            axes.set(ylabel=ylabel, xticks=settings)
            panel_title(axes, letter, f"{ylabel.split()[0]} over {symbol}")
            if statistic == "mean":
                axes.set(xlabel=f"{words} {symbol}")
                axes.legend()
    return figure


def band(axes: Axes, x: object, low: object, high: object, colour: str, dashes: Any = "-") -> None:
    """A shaded interval with thin edges, which still tell it apart where bands lie over one another."""
    axes.fill_between(np.asarray(x), np.asarray(low), np.asarray(high), color=colour, alpha=0.12, linewidth=0)
    for edge in (low, high):
        axes.plot(np.asarray(x), np.asarray(edge), color=colour, alpha=0.7, linestyle=dashes, linewidth=0.4)


def error_bars(value: object, low: object, high: object) -> Floats:
    """Error bars; none to a side where the interval, of another centre than the value, does not reach beyond it."""
    middle, below, above = (np.atleast_1d(np.asarray(v, float)) for v in (value, low, high))
    return np.asarray(np.maximum(np.stack([middle - below, above - middle]), 0))


def log_scale(axes: Axes, which: str) -> None:
    """Logarithmic axes: few labels, in plain numbers unless these are small (powers of ten are slow to set), ticks at 2 … 9."""
    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        if not np.isfinite(np.asarray(axes.dataLim.minpos)["xy".index(name)]):
            continue  # nothing known to draw, and nothing to scale by
        axes.set(**{f"{name}scale": "log"})
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 30 * low else (1,)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}") if low > 5e-4 else LogFormatterMathtext())
        axis.set_minor_locator(LogLocator(subs=_MINOR))
        axis.set_minor_formatter(NullFormatter())


def names_below(axes: Axes, names: Sequence[str], rotation: int) -> None:
    """Names of topologies at 0, 1, …, each ending under its tick."""
    short = [name.replace("small world, p = ", "SW $p = $") for name in names]
    axes.set_xticks(range(len(short)), short, rotation=rotation, ha="right", rotation_mode="anchor")


def panel_title(axes: Axes, letter: str, title: str) -> None:
    """(a) What a panel shows, to the left."""
    axes.set_title(f"({letter}) {title}", loc="left")
