"""What each figure draws: results in, a matplotlib figure out. Nothing is computed here, and nothing saved."""

from tdu.results.panels.exponents import phases_figure, robustness_figure
from tdu.results.panels.nulls import nulls_figure
from tdu.results.panels.sizes import power_law_figure, scaling_figure
from tdu.results.panels.training import accuracy_figure, dimension_figure, gini_figure
from tdu.results.panels.watched import watched_figure

__all__ = [
    "accuracy_figure",
    "dimension_figure",
    "gini_figure",
    "nulls_figure",
    "phases_figure",
    "power_law_figure",
    "robustness_figure",
    "scaling_figure",
    "watched_figure",
]
