"""What is the late D of 1.2 a measure of, and does the paper's grokking window coincide with it?"""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdu.analysis import edge, rate_width
from tdu.config import Scope, StudyConfig
from tdu.experiments.experiment import Experiment, Say, Table
from tdu.results.panels.style import MARKERS, SIZES, WIDE, log_scale, panel_title
from tdu.results.published import PUBLISHED, beside_nothing, with_interval
from tdu.results.series import EDGE
from tdu.series import Series
from tdu.statistics.sampling import mean_of_known
from tdu.training.ensembles import train_all
from tdu.types import Estimate, Findings, Results

TRAININGS = ("in-line", "shadow")
#: The paper's scales; the study has others too, to see where they lead.
PAPER = StudyConfig.hidden
#: Activation and initialisation of further studies, of the paper's scales, at its rate and at a fourth of it.
RECIPES = (
    ("relu", "pytorch"),
    ("sigmoid", "pytorch"),
    ("tanh", "xavier"),
    ("tanh", "he"),
    ("tanh", "normal-0.5"),
    ("tanh", "normal-1"),
)
RECIPE_RATES = (1 / 8, 1 / 2)
_RECIPE = f"{StudyConfig.activation} {StudyConfig.initialisation}"


@dataclass(frozen=True, eq=False)
class Study:
    """One study: late D of the paper's scales, of all, of those on each side of the edge, and what its runs show."""

    recipe: str
    training: str
    rate: float
    dimensions: dict[str, Estimate]
    trained: rate_width.Trained
    coincidence: Estimate

    @property
    def name(self) -> str:
        """Of its reading."""
        return f"{self.recipe}, η = {Fraction(self.rate)}, {self.training}"

    @property
    def beyond(self) -> str:
        """The paper's scales that start beyond the edge."""
        scales = [str(h) for h, beyond in zip(self.trained.scale, self.trained.beyond, strict=True) if beyond and h in PAPER]
        return ", ".join(scales) or "none"


@dataclass(frozen=True, eq=False)
class Studies(Series):
    """All of them."""

    key = "rate_width"
    rows: list[Study]

    def of(self, training: str) -> list[Study]:
        """Those of the default recipe by rate."""
        return [row for row in self.rows if row.training == training and row.recipe == _RECIPE]


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """The study at every rate and in both trainings; other recipes at two of the rates."""
    rows: list[Study] = []
    for recipe, training, study in _studies(config):
        say(f"{recipe}, η = {Fraction(study.learning_rate)}, {training}")
        log = train_all(study, executor)
        trained = rate_width.of_log(log, edge.measure(study, executor))
        sides = {
            "": np.isin(log.scale, PAPER),
            "all scales": np.ones(len(log.scale), bool),
            "scales below the edge": ~trained.beyond,
            "scales beyond the edge": trained.beyond,
        }
        dimensions = {side: rate_width.late_dimension(log, scales) for side, scales in sides.items()}
        coincidence = rate_width.correlation(trained, config.seed)
        rows.append(Study(recipe, training, study.learning_rate, dimensions, trained, coincidence))
    found = Studies(rows)
    late = {f"{row.name}, {side}".removesuffix(", "): one for row in rows for side, one in row.dimensions.items()}
    edges = {training: rate_width.edge_of([row.trained for row in found.of(training)], config.seed) for training in TRAININGS}
    paper = next(row for row in found.of("in-line") if row.rate == config.learning_rate)
    estimates = {"dimension_late": paper.dimensions[""], "edge": edges["shadow"], "coincidence": paper.coincidence}
    readings = {"dimension_late": late, "edge": edges, "coincidence": {row.name: row.coincidence for row in rows}}
    return [Findings(estimates, readings, (found,))]


def _studies(config: StudyConfig) -> Iterator[tuple[str, str, StudyConfig]]:
    for training, alpha_train in zip(TRAININGS, (config.alpha, 0.0), strict=True):
        for rate in rate_width.RATES:
            yield _RECIPE, training, rate_width.at_rate(config, rate, alpha_train=alpha_train)
        for activation, initialisation in RECIPES:
            known: dict[str, Any] = {"activation": activation, "initialisation": initialisation, "alpha_train": alpha_train}
            known["hidden"] = tuple(h for h in config.hidden if h in PAPER)
            for rate in RECIPE_RATES:
                yield f"{activation} {initialisation}", training, rate_width.at_rate(config, rate, **known)


