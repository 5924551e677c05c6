"""Mean profiles of avalanches of every duration, and their collapse."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.results.panels.style import SIZES, WIDE, panel_title, size_colours
from tdu.results.series_of_logs import MeanProfiles
from tdu.types import Results


def profiles(axes: Axes, found: MeanProfiles, exponent: float = 1.0, cmap: str = SIZES, **line: Any) -> None:
    """Mean profiles of avalanches of each duration T, with standard errors, over T^(x − 1) at the `exponent` x."""
    colours = size_colours(len(found.duration), cmap)
    for colour, duration, mean, error in zip(colours, found.duration, found.mean, found.error, strict=True):
        scale = float(duration) ** (1 - exponent)
        axes.fill_between(found.place, scale * (mean - error), scale * (mean + error), color=colour, alpha=0.15, linewidth=0)
        axes.plot(found.place, scale * mean, **{"color": colour, "label": f"{duration}", **line})
    power = "" if exponent == 1 else rf" / T^{{{exponent - 1:.2f}}}"
    axes.set(xlabel="$t / T$", ylabel=rf"$\langle n_t | T \rangle{power}$", ylim=(0, None))


def profiles_figure(results: Results) -> Figure:
    """(a) Mean topplings over the relative time of an avalanche, by duration; (b) the same over T^(x − 1)."""
    found = results.series_of(MeanProfiles)
    figure = Figure(figsize=(WIDE, 2.6))
    plain, collapsed = figure.subplots(1, 2)
    profiles(plain, found, linewidth=0.9)
    profiles(collapsed, found, found.exponent, linewidth=0.9)
    plain.legend(title="$T$", ncols=2)
    panel_title(plain, "a", "mean profiles")
    panel_title(collapsed, "b", f"collapse, $S$ = {found.quality:.1f}")
    return figure
