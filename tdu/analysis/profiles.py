"""The collapse of mean profiles: topplings step by step of avalanches that last equally long, at every duration one shape."""

from itertools import count, takewhile

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from tdu.analysis.crackling import FEWEST
from tdu.avalanches.observables import profile_column
from tdu.errors import InputError
from tdu.kernels.collapse import houdayer_hartmann
from tdu.results.series_of_logs import MeanProfiles
from tdu.statistics.resampling import bootstrap, interval
from tdu.statistics.scaling import best_collapse
from tdu.types import Estimate, Findings, Floats, Integers, Log

_SHORTEST = 3  # steps of an avalanche that has a shape
_POINTS = 20
_EXPONENTS = (0.0, 4.0)  # where the best is looked for
_N_RESAMPLES = 100  # each a minimization


def analyse(log: Log) -> Findings:
    """The x of ⟨n_t | T⟩ ~ T^(x − 1) F(t/T) of the best collapse, of the largest scale: 1/σνz in crackling noise.

    n_t is the number of topplings in step t of an avalanche of duration T. Means are over the avalanches of all runs that ended
    by themselves, at durations of ten or more, three at least, each at the same places (t − ½)/T by cubic splines.
    S weighs by the scatter over these avalanches. Intervals resample runs; the scatter stays that of the log.
    """
    summed = _of_runs(log)
    if summed is None:
        return Findings()
    found = _collapsed(*summed)
    lasting, place, of_runs = summed
    low, high = np.full(2, np.nan)
    known = (~np.isnan(log.size[-1])).any(axis=-1)
    if known.sum() > 1:
        which = np.where(known, np.arange(len(known)), np.nan)[None]

        def of_resampled(drawn: Floats) -> Floats:
            sums = (of_runs[runs[~np.isnan(runs)].astype(int)].sum(axis=0) for runs in drawn[:, 0])
            return np.array([_best(lasting, place, _mean_and_error(one)[0], found.error) for one in sums])

        low, high = map(float, interval(bootstrap(which, of_resampled, log.seed, _N_RESAMPLES, stretched=False)))
    durations = f"{lasting.size} durations, {lasting[0]} to {lasting[-1]} steps"
    said = f"N = {log.n_sites[-1]}; {durations}; S = {found.quality:.3g}, near 1 where they collapse"
    return Findings(
        {"profile_exponent": Estimate(found.exponent, low, high, "least Houdayer–Hartmann S of mean profiles", said)},
        series=(found,),
    )


def mean_profiles(log: Log) -> MeanProfiles:
    """The mean profiles and the best collapse of `analyse`, without its interval."""
    summed = _of_runs(log)
    if summed is None:
        raise InputError(
            "the log has no mean profiles: these are of runs probed with `profiles`, of three durations that "
            f"{FEWEST} avalanches of N = {log.n_sites[-1]} have"
        )
    return _collapsed(*summed)


def _of_runs(log: Log) -> tuple[Integers, Floats, Floats] | None:
    """Durations (C,), places (P,), and sums (K, C, 3, P) over the avalanches of each run; None where these are too few."""
    names = takewhile(log.columns.__contains__, map(profile_column, count(1)))
    steps = np.array([log.columns[name][-1] for name in names])  # (max_steps, K, T)
    if len(steps) == 0:
        return None
    ended = log.columns["capped"][-1] == 0
    duration = np.where(ended, log.columns["duration"][-1], 0)
    lasting, number = np.unique(duration, return_counts=True)
    lasting = lasting[(number >= FEWEST) & (lasting >= _SHORTEST)].astype(int)
    if lasting.size < 3:
        return None
    place = np.linspace(0.5 / lasting[0], 1 - 0.5 / lasting[0], _POINTS)
    of_runs = np.array([[_sums(steps[:, k], duration[k] == t, int(t), place) for t in lasting] for k in range(len(duration))])
    return lasting, place, of_runs


def _collapsed(duration: Integers, place: Floats, of_runs: Floats) -> MeanProfiles:
    mean, error = _mean_and_error(of_runs.sum(axis=0))
    exponent = _best(duration, place, mean, error)
    return MeanProfiles(duration, place, mean, error, exponent, _quality(exponent, duration, place, mean, error))


def _best(duration: Integers, place: Floats, mean: Floats, error: Floats) -> float:
    return best_collapse(lambda x: _quality(x, duration, place, mean, error), _EXPONENTS)


def _sums(steps: Floats, lasts: npt.NDArray[np.bool_], duration: int, place: Floats) -> Floats:
    """(3, P): number, Σ and Σ² of the profiles (max_steps, T) of those snapshots that last so long, at relative times (P,)."""
    profiles = steps[:duration, lasts]
    values = CubicSpline((np.arange(duration) + 0.5) / duration, profiles)(place).T  # chords sag, most between few steps
    return np.array([np.full(place.size, len(values)), values.sum(axis=0), (values**2).sum(axis=0)])


def _mean_and_error(sums: Floats) -> tuple[Floats, Floats]:
    """Means and their standard errors (C, P) of sums (C, 3, P); nan for a duration that no avalanche has."""
    number, total, squares = np.moveaxis(sums, 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / number
        variance = np.maximum(squares / number - mean**2, 0) / (number - 1)
        return mean, np.sqrt(np.maximum(variance, 1 / number**2))  # no counted mean is known better than to one toppling in all


def _quality(exponent: float, duration: Integers, place: Floats, mean: Floats, error: Floats) -> float:
    """S of the collapse at an exponent, of the durations that have a mean."""
    known = ~np.isnan(mean).any(axis=1)
    if known.sum() < 2:
        return float("nan")
    scale = duration[known, None].astype(np.float64) ** (1 - exponent)
    x = np.tile(place, (int(known.sum()), 1))
    return float(houdayer_hartmann(x, mean[known] * scale, error[known] * scale, np.empty(len(x), np.int64)))
