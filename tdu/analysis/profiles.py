"""The collapse of mean profiles: topplings step by step of avalanches that last equally long, at every duration one shape."""

from itertools import count, takewhile

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from tdu.analysis.crackling import FEWEST
from tdu.avalanches.observables import profile_column
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
    names = takewhile(log.columns.__contains__, map(profile_column, count(1)))
    steps = np.array([log.columns[name][-1] for name in names])  # (max_steps, K, T)
    if len(steps) == 0:
        return Findings()
    ended = log.columns["capped"][-1] == 0
    duration = np.where(ended, log.columns["duration"][-1], 0)
    lasting, number = np.unique(duration, return_counts=True)
    lasting = lasting[(number >= FEWEST) & (lasting >= _SHORTEST)].astype(int)
    if lasting.size < 3:
        return Findings()
    place = np.linspace(0.5 / lasting[0], 1 - 0.5 / lasting[0], _POINTS)
    # sums over the avalanches of a duration in each run: of one, of the profile and of its square
    of_runs = np.array([[_sums(steps[:, k], duration[k] == t, int(t), place) for t in lasting] for k in range(len(duration))])
    mean, error = _mean_and_error(of_runs.sum(axis=0))

    def best(sums: Floats) -> float:
        of_drawn, _ = _mean_and_error(sums)
        return best_collapse(lambda x: _quality(x, lasting, place, of_drawn, error), _EXPONENTS)

    value = best(of_runs.sum(axis=0))
    low, high = np.full(2, np.nan)
    known = (~np.isnan(log.size[-1])).any(axis=-1)
    if known.sum() > 1:
        which = np.where(known, np.arange(len(known)), np.nan)[None]

        def of_resampled(drawn: Floats) -> Floats:
            return np.array([best(of_runs[runs[~np.isnan(runs)].astype(int)].sum(axis=0)) for runs in drawn[:, 0]])

        low, high = map(float, interval(bootstrap(which, of_resampled, log.seed, _N_RESAMPLES, stretched=False)))
    quality = _quality(value, lasting, place, mean, error)
    durations = f"{lasting.size} durations, {lasting[0]} to {lasting[-1]} steps"
    said = f"N = {log.n_sites[-1]}; {durations}; S = {quality:.3g}, near 1 where they collapse"
    return Findings(
        {"profile_exponent": Estimate(value, low, high, "least Houdayer–Hartmann S of mean profiles", said)},
        series=(MeanProfiles(lasting, place, mean, error, value, quality),),
    )


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
    return float(houdayer_hartmann(x, mean[known] * scale, error[known] * scale))
