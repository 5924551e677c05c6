"""The figures by name: which can be drawn from results, their captions, and the files they are written to."""

import gc
import re
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TYPE_CHECKING

from tdu import children
from tdu.config import Scope
from tdu.errors import InputError
from tdu.files import atomic
from tdu.results.series import (
    Bootstrap,
    Ccdf,
    Collapse,
    DimensionOverTime,
    Gini,
    GrokkingEpochs,
    LeaveOneOut,
    NullOverTime,
    OneRun,
    PowerLaws,
    Robustness,
    ScalingLines,
    Topologies,
)
from tdu.results.series_of_logs import MeanProfiles, OneOfLog, Watched
from tdu.series import Series
from tdu.types import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("tdu.mplstyle")
#: No creation times in the files: the same results give the same bytes.
_METADATA = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


@dataclass(frozen=True)
class Drawing:
    """A figure: the series that it `needs`, its `caption`, and where that names what only the study has, that `of_logs`.

    In the latter, ``{unit}`` is what snapshots of the log are counted in.

    What draws it is in `tdu.results.panels`, which loads matplotlib: captions, and what can be drawn, are known without.
    """

    needs: tuple[type[Series], ...]
    caption: str
    of_logs: str = ""


def style() -> AbstractContextManager[None]:
    """The house style, for what is drawn in a ``with`` block."""
    import matplotlib as mpl

    return mpl.rc_context(fname=STYLE)


def draw(results: Results, directory: Path, workers: int = 1) -> list[Path]:
    """Draw every figure that `results` have the series for into `directory`; the paths written.

    Drawing holds the interpreter's lock, so that several `workers` are processes of their own. These do not collect garbage:
    to look through the thousands of artists of a figure again and again is a seventh of their time.
    """
    names = drawable(results)
    if workers == 1 or len(names) == 1:
        return [path for name in names for path in _draw_one(results, directory, name)]
    with ProcessPoolExecutor(workers, _processes(), _begin_drawing) as executor:
        tasks = [executor.submit(_draw_one, results, directory, name) for name in names]
        try:
            return [path for task in tasks for path in task.result()]
        except BrokenExecutor as error:
            raise InputError(
                f"a process that draws has died, killed or out of memory ({error}): results.json stays, and `tdu figures` draws"
            ) from None


def _begin_drawing() -> None:
    gc.disable()
    children.begin()


def make_ready() -> None:
    """Begin to load matplotlib, in the process that drawing processes come from, while this one still computes."""
    if children.CAN_FORK:
        _processes()
        children.ensure_forkserver()


def _processes() -> BaseContext:
    """Processes that share one loading of matplotlib, where the system can fork."""
    if not children.CAN_FORK:
        return children.context("spawn")
    context = children.context("forkserver")
    context.set_forkserver_preload(["tdu.results.panels"])
    return context


def _draw_one(results: Results, directory: Path, name: str) -> list[Path]:
    from tdu.results import panels

    return save(panels.PANELS[name], results, directory, name, (results.scope or Scope()).figure_formats)


def drawable(results: Results) -> list[str]:
    """Names of the figures that can be drawn from `results`."""
    return [name for name, figure in FIGURES.items() if results.has(*figure.needs)]


def caption(name: str, of_paper: bool = True, unit: str = "step") -> str:
    """What the figure draws; for another log than the paper's study, without what only that has, and in `unit`."""
    figure = FIGURES[name]
    if of_paper:
        return figure.caption
    return figure.of_logs.format(unit=unit) or re.sub(r"^Fig\. \w+\. |[;,] [^;.]*published[^;.]*", "", figure.caption)


def save(
    panel: Callable[[Results], "Figure"], results: Results, directory: Path, name: str, formats: Sequence[str]
) -> list[Path]:
    """Draw `results` with `panel` in the house style, one file per format; the paths written."""
    import matplotlib as mpl

    written = []
    with style():
        figure = panel(results)
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)  # lay out once, not twice per format
        mpl.rcParams["figure.constrained_layout.use"] = False
        figure.set_layout_engine(None)
        for suffix in formats:
            path = directory / f"{name}.{suffix}"
            with atomic(path) as file:
                figure.savefig(file, format=suffix, metadata=_METADATA[suffix])
            written.append(path)
    return written


