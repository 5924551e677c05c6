"""Figures of results: they draw, and compute nothing."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.published import PUBLISHED
from tdu.store import atomic
from tdu.types import Results

STYLE = Path(__file__).with_name("tdu.mplstyle")
#: No creation times in the files: the same results give the same bytes.
_FORMATS = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


def draw(results: Results, directory: Path) -> list[Path]:
    """Draw every figure of a study into `directory`, each as PDF, SVG and PNG; the paths written."""
    with mpl.rc_context(fname=STYLE):
        return _save(dimension_figure(results), directory, "dimension")


def _save(figure: Figure, directory: Path, name: str) -> list[Path]:
    written = []
    for suffix, metadata in _FORMATS.items():
        path = directory / f"{name}.{suffix}"
        with atomic(path) as file:
            figure.savefig(file, format=suffix, metadata=metadata)
        written.append(path)
    return written


def dimension_figure(results: Results) -> Figure:
    """Fig. 1b: D(t) with its band, the published levels, and the epochs in which the scales grok; below: R² of the fits."""
    figure = Figure(figsize=(3.4, 3.4))
    axes, quality = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    _shade_grokking_window(axes, results)
    for name, label, colour in (("peak", "largest over seeds", "C0"), ("mean", "mean over seeds", "C1")):
        series = results.dimension_over_time[name]
        axes.fill_between(results.epoch, series.low, series.high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(results.epoch, series.value, color=colour, label=label)
        quality.plot(results.epoch, series.r2, color=colour, linewidth=0.8)
    for key, style in (("dimension_early", ":"), ("dimension", "--"), ("dimension_late", "-.")):
        published = PUBLISHED[key]
        if published.value is not None:
            axes.axhline(
                published.value, color="0.35", linestyle=style, linewidth=0.8, label=f"published {published.value:.2f}"
            )
    quality.axhline(PUBLISHED["r2_min"].low, color="0.35", linestyle=":", linewidth=0.8)
    axes.set(ylabel="effective dimensionality $D(t)$", xlim=(0, results.epoch[-1]))
    quality.set(xlabel="epoch", ylabel="$R^2$ of the fit")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _shade_grokking_window(axes: Axes, results: Results) -> None:
    first, last = results.quantities["grokking_first"].value, results.quantities["grokking_last"].value
    if first <= last:  # nan where no run groks
        axes.axvspan(first, last, color="C4", alpha=0.18, linewidth=0, label="grokking window")
