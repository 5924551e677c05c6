"""Sizes from narrow to wide networks, by phase: what they are a share of N, over which scales they have which exponent."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tdu.analysis import excess, grokking
from tdu.statistics.linearity import of_line
from tdu.statistics.resampling import RunStatistic, bootstrap, interval
from tdu.statistics.sampling import mean_of_known
from tdu.statistics.scaling import MIN_SCALES, exponent_estimate, exponent_of_runs, exponents_of_windows, over_runs, per_run
from tdu.types import Band, Booleans, Estimate, Floats, Integers, Log, SizeStatistic

PHASES = ("early", "grokking", "late")
#: Epochs on either side of a run's grokking that count as at it, and those at the end that count as late.
AROUND, LAST = 10, 100
_MEAN = SizeStatistic.MEAN


@dataclass(frozen=True, eq=False)
class Exponent:
    """D over some scales, the p of a line through them, and which scales they are."""

    scales: str
    hidden: Integers
    dimension: Estimate
    p: float


def phases_of(log: Log) -> dict[str, Booleans]:
    """Which snapshots (S, K, T) are of a phase, counted by each run's own grokking epoch.

    Early is the first half of the way there, late the last `LAST` epochs, also of a run that never groks.
    """
    own = grokking.epochs_of_runs(log)[..., None]
    late = np.broadcast_to(log.step > log.step[-1] - LAST, log.size.shape)
    return dict(zip(PHASES, (log.step <= own / 2, np.abs(log.step - own) <= AROUND, late), strict=True))


def sizes_of(log: Log) -> dict[str, Floats]:
    """Mean size (S, K) of the snapshots of each phase, nan where a run has none."""
    return {phase: per_run(log.size, _MEAN, inside) for phase, inside in phases_of(log).items()}


def share(n: Integers, sizes: Floats, seed: int) -> Band:
    """Mean of s / N of each scale, (S,), with its interval: runs (S, K) resampled."""
    mean = RunStatistic(lambda values: over_runs(values, _MEAN) / n, "mean")
    return Band(mean(sizes[None])[0], *interval(bootstrap(sizes, mean, seed)))


def local(n: Integers, sizes: Floats, width: int, seed: int) -> Band:
    """Exponents (S − width + 1,) of sizes (S, K) over windows of scales, with intervals."""
    exponents = exponents_of_windows(n, _MEAN, width)
    return Band(exponents(sizes[None])[0], *interval(bootstrap(sizes, exponents, seed)))


def exponents(log: Log, sizes: Floats, ranges: Mapping[str, Booleans]) -> list[Exponent]:
    """D of sizes (S, K) over ranges of scales, by name a mask (S,); of scales that have a run, three or more."""
    found = []
    known = (~np.isnan(sizes)).any(axis=1)
    for name, inside in ranges.items():
        kept = inside & known
        if kept.sum() < MIN_SCALES:
            unknown = Estimate(np.nan, np.nan, np.nan, str(_MEAN), "fewer than three scales")
            found.append(Exponent(name, log.scale[kept], unknown, np.nan))
            continue
        n = log.n_sites[kept]
        dimension = exponent_estimate(n, sizes[kept], _MEAN, log.seed)
        found.append(Exponent(name, log.scale[kept], dimension, of_line(n, sizes[kept][None], log.seed).p))
    return found


def beside_null(log: Log, name: str, phase: str) -> tuple[Estimate, Estimate]:
    """D minus that under a null, and by how many per cent sizes exceed it, of the runs that all scales with draws have."""
    sizes, inside = log.nulls[name], phases_of(log)[phase]
    real, null = sizes_of(log)[phase], per_run(sizes, _MEAN, inside)  # (S, K) and (D, S, K)
    both = np.where(np.isnan(null).any(axis=0), np.nan, real)
    scales = (~np.isnan(both)).any(axis=1)
    runs = (~np.isnan(both[scales])).all(axis=0)
    real, null = both[scales][:, runs], null[:, scales][..., runs]
    if scales.sum() < MIN_SCALES or not runs.any():
        unknown = Estimate(np.nan, np.nan, np.nan, "real − null", "fewer than three scales with the same runs")
        return unknown, unknown
    of_size = RunStatistic(lambda values: 100 * np.log(over_runs(values, _MEAN)).mean(axis=-1), "mean")
    more = excess.excess(real, null, of_size, log.seed)
    return excess.excess(real, null, exponent_of_runs(log.n_sites[scales], _MEAN), log.seed), more


def mean_of_runs(values: Floats) -> Floats:
    """(S, K) → (S,), of the runs that are known."""
    return mean_of_known(np.asarray(values, np.float64))
