"""What is D for N → ∞, and does it depend on how the network is parametrised?"""

from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tdu.analysis import grokking, wide
from tdu.config import PARAMETRISATIONS, Scope, StudyConfig
from tdu.errors import DivergedError
from tdu.executors import Address
from tdu.experiments.experiment import Experiment, Say, Table
from tdu.logs.log import gather
from tdu.results.panels.style import MARKERS, WIDE, error_bars, log_scale, panel_title
from tdu.series import Series
from tdu.training.ensembles import over_grid
from tdu.training.sharpness import sharpness
from tdu.training.xor import run_of_study
from tdu.types import Band, Booleans, Estimate, Findings, Floats, Integers, Log, Results, Run

_HIDDEN = (20, 30, 50, 70, 120, 200, 300, 500, 800, 1200, 2000, 3000, 5000, 8000, 12000, 20000, 35000, 60000, 100000)
#: Runs of scales up to so many hidden units, as shares of those of the smallest.
_RUNS = ((1000, 1.0), (10000, 2 / 3), (np.inf, 1 / 3))
#: Widest scale of the paper, and how many of the largest stand for N → ∞; the nulls of as many are probed.
_PAPER, _LARGEST = 500, 6
#: Scales of the windows that exponents are local to.
WIDTHS = (2, 5)
#: Steps of an avalanche that hardly any needs, where most of those of wide mean-field networks need more than the paper's 20.
_MANY_STEPS = 200
#: Rows of the figure: the training, and whether exponents are drawn or s/N.
_LINES = (("in-line", False), ("shadow", False), ("in-line", True), ("shadow", True))
_COLOURS = dict(zip(wide.PHASES, ("C7", "C4", "C0"), strict=True))


@dataclass(frozen=True, eq=False)
class Condition:
    """What runs of one parametrisation and training found, narrow to wide; arrays are (S,) or of runs, (S, K)."""

    name: str
    log: Log
    sharpness: Floats
    diverged: dict[int, int]
    shares: dict[str, Band]
    slopes: dict[tuple[str, int], Band]
    exponents: dict[str, list[wide.Exponent]]
    excess: dict[str, tuple[Estimate, Estimate]]


@dataclass(frozen=True, eq=False)
class Conditions(Series):
    """Every parametrisation, in-line and in shadow."""

    key = "large_n"
    rows: list[Condition]


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """Runs of every scale under every condition; D of late training over the largest scales is what the readings hold."""
    rows = []
    for name, study in _studies(config).items():
        say(name)
        rows.append(_found(name, study, executor))
    largest = {row.name: row.exponents["late"][-1].dimension for row in rows}
    headline = largest.pop("mean-field, shadow")
    return [Findings({"dimension_largest": headline}, {"dimension_largest": largest}, (Conditions(rows),))]


def _studies(config: StudyConfig) -> dict[str, StudyConfig]:
    """Every parametrisation in-line and in shadow, and mean-field with avalanches that are not cut short."""
    found = {}
    for parametrisation in PARAMETRISATIONS:
        for training, alpha_train in (("in-line", config.alpha), ("shadow", 0.0)):
            found[f"{parametrisation}, {training}"] = replace(config, parametrisation=parametrisation, alpha_train=alpha_train)
    uncut = replace(found["mean-field, shadow"], max_steps=_MANY_STEPS, n_null_draws=0)
    return found | {f"mean-field, shadow, {_MANY_STEPS} steps": uncut}


def runs_of(config: StudyConfig, hidden: int) -> int:
    """Runs of a scale: fewer of wide networks, which take long and scatter little."""
    part = next(part for widest, part in _RUNS if hidden <= widest)
    return max(round(config.replicates * part), 2)


def _found(name: str, config: StudyConfig, executor: Executor) -> Condition:
    grid = [(hidden, k) for hidden in config.hidden for k in range(runs_of(config, hidden))]
    with_nulls = min(sorted(config.hidden)[-_LARGEST:])
    made = dict(over_grid(config, partial(_run, with_nulls), executor, grid))
    log = gather((run for run, _ in made.values() if run is not None), config.seed)
    sizes = wide.sizes_of(log)
    n, seed = log.n_sites, log.seed
    return Condition(
        name=name,
        log=log,
        sharpness=_by_run(log, {address: sharp for address, (_, sharp) in made.items()}),
        diverged=Counter(hidden for (hidden, _), (run, _) in made.items() if run is None),
        shares={phase: wide.share(n, of_runs, seed) for phase, of_runs in sizes.items()},
        slopes={(phase, w): wide.local(n, of_runs, w, seed) for phase, of_runs in sizes.items() for w in WIDTHS},
        exponents={phase: wide.exponents(log, of_runs, _ranges(log)) for phase, of_runs in sizes.items()},
        excess={null: wide.beside_null(log, null, "late") for null in log.nulls},
    )


