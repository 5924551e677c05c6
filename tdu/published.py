"""The published figures of arXiv:2604.04655, and what it takes to agree with one."""

from dataclasses import dataclass

from tdu.types import Estimate, Quantity


@dataclass(frozen=True)
class Published:
    """A figure as it was printed, and the range [low, high] that its wording allows.

    `value` and `error` are what is compared and drawn; both are None where only a bound was printed.
    """

    label: str
    text: str
    where: str
    low: float
    high: float
    value: float | None = None
    error: float | None = None


def _figure(label: str, value: float, error: float, where: str, text: str | None = None) -> Published:
    return Published(label, text or f"{value:.2f} ± {error:.2f}", where, value - error, value + error, value, error)


#: In the order of the table. "≈ 0.90" and "≈ 1.20" carry the ± 0.02 that Fig. 3a gives the same numbers; "~30°" is
#: read as 25–35°, its one significant digit.
PUBLISHED = {
    "dimension": _figure("D, all epochs (s_max)", 1.00, 0.02, "Fig. 2c"),
    "gamma": _figure("γ, all epochs (⟨s⟩)", 1.15, 0.06, "Fig. 2c"),
    "dimension_early": _figure("D(t) before the grokking window", 0.90, 0.02, "Fig. 1b", "≈ 0.90"),
    "dimension_late": _figure("D(t) after the grokking window", 1.20, 0.02, "Fig. 1b", "≈ 1.20"),
    "r2_min": Published("R² of D(t), least over epochs", "> 0.98", "Fig. 1b", 0.98, 1),
    "grokking_first": _figure("grokking epoch, earliest scale", 12, 0, "Fig. 1a", "12"),
    "grokking_last": _figure("grokking epoch, latest scale", 134, 0, "Fig. 1a", "134"),
    "deviation_angle": _figure("deviation angle (degrees)", 30, 5, "text", "~30"),
    "steps_mean": Published("steps, mean", "< 10", "text", 0, 10),
    "steps_max": Published("steps, most", "≤ 20", "text", 0, 20),
}


def compare(estimate: Estimate, key: str) -> Quantity:
    """`estimate` beside the published figure `key`: they agree if its interval meets the range the paper's wording allows."""
    published = PUBLISHED.get(key)
    if published is None:
        return Quantity(estimate.value, estimate.low, estimate.high, estimate.statistic, note=estimate.note)
    return Quantity(
        estimate.value,
        estimate.low,
        estimate.high,
        estimate.statistic,
        published=published.value,
        published_error=published.error,
        published_text=published.text,
        agrees=bool(estimate.low <= published.high and estimate.high >= published.low),
        note=estimate.note,
    )
