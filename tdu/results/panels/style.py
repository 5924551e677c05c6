"""What the figures have in common: sizes, colours, and the marks of a panel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterMathtext, LogLocator, NullFormatter, StrMethodFormatter
from matplotlib.typing import ColorType

from tdu.results import published
from tdu.results.published import PUBLISHED, Published
from tdu.types import Band, Floats, Integers, Quantity, Results

WIDE = 7.0  # inches, both columns of a journal; one is 3.4
MINOR = range(2, 10)
SIZES = "cividis"  # a sequential map that colour-blind readers see as others do
#: From one exponent or training to the next, so that colour is not all that tells them apart.
MARKERS = "os^"
#: Lines that can be told apart without colour; the last is solid.
DASHES: tuple[Any, ...] = ((0, (5, 1)), (0, (4, 1, 1, 1)), (0, (1, 0.8)), (0, (4, 1, 1, 1, 1, 1)), "-")


@dataclass(frozen=True)
class LineStyle:
    """A colour, and dashes that tell a line apart without it."""

    colour: str
    dashes: Any


#: The nulls of the paper's study in every figure, in other hues than the real gradients' C0.
_KNOWN = dict(
    zip(
        ("permuted", "blocks", "signs", "rewired", "gaussian"),
        map(LineStyle, ("C1", "C2", "C3", "C7", "C6"), DASHES),
        strict=True,
    )
)
#: Those of any further null, in turn.
_FURTHER = ("C5", "C4", "0.5")


def null_styles(names: Iterable[str]) -> dict[str, LineStyle]:
    """A style for each of the nulls in `names`: those of the paper's study keep theirs, any further one takes the next."""
    present = set(names)
    styles = {name: style for name, style in _KNOWN.items() if name in present}
    for i, name in enumerate(sorted(present - styles.keys())):
        dashes = DASHES[(i + i // len(_FURTHER)) % len(DASHES)]  # a colour that comes again has other dashes
        styles[name] = LineStyle(_FURTHER[i % len(_FURTHER)], dashes)
    return styles


def published_of(results: Results, key: str) -> Published | None:
    """The published figure that a quantity of `results` stands beside, None where nothing was published."""
    quantity = results.quantities.get(key)
    return PUBLISHED[key] if quantity is not None and quantity.published_text else None


def time_unit(results: Results) -> str:
    """What the horizontal axis over training counts."""
    return published.time_unit(results.config)


def shade_grokking_window(axes: Axes, results: Results) -> None:
    """The epochs between the earliest and the latest mean grokking epoch of a scale, where they are known."""
    ends = [results.quantities.get(key) for key in ("grokking_first", "grokking_last")]
    first, last = (end.value if end is not None else np.nan for end in ends)
    if first <= last:
        axes.axvspan(first, last, color="C4", alpha=0.18, linewidth=0, label="grokking window")


def shade(axes: Axes, x: Floats | Integers, band: Band, colour: ColorType, dashes: Any = "-") -> None:
    """A shaded interval with thin edges, which still tell it apart where bands lie over one another."""
    axes.fill_between(x, band.low, band.high, color=colour, alpha=0.12, linewidth=0)
    for edge in (band.low, band.high):
        axes.plot(x, edge, color=colour, alpha=0.7, linestyle=dashes, linewidth=0.4)


def curve(axes: Axes, x: Floats | Integers, band: Band, **line: Any) -> Line2D:
    """A line, drawn as the keywords of `Axes.plot` say, and its interval in the same colour."""
    (drawn,) = axes.plot(x, band.value, **line)
    shade(axes, x, band, drawn.get_color())
    return drawn


def size_colours(n: int, cmap: str) -> Floats:
    """Colours (n, 4) from small to large, without the end of a map that is lost on white."""
    return np.asarray(mpl.colormaps[cmap](np.linspace(0, 0.95, n)))


def error_bars(found: Band | Quantity) -> Floats:
    """Error bars; none to a side where the interval, of another centre than the value, does not reach beyond it."""
    middle, below, above = (np.atleast_1d(np.asarray(v, float)) for v in (found.value, found.low, found.high))
    return np.asarray(np.maximum(np.stack([middle - below, above - middle]), 0))


def log_scale(axes: Axes, which: str) -> None:
    """Logarithmic axes: few labels, in plain numbers unless these are small (powers of ten are slow to set), ticks at 2 … 9."""
    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        if not np.isfinite(np.asarray(axes.dataLim.minpos)["xy".index(name)]):
            continue  # nothing known to draw, and nothing to scale by
        axes.set(**{f"{name}scale": "log"})
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 30 * low else (1,)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}") if low > 5e-4 else LogFormatterMathtext())
        axis.set_minor_locator(LogLocator(subs=MINOR))
        axis.set_minor_formatter(NullFormatter())


def names_below(axes: Axes, names: Sequence[str], rotation: int) -> None:
    """Names of topologies at 0, 1, …, each ending under its tick."""
    short = [name.replace("small world, p = ", "SW $p = $") for name in names]
    axes.set_xticks(range(len(short)), short, rotation=rotation, ha="right", rotation_mode="anchor")


def panel_title(axes: Axes, letter: str, title: str) -> None:
    """(a) What a panel shows, to the left."""
    axes.set_title(f"({letter}) {title}", loc="left")
