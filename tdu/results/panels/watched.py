"""D(t) beside what else was recorded at the same steps."""

import numpy as np
from matplotlib.figure import Figure

from tdu.results.panels.style import DASHES, WIDE, panel_title, shade, shade_grokking_window, time_unit
from tdu.results.series import DimensionOverTime
from tdu.results.series_of_logs import Watched
from tdu.types import Floats, Results, SizeStatistic

_COLUMNS_A_ROW = 3


def watched_figure(results: Results) -> Figure:
    """(a) D(t) with its band; (b–) every recorded column, one panel each, over the same steps."""
    watched, over_time = results.series_of(Watched), results.series_of(DimensionOverTime)
    n_rows = -(-(1 + len(watched.columns)) // _COLUMNS_A_ROW)
    figure = Figure(figsize=(WIDE, 0.4 + 1.7 * n_rows))
    panels = list(figure.subplots(n_rows, _COLUMNS_A_ROW, sharex=True, squeeze=False).ravel())
    band = over_time.bands[SizeStatistic.MEAN]
    shade(panels[0], over_time.epoch, band, "C0")
    panels[0].plot(over_time.epoch, band.value, color="C0")
    panels[0].axhline(1, color="0.35", linewidth=0.8, linestyle=DASHES[2])
    panels[0].set(ylabel="$D(t)$")
    panel_title(panels[0], "a", "$D(t)$, mean size")
    for axes, letter, (name, recorded) in zip(panels[1:], "bcdefghijklmnopqrstuvwxyz", watched.columns.items(), strict=False):
        known = np.isfinite(recorded.value)
        axes.plot(watched.step[known], recorded.value[known], color="C1")
        if spans_decades(recorded.value[known]):
            axes.set(yscale="log")
        panel_title(axes, letter, name.replace("_", " "))
    for axes in panels[1 + len(watched.columns) :]:
        axes.remove()
    shown = panels[: 1 + len(watched.columns)]
    for axes in shown:
        shade_grokking_window(axes, results)
    for axes in shown[-_COLUMNS_A_ROW:]:
        axes.set(xlabel=time_unit(results))
        axes.tick_params(labelbottom=True)
    return figure


def spans_decades(values: Floats) -> bool:
    """Whether a logarithmic axis shows the values better."""
    return bool(values.size and values.min() > 0 and values.max() > 30 * values.min())
