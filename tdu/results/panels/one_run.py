"""All that a log knows of one of its runs, over time."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.results.panels.style import DASHES, WIDE, panel_title, time_unit
from tdu.results.panels.watched import column
from tdu.results.series_of_logs import OneOfLog
from tdu.types import Floats, Results

_COLUMNS_A_ROW = 4
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def column_of_run(axes: Axes, run: OneOfLog, value: Floats, **line: Any) -> None:
    """One column (T,) of a run; dashed and dotted, when it memorised and when it grokked."""
    column(axes, run.step, value, **line)
    for when, dashes in ((run.memorised, DASHES[0]), (run.grokked, DASHES[2])):
        if np.isfinite(when):
            axes.axvline(when, color="0.35", linewidth=0.7, linestyle=dashes)


def in_words(column: str) -> str:
    """The name of a column as a figure has it."""
    return column.replace("_", " ").replace("epsilon", r"$\varepsilon$")


def one_run_figure(results: Results) -> Figure:
    """(a–) Every column of the run, one panel each; dashed and dotted, when it memorised and when it grokked."""
    found = results.series_of(OneOfLog)
    columns = list(found.columns)[: len(_LETTERS)]
    n_rows = -(-len(columns) // _COLUMNS_A_ROW)
    figure = Figure(figsize=(WIDE, 0.4 + 1.5 * n_rows))
    panels = list(figure.subplots(n_rows, _COLUMNS_A_ROW, sharex=True, squeeze=False).ravel())
    for axes, letter, name in zip(panels, _LETTERS, columns, strict=False):
        column_of_run(axes, found, found.columns[name].value, color="C1", linewidth=0.9)
        panel_title(axes, letter, in_words(name))
    for axes in panels[len(columns) :]:
        axes.remove()
    for axes in panels[: len(columns)][-_COLUMNS_A_ROW:]:
        axes.set(xlabel=time_unit(results))
        axes.tick_params(labelbottom=True)
    return figure