def _run(nulls_from: int, config: StudyConfig, hidden: int, replicate: int) -> tuple[Run | None, float]:
    """A run, None if it diverged, and η·λ₀ at its start."""
    sharp = sharpness(config, hidden, replicate)
    try:
        return run_of_study(config, hidden, replicate, gini=False, every_epoch=False, nulls=hidden >= nulls_from), sharp
    except DivergedError:
        return None, sharp


def _by_run(log: Log, of_run: dict[Address, float]) -> Floats:
    scales, n_runs = log.size.shape[:2]
    return np.array([[of_run.get((int(log.scale[s]), k), np.nan) for k in range(n_runs)] for s in range(scales)])


def _ranges(log: Log) -> dict[str, Booleans]:
    """Scales that D is fitted over; the last are the largest."""
    rank = np.arange(log.scale.size)[::-1]
    everything = np.ones(log.scale.size, np.bool_)
    return {"all": everything, "those of the paper": log.scale <= _PAPER, "the largest": rank < _LARGEST}


def tables(results: Results) -> dict[str, Table]:
    """Every condition by scale, exponents over ranges of scales and over windows of them, and the excess over nulls."""
    rows = results.series_of(Conditions).rows
    return {
        "scales": [cells for row in rows for cells in _scale_rows(row)],
        "exponents": [cells for row in rows for cells in _exponent_rows(row)],
        "windows": [cells for row in rows for cells in _window_rows(row)],
        "dynamics": [_dynamics(row) for row in rows],
        "excess": [
            {"condition": f"{row.name}, {null}", "dimension": _short(d), "size (%)": _short(more, 1), "note": d.note}
            for row in rows
            for null, (d, more) in row.excess.items()
        ],
    }


def _scale_rows(row: Condition) -> Table:
    log, last = row.log, row.log.curves["loss"][..., -1]
    columns = {
        "runs": (~np.isnan(last)).sum(axis=1),
        "diverged": [row.diverged.get(int(hidden), 0) for hidden in log.scale],
        "ungrokked": ((log.grokking_step < 0) & ~np.isnan(last)).sum(axis=1),
        "grokking epoch": wide.mean_of_runs(grokking.epochs_of_runs(log)),
        "last loss": wide.mean_of_runs(last),
        "overshoot": wide.mean_of_runs(_overshoot(log)),
        "sharpness": wide.mean_of_runs(row.sharpness),
        "capped (%)": 100 * wide.mean_of_runs(log.columns["capped"].reshape(len(log.scale), -1)),
    }
    for phase, band in row.shares.items():
        columns |= {f"s/N {phase}": band.value, f"s/N {phase} low": band.low, f"s/N {phase} high": band.high}
    head = {"condition": row.name}
    found: Table = [
        head | {"hidden": hidden, "n_sites": n} | {name: column[s] for name, column in columns.items()}
        for s, (hidden, n) in enumerate(zip(log.scale, log.n_sites, strict=True))
    ]
    lost = [hidden for hidden in row.diverged if hidden not in log.scale]  # every run of a scale diverged
    return found + [dict.fromkeys(found[0], "") | head | {"hidden": h, "runs": 0, "diverged": row.diverged[h]} for h in lost]


def _overshoot(log: Log) -> Floats:
    loss = log.curves["loss"]
    return np.asarray(loss.max(axis=-1) / loss[..., 0])


def _exponent_rows(row: Condition) -> Table:
    return [
        {
            "what": f"{row.name}, {phase}, {one.scales}",
            "from h": _end(one.hidden, 0),
            "to h": _end(one.hidden, -1),
            "dimension": one.dimension.value,
            "low": one.dimension.low,
            "high": one.dimension.high,
            "D": _short(one.dimension),
            "p of a line": "< 0.001" if one.p < 0.001 else f"{one.p:.2g}",
        }
        for phase, found in row.exponents.items()
        for one in found
    ]


def _end(hidden: Integers, at: int) -> object:
    return hidden[at] if hidden.size else ""


def _window_rows(row: Condition) -> Table:
    n, hidden = row.log.n_sites, row.log.scale
    return [
        {
            "condition": row.name, "phase": phase, "width": width, "from h": hidden[w], "to h": hidden[w + width - 1],
            "from N": n[w], "to N": n[w + width - 1], "exponent": value, "low": low, "high": high,
        }
        for (phase, width), band in row.slopes.items()
        for w, (value, low, high) in enumerate(zip(band.value, band.low, band.high, strict=True))
    ]  # fmt: skip


