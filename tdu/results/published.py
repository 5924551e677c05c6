"""The published figures of arXiv:2604.04655, what it takes to agree with one, and the verdict in three words."""

import math
from dataclasses import dataclass, fields, replace

from tdu.config import GrokkingConfig, LogConfig, StudyConfig
from tdu.types import Estimate, Quantity, Verdict


@dataclass(frozen=True)
class Published:
    """A figure as it was printed, and the range [low, high] that its wording allows.

    `value` and `error` are what is drawn; both are None where only a bound was printed. `margin` is the equivalence margin:
    how far beyond the range a value still counts as the same. A figure of `one_run` is compared with the spread of runs rather
    than with their mean. `reading` says how the range was read from words that leave it open.
    """

    label: str
    text: str
    where: str
    low: float
    high: float
    value: float | None = None
    error: float | None = None
    reading: str = ""
    margin: float = 0.0
    one_run: bool = False


def _figure(
    label: str, value: float, error: float, where: str, text: str = "", reading: str = "", margin: float = 0.0
) -> Published:
    text = text or f"{value:.2f} ± {error:.2f}"
    return Published(label, text, where, value - error, value + error, value, error, reading, margin)


def _of_maximum(label: str, value: float, error: float, where: str, text: str = "", reading: str = "") -> Published:
    """An exponent of the largest size over six runs: its printed error leaves out the scatter between studies."""
    reading = "; ".join(
        part for part in (reading, f"equivalent within {MARGIN} of it, by which single studies scatter") if part
    )
    return _figure(label, value, error, where, text, reading, MARGIN)


def _below(label: str, bound: float, where: str, text: str, reading: str = "") -> Published:
    return Published(label, text, where, -math.inf, bound, reading=reading)


def _above(label: str, bound: float, where: str, text: str, reading: str = "") -> Published:
    return Published(label, text, where, bound, math.inf, reading=reading)


#: Equivalence margin of exponents of the largest size: about the standard deviation of such an exponent between studies of the
#: paper's own design, of which the published figure is one (`tests/test_docs.py` compares).
MARGIN = 0.05
#: That of grokking epochs, printed without an error: the spacing of snapshots, below which no phase of a run changes.
_EPOCHS_MARGIN = 10
_AS_READ = "published, as read: "
_AS_FIG_3A = "carries the ± 0.02 that Fig. 3a gives the same number"

#: In the order of the table.
PUBLISHED = {
    "dimension": _of_maximum("D, all epochs (s_max)", 1.00, 0.02, "Fig. 2c"),
    "gamma": _figure("γ, all epochs (⟨s⟩)", 1.15, 0.06, "Fig. 2c"),
    "dimension_r2": _above("R² of that D", 0.985, "Fig. 2c", "≥ 0.99", "0.985 rounds to it"),
    "gamma_r2": _above("R² of that γ", 0.985, "Fig. 2c", "0.99", "0.985 rounds to it"),
    "dimension_time_average": _of_maximum("D(t), mean over training", 1.00, 0.02, "Fig. 1b"),
    "dimension_early": _of_maximum("D(t) before the grokking window", 0.90, 0.02, "Fig. 1b", "≈ 0.90", _AS_FIG_3A),
    "dimension_late": _of_maximum("D(t) after the grokking window", 1.20, 0.02, "Fig. 1b", "≈ 1.20", _AS_FIG_3A),
    "r2_min": _above("R² of D(t), least over epochs", 0.98, "Fig. 1b", "> 0.98"),
    "dimension_pre": _of_maximum("D_pre", 0.90, 0.02, "Fig. 3a"),
    "dimension_post": _of_maximum("D_post", 1.20, 0.02, "Fig. 3a"),
    "phase_separation": _of_maximum("D_post − D_pre", 0.30, 0.03, "Fig. 3a", "0.30", "± 0.03 from the two errors of 0.02"),
    "phases_apart": _above("D_post − D_pre, above 0", 0.0, "Fig. 3a", "not overlapping", "the interval lies above 0"),
    "leave_one_out_gap": _above(
        "least D_post − D_pre, a scale left out of each", 0.0, "Fig. 3b", "each phase keeps its D", "the interval lies above 0"
    ),
    "dimension_synthetic": _figure("D_synth", 0.99, 0.01, "Fig. 3"),
    "synthetic_topology_cv": _below("CV of D_synth over topologies (%)", 0.3, "Fig. 3b", "< 0.3 %"),
    "synthetic_alpha_cv": _below("CV of D_synth over α = 0.1–0.5 (%)", 1.0, "text", "≲ 1 %"),
    "synthetic_quantile_cv": _below("CV of D_synth over Q80–Q95 (%)", 2.0, "text", "robust", "a CV below 2 %"),
    "alpha_cv": _below("CV of D over α = 0.1–0.5 (%)", 0.4, "text", "< 0.4 %"),
    "quantile_cv": _below("CV of D over Q80–Q95 (%)", 2.0, "text", "robust", "a CV below 2 %, the published error of D"),
    "shadow_change": Published(
        "D(t) after grokking, shadow − in-line",
        "unchanged",
        "text",
        -0.02,
        0.02,
        reading="within ± 0.02, the published error of D",
    ),
    "grokking_first": _figure(
        "grokking epoch, earliest scale",
        12,
        0,
        "Fig. 1a",
        "12",
        "equivalent within 10 epochs, a snapshot's spacing",
        _EPOCHS_MARGIN,
    ),
    "grokking_last": _figure(
        "grokking epoch, latest scale",
        134,
        0,
        "Fig. 1a",
        "134",
        "equivalent within 10 epochs, a snapshot's spacing",
        _EPOCHS_MARGIN,
    ),
    "grokking_example": Published(
        "grokking epoch, runs of h = 21", "27", "Fig. 1a", 27, 27, 27, 0, "of the middle 95 % of our runs", one_run=True
    ),
    "gini_rise": _figure("Gini of |θ|, peak over start (%)", 25, 5, "Fig. 1c", "+25 %", "± 5, its last digit"),
    "gini_duration": _figure("Gini peak, length at half rise (epochs)", 50, 10, "text", "~50", "± 10"),
    "gini_transient": _above("Gini peaks that are transient (% of runs)", 95, "text", "transient", "in 95 % of runs or more"),
    "gini_near_grokking": _above(
        "Gini peaks within ±10 epochs of grokking (% of runs)", 95, "text", "within ±10", "in 95 % of runs or more"
    ),
    "deviation_angle": _figure("deviation angle (degrees)", 30, 5, "text", "~30", "25–35, its one significant digit"),
    "steps_mean": _below("steps, mean", 10, "text", "< 10"),
    "steps_max": _below("steps, most", 20, "text", "≤ 20", "where the probe stops anyway"),
    "decades": _below("decades of a scale, widest", 1.5, "text", "< 1.5"),
    "companion": Published(
        "D(t) of a transformer on addition mod 59", "falls through 1", "arXiv:2604.16431", -math.inf, math.inf
    ),
}


