"""What changes in training: D(t), its nulls, recorded columns, and when runs grok."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tdu.analysis import excess as over_nulls
from tdu.analysis import grokking as groks
from tdu.analysis import one_run as of_run
from tdu.analysis.over_time import bootstrap, dimension_over_time
from tdu.errors import InputError, InputTypeError
from tdu.figures.axes import axes_of, checked, finished
from tdu.logs.amplitude import amplitude
from tdu.logs.log import probed_null
from tdu.results.panels import nulls as null_panels
from tdu.results.panels import one_run as run_panels
from tdu.results.panels import training as panels
from tdu.results.panels import watched as column_panels
from tdu.results.panels.style import SIZES, shade
from tdu.results.series import NullOverTime, OneRun
from tdu.statistics.sampling import mean_of_known
from tdu.types import Band, Floats, Log, Run, SizeStatistic


def dimension(
    log: Log, ax: Axes | None = None, *, statistic: SizeStatistic | str = "mean", from_grokking: bool = False, **line: Any
) -> Axes:
    """D(t) with its 95 % interval, as `tdu.dimension_over_time` has it.

    Parameters
    ----------
    log : as `tdu.load` gives it.
    ax : axes to draw on; those of a new figure if they are not given.
    statistic : "mean" over the runs of a scale, or "peak", the largest of them.
    from_grokking : count steps from each run's own grokking.
    line : keywords of `matplotlib.axes.Axes.plot`; the interval takes the line's colour.

    Raises
    ------
    ValueError
        For an unknown statistic, or a log in which no run groks, if steps are counted from there.

    Examples
    --------
    >>> axes = tdu.figures.dimension(log, color="black", label="mean size")
    >>> axes = tdu.figures.dimension(log, axes, statistic="peak", linestyle="--", label="largest size")
    >>> axes.get_ylabel(), [text.get_text() for text in axes.get_legend().get_texts()]
    ('effective dimensionality $D(t)$', ['mean size', 'largest size'])
    """
    found = dimension_over_time(checked(log), statistic=statistic, from_grokking=from_grokking)
    axes = axes_of(ax)
    panels.dimension(axes, found.step, Band(found.value, found.low, found.high), **line)
    return finished(axes, "steps from grokking" if from_grokking else "step")


def nulls(log: Log, ax: Axes | None = None, **line: Any) -> Axes:
    """D(t) of the mean size with its 95 % interval, beside D(t) of every null of the log.

    Parameters
    ----------
    log, ax : as in `dimension`.
    line : keywords of `Axes.plot` for the real gradients.

    Raises
    ------
    ValueError
        For a log without nulls.

    Examples
    --------
    >>> axes = tdu.figures.nulls(log, linewidth=3)
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['real', 'blocks', 'signs']
    """
    found = {name: _under(log, name) for name in checked(log).nulls}
    if not found:
        raise InputError("the log has no nulls: probe its runs with some, or draw `dimension`")
    real = dimension_over_time(log)
    axes = axes_of(ax)
    null_panels.levels(axes, real.step, Band(real.value, real.low, real.high), found, **line)
    return finished(axes, "step")


def excess(log: Log, null: str, ax: Axes | None = None, **line: Any) -> Axes:
    """D(t) of the mean size minus that of a null, paired by run, with its 95 % interval, as `tdu.excess` has it.

    Parameters
    ----------
    null : the name of a null that was probed with the runs.
    log, ax, line : as in `dimension`.

    Raises
    ------
    ValueError
        If the log has no such null.

    Examples
    --------
    >>> axes = tdu.figures.excess(log, "blocks", label="over blocks")
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('step', 'excess of $D(t)$')
    """
    found, axes = _under(log, null), axes_of(ax)
    null_panels.exceeding(axes, found, **line)
    return finished(axes, "step")


def epsilon(log: Log, null: str, ax: Axes | None = None, *, cmap: str = SIZES, **line: Any) -> Axes:
    """ε over a null, its mean over the runs of each scale with a 95 % interval, as `tdu.epsilon` has it.

    Parameters
    ----------
    null : the name of a null that was probed with the runs.
    cmap : colours from the smallest to the largest scale, a name that matplotlib knows.
    log, ax, line : as in `dimension`.

    Raises
    ------
    ValueError
        If the log has no such null.

    Examples
    --------
    >>> axes = tdu.figures.epsilon(log, "blocks")
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['$N = 88$', '$N = 176$', '$N = 352$']
    """
    drawn = checked(log).nulls[probed_null(log, null)]
    band = _over_runs(amplitude(log.size, drawn).epsilon, mean_of_known, log.seed)  # (T, S)
    found = {int(n): Band(band.value[:, s], band.low[:, s], band.high[:, s]) for s, n in enumerate(log.n_sites)}
    axes = axes_of(ax)
    null_panels.epsilon(axes, log.step, found, cmap, **line)
    return finished(axes, "step")


def column(log: Log, name: str, ax: Axes | None = None, **line: Any) -> Axes:
    """A column of the log, its mean over runs and scales with a 95 % interval over runs; logarithmic where it spans decades.

    Parameters
    ----------
    name : of the column, one of `log.columns`.
    log, ax, line : as in `dimension`.

    Raises
    ------
    ValueError
        If the log has no such column.

    Examples
    --------
    >>> axes = tdu.figures.column(log, "loss")
    >>> axes.get_yscale(), axes.get_ylabel()
    ('log', 'loss')
    """
    band = _over_runs(_column(log, name), _mean, log.seed)
    axes = axes_of(ax)
    shade(axes, log.step, band, column_panels.column(axes, log.step, band.value, **line).get_color())
    axes.set(ylabel=run_panels.in_words(name))
    return finished(axes, "step")


def one_run(log: Log, name: str, ax: Axes | None = None, *, scale: int | None = None, run: int = 0, **line: Any) -> Axes:
    """A column of one run; dashed and dotted, when it memorised and when it grokked, where it did.

    Parameters
    ----------
    name : of the column, or "epsilon, blocks" for ε over that null.
    scale : as the log names it; the largest if it is not given.
    run : which of the scale's runs, from 0.
    log, ax, line : as in `dimension`.

    Raises
    ------
    ValueError
        If the log has no such column, scale or run.

    Examples
    --------
    >>> axes = tdu.figures.one_run(log, "gradient_norm", scale=16, run=1)
    >>> axes.get_ylabel(), axes.lines[-1].get_xdata()  # it has memorised at step 10
    ('gradient norm', [10.0, 10.0])
    """
    scales = checked(log).scale.tolist()
    if scale is not None and scale not in scales:
        raise InputError(f"`scale` is {scale}, but the log has {', '.join(map(str, scales))}")
    of_scale = -1 if scale is None else scales.index(scale)
    there = np.flatnonzero((~np.isnan(log.size[of_scale])).any(axis=-1)).tolist()
    if run not in there:
        raise InputError(f"`run` is {run}, but scale {scales[of_scale]} has {', '.join(map(str, there))}")
    found = of_run.of(log, of_scale, run)
    value = found.columns[name].value if name in found.columns else _column(log, name)[of_scale, run]
    axes = axes_of(ax)
    run_panels.column_of_run(axes, found, value, **line)
    axes.set(ylabel=run_panels.in_words(name))
    return finished(axes, "step")


def grokking(log: Log, ax: Axes | None = None, **line: Any) -> Axes:
    """The step from which each run has generalised against N, and its mean over the runs of each scale.

    Parameters
    ----------
    log, ax : as in `dimension`.
    line : keywords of `Axes.plot` for the means.

    Raises
    ------
    ValueError
        If no run groks.

    Examples
    --------
    >>> from tdu.logs.log import gather
    >>> of_xor = gather(tdu.train_xor(hidden, epochs=200) for hidden in (20, 30, 50))
    >>> tdu.figures.grokking(of_xor).get_ylabel()
    'grokking epoch'
    """
    if (checked(log).grokking_step < 0).all():
        raise InputError("no run of the log groks: there is nothing to draw")
    axes = axes_of(ax)
    panels.grokking_epochs(axes, groks.series(log), **line)
    return finished(axes)


def training(run: Run, ax: Axes | None = None, **line: Any) -> Axes:
    """Accuracy and loss of one run at every epoch, and when it groks.

    Parameters
    ----------
    run : as `tdu.train_xor` gives it.
    ax : as in `dimension`.
    line : keywords of `Axes.plot` for both lines.

    Raises
    ------
    TypeError
        For what is no run.

    Examples
    --------
    >>> axes = tdu.figures.training(tdu.train_xor(20, epochs=200), linewidth=1)
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['accuracy', 'loss (nats)', 'groks at epoch 62']
    """
    if not isinstance(run, Run):
        raise InputTypeError(f"`run` is of type {type(run).__name__}: give what `tdu.train_xor` makes")
    when = np.nan if run.grokking_epoch is None else float(run.grokking_epoch)
    axes = axes_of(ax)
    panels.accuracy_and_loss(axes, OneRun(run.accuracy, run.loss, when), **line)
    return finished(axes)


def _under(log: Log, null: str) -> NullOverTime:
    return over_nulls.over_time(log, probed_null(checked(log), null), log.seed)


def _column(log: Log, name: str) -> Floats:
    if name not in checked(log).columns:
        raise InputError(f"the log has no column `{name}`, but {', '.join(log.columns)}")
    return log.columns[name]


def _over_runs(column: Floats, function: Callable[[Floats], Floats], seed: int) -> Band:
    """A function (…, S, K) → (…′) of the runs of a column (S, K, T) at every step, with intervals over those there together."""
    values = np.moveaxis(column, -1, 0)
    band, known = Band(*np.full((3, *function(values).shape), np.nan)), ~np.isnan(values)
    for together in np.unique(known[known.any(axis=(-2, -1))], axis=0):
        steps = (known == together).all(axis=(-2, -1))
        found = bootstrap(values[steps], function, seed=seed)
        band.value[steps], band.low[steps], band.high[steps] = found.value, found.low, found.high
    return band


def _mean(drawn: Floats) -> Floats:
    """(…, S, K) → (…), over what is known."""
    return mean_of_known(drawn.reshape(*drawn.shape[:-2], -1))
