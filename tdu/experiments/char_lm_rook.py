"""The language model's gradients by the protocol of docs/what-d-measures.md, ranked on `rook`, beside the paper's probe."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from tdu.analysis.amplitude import epsilon
from tdu.analysis.watched import rank_correlation
from tdu.experiments.char_lm_series import ALL, LARGE, MINI, WINDOWS, inside
from tdu.experiments.experiment import Table
from tdu.logs.amplitude import amplitude
from tdu.results.panels.style import SIZES, log_scale
from tdu.results.published import beside_nothing, with_interval
from tdu.series import Series
from tdu.statistics.resampling import RunStatistic, estimate
from tdu.statistics.sampling import mean_of_runs
from tdu.types import Estimate, Findings, Floats, Integers, Log

#: The log by the protocol of the gradients of each log on the paper's graph.
ROOK = {MINI: f"{MINI}-rook", LARGE: f"{LARGE}-rook"}
NULLS = ("blocks", "signs")
_ON_BA = "BA, ε over blocks"
#: By name the column of each plain sum over edges.
_EDGES = {"Moran": "moran", "concordance": "concordance"}
STATISTICS = (*(f"ε over {null}" for null in NULLS), *_EDGES, _ON_BA)
_N_RESAMPLES = 2000
_LARGEST = 1 - 1e-12  # where artanh of a perfect correlation is cut off
_MEAN = RunStatistic(mean_of_runs, "mean").then(lambda of_time: of_time.mean(axis=-1))


@dataclass(frozen=True, eq=False)
class Arranged(Series):
    """Of one log every statistic (S, K, T), its `z` in standard deviations of a snapshot's null, and the loss (S, K, T).

    `found` has the mean of each statistic by window, over all widths, runs and snapshots there; `delta` the exponent Δ of each
    ε; `with_loss` the rank correlation of each statistic with the loss, over all steps.
    """

    key = "arranged"
    log: str
    n_sites: Integers
    step: Integers
    loss: Floats
    statistics: dict[str, Floats]
    z: dict[str, Floats]
    found: dict[str, dict[str, Estimate]]
    delta: dict[str, dict[str, Estimate]]
    with_loss: dict[str, Estimate]


def of_gradients(name: str, log: Log, on_ba: Log) -> Findings:
    """What the protocol finds of the gradients in `log`, and what of the same on the paper's graph, as they are, `on_ba`."""
    statistics: dict[str, Floats] = {}
    z: dict[str, Floats] = {}
    for null in NULLS:
        statistics[f"ε over {null}"], z[f"ε over {null}"] = amplitude(log.size, log.nulls[null])
    for statistic, column in _EDGES.items():
        statistics[statistic], z[statistic] = log.columns[column], log.columns[f"{column}_z"]
    statistics[_ON_BA], z[_ON_BA] = amplitude(on_ba.size, on_ba.nulls["blocks"])
    at = {window: inside(log, window) for window in WINDOWS}
    found = {
        statistic: {window: _over_runs(values[..., at[window]], log.seed) for window in WINDOWS}
        for statistic, values in statistics.items()
    }
    delta = {
        f"ε over {null}": {window: epsilon(_part(log, null, at[window]), null).delta for window in WINDOWS} for null in NULLS
    }
    with_loss = {statistic: _with_loss(values, log) for statistic, values in statistics.items()}
    arranged = Arranged(name, log.n_sites, log.step, log.columns["loss"], statistics, z, found, delta, with_loss)
    readings = {f"{statistic}, {window}": one for statistic, of in found.items() for window, one in of.items()}
    key = f"rook_{name}"
    return Findings({key: found[STATISTICS[0]][ALL]}, {key: readings}, (arranged,))


def _over_runs(values: Floats, seed: int) -> Estimate:
    in_time = np.moveaxis(values, -1, 0)
    return estimate(in_time, _MEAN, "mean over widths, runs and steps", seed, n_resamples=_N_RESAMPLES)


def _part(log: Log, null: str, steps: Integers) -> Log:
    """Sizes at some steps alone."""
    nulls = {null: log.nulls[null][..., steps]}
    return replace(log, step=log.step[steps], columns={"size": log.size[..., steps]}, nulls=nulls)


def _with_loss(values: Floats, log: Log) -> Estimate:
    """Spearman's ρ over the steps of the mean of a statistic and that of the loss, by way of artanh ρ."""
    both = np.stack([np.moveaxis(one, -1, 0) for one in (values, log.columns["loss"])])  # (2, T, S, K)

    def fishers_z(means: Floats) -> Floats:  # (B, 2, T) → (B,)
        return np.arctanh(np.clip(rank_correlation(means[:, 0], means[:, 1]), -_LARGEST, _LARGEST))

    correlated = RunStatistic(mean_of_runs, "mean").then(fishers_z)
    z = estimate(both, correlated, f"Spearman's ρ over {log.step.size} steps", log.seed, n_resamples=_N_RESAMPLES)
    return replace(z, value=math.tanh(z.value), low=math.tanh(z.low), high=math.tanh(z.high))