#: What is measured beside the paper's figures.
OWN = {
    "collapse_quality": "collapse, S at the D of the regression",
    "collapse_quality_best": "collapse, S at its best exponent",
    "collapse_exponent": "exponent of the best collapse",
    "edge": "η·λ₀ at the start beyond which the loss overshoots",
    "coincidence": "rank correlation of grokking with the last growth of the loss",
    "imprint": "late D on the graph that trained minus elsewhere",
    "trace": "excess of D(t) over signs, in reversed order, on a fresh graph, of further seeds",
    "transformers_dimension": "transformers: D, last quarter of training",
    "steps_capped": "avalanches stopped at the last step allowed (%)",
    "gini_at_grokking": "Gini of |θ| at grokking against the start (%)",
    "duration_exponent": "z, of the duration (⟨T⟩)",
    "rate_exponent": "β, of the rate of toppling (⟨s/T⟩)",
    "intensive_rate_exponent": "δ, of the rate per site (⟨s⟩/N⟨T⟩)",
    "rate_closure": "δ − (β − 1)",
    "transport_exponent": "exponent of transport (⟨M⟩, M = Σ |α g| / threshold)",
    "efficiency_exponent": "exponent of efficiency (⟨M/s⟩)",
    "efficiency_closure": "exponent of ⟨M/s⟩ − that of ⟨M⟩/⟨s⟩",
    "branching_ratio": "branching ratio",
    "size_tail": "τ, of P(s) at the largest N",
    "duration_tail": "α, of P(T) at the largest N",
    "size_given_duration": "1/σνz, of ⟨s|T⟩ at the largest N",
    "crackling_closure": "1/σνz − (α − 1)/(τ − 1)",
    "profile_exponent": "1/σνz, of the collapse of mean profiles",
    "capped_at_largest": "avalanches stopped at the last step allowed, largest N (%)",
    "linearity": "line in log–log, all epochs (p)",
    "linearity_early": "line in log–log before grokking (p)",
    "linearity_late": "line in log–log after grokking (p)",
    "half_width": "half-width of D(t), mean over training",
}


#: What is measured beside each null or column; its name ends the key.
_OF_EACH = {
    "excess_at_all_steps_": "excess of D(t) over {}, all steps",
    "share_at_all_steps_": "share of D(t) − 1 that is lost under {}, all steps (%)",
    "excess_": "excess of D(t) over {}, after grokking",
    "share_": "share of D(t) − 1 that is lost under {} (%)",
    "epsilon_": "Δ of ε ~ Δ log N, ε = log s − ⟨log s⟩ under {}",
    "transformers_excess_": "transformers: excess of D over {}, last quarter of training",
    "transformers_epsilon_": "transformers: ε = log s − ⟨log s⟩ under {}, last quarter of training",
    "correlation_": "rank correlation of D(t) with {}",
    "lead_": "lead of D(t) over {} (steps)",
}


_TIME_UNITS = {"gradients": "step", "synthetic": "field"}
#: What the tables of other logs call a quantity, whose steps beside those of training would be read as theirs.
_OF_LOGS = {"steps_mean": "duration of an avalanche, mean (steps)", "steps_max": "duration of an avalanche, longest (steps)"}


