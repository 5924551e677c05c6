"""Which property of |g| makes the size of an avalanche, and D?"""

from concurrent.futures import Executor
from dataclasses import replace

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from scipy.special import ndtr, ndtri

from tdu.analysis import dimension, excess, grokking, marginals
from tdu.avalanches.nulls import MODELS
from tdu.avalanches.surrogates import SURROGATES
from tdu.config import Scope, StudyConfig
from tdu.experiments.experiment import Experiment, Say, Table, columns, with_band
from tdu.results.panels.style import DASHES, SIZES, WIDE, log_scale, null_styles, panel_title, shade, shade_grokking_window
from tdu.results.series import DimensionOverTime, NullOverTime
from tdu.training.ensembles import train_with_fields
from tdu.types import Findings, Floats, Results, SizeStatistic

_NAMES = (*SURROGATES, "gaussian")
_DRAWN = {
    "own-tail": ("C1", DASHES[0]),
    "own-bulk": ("C2", DASHES[1]),
    "laplace": ("C3", DASHES[2]),
    "student-t": ("C4", DASHES[3]),
    "log-normal": ("C7", DASHES[0]),
    "gaussian": (null_styles(["gaussian"])["gaussian"].colour, DASHES[-1]),
}
_LEVEL = 0.9  # the share below the threshold


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """The study, surrogates of its snapshots, and the magnitudes themselves."""
    say("training")
    ensemble = train_with_fields(config, executor)
    say("surrogates")
    models = [*SURROGATES.values(), MODELS["gaussian"]]
    log = replace(ensemble.log, nulls=excess.measure(ensemble, models, config.n_null_draws, executor))
    magnitudes = marginals.measure(ensemble, executor)
    say("intervals")
    over_surrogates = list(executor.map(lambda name: excess.analyse(log, name), _NAMES))
    return [
        grokking.analyse(log),
        dimension.analyse(log, grokking.window(log)),
        marginals.analyse(log, magnitudes),
        marginals.size_share(log),
        *over_surrogates,
    ]


def tables(results: Results) -> dict[str, Table]:
    """D(t) of every surrogate, the tail of |g|/τ, and the moment ratio of each scale and phase."""
    found, tail = results.series_of(DimensionOverTime), results.series_of(marginals.Tails)
    over_time = with_band(found.bands[SizeStatistic.MEAN], "real")
    for one in results.all_of(NullOverTime):
        over_time |= with_band(one.dimension, one.null)
    tails: Table = []
    for phase in marginals.PHASES:
        for hidden, share in zip(tail.hidden, tail.phases[phase], strict=True):
            repeated = {"phase": [phase] * len(share), "hidden": [hidden] * len(share)}
            tails += columns(**repeated, **{"|g|/threshold": marginals.TAIL_GRID, "share of sites beyond": share})
    ratio, share = results.series_of(marginals.MomentRatios), results.series_of(marginals.SizeShare)
    ratios = columns(hidden=ratio.hidden, **ratio.phases)
    shares = columns(hidden=share.hidden, n_sites=share.n_sites, **share.fields)
    return {"dimension": columns(epoch=found.epoch, **over_time), "tails": tails, "moment-ratio": ratios, "size-share": shares}


def draw(results: Results) -> Figure:
    """The tail of |g|/τ (a) before, (b) at and (c) after grokking; (d) D(t) and (e) sizes of what keeps one property of it."""
    figure = Figure(figsize=(WIDE, 4.8))
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.1))[:, 0]
    tail = results.series_of(marginals.Tails)
    colours = mpl.colormaps[SIZES](np.linspace(0, 0.95, len(tail.hidden)))
    before_at_after = top.subplots(1, 3, sharey=True)
    for letter, phase, axes in zip("abc", marginals.PHASES, before_at_after, strict=True):
        for colour, hidden, share in zip(colours, tail.hidden, tail.phases[phase], strict=True):
            axes.plot(
                marginals.TAIL_GRID, np.where(share > 0, share, np.nan), color=colour, linewidth=0.9, label=f"$h = {hidden}$"
            )
        axes.plot(marginals.TAIL_GRID, _gaussian_tail(marginals.TAIL_GRID), color="0.35", linestyle=":", label="Gaussian")
        axes.set(xlabel=r"$|g|/\tau$", ylim=(1e-5, 0.15))
        log_scale(axes, "xy")
        panel_title(axes, letter, f"{phase} grokking")
    before_at_after[0].set(ylabel="share of sites beyond")
    top.legend(*before_at_after[0].get_legend_handles_labels(), loc="outside right")
    found = results.series_of(DimensionOverTime)
    axes, per_site = bottom.subplots(1, 2, width_ratios=(3, 2))
    shade_grokking_window(axes, results)
    shade(axes, found.epoch, found.bands[SizeStatistic.MEAN], "C0")
    axes.plot(found.epoch, found.bands[SizeStatistic.MEAN].value, color="C0", linewidth=1.8, label="real")
    nulls = {one.null: one.dimension.value for one in results.all_of(NullOverTime)}
    for name, (colour, dashes) in _DRAWN.items():
        value = nulls[name]
        axes.plot(
            found.epoch, value, color=colour, linestyle=dashes, label=name.replace("-t", "-$t$", name.startswith("student"))
        )
    axes.axhline(1, color="0.35", linewidth=0.8)
    axes.set(xlabel="epoch", ylabel="$D(t)$ of the mean size", xlim=(0, max(found.epoch[-1], 1)))
    panel_title(axes, "d", "independent entries, one property kept")
    share = results.series_of(marginals.SizeShare)
    per_site.plot(np.repeat(share.n_sites, share.runs.shape[1]), share.runs.ravel(), "_", color="C0", alpha=0.5)
    for name, (colour, dashes) in {"real": ("C0", "-"), **_DRAWN}.items():
        width = 1.8 if name == "real" else 0.8
        per_site.plot(
            share.n_sites, share.fields[name], marker="o", linestyle=dashes, color=colour, markersize=3, linewidth=width
        )
    log_scale(per_site, "x")
    per_site.set(xlabel="parameters $N$", ylabel=r"$\langle s\rangle / N$ after the window", ylim=(0, None))
    panel_title(per_site, "e", "flat where $D = 1$")
    bottom.legend(*axes.get_legend_handles_labels(), loc="outside right")
    return figure


def _gaussian_tail(x: Floats) -> Floats:
    """Share of a Gaussian's |g| beyond x thresholds; above the threshold lies what the level leaves."""
    share = 2 * ndtr(-x * ndtri((1 + _LEVEL) / 2))
    return np.asarray(np.where(share > 1e-5, share, np.nan))


EXPERIMENT = Experiment(measure, tables, draw)
