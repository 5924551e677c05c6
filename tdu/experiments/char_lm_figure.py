"""The figure of the study of small language models."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.config import LogConfig
from tdu.experiments import char_lm_held_out, char_lm_rook
from tdu.experiments.char_lm_series import ALL, Compared, PerSite, Probed, Trained
from tdu.results.panels.style import DASHES, MARKERS, SIZES, WIDE, log_scale, null_styles, panel_title, shade
from tdu.types import Floats, Results

_LETTERS = "abcdefghijklmnopqr"


def draw(results: Results) -> Figure:
    """(a–c) Training; (d–l) of each log D(t) beside its nulls, and more; (m–o) ranked on `rook`; (p–r) held-out text."""
    figure = Figure(figsize=(WIDE, 12.6))
    grid = figure.subplots(6, 3)
    titles = iter(_LETTERS)

    def titled(axes: Axes, title: str) -> None:
        panel_title(axes, next(titles), title)

    trained = results.series_of(Trained)
    _draw_widths(grid[0, 0], trained, trained.loss)
    grid[0, 0].set(ylabel="loss (nats a character)")
    grid[0, 0].legend(title="$N$", fontsize="x-small")
    titled(grid[0, 0], "loss")
    _draw_widths(grid[0, 1], trained, trained.noise_scale)
    log_scale(grid[0, 1], "y")
    if isinstance(results.config, LogConfig) and "batch" in results.config.settings:
        grid[0, 1].axhline(results.config.settings["batch"], color="0.35", linewidth=0.8, linestyle=":")
    grid[0, 1].set(ylabel="noise scale (sequences)")
    titled(grid[0, 1], "gradient noise")
    per_site = {one.log: one for one in results.all_of(PerSite)}
    _draw_per_site(grid[0, 2], per_site["mini-batch"])
    titled(grid[0, 2], "mini-batch, sizes")
    compared = results.all_of(Compared)
    probed = {one.log: one for one in results.all_of(Probed)}
    for row, name in zip(grid[1:4], ("mini-batch", "large-batch", "difference"), strict=True):
        _draw_dimension(row[0], probed[name])
        titled(row[0], f"{name}, $D(t)$")
        _draw_excess(row[1], probed[name])
        titled(row[1], "real − null")
        if compared:
            difference = compared.pop(0)
            _draw_difference(row[2], difference)
            titled(row[2], _in_words(difference))
        else:
            _draw_per_site(row[2], per_site[name])
            titled(row[2], f"{name}, sizes")
    _share_limits(list(grid[1:4, 1]))
    _share_limits(list(grid[1:3, 0]))
    char_lm_rook.draw(list(grid[4]), results.all_of(char_lm_rook.Arranged)[0])
    for axes, title in zip(grid[4], (r"mini-batch, rook: $\varepsilon$", "rook: edges", r"$\varepsilon$ by loss"), strict=True):
        titled(axes, title)
    char_lm_held_out.draw(list(grid[5]), results.all_of(char_lm_held_out.Watched))
    for axes, title in zip(grid[5], ("held-out (solid), training loss", "$S$", "$S$ by training loss"), strict=True):
        titled(axes, title)
    figure.legend(*grid[1, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _draw_widths(axes: Axes, trained: Trained, values: Floats) -> None:
    colours = mpl.colormaps[SIZES](np.linspace(0, 0.95, len(trained.n_sites)))
    for n, colour, of_width in zip(trained.n_sites, colours, values, strict=True):
        axes.plot(trained.step, of_width, color=colour, label=f"{n:,}")
    axes.set(xlabel="step")


def _draw_dimension(axes: Axes, found: Probed) -> None:
    shade(axes, found.step, found.bands["real"], "C0")
    axes.plot(found.step, found.bands["real"].value, color="C0", linewidth=1.8, label="real")
    for null, style in null_styles(found.excess).items():
        axes.plot(found.step, found.bands[null].value, color=style.colour, linestyle=style.dashes, label=null)
    axes.axhline(1, color="0.35", linewidth=0.8)
    axes.set(xlabel="step", ylabel="$D(t)$ of the mean size")


def _draw_excess(axes: Axes, found: Probed) -> None:
    axes.axhline(0, color="0.35", linewidth=0.8)
    for null, style in null_styles(found.excess).items():
        shade(axes, found.step, found.excess[null], style.colour, style.dashes)
        axes.plot(found.step, found.excess[null].value, color=style.colour, linestyle=style.dashes)
    axes.set(xlabel="step", ylabel="excess of $D(t)$")


def _draw_difference(axes: Axes, found: Compared) -> None:
    axes.axhline(0, color="0.35", linewidth=0.8)
    shade(axes, found.step, found.difference, "C4")
    axes.plot(found.step, found.difference.value, color="C4")
    axes.set(xlabel="step", ylabel="difference of $D(t)$")


def _in_words(found: Compared) -> str:
    return "20 steps − 1,000 steps" if found.other.endswith("uncapped") else "mini − large batch"


def _draw_per_site(axes: Axes, found: PerSite) -> None:
    """Real sizes solid, those under `blocks` dashed; a marker for each window."""
    for field, dashes in (("real", "-"), ("blocks", DASHES[1])):
        windows = [window for window in found.shares[field] if window != ALL]
        for window, marker, colour in zip(windows, MARKERS, ("C0", "C5"), strict=False):
            label = window if field == "real" else None
            axes.plot(
                found.n_sites, found.shares[field][window], marker, linestyle=dashes, color=colour, markersize=3, label=label
            )
    log_scale(axes, "xy")
    axes.set(xlabel="parameters $N$", ylabel=r"$\langle s\rangle / N$")
    axes.legend(fontsize="x-small")


def _share_limits(panels: Sequence[Axes]) -> None:
    """One scale for panels that are to be compared."""
    low, high = (f(axes.get_ylim()[end] for axes in panels) for f, end in ((min, 0), (max, 1)))
    for axes in panels:
        axes.set(ylim=(low, high))