def tables(found: list[Arranged]) -> dict[str, Table]:
    """Each statistic by window, to be read and in numbers; by width; and at every step, beside the loss."""
    by_width, n_widths = [row for one in found for row in _by_width(one)], found[0].n_sites.size
    return {
        "rook": [
            {
                "what": f"{one.log}, {statistic}",
                **{window: _read(value) for window, value in one.found[statistic].items()},
                "ρ with the loss": _read(one.with_loss[statistic]),
            }
            for one in found
            for statistic in STATISTICS
        ],
        "rook-exponents": [
            {"what": f"{one.log}, Δ of {statistic}", **{window: _read(value) for window, value in of.items()}}
            for one in found
            for statistic, of in one.delta.items()
        ],
        "rook-widths": by_width,
        "rook-ends": [_ends(by_width[at : at + n_widths]) for at in range(0, len(by_width), n_widths)],
        "rook-steps": [
            {
                "what": f"{one.log}, step {step}", "log": one.log, "step": step, "loss": one.loss[..., t].mean(),
                **{statistic: values[..., t].mean() for statistic, values in one.statistics.items()},
                **{f"{statistic}, standard error": _error(values[..., t]) for statistic, values in one.statistics.items()},
            }
            for one in found
            for t, step in enumerate(one.step)
        ],
    }  # fmt: skip


def _by_width(found: Arranged) -> Table:
    """Every statistic by window and width, the widths of one next to each other."""
    return [
        {
            "what": f"{found.log}, {statistic}, {window}",
            "N": n,
            "mean": values[s][..., at].mean(),
            "standard error": values[s][..., at].mean(axis=-1).std(ddof=1) / math.sqrt(values.shape[1]),
            "z of a snapshot": round(float(found.z[statistic][s][..., at].mean()), 1),
        }
        for statistic, values in found.statistics.items()
        for window, at in _windows(found.step).items()
        for s, n in enumerate(found.n_sites)
    ]


def _ends(rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The narrowest and the widest of the widths."""
    said = {
        f"{key}, {end}": rows[at][key] for end, at in (("narrowest", 0), ("widest", -1)) for key in ("mean", "z of a snapshot")
    }
    return {"what": rows[0]["what"], **said}


def _read(found: Estimate) -> str:
    return with_interval(beside_nothing(found))


def _windows(step: Integers) -> Mapping[str, Integers]:
    return {name: np.flatnonzero((first <= step) & (step <= last)) for name, (first, last) in WINDOWS.items() if name != ALL}


def _error(of_runs: Floats) -> float:
    """Standard error of the mean over widths and runs (S, K), whose widths are given."""
    n_widths, n_runs = of_runs.shape
    return float(np.sqrt(of_runs.var(axis=-1, ddof=1).mean() / (n_widths * n_runs)))


def draw(panels: list[Axes], found: Arranged) -> None:
    """ε over both nulls and on the paper's graph, the plain edge sums, and ε by width, over the steps."""
    of_epsilon, of_edges, by_width = panels
    epsilons = {name: values for name, values in found.statistics.items() if name not in _EDGES}
    for axes, named in ((of_epsilon, epsilons), (of_edges, {name: found.statistics[name] for name in _EDGES})):
        for name, values in named.items():
            mean = values.mean(axis=(0, 1))
            error = 1.96 * np.array([_error(values[..., t]) for t in range(found.step.size)])
            (line,) = axes.plot(found.step, mean, label=name)
            axes.fill_between(found.step, mean - error, mean + error, color=line.get_color(), alpha=0.15, linewidth=0)
        axes.axhline(0, color="0.35", linewidth=0.8)
        axes.set(xlabel="step")
        axes.legend(fontsize="x-small")
    colours = mpl.colormaps[SIZES](np.linspace(0, 0.95, len(found.n_sites)))
    for colour, loss, values in zip(colours, found.loss, found.statistics[STATISTICS[0]], strict=True):
        by_width.plot(loss.mean(axis=0), values.mean(axis=0), color=colour, marker="o", markersize=1.5, linewidth=0.8)
    by_width.invert_xaxis()
    by_width.axhline(0, color="0.35", linewidth=0.8)
    by_width.set(xlabel="loss (nats a character)", ylabel=STATISTICS[0])
    log_scale(by_width, "x")