#: Name → figure; `tdu.results.panels.PANELS` has what draws each, under the same names.
FIGURES: dict[str, Drawing] = {
    "accuracy": Drawing(
        (OneRun, GrokkingEpochs),
        "Fig. 1a. (a) Accuracy and loss of one run of h = 21 with its grokking epoch; dotted, that of the published "
        "run. (b) Grokking epoch of every run against the number of parameters, and the mean of each scale; dotted, the"
        " published range.",
    ),
    "dimension": Drawing(
        (DimensionOverTime,),
        "Fig. 1b. (a) Effective dimensionality D(t) from the largest and from the mean size over the seeds at each "
        "snapshot, with 95 % bootstrap bands over runs; the square is D over all epochs. Shaded, the epochs between the"
        " earliest and the latest scale's mean grokking epoch; grey lines, the published levels. (b) R² of each fit;"
        " dotted, the published bound.",
        of_logs="(a) Effective dimensionality D(t) from the largest and from the mean size over the runs at each {unit}, with "
        "95 % bootstrap bands over runs; the square is D over all {unit}s. (b) R² of each fit.",
    ),
    "gini": Drawing(
        (Gini,),
        "Fig. 1c. Gini coefficient of |θ| as change from its start, trained in-line (top) and in shadow (bottom). (a, "
        "d) One run of h = 21, its grokking epoch in orange. (b, e) All runs aligned at grokking: mean, and bands of 50"
        " % and 90 % of runs; dotted, the published rise. (c, f) Epoch of the peak minus grokking epoch; grey, the "
        "published ± 10.",
    ),
    "scaling": Drawing(
        (Ccdf, Collapse, ScalingLines),
        "Fig. 2. (a) Complementary cumulative distributions of avalanche sizes, all snapshots and runs of a scale. (b) "
        "Largest and mean size against N with least-squares fits; dashes are single runs. (c) Collapse at the "
        "exponent of the regression, and (d) at the exponent of least Houdayer–Hartmann S; bands are one standard error"
        " over runs.",
    ),
    "nulls": Drawing(
        (DimensionOverTime, NullOverTime),
        "What D means. (a) D(t) from the mean size of the real gradients with its 95 % band, and of null models made from the "
        "same snapshots: their entries permuted over all sites, within each layer's weights and biases (blocks), with random "
        "signs, on a rewired graph, and replaced by independent Gaussians. (b–e) D(t) of the real gradients minus that of each "
        "null but the Gaussian, paired by run, with 95 % bands. Shaded, the grokking window.",
        of_logs="What D means. (a) D(t) from the mean size of the real gradients with its 95 % band, and of null models made "
        "from the same snapshots. The other panels: D(t) of the real gradients minus that of a null, paired by run, with 95 % "
        "bands.",
    ),
    "watched": Drawing(
        (DimensionOverTime, Watched),
        "D(t) beside what else was recorded. (a) D(t) of the mean size with its 95 % band; dotted, D = 1. The other panels: "
        "every other column of the log, its mean over runs and scales; rank correlations and leads are in the table. Shaded, "
        "the grokking window where there is one.",
    ),
    "one-run": Drawing(
        (OneOfLog,),
        "All that the log knows of one run over time, of the largest scale and, where one does, one that groks: (a) the first "
        "column; the other panels, every other one that changes. Dashed, when it has memorised; dotted, when it groks.",
    ),
    "power-law": Drawing(
        (PowerLaws,),
        "A figure of our own. (a) Exponents of discrete maximum-likelihood power laws of each scale (Clauset, Shalizi, Newman) "
        "with 95 % intervals. (b) The decades between x_min and the largest avalanche; exponents over less than 1.5 decades "
        "(dotted) say little.",
        of_logs="(a) Exponents of discrete maximum-likelihood power laws of each scale (Clauset, Shalizi, Newman) with 95 % "
        "intervals. (b) The decades between x_min and the largest avalanche: exponents over less than 1.5 decades say little.",
    ),
    "profiles": Drawing(
        (MeanProfiles,),
        "Topplings over the course of an avalanche. (a) Mean over the avalanches of each duration T (steps) at the largest N, "
        "with its standard error. (b) The same over T^(x − 1), at the x of the best collapse.",
    ),
    "phases": Drawing(
        (Bootstrap, LeaveOneOut, Topologies),
        "Fig. 3. (a) Bootstrap distributions of D_pre and D_post, from the largest size over runs and snapshots of a "
        "phase, each run split at its own grokking epoch, and of D_synth from the mean size; shaded, the published "
        "values with their errors. (b) The same exponents with one scale left out, side by side at its N; dotted, with all. "
        "(c) D_synth on five topologies (SW, small world). Bars are 95 % intervals.",
    ),
    "robustness": Drawing(
        (Robustness,),
        "(a, b) D of the largest and (c, d) γ of the mean size over diffusion strengths α and threshold levels Q, for training "
        "in-line, in shadow, and for synthetic fields, side by side at each setting, with 95 % intervals.",
    ),
}
