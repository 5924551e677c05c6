"""Exponents of crackling noise: of sizes, of durations, of the one given the other, and whether they agree."""

import numpy as np

from tdu.errors import InputError
from tdu.statistics.distributions import fit_power_law
from tdu.statistics.resampling import bootstrap, interval
from tdu.types import Estimate, Findings, Floats, Log

_N_RESAMPLES = 100  # each fits two power laws
FEWEST = 10  #: avalanches of a duration whose mean size is fitted
_DECADES = 1.5  # below which a fitted power law says little (Clauset, Shalizi & Newman 2009, and the paper)
_KEYS = ("size_tail", "duration_tail", "size_given_duration", "crackling_closure")
_WORDS = ("τ of P(s) ~ s^−τ", "α of P(T) ~ T^−α", "⟨s|T⟩ ~ T^x", "x − (α − 1)/(τ − 1)")


def analyse(log: Log) -> Findings:
    """τ, α and 1/σνz of the largest scale, and 1/σνz − (α − 1)/(τ − 1), which is 0 in crackling noise.

    Power laws are maximum-likelihood fits with the least size by Kolmogorov and Smirnov; ⟨s|T⟩ is a least-squares line over the
    durations of ten avalanches or more. Durations of an avalanche of twenty steps span little more than a decade: a note says
    where the range is too short for the numbers to be exponents. Intervals resample runs.
    """
    size, duration = log.size[-1], log.columns["duration"][-1]  # (K, T)
    value = np.array(_exponents(size, duration))
    if np.isnan(value[:3]).all():
        return Findings()
    low, high = np.full((2, len(_KEYS)), np.nan)
    known = (~np.isnan(size)).any(axis=-1)
    if known.sum() > 1:
        runs = np.where(known, np.arange(len(size)), np.nan)[None]

        def measured(drawn: Floats) -> Floats:
            chosen = (which[~np.isnan(which)].astype(int) for which in drawn[:, 0])
            return np.array([_exponents(size[which], duration[which]) for which in chosen])

        low, high = interval(bootstrap(runs, measured, log.seed, _N_RESAMPLES, stretched=False))
    said = f"N = {log.n_sites[-1]}; {_range(size)} of sizes, {_range(duration)} of durations"
    if min(_decades(size), _decades(duration)) < _DECADES:
        said += f": below {_DECADES} a power law cannot be told"
    return Findings(
        {
            key: Estimate(float(value[i]), float(low[i]), float(high[i]), words, said)
            for i, (key, words) in enumerate(zip(_KEYS, _WORDS, strict=True))
            if np.isfinite(value[i])
        }
    )


def _exponents(size: Floats, duration: Floats) -> tuple[float, float, float, float]:
    """τ, α, 1/σνz and the closure, of the avalanches of runs (K, T)."""
    known = (size > 0) & (duration > 0)
    s, t = size[known], duration[known]
    tau, alpha, given = _tail(s), _tail(t), _size_given_duration(s, t)
    return tau, alpha, given, given - (alpha - 1) / (tau - 1) if tau > 1 else np.nan


def _tail(values: Floats) -> float:
    try:
        return fit_power_law(values).alpha
    except InputError:  # fewer than two distinct values
        return float("nan")


def _size_given_duration(size: Floats, duration: Floats) -> float:
    at, which, count = np.unique(duration, return_inverse=True, return_counts=True)
    enough = count >= FEWEST
    if enough.sum() < 3:
        return float("nan")
    mean = np.bincount(which, size) / count
    return float(np.polyfit(np.log(at[enough]), np.log(mean[enough]), 1)[0])


def _decades(values: Floats) -> float:
    known = values[values > 0]
    return float(np.log10(known.max() / known.min())) if known.size else 0.0


def _range(values: Floats) -> str:
    return f"{_decades(values):.2f} decades"
