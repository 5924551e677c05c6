"""D(t) beside what else was recorded at the same steps."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tdu.results.panels.style import DASHES, WIDE, panel_title, shade_grokking_window, time_unit
from tdu.results.panels.training import dimension
from tdu.results.series import DimensionOverTime
from tdu.results.series_of_logs import Watched
from tdu.types import Floats, Integers, Results, SizeStatistic

_COLUMNS_A_ROW = 3


def column(axes: Axes, step: Integers, value: Floats, **line: Any) -> Line2D:
    """A recorded column at the steps at which it is known, on a logarithmic axis where that shows it better."""
    known = np.isfinite(value)
    (drawn,) = axes.plot(step[known], value[known], **line)
    if spans_decades(value[known]):
        axes.set(yscale="log")
    return drawn


def watched_figure(results: Results) -> Figure:
    """(a) D(t) with its band; (b–) every recorded column, one panel each, over the same steps."""
    watched, over_time = results.series_of(Watched), results.series_of(DimensionOverTime)
    n_rows = -(-(1 + len(watched.columns)) // _COLUMNS_A_ROW)
    figure = Figure(figsize=(WIDE, 0.4 + 1.7 * n_rows))
    panels = list(figure.subplots(n_rows, _COLUMNS_A_ROW, sharex=True, squeeze=False).ravel())
    band = over_time.bands[SizeStatistic.MEAN]
    dimension(panels[0], over_time.epoch, band, color="C0")
    panels[0].axhline(1, color="0.35", linewidth=0.8, linestyle=DASHES[2])
    panels[0].set(ylabel="$D(t)$")
    panel_title(panels[0], "a", "$D(t)$, mean size")
    for axes, letter, (name, recorded) in zip(panels[1:], "bcdefghijklmnopqrstuvwxyz", watched.columns.items(), strict=False):
        column(axes, watched.step, recorded.value, color="C1")
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
