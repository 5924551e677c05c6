"""Does D fall through 1 where a transformer groks modular addition, as the companion study says, and do its nulls?"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.analysis import alignment, divergence
from tdu.analysis.alignment import FIELDS, Aligned
from tdu.config import NULLS, QUICK_GROKKING, GrokkingConfig, NetworkConfig, Scope
from tdu.experiments.experiment import Experiment, Say, Table, columns, settings_of, with_band
from tdu.monitor import NetworkRun, one_blas_thread, train_network
from tdu.panels import NULL_COLOURS, NULL_DASHES, SIZES, WIDE, band, panel_title
from tdu.types import STATISTICS, Estimate, Findings, Results

_GROKKING, _DELAYED, _FEW, _NO_DECAY = "grokking", "delayed", "few-data", "no-decay"
_FRACTION = {_DELAYED: "delayed_fraction", _FEW: "few_fraction"}


@dataclass(frozen=True)
class Condition:
    """Runs of all widths and seeds that share everything else: `kind` grokking, delayed or a control, in shadow or in-line."""

    kind: str
    modulus: int
    in_line: bool

    @property
    def name(self) -> str:
        """As in tables and keys."""
        return f"{self.kind}-{self.modulus}-{'inline' if self.in_line else 'shadow'}"

    def run(self, study: GrokkingConfig, width: int, replicate: int) -> NetworkConfig:
        """The settings of one of its runs."""
        delayed = self.kind == _DELAYED
        decay = study.delayed_weight_decay if delayed else study.weight_decay
        return NetworkConfig(
            modulus=self.modulus,
            train_fraction=getattr(study, _FRACTION.get(self.kind, "train_fraction")),
            width=width,
            layer_norm=study.layer_norm,
            learning_rate=study.delayed_learning_rate if delayed else study.learning_rate,
            weight_decay=0.0 if self.kind == _NO_DECAY else decay,
            epochs=study.delayed_epochs if delayed else study.epochs,
            snapshot_every=study.snapshot_every,
            alpha=study.alpha,
            alpha_train=study.alpha if self.in_line else 0.0,
            n_null_draws=study.n_null_draws,
            seed=study.seed,
            replicate=replicate,
        )


def conditions(study: GrokkingConfig) -> list[Condition]:
    """For every prime grokking and its control of few data, in shadow; for the first also in-line, without decay, delayed."""
    first = study.moduli[0]
    both = [Condition(kind, modulus, False) for modulus in study.moduli for kind in (_GROKKING, _FEW)]
    in_line = [Condition(kind, first, True) for kind in (_GROKKING, _FEW)]
    return [*both, Condition(_NO_DECAY, first, False), *in_line, Condition(_DELAYED, first, False)]


def measure(study: GrokkingConfig, _scope: Scope, executor: Executor, say: Say, runs: Path) -> list[Findings]:
    """Train every run, going on from what is in the directory `runs`, and compare."""
    of = {condition.name: group for condition, group in _train_all(study, executor, say, runs).items()}
    say("intervals")
    jobs: list[Callable[[], Findings]] = []
    for condition in conditions(study):
        group = of[condition.name]
        jobs.append(partial(_of_learning, study, condition.name, group))
        if condition.kind in (_GROKKING, _DELAYED):
            jobs.append(partial(_of_grokking, study, condition.name, group))
        else:
            grokking = of[Condition(_GROKKING, condition.modulus, condition.in_line).name]
            jobs.append(partial(_of_control, study, condition.name, group, grokking))
    return [Findings(series={"training": of}), *executor.map(lambda job: job(), jobs)]


def _train_all(study: GrokkingConfig, executor: Executor, say: Say, runs: Path) -> dict[Condition, Aligned]:
    jobs = {}
    for condition in conditions(study):
        for width in study.widths:
            for replicate in range(study.replicates):
                config = condition.run(study, width, replicate)
                jobs[condition, width, replicate] = config, runs / condition.name / f"{width}-{replicate}"
    cost = {key: of.width * of.modulus**2 * of.train_fraction * of.epochs for key, (of, _) in jobs.items()}
    ahead = {key: 0.0 if (directory / "run.csv").exists() else cost[key] for key, (_, directory) in jobs.items()}
    total, done, start = sum(ahead.values()), 0.0, time.monotonic()
    found: dict[tuple[Condition, int, int], NetworkRun] = {}
    with one_blas_thread():
        futures = {executor.submit(train_network, *jobs[key]): key for key in sorted(jobs, key=lambda key: -cost[key])}
        try:
            for future in as_completed(futures):
                key = futures[future]
                found[key] = future.result()
                done += ahead[key]
                left = f", {(time.monotonic() - start) * (total - done) / done / 60:.0f} minutes left" if done else ""
                say(f"{len(found)} of {len(jobs)} runs{left}")
        finally:
            for future in futures:
                future.cancel()
    return {
        condition: _aligned(condition, [[found[condition, w, r] for r in range(study.replicates)] for w in study.widths])
        for condition in conditions(study)
    }


def _aligned(condition: Condition, runs: list[list[NetworkRun]]) -> Aligned:
    """Delayed runs are aligned at their first snapshot above 0.99: the loss has spikes later, behind which others would lie."""
    grokking = "first_snapshot" if condition.kind == _DELAYED else "grokking_snapshot"

    def of(name: str) -> np.ndarray:
        return np.array([[run.columns[name] for run in row] for row in runs])

    return Aligned(
        n_sites=np.array([row[0].n_sites for row in runs]),
        epoch=of("epoch")[0, 0].astype(np.int64),
        accuracy=of("accuracy"),
        test_accuracy=of("test_accuracy"),
        grokking=np.array([[getattr(run, grokking) for run in row] for row in runs]),
        size=of("size"),
        null={
            name: np.moveaxis(np.array([[run.null_sizes(name) for run in row] for row in runs]), 2, 0).astype(np.float64)
            for name in NULLS
        },
    )


def _of_grokking(study: GrokkingConfig, name: str, runs: Aligned) -> Findings:
    """D around grokking of every field and statistic; the mean size of the real gradients heads."""
    window = study.window // study.snapshot_every
    offsets = np.arange(-2 * window, 2 * window + 1)
    estimates: dict[str, Estimate] = {}
    readings: dict[str, dict[str, Estimate]] = {}
    words = []
    for statistic in STATISTICS:
        for field in FIELDS:
            found = alignment.around(runs, field, statistic, window, study.seed)
            words.append({"condition": name, "field": field, "statistic": statistic, **found})
            for key, value in found.items():
                key = f"{key}_{name}"
                if (field, statistic) == ("real", "mean"):
                    estimates[key] = value
                else:
                    readings.setdefault(key, {})[f"{field}, {statistic}"] = value
    for null in NULLS:
        for part, inside in (("before", np.arange(-window, 0)), ("after", np.arange(window))):
            estimates[f"excess_{null}_{part}_{name}"] = alignment.excess_at_grokking(runs, null, inside, study.seed)
    over_time = {field: alignment.over_offsets(runs, field, offsets, study.seed) for field in FIELDS}
    aligned = {"offset": offsets * study.snapshot_every, "fields": over_time}
    return Findings(estimates, readings, {f"around_{name}": words, f"aligned_{name}": aligned})


def _of_learning(study: GrokkingConfig, name: str, runs: Aligned) -> Findings:
    """D(t) at absolute epochs, and its mean while the widths memorise, one after the other."""
    inside = alignment.memorising(runs)
    found = {field: alignment.level(runs, field, inside, study.seed) for field in FIELDS}
    over_time = {field: alignment.over_epochs(runs, field, study.seed) for field in ("real", "permuted", "blocks")}
    key = f"memorising_{name}"
    series = {f"epochs_{name}": {"epoch": runs.epoch, "fields": over_time}}
    return Findings({key: found.pop("real")}, {key: found}, series)


def _of_control(study: GrokkingConfig, name: str, control: Aligned, grokked: Aligned) -> Findings:
    """How high D stays in runs that do not grok, and when the others part from them."""
    epoch_of = np.where(grokked.grokking >= 0, grokked.grokking, grokked.epoch.size - 1)
    memorised = int(np.where(control.memorised >= 0, control.memorised, 0).max())
    inside = np.arange(memorised, control.epoch.size)
    levels = {field: alignment.level(control, field, inside, study.seed, ungrokked=True) for field in FIELDS}
    estimates, rows = {f"level_{name}": levels.pop("real")}, []
    for field in ("real", "permuted", "blocks"):
        a, b = (np.moveaxis(runs.of(field), -1, 0) for runs in (grokked, control))
        before = grokked.epoch <= grokked.epoch[epoch_of].mean()
        lead = divergence.lead_time(
            control.n_sites, grokked.epoch[before], a[before], b[before], grokked.epoch[epoch_of], study.seed
        )
        false = divergence.false_alarm_rate(control.n_sites, a[before], b[before], study.seed)
        rows.append({"control": name, "field": field, "lead": lead, "false": false})
        if field == "real":
            estimates |= {f"lead_{name}": lead, f"false_alarms_{name}": false}
    size_a, size_b = (np.moveaxis(runs.size, -1, 0) for runs in (grokked, control))
    value, error = divergence.difference(control.n_sites, size_a, size_b)
    series = {"epoch": grokked.epoch, "difference": value, "error": error}
    return Findings(estimates, {f"level_{name}": levels}, {f"parting_{name}": rows, f"difference_{name}": series})


def tables(results: Results) -> dict[str, Table]:
    """What the runs did, D around grokking, D(t) aligned at it, and when groups part."""
    of = results.series
    around = [row for name, rows in of.items() if name.startswith("around_") for row in rows]
    parting = [row for name, rows in of.items() if name.startswith("parting_") for row in rows]
    return {
        "runs": [row for name, runs in of["training"].items() for row in _table_of_runs(name, runs)],
        "crossings": [
            {
                "what": f"{row['condition']}, {row['field']}, {row['statistic']}",
                **_with_ends(row["dimension_early"], "before"),
                **_with_ends(row["dimension_late"], "after"),
                **_with_ends(row["rise"], "change"),
                "words": alignment.crossing(row),
            }
            for row in around
        ],
        "partings": [
            {
                "what": f"{row['control']}, {row['field']}",
                "alarm": row["lead"].note,
                **_with_ends(row["lead"], "lead"),
                **_with_ends(row["false"], "false alarms (%)"),
            }
            for row in parting
        ],
        "dimension": [
            row
            for name, aligned in of.items()
            if name.startswith("aligned_")
            for row in _table_over(name.removeprefix("aligned_"), aligned, "offset", "epochs from grokking")
        ],
        "epochs": [
            row
            for name, found in of.items()
            if name.startswith("epochs_")
            for row in _table_over(name.removeprefix("epochs_"), found, "epoch", "epoch")
        ],
    }


def _with_ends(found: Estimate, name: str) -> dict[str, object]:
    return {name: found.value, f"{name} low": found.low, f"{name} high": found.high}


def _table_of_runs(name: str, runs: Aligned) -> Table:
    epoch = runs.epoch.astype(float)
    return [
        {
            "what": f"{name}, N = {n}",
            "runs": len(grokking),
            "memorised": int((memorised >= 0).sum()),
            "epoch of training accuracy 1": epoch[memorised[memorised >= 0]].mean() if (memorised >= 0).any() else np.nan,
            "test accuracy then": np.mean([t[m] for t, m in zip(test, memorised, strict=True) if m >= 0] or [np.nan]),
            "grokked": int((grokking >= 0).sum()),
            "grokking epoch": epoch[grokking[grokking >= 0]].mean() if (grokking >= 0).any() else np.nan,
            "earliest": epoch[grokking[grokking >= 0]].min() if (grokking >= 0).any() else np.nan,
            "latest": epoch[grokking[grokking >= 0]].max() if (grokking >= 0).any() else np.nan,
            "least test accuracy at the end": test[:, -1].min(),
        }
        for n, memorised, grokking, test in zip(runs.n_sites, runs.memorised, runs.grokking, runs.test_accuracy, strict=True)
    ]


def _table_over(name: str, series: dict[str, Any], axis: str, label: str) -> Table:
    at = series[axis]
    rows: Table = []
    for field, found in series["fields"].items():
        rows += columns(condition=[name] * len(at), field=[field] * len(at), **{label: at}, **with_band(found))
    return rows


def draw(results: Results) -> Figure:
    """(a, b) Accuracies of every width; (c–f) D(t) at grokking, and its nulls; (g, h) runs that grok and runs that do not."""
    aligned = {name.removeprefix("aligned_"): of for name, of in results.series.items() if name.startswith("aligned_")}
    training = results.series["training"]
    drawn: list[tuple[str, Callable[[Axes], None]]] = [
        *(
            (_in_words(name), partial(_draw_accuracies, runs=training[name]))
            for name in (next(iter(aligned)), next(reversed(aligned)))
        ),
        *((_in_words(name), partial(_draw_aligned, aligned=of)) for name, of in aligned.items()),
        ("$D(t)$ at absolute epochs", partial(_draw_groups, results=results)),
        ("grokking − control", partial(_draw_differences, results=results)),
    ]
    n_rows = (len(drawn) + 1) // 2
    figure = Figure(figsize=(WIDE, 2.25 * n_rows))
    panels = figure.subplots(n_rows, 2).ravel()
    for axes, letter, (title, draw_on) in zip(panels, "abcdefgh", drawn, strict=False):
        draw_on(axes)
        panel_title(axes, letter, title)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    figure.legend(*panels[2].get_legend_handles_labels(), loc="outside upper center", ncols=7)
    return figure


def _in_words(name: str) -> str:
    """A condition's name in labels: kind, modulus, training."""
    kind, modulus, training = name.rsplit("-", 2)
    return f"{kind}, $p = {modulus}$, {'in-line' if training == 'inline' else training}"


