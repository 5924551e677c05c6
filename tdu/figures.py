"""Figures of results: they draw, and compute nothing."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.published import PUBLISHED
from tdu.store import atomic
from tdu.types import CascadeLog, Results

STYLE = Path(__file__).with_name("tdu.mplstyle")
#: No creation times in the files: the same results give the same bytes.
_FORMATS = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


def draw(results: Results, log: CascadeLog, directory: Path) -> list[Path]:
    """Draw every figure of a study into `directory`, each as PDF, SVG and PNG; the paths written."""
    with mpl.rc_context(fname=STYLE):
        return _save(dimension_figure(results, log), directory, "dimension")


def _save(figure: Figure, directory: Path, name: str) -> list[Path]:
    written = []
    for suffix, metadata in _FORMATS.items():
        path = directory / f"{name}.{suffix}"
        with atomic(path) as file:
            figure.savefig(file, format=suffix, metadata=metadata)
        written.append(path)
    return written


def dimension_figure(results: Results, log: CascadeLog) -> Figure:
    """Fig. 1b: D(t) with its band, the published levels, and the epochs in which the runs grok; inset: R² of the fits."""
    figure = Figure(figsize=(3.4, 2.9))
    axes = figure.subplots()
    _shade_grokking_window(axes, log)
    for name, label, colour in (("peak", "largest over seeds", "C0"), ("mean", "mean over seeds", "C1")):
        series = results.dimension_over_time[name]
        axes.fill_between(results.epoch, series.low, series.high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(results.epoch, series.value, color=colour, label=label)
    for key, style in (("dimension_early", ":"), ("dimension", "--"), ("dimension_late", "-.")):
        published = PUBLISHED[key]
        if published.value is not None:
            axes.axhline(published.value, color="0.35", linestyle=style, linewidth=0.8, label=f"published {published.value:.2f}")
    axes.set(xlabel="epoch", ylabel="effective dimensionality $D(t)$", xlim=(0, results.epoch[-1]))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    inset = axes.inset_axes((0.52, 0.12, 0.44, 0.26))
    inset.plot(results.epoch, results.dimension_over_time["peak"].r2, color="C0", linewidth=0.8)
    inset.plot(results.epoch, results.dimension_over_time["mean"].r2, color="C1", linewidth=0.8)
    inset.set(xlim=(0, results.epoch[-1]), ylabel="$R^2$")
    inset.tick_params(labelsize=5.5)
    return figure


def _shade_grokking_window(axes: Axes, log: CascadeLog) -> None:
    grokked = log.grokking_epoch[log.grokking_epoch >= 0]
    if grokked.size:
        axes.axvspan(grokked.min(), grokked.max(), color="C4", alpha=0.18, linewidth=0, label="grokking window")
