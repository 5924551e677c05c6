"""D beside the nulls that were probed with it."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.results.panels.style import (
    SIZES,
    WIDE,
    curve,
    null_styles,
    panel_title,
    shade_grokking_window,
    size_colours,
    time_unit,
)
from tdu.results.panels.training import dimension
from tdu.results.series import DimensionOverTime, NullOverTime
from tdu.types import Band, Floats, Integers, Results, SizeStatistic

#: Nothing of the field is left in it: it stands among the levels, and is no null to exceed.
_NO_EXCESS = "gaussian"


def levels(axes: Axes, step: Floats | Integers, real: Band, nulls: Mapping[str, NullOverTime], **line: Any) -> None:
    """D(t) of the real gradients, which `line` is for, with its interval, beside that of each of the `nulls`."""
    dimension(axes, step, real, **{"color": "C0", "label": "real", **line})
    for name, style in null_styles(nulls).items():
        axes.plot(nulls[name].epoch, nulls[name].dimension.value, color=style.colour, linestyle=style.dashes, label=name)
    axes.set(ylabel="$D(t)$ of the mean size")


def exceeding(axes: Axes, null: NullOverTime, **line: Any) -> None:
    """By how much D(t) exceeds that of a null, with its interval."""
    axes.axhline(0, color="0.35", linewidth=0.8)
    curve(axes, null.epoch, null.excess, **line)
    axes.set(ylabel="excess of $D(t)$")


def epsilon(axes: Axes, step: Integers, found: Mapping[int, Band], cmap: str = SIZES, **line: Any) -> None:
    """ε over a null, of scales by their N."""
    axes.axhline(0, color="0.35", linewidth=0.8)
    for colour, (n, band) in zip(size_colours(len(found), cmap), found.items(), strict=True):
        curve(axes, step, band, **{"color": colour, "label": f"$N = {n}$", **line})
    axes.set(ylabel=r"$\varepsilon$")


def nulls_figure(results: Results) -> Figure:
    """(a) D(t) beside its nulls; (b–) the excess over each null with its band, one panel per null on a common scale."""
    nulls = {one.null: one for one in results.all_of(NullOverTime)}
    styles = null_styles(nulls)
    exceeded = [name for name in styles if name != _NO_EXCESS] or list(styles)
    n_columns = 1 if len(exceeded) == 1 else 2
    n_rows = -(-len(exceeded) // n_columns)
    figure = Figure(figsize=(WIDE, max(3.4, 1.7 * n_rows)))
    beside, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(5, 6))[0]
    left = beside.subplots()
    found = results.series_of(DimensionOverTime)
    levels(left, found.epoch, found.bands[SizeStatistic.MEAN], nulls, linewidth=1.8)
    panel_title(left, "a", "real and null")
    grid = right.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    panels: list[Axes] = list(grid.ravel())
    for axes, letter, name in zip(panels, "bcdefghijklmnopqrstuvwxyz", exceeded, strict=False):
        exceeding(axes, nulls[name], color=styles[name].colour, linestyle=styles[name].dashes)
        panel_title(axes, letter, f"real − {name}")
    for axes in panels[len(exceeded) :]:
        axes.remove()
    for axes in (left, *panels[: len(exceeded)]):
        shade_grokking_window(axes, results)
        axes.set(xlim=(0, max(found.epoch[-1], 1)))
    lowest = range(max(len(exceeded) - n_columns, 0), len(exceeded))
    for axes in (left, *(panels[i] for i in lowest)):
        axes.set(xlabel=time_unit(results))
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 1:].ravel():
        axes.set(ylabel="")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=7)
    return figure
