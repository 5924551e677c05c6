"""Mean profiles of avalanches of every duration, and their collapse."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tdu.results.panels.style import SIZES, WIDE, panel_title
from tdu.results.series_of_logs import MeanProfiles
from tdu.types import Results


def profiles_figure(results: Results) -> Figure:
    """(a) Mean topplings over the relative time of an avalanche, by duration; (b) the same over T^(x − 1)."""
    found = results.series_of(MeanProfiles)
    figure = Figure(figsize=(WIDE, 2.6))
    plain, collapsed = figure.subplots(1, 2)
    colours = mpl.colormaps[SIZES](np.linspace(0, 0.95, len(found.duration)))
    for axes, power in ((plain, 0.0), (collapsed, 1 - found.exponent)):
        for colour, duration, mean, error in zip(colours, found.duration, found.mean, found.error, strict=True):
            scale = float(duration) ** power
            axes.fill_between(
                found.place, scale * (mean - error), scale * (mean + error), color=colour, alpha=0.15, linewidth=0
            )
            axes.plot(found.place, scale * mean, color=colour, linewidth=0.9, label=f"{duration}")
        axes.set(xlabel="$t / T$", ylim=(0, None))
    plain.set(ylabel=r"$\langle n_t | T \rangle$")
    plain.legend(title="$T$", ncols=2)
    collapsed.set(ylabel=rf"$\langle n_t | T \rangle / T^{{{found.exponent - 1:.2f}}}$")
    panel_title(plain, "a", "mean profiles")
    panel_title(collapsed, "b", f"collapse, $S$ = {found.quality:.1f}")
    return figure
