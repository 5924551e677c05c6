"""Avalanche sizes: their distributions, collapse and scaling (Fig. 2), and power-law fits."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tdu.config import LogConfig
from tdu.results.panels.style import SIZES, WIDE, log_scale, panel_title, published_of
from tdu.results.series import Ccdf, Collapse, PowerLaws, ScalingLines
from tdu.types import Results, SizeStatistic

_TAIL = r"$P(S \geq s)$"


def scaling_figure(results: Results) -> Figure:
    """Fig. 2: (a) distributions of the scales, (b) largest and mean size against N, (c, d) the collapse at two exponents."""
    figure = Figure(figsize=(WIDE, 5.2))
    (tails, fits), (collapse, best) = figure.subplots(2, 2)
    scales = results.series_of(Ccdf).tails
    named = "{}" if isinstance(results.config, LogConfig) else "$h = {}$"
    colours = mpl.colormaps[SIZES](np.linspace(0, 0.95, len(scales)))
    for colour, (scale, tail) in zip(colours, scales.items(), strict=True):
        tails.step(tail.size, tail.p, where="post", color=colour, linewidth=0.9, label=named.format(scale))
    log_scale(tails, "xy")
    tails.set(xlabel="avalanche size $s$", ylabel=_TAIL)
    tails.set(xlim=(None, 6 * max(float(tail.size[-1]) for tail in scales.values())))
    tails.legend(loc="upper right")
    panel_title(tails, "a", "distributions of the scales")
    found = results.series_of(Collapse)
    for axes, letter, exponent, quality, name in zip(
        (collapse, best), "cd", found.exponents, found.qualities, ("$D$ of the regression", "the best exponent"), strict=True
    ):
        for colour, n, size, p, error in zip(colours, found.n_sites, found.size, found.p, found.error, strict=True):
            x = size / float(n) ** exponent
            axes.fill_between(x, np.maximum(p - error, 1e-3), p + error, color=colour, alpha=0.15, linewidth=0)
            axes.plot(x, p, color=colour, linewidth=0.9)
        axes.set(xlabel=f"$s / N^{{{exponent:.2f}}}$", ylabel=_TAIL, ylim=(1e-3, 1.5))
        log_scale(axes, "xy")
        panel_title(axes, letter, f"collapse at {name}, $S$ = {quality:.1f}")
    lines = results.series_of(ScalingLines)
    drawn = (
        (SizeStatistic.LARGEST, "C0", r"s_{\mathrm{max}}"),
        (SizeStatistic.MEAN, "C1", r"\langle s\rangle"),
    )
    for statistic, colour, label in drawn:
        one = lines.lines[statistic]
        fits.plot(np.repeat(lines.n_sites, one.runs.shape[1]), one.runs.ravel(), "_", color=colour, alpha=0.5)
        fits.plot(lines.n_sites, one.size, "o", color=colour)
        line = np.exp(one.intercept) * lines.n_sites.astype(float) ** one.exponent
        fits.plot(lines.n_sites, line, color=colour, label=rf"${label} \sim N^{{{one.exponent:.2f}}}$")
    log_scale(fits, "xy")
    fits.set(xlabel="parameters $N$", ylabel="avalanche size")
    fits.legend()
    panel_title(fits, "b", "scaling of maximum and mean")
    return figure


def power_law_figure(results: Results) -> Figure:
    """Strict power-law fits per scale."""
    figure = Figure(figsize=(WIDE, 2.4))
    exponents, decades = figure.subplots(1, 2)
    found = results.series_of(PowerLaws)
    exponents.errorbar(found.n_sites, found.alpha, yerr=1.96 * found.stderr, fmt="o", capsize=2)
    log_scale(exponents, "x")
    exponents.set(xlabel="parameters $N$", ylabel="power-law exponent")
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