def _dynamics(row: Condition) -> dict[str, object]:
    """Whether networks of all widths do the same: the smallest and the largest mean of a scale, and the widest scale's own."""
    log = row.log
    epoch, loss = wide.mean_of_runs(grokking.epochs_of_runs(log)), wide.mean_of_runs(log.curves["loss"][..., -1])
    over, sharp = wide.mean_of_runs(_overshoot(log)), wide.mean_of_runs(row.sharpness)
    capped = 100 * wide.mean_of_runs(log.columns["capped"].reshape(len(log.scale), -1))
    beyond = log.scale[over > 1.01]
    return {
        "condition": row.name,
        "η·λ₀": f"{sharp[0]:.2g} to {sharp[-1]:.2g}",
        "overshoot from h": beyond[0] if beyond.size else "none",
        "largest overshoot": f"{over.max():.2g}",
        "grokking epochs": f"{np.nanmin(epoch):.0f}–{np.nanmax(epoch):.0f}" if np.isfinite(epoch).any() else "none",
        "of the largest": f"{epoch[-1]:.0f}",
        "ungrokked": int(((log.grokking_step < 0) & ~np.isnan(log.curves["loss"][..., -1])).sum()),
        "diverged": sum(row.diverged.values()),
        "last loss": f"{loss.min():.2g} to {loss.max():.2g}",
        "capped, largest (%)": f"{capped[-1]:.0f}",
        "s/N late, largest": _short(_at(row.shares["late"], -1)),
    }


def _at(band: Band, s: int) -> Estimate:
    return Estimate(float(band.value[s]), float(band.low[s]), float(band.high[s]), "mean")


def _short(one: Estimate, decimals: int = 2) -> str:
    if np.isnan(one.value):
        return "–"
    return f"{one.value:.{decimals}f} [{one.low:.{decimals}f}, {one.high:.{decimals}f}]"


def draw(results: Results) -> Figure:
    """By parametrisation, early, at grokking and late: (a–f) s/N and (g–l) exponents over windows of scales."""
    rows = {row.name: row for row in results.series_of(Conditions).rows}
    figure = Figure(figsize=(WIDE, 7.6))
    panels = figure.subplots(4, len(PARAMETRISATIONS), sharex=True)
    letters = iter("abcdefghijkl")
    for line, (training, of_slopes) in zip(panels, _LINES, strict=True):
        for axes, parametrisation in zip(line, PARAMETRISATIONS, strict=True):
            row = rows[f"{parametrisation}, {training}"]
            n = row.log.n_sites
            axes.axvspan(n[0], 4 * _PAPER + 1, color="0.5", alpha=0.12, linewidth=0)
            for (phase, colour), marker in zip(_COLOURS.items(), MARKERS, strict=True):
                band = row.slopes[phase, WIDTHS[-1]] if of_slopes else row.shares[phase]
                axes.errorbar(
                    _middles(n) if of_slopes else n, band.value, yerr=np.nan_to_num(error_bars(band)), fmt=f"{marker}-",
                    color=colour, markersize=2.5, linewidth=0.8, elinewidth=0.6,
                )  # fmt: skip
            if of_slopes:
                axes.axhline(1, color="0.35", linewidth=0.8)
            # a window of few runs can have an interval far wider than all that is to be seen
            axes.set(ylim=(0.3, 1.9) if of_slopes else (0, 0.7))
            panel_title(axes, next(letters), f"{parametrisation}, {training}")
        line[0].set(ylabel=f"exponent over {WIDTHS[-1]} scales" if of_slopes else r"$\langle s\rangle / N$")
    for axes in panels[-1]:
        axes.set(xlabel="parameters $N$")
        log_scale(axes, "x")
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, marker=marker, markersize=3, label="at grokking" if phase == "grokking" else phase)
        for (phase, colour), marker in zip(_COLOURS.items(), MARKERS, strict=True)
    ]
    figure.legend(
        handles=[*handles, Patch(color="0.5", alpha=0.2, label="widths of the paper")], loc="outside upper center", ncols=4
    )
    return figure


def _middles(n: Integers) -> Floats:
    """The middle of each window, (S − width + 1,), in log N."""
    width = WIDTHS[-1]
    return np.exp([np.log(n[w : w + width]).mean() for w in range(n.size - width + 1)])


EXPERIMENT = Experiment(
    measure,
    tables,
    draw,
    study=StudyConfig(hidden=_HIDDEN, replicates=12, snapshot_every=5, nulls=("permuted", "blocks"), n_null_draws=1),
    quick={"hidden": (20, 30, 40, 60, 80, 100, 150, 200), "replicates": 3, "epochs": 120, "n_null_draws": 1},
)
