"""Local exponents: slopes between neighbouring scales and over windows of them, and whether all scales lie on a line."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tdu import _check
from tdu.analysis.over_time import Window, as_log, seed_for, steps_inside, warn_of_limit
from tdu.errors import InputError
from tdu.results.series_of_logs import LocalSlopes
from tdu.statistics import scaling
from tdu.statistics.linearity import Linearity, of_line
from tdu.statistics.resampling import bootstrap, interval
from tdu.types import Band, Booleans, Estimate, Findings, Floats, Integers, Log, SizeStatistic

#: Level below which a test says that scales do not lie on a line.
LEVEL = 0.05
#: Scales of a window, by what it is called in results.
WIDTHS = {"neighbours": 2, "windows": 3}
_PHASES = {"all": "", "early": "_early", "late": "_late"}


@dataclass(frozen=True, eq=False)
class LocalExponents:
    """Exponents over W = S − width + 1 windows of neighbouring scales, with 95 % intervals: all (W,).

    Intervals are nan where no scale has two runs. `first` and `last` are the system sizes that a window begins and ends with,
    `n_sites` their geometric mean.
    """

    n_sites: Floats
    first: Integers
    last: Integers
    value: Floats
    low: Floats
    high: Floats


def local_exponents(
    log: Log | npt.ArrayLike,
    sizes: npt.ArrayLike | None = None,
    *,
    width: int = 3,
    step: npt.ArrayLike | None = None,
    statistic: SizeStatistic | str = "mean",
    from_grokking: bool = False,
    window: Window = None,
    seed: int | None = None,
) -> LocalExponents:
    """The exponent of s ~ N^D over each `width` scales next to each other, a mean of D(t) over a window of steps.

    Parameters
    ----------
    log, sizes, step, statistic, from_grokking, window, seed : as in `tdu.dimension_over_time`.
    width : scales of a window: 2 for slopes between neighbours, and at most all S, which gives the one exponent over all.

    Raises
    ------
    ValueError
        If there are fewer scales than `width`, it is less than 2, or no step of `window` has runs of all scales.

    Notes
    -----
    Windows share scales, so that neighbouring values are not independent. Intervals resample runs within their scale, as those
    of `tdu.dimension_over_time` (docs/theory.md). Whether the slopes differ at all is for `tdu.linearity` to say.

    Examples
    --------
    D of 1, but for a step between the second scale and the third, where sizes double:

    >>> n = np.array([100, 400, 1600, 6400])
    >>> sizes = (n * [1, 1, 2, 2])[:, None, None] * np.array([[0.99, 1.0, 1.01]])[..., None]
    >>> tdu.local_exponents(n, sizes, width=2).value.round(3).tolist()
    [1.0, 1.5, 1.0]
    """
    log = as_log(log, sizes, step, from_grokking)
    if not 2 <= _check.integer(width, "width", 0) <= log.n_sites.size:
        raise InputError(f"`width` is {width} but the log has {log.n_sites.size} scales: it must be from 2 to these")
    inside = _inside(log, window)
    warn_of_limit(log)
    band = _band(log, inside, width, statistic, seed_for(log, seed))
    first, last = _ends(log, width)
    return LocalExponents(np.sqrt(first * last.astype(np.float64)), first, last, band.value, band.low, band.high)


def linearity(
    log: Log | npt.ArrayLike,
    sizes: npt.ArrayLike | None = None,
    *,
    step: npt.ArrayLike | None = None,
    from_grokking: bool = False,
    window: Window = None,
    seed: int | None = None,
) -> Linearity:
    """A test of the line in log–log that an exponent of the mean size is the slope of.

    Parameters
    ----------
    log, sizes, step, from_grokking, window, seed : as in `tdu.dimension_over_time`; `seed` is of the bootstrap under the line.

    Returns
    -------
    Linearity
        Deviations of the scales from the line with standard errors, both (S,), its slope, χ² and p.

    Raises
    ------
    ValueError
        If no step of `window` has runs of all scales, or arrays do not fit each other.

    Notes
    -----
    χ² = Σ_s (y_s − a − b log N_s)² / v_s, where y_s is the mean over steps of log ⟨s⟩ and v_s its variance from the scatter of
    runs, which scales need not have in common, nor as many runs. p by a parametric bootstrap under the line (docs/theory.md).

    Examples
    --------
    >>> n, rng = np.array([100, 200, 400, 800, 1600]), np.random.default_rng(0)
    >>> scatter = np.exp(0.05 * rng.normal(size=(5, 6, 1)))
    >>> on_a_line = tdu.linearity(n, n[:, None, None] ** 1.1 * scatter)
    >>> with_a_step = tdu.linearity(n, n[:, None, None] ** 1.1 * scatter * np.where(n > 300, 1.5, 1)[:, None, None])
    >>> on_a_line.p > 0.05, with_a_step.p < 0.01
    (True, True)
    """
    log = as_log(log, sizes, step, from_grokking)
    values = scaling.over_time(log)[_inside(log, window)]
    return of_line(log.n_sites, values, seed_for(log, seed))


def analyse(log: Log, window: tuple[float, float]) -> Findings:
    """Local exponents of the mean size over all steps and before and after the grokking `window`, each with p of a line."""
    estimates, bands = {}, {name: dict[str, Band]() for name in WIDTHS}
    for phase, inside in _phases(log, window):
        estimates[f"linearity{_PHASES[phase]}"] = _p_of_line(log, inside)
        for name, width in WIDTHS.items():
            bands[name][phase] = _band(log, inside, width, SizeStatistic.MEAN, log.seed)
    slopes = (LocalSlopes(name, *_ends(log, width), bands[name]) for name, width in WIDTHS.items())
    return Findings(estimates, series=tuple(slopes))


def _phases(log: Log, window: tuple[float, float]) -> Iterator[tuple[str, Booleans]]:
    for name, inside in (("all", log.step >= log.step[0]), ("early", log.step < window[0]), ("late", log.step > window[1])):
        if (inside & log.complete).any():
            yield name, inside & log.complete


def _p_of_line(log: Log, inside: Booleans) -> Estimate:
    found = of_line(log.n_sites, scaling.over_time(log)[inside], log.seed)
    note = "as far from a line as runs scatter"
    if np.isnan(found.p):
        note = "fewer than three scales have runs that scatter"
    elif found.p < LEVEL:
        farthest = int(np.nanargmax(np.abs(found.deviation / found.stderr)))
        note = (
            "the scales do not lie on a line: one slope over them is no exponent; "
            f"farthest off, N = {log.n_sites[farthest]} by {100 * np.expm1(found.deviation[farthest]):+.2g} %"
        )
    return Estimate(found.p, np.nan, np.nan, "p of a line in log–log, mean size", note)


def _band(log: Log, inside: Booleans, width: int, statistic: SizeStatistic | str, seed: int) -> Band:
    """Exponents over windows of `width` scales, means of D(t) over the steps `inside` (T,), with their intervals."""
    values = scaling.over_time(log)[inside]
    slopes = scaling.exponents_of_windows(log.n_sites, statistic, width).then(lambda of_time: of_time.mean(axis=-2))
    low, high = interval(bootstrap(values, slopes, seed))
    return Band(slopes(values[None])[0], low, high)


def _ends(log: Log, width: int) -> tuple[Integers, Integers]:
    return log.n_sites[: log.n_sites.size - width + 1], log.n_sites[width - 1 :]


def _inside(log: Log, window: Window) -> Booleans:
    inside = steps_inside(log, window) & log.complete
    if not inside.any():
        raise InputError(
            f"no step of the window {window} has runs of all scales: the log has steps {log.step[0]} to {log.step[-1]}"
        )
    return inside
