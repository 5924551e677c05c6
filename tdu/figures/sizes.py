"""Avalanche sizes: the line behind an exponent, their distributions and collapse, power laws, and mean profiles."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tdu.analysis import dimension
from tdu.analysis import tails as distributions
from tdu.analysis.profiles import mean_profiles
from tdu.figures.axes import axes_of, checked, finished
from tdu.results.panels import profiles as profile_panels
from tdu.results.panels import sizes as panels
from tdu.results.panels.style import SIZES
from tdu.statistics.scaling import exponent as exponent_of
from tdu.types import Log, SizeStatistic


def scaling(log: Log, ax: Axes | None = None, *, statistic: SizeStatistic | str = "mean", **line: Any) -> Axes:
    r"""The line behind an exponent: sizes over all steps, of runs (dashes) and of scales (dots), against N.

    The label has the exponent with its 95 % interval.

    Parameters
    ----------
    log : as `tdu.load` gives it.
    ax : axes to draw on; those of a new figure if they are not given.
    statistic : "mean" over runs and steps, "peak", the largest of them, or "run-peak", the mean over runs of their largest.
    line : keywords of `matplotlib.axes.Axes.plot`; the marks take the line's colour.

    Raises
    ------
    ValueError
        For an unknown statistic, or fewer than two scales.

    Examples
    --------
    >>> axes = tdu.figures.scaling(log, linestyle=":")
    >>> axes.get_xscale(), axes.get_legend().get_texts()[0].get_text()
    ('log', '$\\langle s\\rangle \\sim N^{0.97}$ [0.94, 0.99]')
    """
    statistic = SizeStatistic(statistic)
    found, estimate = dimension.line(checked(log), statistic), exponent_of(log, statistic, log.seed)
    between = "" if np.isnan(estimate.low) else f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    axes, label = axes_of(ax), panels.power_of_n(statistic, found.exponent) + between
    panels.scaling_line(axes, log.n_sites, found, statistic, **{"label": label, **line})
    return finished(axes)


def tails(log: Log, ax: Axes | None = None, *, cmap: str = SIZES, **line: Any) -> Axes:
    """P(S ≥ s) over all runs and steps, a line a scale, as `tdu.ccdf` has it; `collapse` at the exponent 0 has its errors.

    Parameters
    ----------
    cmap : colours from the smallest to the largest scale, a name that matplotlib knows.
    log, ax : as in `scaling`.
    line : keywords of `Axes.step`.

    Examples
    --------
    >>> axes = tdu.figures.tails(log, cmap="viridis")
    >>> [text.get_text() for text in axes.get_legend().get_texts()]  # what the log names its scales by
    ['8', '16', '32']
    """
    axes = axes_of(ax)
    panels.tails(axes, distributions.distributions(checked(log)), cmap=cmap, **line)
    return finished(axes)


def collapse(log: Log, ax: Axes | None = None, *, exponent: float | None = None, cmap: str = SIZES, **line: Any) -> Axes:
    """P(S ≥ s) of each scale over s / N^x, with one standard error over runs, and its Houdayer–Hartmann S as a title.

    Parameters
    ----------
    exponent : x; that of least S (`tdu.collapse_quality`) if it is not given.
    log, ax, cmap, line : as in `tails`, `line` of `Axes.plot`.

    Examples
    --------
    >>> axes = tdu.figures.collapse(log, exponent=1.0, linewidth=1)
    >>> axes.get_xlabel(), axes.get_title()
    ('$s / N^{1.00}$', '$S$ = 3.7')
    """
    axes, found = axes_of(ax), distributions.collapse(checked(log), exponent)
    panels.collapse(axes, found, cmap=cmap, **line)
    axes.set(title=f"$S$ = {found.qualities[0]:.1f}")
    return finished(axes)


def power_laws(log: Log, ax: Axes | None = None, **bars: Any) -> Axes:
    """Exponent of the power law of each scale against N, with 95 % intervals, as `tdu.fit_power_law` has it.

    Parameters
    ----------
    log, ax : as in `scaling`.
    bars : keywords of `matplotlib.axes.Axes.errorbar`.

    Examples
    --------
    >>> axes = tdu.figures.power_laws(log, fmt="s", color="C3")
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('parameters $N$', 'power-law exponent')
    """
    axes = axes_of(ax)
    panels.power_laws(axes, distributions.power_laws(checked(log)), **bars)
    return finished(axes)


def profiles(log: Log, ax: Axes | None = None, *, exponent: float | None = None, cmap: str = SIZES, **line: Any) -> Axes:
    """Mean topplings in the course of avalanches of each duration T at the largest N, with standard errors, over T^(x − 1).

    Parameters
    ----------
    exponent : x; that of the best collapse if it is not given. At 1 profiles are as they are.
    log, ax, cmap, line : as in `tails`, `line` of `Axes.plot`.

    Raises
    ------
    ValueError
        For a log that was probed without `profiles`, or has too few avalanches.

    Examples
    --------
    >>> axes = tdu.figures.profiles(log, exponent=1)
    >>> axes.get_legend().get_title().get_text(), [text.get_text() for text in axes.get_legend().get_texts()]
    ('$T$', ['6', '7', '8'])
    """
    found = mean_profiles(checked(log))
    axes = axes_of(ax)
    profile_panels.profiles(axes, found, found.exponent if exponent is None else exponent, cmap, **line)
    axes.legend(title="$T$")
    return axes
