"""Runs of many widths aligned at their own grokking: D before and after it, beside the null models of the same snapshots."""

from dataclasses import dataclass

import numpy as np

from tdu.analysis.excess import excess
from tdu.analysis.recipes import shape_of
from tdu.config import NULLS
from tdu.statistics.resampling import RunStatistic, bootstrap, estimate, interval
from tdu.statistics.sampling import mean_of_known
from tdu.statistics.scaling import exponent_of_runs, over_runs, per_run, slope_and_r2
from tdu.types import Band, Estimate, Floats, Integers, Quantity, SizeStatistic

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


def sizes_around(runs: Aligned, name: str, statistic: SizeStatistic, window: int) -> Floats:
    """(2, W, S, K): what D in the `window` snapshots before grokking and in those from it on is the exponent of.

    Of the mean size every snapshot, W of them; of the maxima, each run's largest over the window, W = 1.
    """
    parts = [at_grokking(runs.of(name), runs.grokking, offsets) for offsets in (np.arange(-window, 0), np.arange(window))]
    if statistic == SizeStatistic.MEAN:
        return np.stack(parts)
    return np.stack([per_run(np.moveaxis(part, -3, -1), statistic) for part in parts])[:, None]


def around(runs: Aligned, name: str, statistic: SizeStatistic, window: int, seed: int = 0) -> dict[str, Estimate]:
    """D in the `window` snapshots before grokking and in those from it on, and the change, of a field and a statistic.

    Of the mean size it is the mean of D(t); of the maxima, one exponent over the window.
    """
    values, exponent = sizes_around(runs, name, statistic, window), _mean_of(runs.n_sites, statistic)
    return {
        "dimension_early": estimate(values[0], exponent, statistic, seed),
        "dimension_late": estimate(values[1], exponent, statistic, seed),
        "rise": estimate(values, exponent.then(lambda found: found[:, 1] - found[:, 0]), statistic, seed),
    }


def crossing(found: dict[str, Estimate]) -> str:
    """What D does at grokking, in words."""
    return "no interval" if np.isnan(found["rise"].low) else shape_of(found)


def memorising(runs: Aligned) -> Integers:
    """Snapshots from the mean memorisation of the earliest width to that of the latest."""
    known = np.where(runs.memorised >= 0, runs.memorised, np.nan)
    mean_of_width = mean_of_known(known)
    return np.arange(int(np.nanmin(mean_of_width)), int(np.nanmax(mean_of_width)) + 1)


def over_offsets(runs: Aligned, name: str, statistic: SizeStatistic, offsets: Integers, seed: int = 0) -> Band:
    """D(t) of a `statistic` of a field at `offsets` from grokking, with its band and R²."""
    values = at_grokking(runs.of(name), runs.grokking, offsets)
    low, high = _band(runs, values, statistic, seed)
    value, r2 = slope_and_r2(runs.n_sites, over_runs(values, statistic))
    return Band(value, low, high, r2)


def _band(runs: Aligned, values: Floats, statistic: SizeStatistic, seed: int) -> tuple[Floats, Floats]:
    return interval(bootstrap(values, exponent_of_runs(runs.n_sites, statistic), seed, 2000))


def over_epochs(runs: Aligned, name: str, statistic: SizeStatistic, seed: int = 0) -> Band:
    """D(t) of a `statistic` of a field at absolute epochs, with its band."""
    values = np.moveaxis(runs.of(name), -1, 0).astype(np.float64)
    low, high = _band(runs, values, statistic, seed)
    return Band(exponent_of_runs(runs.n_sites, statistic)(values), low, high)


def level(values: Floats, n_sites: Integers, statistic: SizeStatistic, seed: int = 0) -> Estimate:
    """Mean of D(t) of a `statistic` over the W snapshots of `values` (W, S, K)."""
    note = f"mean of D(t) over {len(values)} snapshots"
    return estimate(values, _mean_of(n_sites, statistic), statistic, seed, note)


def inside(runs: Aligned, name: str, snapshots: Integers) -> Floats:
    """(W, S, K): sizes of a field at absolute `snapshots` (W,)."""
    return np.moveaxis(runs.of(name)[..., snapshots], -1, 0).astype(np.float64)


def apart(a: Floats, b: Floats, n_sites: Integers, statistic: SizeStatistic, seed: int = 0, *, paired: bool) -> Estimate:
    """Level of the runs `a` (W, S, K) minus that of the runs `b` (V, S, K).

    Where run k of the one and run k of the other are `paired` (`tdu.analysis.divergence.Groups`), they are resampled together;
    else each group by itself, as scales of its own.
    """
    if paired:
        both = np.concatenate([a, b])
        difference = exponent_of_runs(n_sites, statistic).then(
            lambda found: found[:, : len(a)].mean(axis=-1) - found[:, len(a) :].mean(axis=-1)
        )
    else:
        mean, n_scales = _mean_of(n_sites, statistic), a.shape[1]
        n = max(len(a), len(b))  # the shorter goes on with its last snapshot, which is not looked at
        both = np.concatenate([np.pad(part, ((0, n - len(part)), (0, 0), (0, 0)), mode="edge") for part in (a, b)], axis=1)
        difference = RunStatistic(
            lambda values: mean(values[:, : len(a), :n_scales]) - mean(values[:, : len(b), n_scales:]), mean.depends_on
        )

    note = "paired run by run" if paired else "groups resampled each by itself"
    return estimate(both, difference, statistic, seed, note)


def higher_or_lower(difference: Estimate) -> str:
    """What a difference says, in words, by its interval."""
    if np.isnan(difference.low):
        return "no interval"
    if difference.low > 0:
        return "higher"
    return "lower" if difference.high < 0 else "not to be told apart"


def beside_one(found: Estimate | Quantity) -> str:
    """On which side of 1 an exponent lies, in words, by its interval."""
    if np.isnan(found.low):
        return "no interval"
    if found.low > 1:
        return "above 1"
    return "below 1" if found.high < 1 else "not to be told from 1"


def _mean_of(n_sites: Integers, statistic: SizeStatistic) -> RunStatistic:
    """(…, W, S, K) → (…): mean over W snapshots of the exponent of their `statistic`."""
    return exponent_of_runs(n_sites, statistic).then(lambda of_time: of_time.mean(axis=-1))


def excess_at_grokking(runs: Aligned, name: str, offsets: Integers, seed: int = 0) -> Estimate:
    """Mean over `offsets` of D(t) of the mean size, real minus null, paired by run."""
    real, null = (at_grokking(values, runs.grokking, offsets) for values in (runs.size, runs.null[name]))
    return excess(real, null, _mean_of(runs.n_sites, SizeStatistic.MEAN), seed)


def excess_of_change(runs: Aligned, name: str, window: int, seed: int = 0) -> Estimate:
    """How much more D(t) of the mean size changes at grokking than that of a null, paired by run: over `window` snapshots."""
    offsets, exponents = np.arange(-window, window), exponent_of_runs(runs.n_sites, SizeStatistic.MEAN)
    real, null = (at_grokking(values, runs.grokking, offsets) for values in (runs.size, runs.null[name]))
    change = exponents.then(lambda of_time: of_time[..., window:].mean(axis=-1) - of_time[..., :window].mean(axis=-1))
    return excess(real, null, change, seed)
