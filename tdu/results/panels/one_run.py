"""All that a log knows of one of its runs, over time."""

import numpy as np
from matplotlib.figure import Figure

from tdu.results.panels.style import DASHES, WIDE, panel_title, time_unit
from tdu.results.panels.watched import spans_decades
from tdu.results.series_of_logs import OneOfLog
from tdu.types import Results

_COLUMNS_A_ROW = 4
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def one_run_figure(results: Results) -> Figure:
    """(a–) Every column of the run, one panel each; dashed and dotted, when it memorised and when it grokked."""
    found = results.series_of(OneOfLog)
    columns = list(found.columns.items())[: len(_LETTERS)]
    n_rows = -(-len(columns) // _COLUMNS_A_ROW)
    figure = Figure(figsize=(WIDE, 0.4 + 1.5 * n_rows))
    panels = list(figure.subplots(n_rows, _COLUMNS_A_ROW, sharex=True, squeeze=False).ravel())
    for axes, letter, (name, recorded) in zip(panels, _LETTERS, columns, strict=False):
        known = np.isfinite(recorded.value)
        axes.plot(found.step[known], recorded.value[known], color="C1", linewidth=0.9)
        if spans_decades(recorded.value[known]):
            axes.set(yscale="log")
        for when, dashes in ((found.memorised, DASHES[0]), (found.grokked, DASHES[2])):
            if np.isfinite(when):
                axes.axvline(when, color="0.35", linewidth=0.7, linestyle=dashes)
        panel_title(axes, letter, name.replace("_", " ").replace("epsilon", r"$\varepsilon$"))
    for axes in panels[len(columns) :]:
        axes.remove()
    for axes in panels[: len(columns)][-_COLUMNS_A_ROW:]:
        axes.set(xlabel=time_unit(results))
        axes.tick_params(labelbottom=True)
    return figure
