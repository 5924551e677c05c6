"""Runs of many widths aligned at their own grokking: D before and after it, beside the null models of the same snapshots."""

from dataclasses import dataclass

import numpy as np

from tdu.analysis.excess import excess
from tdu.analysis.recipes import shape_of
from tdu.config import NULLS
from tdu.resampling import bootstrap, estimate, interval, mean_of_known, through
from tdu.scaling import exponent_of_runs, over_runs, per_run, slope_and_r2
from tdu.types import Estimate, Floats, Integers, Statistic

#: The fields probed: the gradients as they are, and each null.
FIELDS = ("real", *NULLS)


@dataclass(frozen=True, eq=False)
class Aligned:
    """Runs of S widths × K seeds under one condition, with a snapshot every few epochs.

    Attributes
    ----------
    n_sites : (S,) parameters N. epoch : (T,) of the snapshots.
    accuracy, test_accuracy : (S, K, T).
    grokking : (S, K) snapshot from which test accuracy stays above 0.99, or another to align at; −1 for none.
    size : (S, K, T) of the real gradients. null : (draws, S, K, T) by name.
    """

    n_sites: Integers
    epoch: Integers
    accuracy: Floats
    test_accuracy: Floats
    grokking: Integers
    size: Floats
    null: dict[str, Floats]

    @property
    def memorised(self) -> Integers:
        """(S, K) first snapshot with a training accuracy of 1, −1 for none."""
        known = self.accuracy >= 1
        return np.where(known.any(axis=-1), known.argmax(axis=-1), -1)

    def of(self, name: str) -> Floats:
        """(S, K, T): the sizes of a field, for a null the mean over its draws."""
        return self.size if name == "real" else np.asarray(self.null[name].mean(axis=0))


def at_grokking(values: Floats, grokking: Integers, offsets: Integers) -> Floats:
    """(…, W, S, K): `values` (…, S, K, T) at `offsets` (W,) snapshots from each run's `grokking`, nan where there are none."""
    index = grokking[..., None] + offsets  # (S, K, W)
    known = (grokking[..., None] >= 0) & (index >= 0) & (index < values.shape[-1])
    taken = np.take_along_axis(values, np.broadcast_to(np.where(known, index, 0), (*values.shape[:-1], offsets.size)), axis=-1)
    return np.moveaxis(np.where(known, taken, np.nan).astype(np.float64), -1, -3)


def over_offsets(runs: Aligned, name: str, offsets: Integers, seed: int = 0) -> dict[str, Floats]:
    """D(t) of the mean size of a field at `offsets` from grokking, with its band and R²."""
    values = at_grokking(runs.of(name), runs.grokking, offsets)
    fit = exponent_of_runs(runs.n_sites, "mean")
    low, high = interval(bootstrap(values, fit, seed, 2000, through="mean"))
    value, r2 = slope_and_r2(runs.n_sites, over_runs(values, "mean"))
    return {"value": value, "low": low, "high": high, "r2": r2}


def around(runs: Aligned, name: str, statistic: Statistic, window: int, seed: int = 0) -> dict[str, Estimate]:
    """D in the `window` snapshots before grokking and in those from it on, and the change, of a field and a statistic.

    Of the mean size it is the mean of D(t); of the maxima, one exponent over the window.
    """
    before, after = (
        at_grokking(runs.of(name), runs.grokking, offsets) for offsets in (np.arange(-window, 0), np.arange(window))
    )
    fit = exponent_of_runs(runs.n_sites, statistic)
    if statistic == "mean":
        found = np.stack([before, after])  # (2, W, S, K)
    else:
        found = np.stack([per_run(np.moveaxis(part, -3, -1), statistic) for part in (before, after)])  # (2, S, K)

    def exponent(values: Floats) -> Floats:
        """(…): of every set of runs, be it one window or both."""
        return np.asarray(fit(values).mean(axis=-1)) if statistic == "mean" else fit(values)

    def change(values: Floats) -> Floats:
        return np.asarray(exponent(values)[:, 1] - exponent(values)[:, 0])

    kind = through(statistic)
    return {
        "dimension_early": estimate(found[0], exponent, statistic, seed, through=kind),
        "dimension_late": estimate(found[1], exponent, statistic, seed, through=kind),
        "rise": estimate(found, change, statistic, seed, through=kind),
    }


def crossing(found: dict[str, Estimate]) -> str:
    """What D does at grokking, in words."""
    words = shape_of(found)
    return "no interval" if words == "a scale never groks" else words


def memorising(runs: Aligned) -> Integers:
    """Snapshots from the mean memorisation of the earliest width to that of the latest."""
    known = np.where(runs.memorised >= 0, runs.memorised, np.nan)
    of_widths = mean_of_known(known)
    return np.arange(int(np.nanmin(of_widths)), int(np.nanmax(of_widths)) + 1)


def over_epochs(runs: Aligned, name: str, seed: int = 0) -> dict[str, Floats]:
    """D(t) of the mean size of a field at absolute epochs, with its band."""
    values = np.moveaxis(runs.of(name), -1, 0)
    fit = exponent_of_runs(runs.n_sites, "mean")
    low, high = interval(bootstrap(values, fit, seed, 2000, through="mean"))
    return {"value": fit(values), "low": low, "high": high}


def level(runs: Aligned, name: str, inside: Integers, seed: int = 0, *, ungrokked: bool = False) -> Estimate:
    """Mean of D(t) of the mean size over the snapshots `inside`, at absolute epochs; if asked, of `ungrokked` runs alone."""
    values = np.moveaxis(runs.of(name)[..., inside], -1, 0)
    if ungrokked:
        values = np.where(runs.grokking < 0, values, np.nan)
    fit = exponent_of_runs(runs.n_sites, "mean")
    note = f"mean of D(t) over {len(inside)} snapshots"
    return estimate(values, lambda v: fit(v).mean(axis=-1), "mean", seed, note, through="mean")


def excess_at_grokking(runs: Aligned, name: str, offsets: Integers, seed: int = 0) -> Estimate:
    """Mean over `offsets` of D(t) real minus null, paired by run."""
    fit = exponent_of_runs(runs.n_sites, "mean")
    real, null = (at_grokking(values, runs.grokking, offsets) for values in (runs.size, runs.null[name]))
    return excess(real, null, lambda v: np.asarray(fit(v).mean(axis=-1)), seed)
