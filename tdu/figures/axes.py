"""What the figure functions have in common: the log they are given, the axes they draw on, and the style of the report."""

from contextlib import AbstractContextManager

from matplotlib.axes import Axes

from tdu.errors import InputTypeError
from tdu.results import figures
from tdu.types import Log


def style() -> AbstractContextManager[None]:
    """The style of the report, for what is drawn in a ``with`` block.

    Examples
    --------
    >>> with tdu.figures.style():
    ...     axes = tdu.figures.dimension(log)
    >>> axes.figure.get_size_inches().tolist()  # one column of a journal
    [3.4, 2.6]
    """
    return figures.style()


def checked(log: Log) -> Log:
    """The log, and not its path or arrays."""
    if not isinstance(log, Log):
        raise InputTypeError(f"`log` is of type {type(log).__name__}: give what `tdu.load` makes of the directory of a log")
    return log


def axes_of(ax: Axes | None) -> Axes:
    """The axes, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # which looks for a window to draw in: who brings axes needs none

    return plt.subplots()[1]


def finished(axes: Axes, xlabel: str = "") -> Axes:
    """The axes with a legend of all that has a label, and what they count."""
    if xlabel:
        axes.set(xlabel=xlabel)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    return axes