def _styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A colour for each modulus and training, a line for each kind; kinds there is but one of have their own colour too."""
    of = {name: name.rsplit("-", 2) for name in names}
    groups = list(dict.fromkeys((modulus, training) for _, modulus, training in of.values()))
    lines = {_GROKKING: "-", _FEW: "--", _DELAYED: "-.", _NO_DECAY: ":"}
    own = {_DELAYED: "C6", _NO_DECAY: "C3"}
    return {
        name: {"color": own.get(kind, f"C{groups.index((modulus, training))}"), "linestyle": lines[kind]}
        for name, (kind, modulus, training) in of.items()
    }


def _draw_accuracies(axes: Axes, runs: Aligned) -> None:
    colours = mpl.colormaps[SIZES](np.linspace(0, 0.95, len(runs.n_sites)))
    for k, (n, colour) in enumerate(zip(runs.n_sites, colours, strict=True)):
        axes.plot(runs.epoch, runs.accuracy[k].mean(axis=0), color=colour, linewidth=0.8, linestyle="--")
        axes.plot(runs.epoch, runs.test_accuracy[k].mean(axis=0), color=colour, label=f"{n:,}")
    axes.axhline(0.99, color="0.35", linewidth=0.8, linestyle=":")
    axes.set(xlabel="epoch", ylabel="accuracy (train dashed)")
    axes.legend(title="$N$", fontsize="x-small")


def _draw_aligned(axes: Axes, aligned: dict[str, Any]) -> None:
    real = aligned["fields"]["real"]
    band(axes, aligned["offset"], real["low"], real["high"], "C0")
    axes.plot(aligned["offset"], real["value"], color="C0", linewidth=1.8, label="real", zorder=3)
    for name, colour in NULL_COLOURS.items():
        null = aligned["fields"][name]
        if name in ("permuted", "blocks"):
            band(axes, aligned["offset"], null["low"], null["high"], colour, NULL_DASHES[name])
        axes.plot(aligned["offset"], null["value"], color=colour, linestyle=NULL_DASHES[name], label=name)
    axes.axhline(1, color="0.35", linewidth=0.8)
    axes.axvline(0, color="C4", linewidth=0.8)
    axes.set(xlabel="epochs from grokking", ylabel="$D(t)$ of the mean size")


def _draw_groups(axes: Axes, results: Results) -> None:
    over_time = {name.removeprefix("epochs_"): of for name, of in results.series.items() if name.startswith("epochs_")}
    for name, style in _styles(results.series["training"]).items():
        of = over_time[name]
        axes.plot(of["epoch"], of["fields"]["real"]["value"], linewidth=0.9, label=_in_words(name), **style)
    axes.axhline(1, color="0.35", linewidth=0.8)
    low, high = axes.get_ylim()
    last = min(of["epoch"][-1] for of in over_time.values())  # those that are delayed go on
    axes.set(xlabel="epoch", ylabel="$D(t)$ of the mean size", xlim=(0, last), ylim=(low - 0.5 * (high - low), high))
    axes.legend(fontsize="x-small", loc="lower right", ncols=2, columnspacing=1)


def _draw_differences(axes: Axes, results: Results) -> None:
    for name, style in _styles(results.series["training"]).items():
        of = results.series.get(f"difference_{name}")
        if of is not None:
            ratio = np.asarray(of["difference"]) / np.asarray(of["error"])
            axes.plot(of["epoch"], ratio, linewidth=0.9, label=_in_words(name), **style)
    for bound in (-divergence.LEVEL, divergence.LEVEL):
        axes.axhline(bound, color="0.35", linewidth=0.8, linestyle=":")
    axes.set(xlabel="epoch", ylabel="standard errors")
    axes.legend(fontsize="x-small")


_QUICK = settings_of(
    QUICK_GROKKING,
    "widths",
    "moduli",
    "replicates",
    "epochs",
    "delayed_epochs",
    "train_fraction",
    "learning_rate",
    "weight_decay",
    "n_null_draws",
)
EXPERIMENT = Experiment(measure, tables, draw, GrokkingConfig(), _QUICK, keeps_runs=True)
