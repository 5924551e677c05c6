"""Exponents by phase, graph and setting of the probe (Fig. 3, and the robustness sweeps)."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tdu.results.panels.style import (
    MARKERS,
    MINOR,
    WIDE,
    error_bars,
    log_scale,
    names_below,
    panel_title,
    published_of,
)
from tdu.results.series import Axis, Bootstrap, LeaveOneOut, Robustness, Topologies, Training
from tdu.types import Results, SizeStatistic

_PHASES = (
    ("dimension_pre", r"$D_{\mathrm{pre}}$", "C2"),
    ("dimension_post", r"$D_{\mathrm{post}}$", "C1"),
    ("dimension_synthetic", r"$D_{\mathrm{synth}}$", "C0"),
)
_TRAININGS: tuple[tuple[Training, str, str], ...] = (
    ("inline", "in-line", "C0"),
    ("shadow", "shadow", "C1"),
    ("synthetic", "synthetic", "C2"),
)


def phases_figure(results: Results) -> Figure:
    """Fig. 3: (a) resamples, (b) the exponents with one scale left out, side by side at its N, (c) the topologies."""
    figure = Figure(figsize=(WIDE, 2.8))
    distributions, left_out, topologies = figure.subplots(1, 3)
    histograms, left = results.series_of(Bootstrap).histograms, results.series_of(LeaveOneOut)
    for place, (key, _, colour) in enumerate(_PHASES):
        if key in histograms:
            distributions.stairs(histograms[key].density, histograms[key].edges, fill=True, color=colour, alpha=0.6)
        if (published := published_of(results, key)) is not None:
            distributions.axvspan(published.low, published.high, color=colour, alpha=0.2, linewidth=0)
        if key in left.bands:
            found, beside = left.bands[key], 0.94 ** (1 - place) * left.n_sites
            style = {"fmt": f"{MARKERS[place]}-", "color": colour, "capsize": 2, "linewidth": 0.8}
            left_out.errorbar(beside, found.value, yerr=error_bars(found), **style)
        if (overall := results.quantities.get(key)) is not None:
            left_out.axhline(overall.value, color=colour, linestyle=":", linewidth=0.8)
    distributions.set(xlabel="exponent $D$", ylabel="density")
    distributions.set_yscale("symlog", subs=MINOR)
    log_scale(left_out, "x")
    left_out.set(xlabel="scale $N$ left out", ylabel="exponent $D$ of the others")
    panel_title(distributions, "a", "10,000 resamples of runs")
    panel_title(left_out, "b", "leave one scale out")
    one = results.series_of(Topologies)
    at = np.arange(len(one.name))
    topologies.errorbar(at, one.dimension.value, yerr=error_bars(one.dimension), fmt=MARKERS[2], color="C0", capsize=2)
    if (published := published_of(results, "dimension_synthetic")) is not None:
        topologies.axhspan(published.low, published.high, color="C0", alpha=0.2, linewidth=0)
    names_below(topologies, one.name, 60)
    topologies.set(ylabel=_PHASES[2][1])
    panel_title(topologies, "c", "five topologies")
    handles = [Patch(color=colour, alpha=0.6, label=label) for _, label, colour in _PHASES]
    if any(published_of(results, key) is not None for key, _, _ in _PHASES):
        handles += [Patch(color="0.5", alpha=0.3, label="published, with its error")]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def robustness_figure(results: Results) -> Figure:
    """Exponents over the settings of the probe: (a, b) D and (c, d) γ over the strength and the level."""
    figure = Figure(figsize=(WIDE, 4.4))
    one = results.series_of(Robustness)
    rows = (
        (SizeStatistic.LARGEST, r"$D$ of $s_{\mathrm{max}}$"),
        (SizeStatistic.MEAN, r"$\gamma$ of $\langle s\rangle$"),
    )
    columns: tuple[tuple[Axis, str, str], ...] = (
        ("alpha", "diffusion strength", r"$\alpha$"),
        ("quantile", "threshold level", "$Q$"),
    )
    for (statistic, ylabel), letters, row in zip(rows, ("ab", "cd"), figure.subplots(2, 2, sharex="col"), strict=True):
        for axes, letter, (axis, words, symbol) in zip(row, letters, columns, strict=True):
            settings = one.settings(axis)
            for place, (training, label, colour) in enumerate(_TRAININGS):
                found = one.bands.get((axis, training, statistic))
                if found is not None:
                    beside = settings + 0.012 * (place - 1) * np.ptp(settings)
                    axes.errorbar(
                        beside,
                        found.value,
                        yerr=error_bars(found),
                        fmt=f"{MARKERS[place]}-",
                        color=colour,
                        capsize=2,
                        linewidth=0.8,
                        label=label,
                    )
            axes.set(ylabel=ylabel, xticks=settings)
            panel_title(axes, letter, f"{ylabel.split()[0]} over {symbol}")
            if statistic is SizeStatistic.MEAN:
                axes.set(xlabel=f"{words} {symbol}")
                axes.legend()
    return figure
