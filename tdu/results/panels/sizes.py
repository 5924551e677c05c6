"""Avalanche sizes: their distributions, collapse and scaling (Fig. 2), and power-law fits."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.config import LogConfig
from tdu.results.panels.style import SIZES, WIDE, log_scale, panel_title, published_of, size_colours
from tdu.results.series import Ccdf, Collapse, PowerLaws, ScalingLine, ScalingLines
from tdu.types import Integers, Results, SizeStatistic

_TAIL = r"$P(S \geq s)$"
_LEAST = 1e-3  # of P that a collapse shows
_SYMBOLS = {
    SizeStatistic.LARGEST: r"s_{\mathrm{max}}",
    SizeStatistic.LARGEST_OF_RUNS: r"\langle s_{\mathrm{max}} \rangle",
    SizeStatistic.MEAN: r"\langle s\rangle",
}


def tails(axes: Axes, found: Ccdf, named: str = "{}", cmap: str = SIZES, **line: Any) -> None:
    """P(S ≥ s) of each scale, which its label is `named` by."""
    for colour, (scale, tail) in zip(size_colours(len(found.tails), cmap), found.tails.items(), strict=True):
        axes.step(tail.size, tail.p, **{"where": "post", "color": colour, "label": named.format(scale), **line})
    log_scale(axes, "xy")
    axes.set(xlabel="avalanche size $s$", ylabel=_TAIL)


def collapse(axes: Axes, found: Collapse, which: int = 0, cmap: str = SIZES, **line: Any) -> None:
    """P(S ≥ s) of each scale, with one standard error, over s / N^x at x the `which`-th of the exponents."""
    exponent = found.exponents[which]
    colours = size_colours(len(found.n_sites), cmap)
    for colour, n, size, p, error in zip(colours, found.n_sites, found.size, found.p, found.error, strict=True):
        x = size / float(n) ** exponent
        axes.fill_between(x, np.maximum(p - error, _LEAST), p + error, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, p, **{"color": colour, **line})
    axes.set(xlabel=f"$s / N^{{{exponent:.2f}}}$", ylabel=_TAIL, ylim=(_LEAST, 1.5))
    log_scale(axes, "xy")


def scaling_line(axes: Axes, n_sites: Integers, found: ScalingLine, statistic: SizeStatistic, **line: Any) -> None:
    """A statistic of the sizes of each run (dashes) and each scale (dots) against N, and the line of its exponent."""
    fit = np.exp(found.intercept) * n_sites.astype(float) ** found.exponent
    (drawn,) = axes.plot(n_sites, fit, **{"label": power_of_n(statistic, found.exponent), **line})
    axes.plot(np.repeat(n_sites, found.runs.shape[1]), found.runs.ravel(), "_", color=drawn.get_color(), alpha=0.5)
    axes.plot(n_sites, found.size, "o", color=drawn.get_color())
    log_scale(axes, "xy")
    axes.set(xlabel="parameters $N$", ylabel="avalanche size")


def power_of_n(statistic: SizeStatistic, exponent: float) -> str:
    """A law as a legend has it."""
    return rf"${_SYMBOLS[statistic]} \sim N^{{{exponent:.2f}}}$"


def power_laws(axes: Axes, found: PowerLaws, **bars: Any) -> None:
    """Exponents of the power laws of the scales with 95 % intervals, drawn as the keywords of `Axes.errorbar` say."""
    axes.errorbar(found.n_sites, found.alpha, **{"yerr": 1.96 * found.stderr, "fmt": "o", "capsize": 2, **bars})
    log_scale(axes, "x")
    axes.set(xlabel="parameters $N$", ylabel="power-law exponent")


def scaling_figure(results: Results) -> Figure:
    """Fig. 2: (a) distributions of the scales, (b) largest and mean size against N, (c, d) the collapse at two exponents."""
    figure = Figure(figsize=(WIDE, 5.2))
    (left, fits), (at_regression, best) = figure.subplots(2, 2)
    scales = results.series_of(Ccdf)
    tails(left, scales, "{}" if isinstance(results.config, LogConfig) else "$h = {}$", linewidth=0.9)
    left.set(xlim=(None, 6 * max(float(tail.size[-1]) for tail in scales.tails.values())))
    left.legend(loc="upper right")
    panel_title(left, "a", "distributions of the scales")
    found = results.series_of(Collapse)
    drawn = ((at_regression, "$D$ of the regression"), (best, "the best exponent"))
    for which, (letter, (axes, name)) in enumerate(zip("cd", drawn, strict=True)):
        collapse(axes, found, which, linewidth=0.9)
        panel_title(axes, letter, f"collapse at {name}, $S$ = {found.qualities[which]:.1f}")
    lines = results.series_of(ScalingLines)
    for statistic, colour in ((SizeStatistic.LARGEST, "C0"), (SizeStatistic.MEAN, "C1")):
        scaling_line(fits, lines.n_sites, lines.lines[statistic], statistic, color=colour)
    fits.legend()
    panel_title(fits, "b", "scaling of maximum and mean")
    return figure


def power_law_figure(results: Results) -> Figure:
    """Strict power-law fits per scale."""
    figure = Figure(figsize=(WIDE, 2.4))
    exponents, decades = figure.subplots(1, 2)
    found = results.series_of(PowerLaws)
    power_laws(exponents, found)
    panel_title(exponents, "a", "maximum-likelihood exponent of each scale")
    decades.plot(found.n_sites, found.decades, "o")
    if (range_ := published_of(results, "decades")) is not None:
        decades.axhline(range_.high, color="0.35", linestyle=":", label="1.5 decades")
    log_scale(decades, "x")
    decades.set(xlabel="parameters $N$", ylabel=r"decades above $x_{\mathrm{min}}$", ylim=(0, None))
    if decades.get_legend_handles_labels()[0]:
        decades.legend()
    panel_title(decades, "b", "range it was fitted over")
    return figure
