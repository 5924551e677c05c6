"""Is any of the excess of D over its nulls the gradient's, or is it what the probe wrote into the weights?"""

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.analysis import imprint
from tdu.analysis.imprint import CONDITIONS, OWN
from tdu.config import Scope, StudyConfig
from tdu.experiments import imprint_trace as trace
from tdu.experiments import imprint_transformers as transformers
from tdu.experiments.experiment import Experiment, Say, Table
from tdu.results.panels.style import WIDE, null_styles, panel_title
from tdu.results.published import beside_nothing, with_interval
from tdu.series import Series
from tdu.types import Estimate, Findings, Results

#: Studies of successive seeds, each on its own.
_N_SEEDS = 2
_MOVED = "imprint"


@dataclass(frozen=True)
class Measured:
    """What a condition gives under one seed: late D, its excess over each null, and what D loses where sites are moved."""

    condition: str
    seed: int
    found: dict[str, Estimate]

    @property
    def name(self) -> str:
        """Of its reading."""
        return f"{self.condition}, seed {self.seed}"


@dataclass(frozen=True, eq=False)
class Imprint(Series):
    """Every condition under every seed."""

    key = "imprint"
    rows: list[Measured]


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """The study under every condition, twice; transformers once."""
    rows: list[Measured] = []
    for seed in range(config.seed, config.seed + _N_SEEDS):
        own = None
        for condition in CONDITIONS:
            say(f"{condition.name}, seed {seed}")
            log = imprint.log_of(replace(config, seed=seed), condition, executor)
            found = imprint.late(log)
            own = own or log
            if condition.name != OWN and condition.changes.keys() <= {"measured_on"}:
                found[_MOVED] = imprint.difference(own, log)
            rows.append(Measured(condition.name, seed, found))
    say("further seeds")
    further = trace.measure(config, config.seed + _N_SEEDS, executor)
    say("transformers")
    of_networks = transformers.measure(config, executor)
    return [_read(Imprint(rows)), Findings({further.key: further.mean}, series=(further,)), _read(of_networks)]


def _read(series: "Imprint | transformers.Transformers") -> Findings:
    """What every row has, by its name; the first row's heads the readings."""
    keys = dict.fromkeys(key for row in series.rows for key in row.found)
    readings = {key: {row.name: row.found[key] for row in series.rows if key in row.found} for key in keys}
    return Findings({key: next(iter(named.values())) for key, named in readings.items()}, readings, (series,))


def tables(results: Results) -> dict[str, Table]:
    """A row for each condition and seed: numbers, and the same to be read; likewise of transformers."""
    numbers: Table = []
    words: Table = []
    for row in results.series_of(Imprint).rows:
        cells: dict[str, object] = {"condition": row.condition, "seed": row.seed}
        said: dict[str, object] = {"condition": row.condition, "seed": str(row.seed)}
        for key, one in row.found.items():
            cells |= {key: one.value, f"{key} low": one.low, f"{key} high": one.high}
            if key != _MOVED:
                said["late D" if key == "dimension_late" else key.removeprefix("excess_")] = with_interval(beside_nothing(one))
        numbers.append(cells | {f"{_MOVED}{end}": cells.get(f"{_MOVED}{end}", "") for end in ("", " low", " high")})
        words.append(said)
    looked_at = [(row.condition, row.found) for row in results.series_of(Imprint).rows]
    return {
        "conditions": numbers,
        "summary": words,
        **trace.tables(results.series_of(trace.Trace), looked_at),
        **transformers.tables(results.series_of(transformers.Transformers)),
    }


def draw(results: Results) -> Figure:
    """By condition: (a) late D, (b) its excess over each null, the seeds one under the other; (c) ε of transformers."""
    rows = results.series_of(Imprint).rows
    names = [condition.name for condition in CONDITIONS]
    figure = Figure(figsize=(WIDE, 0.45 * len(names) + 1.2))
    whole, over, of_transformers = figure.subplots(1, 3, sharey=True, width_ratios=(2, 3, 2))
    nulls = null_styles(key.removeprefix("excess_") for key in rows[0].found if key.startswith("excess_"))
    shown = [name for name in nulls if name != "gaussian"]  # which D exceeds by another order of magnitude
    _points(whole, rows, names, "dimension_late", 0.0, "C0", "")
    for i, name in enumerate(shown):
        shift = 0.16 * (i - (len(shown) - 1) / 2)
        _points(over, rows, names, f"excess_{name}", shift, nulls[name].colour, name)
    found = results.series_of(transformers.Transformers)
    for i, name in enumerate(transformers.NULLS):
        shift = 0.16 * (i - (len(transformers.NULLS) - 1) / 2)
        for row in found.rows:
            _point(
                of_transformers, row.found[f"transformers_epsilon_{name}"], names.index(row.name) + shift, nulls[name].colour
            )
    for axes in (over, of_transformers):
        axes.axvline(0, color="0.6", linewidth=0.8)
    whole.set(xlabel="$D(t)$ after grokking, mean size", ylim=(len(names) - 0.5, -0.5))
    whole.set_yticks(range(len(names)), [name.replace(", ", ",\n", 1) for name in names])
    over.set(xlabel="excess of $D(t)$ over the null")
    of_transformers.set(xlabel="ε over the null")
    panel_title(whole, "a", "")
    panel_title(over, "b", "")
    panel_title(of_transformers, "c", "transformers")
    figure.legend(*over.get_legend_handles_labels(), loc="outside upper center", ncols=len(shown))
    return figure


def _points(axes: Axes, rows: Iterable[Measured], names: list[str], key: str, shift: float, colour: str, label: str) -> None:
    """A point with its interval for each condition and seed; the second seed hollow."""
    seeds: list[int] = []
    for row in rows:
        if row.seed not in seeds:
            seeds.append(row.seed)
        later = seeds.index(row.seed)
        at = names.index(row.condition) + shift + 0.07 * later
        shown = label if not later and row.condition == names[0] else None
        _point(axes, row.found[key], at, colour, markerfacecolor="white" if later else colour, label=shown)


def _point(axes: Axes, one: Estimate, at: float, colour: str, **style: Any) -> None:
    """An estimate with its interval, at a height."""
    ends = [[one.value - one.low], [one.high - one.value]]
    axes.errorbar(one.value, at, xerr=ends, fmt="o", color=colour, markersize=3, capsize=1.5, linewidth=0.8, **style)


EXPERIMENT = Experiment(
    measure, tables, draw, quick={"hidden": (20, 30, 50), "replicates": 2, "epochs": 120, "n_null_draws": 1}
)
