"""The figures for whoever does not see them: a title, and what is drawn, with the quantities that it shows."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tdu.results.published import label, with_interval
from tdu.types import Results


@dataclass(frozen=True)
class Words:
    """The `title` of a figure, what is `drawn` in it, and patterns of the keys of the quantities that it `shows`."""

    title: str
    drawn: str
    shows: tuple[str, ...] = ()


def alternative(name: str, results: Results) -> str:
    """What the figure `name` shows, in words and in numbers."""
    words = WORDS[name]
    shown = [key for pattern in words.shows for key in results.quantities if fnmatchcase(key, pattern)]
    said = "; ".join(f"{label(key, results.config)}: {with_interval(results.quantities[key])}" for key in shown)
    return f"{words.drawn} {said}." if said else words.drawn


#: Of every figure of `tdu.results.figures.FIGURES`.
WORDS: dict[str, Words] = {
    "accuracy": Words(
        "Accuracy and grokking epochs",
        "Left, curves of accuracy and loss of one run over epochs. Right, points of each run's grokking epoch over N.",
        ("grokking_example", "grokking_first", "grokking_last"),
    ),
    "dimension": Words(
        "D over time",
        "Above, curves of D(t) from the mean and from the largest size, with bands. Below, R² of their fits.",
        ("dimension_time_average", "dimension_early", "dimension_late", "dimension", "r2_min"),
    ),
    "gini": Words(
        "Gini coefficient of the weights",
        "Curves of the Gini coefficient of one run and of all runs about grokking, and histograms of when it peaks.",
        ("gini_rise", "gini_duration", "gini_near_grokking"),
    ),
    "scaling": Words(
        "Sizes over N, and their collapse",
        "Curves of P(S ≥ s), one a scale; lines of the largest and the mean size over N; the curves over s/N^D, twice.",
        ("dimension", "gamma", "collapse_exponent", "collapse_quality*"),
    ),
    "nulls": Words(
        "D over time beside null models",
        "A curve of D(t) of the gradients beside one of each null model, and curves of the differences, with bands about 0.",
        ("excess_*",),
    ),
    "watched": Words(
        "D over time beside other columns",
        "A curve of D(t), and one of every other column of the log, over the same steps.",
        ("correlation_*", "lead_*"),
    ),
    "one-run": Words("One run over time", "A curve of each column of the log over time, of one run of the largest scale."),
    "power-law": Words(
        "Power laws of single scales",
        "Left, points of the exponent of each scale over N, with intervals. Right, how many decades each was fitted over.",
        ("decades", "size_tail"),
    ),
    "profiles": Words(
        "Topplings over the course of an avalanche",
        "Curves of the mean number of topplings over the steps of an avalanche, one a duration, as they are and collapsed.",
        ("profile_exponent",),
    ),
    "phases": Words(
        "D before and after grokking",
        "Histograms of resampled exponents; points of exponents with one scale left out; points of five topologies.",
        ("dimension_pre", "dimension_post", "phase_separation", "dimension_synthetic", "synthetic_topology_cv"),
    ),
    "robustness": Words(
        "Exponents over the settings of the probe",
        "Lines of D and of γ over the diffusion strength and over the threshold level, with intervals.",
        ("alpha_cv", "quantile_cv", "synthetic_alpha_cv", "synthetic_quantile_cv"),
    ),
}