def label(key: str, config: StudyConfig | GrokkingConfig | LogConfig | None = None) -> str:
    """What the quantity `key` is called in tables, of the paper's study unless the `config` is of another log."""
    if isinstance(config, LogConfig):
        said = _OF_LOGS.get(key) or label(key).replace("epoch", time_unit(config))
        if config.source == "synthetic":
            said = said.replace("over training", "over fields").replace("all steps", "all fields")
        return said
    if key in PUBLISHED:
        return PUBLISHED[key].label
    for prefix, words in _OF_EACH.items():
        if key.startswith(prefix):
            return words.format(key.removeprefix(prefix))
    return OWN.get(key, key.replace("_", " "))


def time_unit(config: StudyConfig | GrokkingConfig | LogConfig) -> str:
    """What snapshots are counted in: epochs, unless they are of gradients that were not trained here, or of no training."""
    return _TIME_UNITS.get(config.source, "epoch") if isinstance(config, LogConfig) else "epoch"


def where(key: str) -> str:
    """Where in the paper the figure stands."""
    return PUBLISHED[key].where if key in PUBLISHED else ""


def compare(estimate: Estimate, key: str) -> Quantity:
    """`estimate` beside the published figure `key`, if there is one, with its verdict.

    They agree if the whole interval lies inside the published range, widened by the equivalence margin that its `reading`
    states; they do not if it lies outside. An interval across an edge cannot tell, however near its middle is: `needed` is the
    half-width at which an interval about the same value could. A figure of one run agrees if it lies in the spread of runs.
    """
    published = PUBLISHED.get(key)
    if published is None:
        return beside_nothing(estimate)
    said = f"{_AS_READ}{published.reading}" if published.reading else ""
    verdict = _verdict(estimate, published)
    return replace(
        beside_nothing(estimate),
        published=published.value,
        published_error=published.error,
        published_text=published.text,
        verdict=verdict,
        needed=_needed(estimate, published) if verdict == "cannot tell" else math.nan,
        note="; ".join(part for part in (estimate.note, said) if part),
    )


def beside_nothing(estimate: Estimate) -> Quantity:
    """`estimate` where nothing was published."""
    return Quantity(estimate.value, estimate.low, estimate.high, estimate.statistic, note=estimate.note)


def own_note(q: Quantity) -> str:
    """The note of the estimate, without how the published figure was read."""
    return q.note.partition(_AS_READ)[0].removesuffix("; ")


def _verdict(estimate: Estimate, published: Published) -> Verdict:
    if math.isnan(estimate.value):
        return "not measured"
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return "cannot tell"
    low, high = _accepted(published)
    if published.one_run:
        return "agrees" if estimate.low <= low and high <= estimate.high else "does not agree"
    if low <= estimate.low and estimate.high <= high:
        return "agrees"
    return "cannot tell" if estimate.low <= high and estimate.high >= low else "does not agree"


def _needed(estimate: Estimate, published: Published) -> float:
    return min(abs(estimate.value - edge) for edge in _accepted(published))


def _accepted(published: Published) -> tuple[float, float]:
    return published.low - published.margin, published.high + published.margin


def other_settings(config: StudyConfig) -> list[str]:
    """Names of the settings in which a study differs from the paper's, seed and nulls aside."""
    own = ("seed", "nulls", "n_null_draws")
    paper = replace(StudyConfig(), **{name: getattr(config, name) for name in own})
    return [item.name for item in fields(paper) if getattr(paper, item.name) != getattr(config, item.name)]


def departure(config: StudyConfig | GrokkingConfig | LogConfig) -> str:
    """How a study departs from the paper's, as a clause; empty if it does not, and for a log of another source."""
    if isinstance(config, GrokkingConfig):
        return "not the paper's study, but one of transformers on modular arithmetic"
    other = other_settings(config) if isinstance(config, StudyConfig) else []
    return f"not the paper's setting in {', '.join(other)}" if other else ""


def in_full(q: Quantity) -> str:
    """The verdict; where the interval cannot tell, also its half-width and the one that could."""
    if q.verdict != "cannot tell" or math.isnan(q.needed):
        return q.verdict
    half = (q.high - q.low) / 2
    has = "no interval" if math.isnan(half) else f"has ± {half:.2g}"
    return f"cannot tell: needs ± {q.needed:.2g}, {has}"


def with_interval(q: Quantity) -> str:
    """Value and interval, to two digits of the interval's half-width; the bound alone of what cannot be told from 0."""
    if math.isnan(q.value):
        return "–"
    if math.isnan(q.low) and math.isnan(q.high):
        return f"{q.value:.3g} [–]"
    half = (q.high - q.low) / 2
    decimals = max(0, 1 - math.floor(math.log10(half))) if half > 0 else 0 if float(q.value).is_integer() else 3
    if q.value == q.low == 0 < q.high:
        return f"< {q.high:.{decimals}f}"
    return f"{q.value:.{decimals}f} [{q.low:.{decimals}f}, {q.high:.{decimals}f}]"
