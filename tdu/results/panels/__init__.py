"""What each figure draws: results in, a matplotlib figure out. Nothing is computed here, and nothing saved."""

from collections.abc import Callable

from matplotlib.figure import Figure

from tdu.results.panels.exponents import phases_figure, robustness_figure
from tdu.results.panels.nulls import nulls_figure
from tdu.results.panels.one_run import one_run_figure
from tdu.results.panels.profiles import profiles_figure
from tdu.results.panels.sizes import power_law_figure, scaling_figure
from tdu.results.panels.training import accuracy_figure, dimension_figure, gini_figure
from tdu.results.panels.watched import watched_figure
from tdu.types import Results

#: What draws each figure, by its name in `tdu.results.figures.FIGURES`.
PANELS: dict[str, Callable[[Results], Figure]] = {
    "accuracy": accuracy_figure,
    "dimension": dimension_figure,
    "gini": gini_figure,
    "scaling": scaling_figure,
    "nulls": nulls_figure,
    "watched": watched_figure,
    "one-run": one_run_figure,
    "power-law": power_law_figure,
    "profiles": profiles_figure,
    "phases": phases_figure,
    "robustness": robustness_figure,
}
