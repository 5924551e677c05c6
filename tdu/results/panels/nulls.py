"""D beside the nulls that were probed with it."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.results.panels.style import WIDE, null_styles, panel_title, shade, shade_grokking_window, time_unit
from tdu.results.series import DimensionOverTime, NullOverTime
from tdu.types import Results, SizeStatistic

#: Nothing of the field is left in it: it stands among the levels, and is no null to exceed.
_NO_EXCESS = "gaussian"


def nulls_figure(results: Results) -> Figure:
    """(a) D(t) beside its nulls; (b–) the excess over each null with its band, one panel per null on a common scale."""
    nulls = {one.null: one for one in results.all_of(NullOverTime)}
    styles = null_styles(nulls)
    exceeded = [name for name in styles if name != _NO_EXCESS] or list(styles)
    n_columns = 1 if len(exceeded) == 1 else 2
    n_rows = -(-len(exceeded) // n_columns)
    figure = Figure(figsize=(WIDE, max(3.4, 1.7 * n_rows)))
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(5, 6))[0]
    levels = left.subplots()
    found = results.series_of(DimensionOverTime)
    shade(levels, found.epoch, found.bands[SizeStatistic.MEAN], "C0")
    levels.plot(found.epoch, found.bands[SizeStatistic.MEAN].value, color="C0", linewidth=1.8, label="real")
    for name, style in styles.items():
        levels.plot(found.epoch, nulls[name].dimension.value, color=style.colour, linestyle=style.dashes, label=name)
    levels.set(ylabel="$D(t)$ of the mean size")
    panel_title(levels, "a", "real and null")
    grid = right.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    panels: list[Axes] = list(grid.ravel())
    for axes, letter, name in zip(panels, "bcdefghijklmnopqrstuvwxyz", exceeded, strict=False):
        excess, style = nulls[name].excess, styles[name]
        axes.axhline(0, color="0.35", linewidth=0.8)
        shade(axes, found.epoch, excess, style.colour)
        axes.plot(found.epoch, excess.value, color=style.colour, linestyle=style.dashes)
        panel_title(axes, letter, f"real − {name}")
    for axes in panels[len(exceeded) :]:
        axes.remove()
    for axes in (levels, *panels[: len(exceeded)]):
        shade_grokking_window(axes, results)
        axes.set(xlim=(0, max(found.epoch[-1], 1)))
    lowest = range(max(len(exceeded) - n_columns, 0), len(exceeded))
    for axes in (levels, *(panels[i] for i in lowest)):
        axes.set(xlabel=time_unit(results))
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set(ylabel="excess of $D(t)$")
    figure.legend(*levels.get_legend_handles_labels(), loc="outside upper center", ncols=7)
    return figure
