"""Columns as changes since a run had memorised, which is where runs that generalise later and runs that never do look alike."""

import numpy as np

from tdu import _check
from tdu.errors import InputError
from tdu.types import Floats, Integers, Log

#: Training accuracy from which on a run has memorised.
MEMORISED = 0.99
#: Snapshots from memorisation on whose mean is what a column changes from.
BASELINE = 3


def memorised_at(log: Log, accuracy: float = MEMORISED) -> Integers:
    """(S, K): the first snapshot at which a run has the training `accuracy`, −1 where it never has."""
    if "accuracy" not in log.columns:
        raise InputError(f"the log has no column `accuracy`, which says when a run has memorised, but {', '.join(log.columns)}")
    there = log.columns["accuracy"] >= accuracy
    return np.where(there.any(axis=-1), there.argmax(axis=-1), -1)


def since_memorisation(log: Log, column: str, *, of_log: bool = False, baseline: int = BASELINE) -> Floats:
    """(S, K, T): a column less its mean over a run's first `baseline` snapshots from memorisation on, nan up to these.

    `of_log`: of the column's natural logarithm, as for losses and norms.

    Raises
    ------
    ValueError
        If the log has no such column, or no training accuracy.

    Examples
    --------
    >>> from tdu.analysis.memorising import since_memorisation
    >>> from tdu.logs.log import gather
    >>> columns = {"size": np.ones(6), "accuracy": np.array([0.5, 1, 1, 1, 1, 1]), "x": np.array([9.0, 1, 2, 3, 4, 6])}
    >>> run = tdu.Run(8, 0, tdu.types.Layout.unknown(4), np.arange(6), columns, {}, {}, -1)
    >>> since_memorisation(gather([run]), "x").tolist()
    [[[nan, nan, nan, nan, 2.0, 4.0]]]
    """
    _check.kind(log, "log", Log)
    _check.integer(baseline, "baseline", 1)
    if column not in log.columns:
        raise InputError(f"`column` is {column}, but the log has {', '.join(log.columns)}")
    values = log.columns[column]
    if of_log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(values > 0, np.log(values), np.nan)
    changes = np.full(values.shape, np.nan)
    for at in np.argwhere(memorised_at(log) >= 0):
        run = tuple(at)
        known = np.flatnonzero(~np.isnan(values[run]) & (np.arange(log.step.size) >= memorised_at(log)[run]))
        before, after = known[:baseline], known[baseline:]
        if before.size == baseline:
            changes[run][after] = values[run][after] - values[run][before].mean()
    return changes