def tables(results: Results) -> dict[str, Table]:
    """By study and scale, and by study; the latter also as words."""
    scales: Table = []
    studies: Table = []
    recipes: Table = []
    for row in results.series_of(Studies).rows:
        which: dict[str, object] = {"recipe": row.recipe, "training": row.training, "η": str(Fraction(row.rate))}
        found = row.trained
        for s, hidden in enumerate(found.scale):
            scales.append(
                which
                | {
                    "h": int(hidden),
                    "η·λ₀": found.sharpness[s].mean(),
                    "largest loss / first": found.overshoot[s].mean(),
                    "runs whose loss exceeds its start": (found.overshoot[s] > 1).mean(),
                    "late s/N": found.per_site[s].value,
                    "late s/N low": found.per_site[s].low,
                    "late s/N high": found.per_site[s].high,
                    "grokking epoch": float(mean_of_known(found.grokked[s])),
                    "last epoch of growing loss": found.calm[s].mean(),
                    "ungrokked": int(np.isnan(found.grokked[s]).sum()),
                }
            )
        words = which | {"paper's scales beyond η·λ₀ = 2": row.beyond, "late D": _said(row.dimensions[""])}
        if row.recipe != _RECIPE:
            recipes.append(words)
            continue
        words |= {f"of {side}": _said(one) for side, one in row.dimensions.items() if side}
        studies.append(words | {"rank correlation": _said(row.coincidence)})
    return {"scales": scales, "studies": studies, "recipes": recipes, "widths": _widths(results)}


def _widths(results: Results) -> Table:
    """The study at the paper's rate, a row a width."""
    found = results.series_of(Studies)
    rows: Table = []
    both = [next(row.trained for row in found.of(training) if row.rate == StudyConfig.learning_rate) for training in TRAININGS]
    for s, hidden in enumerate(both[0].scale):
        cells: dict[str, object] = {"h": str(hidden), "η·λ₀": f"{both[0].sharpness[s].mean():.2f}"}
        for training, one in zip(TRAININGS, both, strict=True):
            cells |= {
                f"{training}: largest loss / first": f"{one.overshoot[s].mean():.2f}",
                f"{training}: late s/N": _said(one.per_site[s]),
                f"{training}: last epoch of growing loss": f"{one.calm[s].mean():.0f}",
                f"{training}: grokking epoch": f"{mean_of_known(one.grokked[s]):.0f}",
            }
        rows.append(cells)
    return rows


def _said(one: Estimate) -> str:
    return with_interval(beside_nothing(one))


def draw(results: Results) -> Figure:
    """(a) Overshoot of every run by η·λ₀; (b) late D by rate; late size per site by width (c) in-line, (d) in shadow."""
    found = results.series_of(Studies)
    figure = Figure(figsize=(WIDE, 5.6))
    top, bottom = figure.subfigures(2, 1, squeeze=False)[:, 0]
    (over, late), per_site = top.subplots(1, 2), bottom.subplots(1, 2, sharey=True)
    for training, marker, colour in zip(TRAININGS, MARKERS, ("C0", "C1"), strict=False):
        rows = found.of(training)
        x, y = (np.concatenate([getattr(row.trained, name).ravel() for row in rows]) for name in ("sharpness", "overshoot"))
        over.plot(x, y, marker, color=colour, markersize=2.5, markerfacecolor="none", markeredgewidth=0.5, label=training)
        known = [row.dimensions[""] for row in rows]
        spread = np.array([[one.value - one.low, one.high - one.value] for one in known]).T
        rates = [row.rate for row in rows]
        late.errorbar(
            rates, [one.value for one in known], yerr=spread, fmt=f"-{marker}", color=colour, capsize=2, label=training
        )
    over.axvline(EDGE, color="0.35", linewidth=0.8, linestyle=":")
    over.set(xlabel=r"$\eta\lambda_0$ at the start", ylabel="largest loss / first")
    log_scale(over, "xy")
    late.axhline(1, color="0.75", linewidth=0.8)
    late.axhline(PUBLISHED["dimension_late"].value or np.nan, color="0.35", linewidth=0.8, linestyle="-.", label="published")
    late.set(xlabel=r"$\eta$", ylabel="late $D$ of the paper's scales")
    late.set_xscale("log", base=2)
    for panel, training in zip(per_site, TRAININGS, strict=True):
        _per_site(panel, found.of(training))
    per_site[0].set(ylabel="late mean $s/N$")
    for letter, panel, title in zip("abcd", (over, late, *per_site), ("", "", *TRAININGS), strict=True):
        panel_title(panel, letter, title)
    top.legend(*late.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    bottom.legend(*per_site[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(rate_width.RATES))
    return figure


def _per_site(axes: Axes, rows: list[Study]) -> None:
    """Late size per site by width; scales beyond the edge filled, the others hollow."""
    for row, colour in zip(rows, mpl.colormaps[SIZES](np.linspace(0, 0.9, len(rows))), strict=True):
        value = np.array([one.value for one in row.trained.per_site])
        axes.plot(row.trained.scale, value, color=colour, linewidth=0.9, label=rf"$\eta = {Fraction(row.rate)}$")
        for beyond, fill in ((True, colour), (False, "white")):
            at = row.trained.beyond == beyond
            axes.plot(row.trained.scale[at], value[at], "o", color=colour, markerfacecolor=fill, markersize=4)
    axes.set(xlabel="hidden units $h$")
    log_scale(axes, "xy")


EXPERIMENT = Experiment(measure, tables, draw, quick={"hidden": (20, 30, 50), "replicates": 2, "epochs": 120})
