"""When two groups of runs part: an alarm on the difference of their D(t), its lead time, and how often it is false."""

import numpy as np
import numpy.typing as npt

from tdu.rng import Stage, generator
from tdu.scaling import slopes
from tdu.types import Estimate, Floats, Integers

#: The alarm is raised when |difference| exceeds so many standard errors at so many snapshots in a row, with one sign: at the
#: last of these, since nobody knows sooner.
IN_A_ROW = 5
LEVEL = 3.0
_N_RESAMPLES = 1000


def difference(n: npt.NDArray[np.generic], a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """D(t) of the mean size of runs `a` (T, S, K) minus that of `b` (T, S, L), and its standard error; both (T,).

    D is linear in the logarithms of the scales' means, so the error follows from the scatter of runs by the delta method.
    """
    x = np.log(n.astype(np.float64))
    x -= x.mean()
    weight = x / (x @ x)

    def variance(values: Floats) -> Floats:
        return np.asarray((values.var(axis=-1, ddof=1) / values.mean(axis=-1) ** 2) @ weight**2 / values.shape[-1])

    return slopes(n, a.mean(axis=-1)) - slopes(n, b.mean(axis=-1)), np.sqrt(variance(a) + variance(b))


def alarm(difference: Floats, error: Floats) -> int:
    """Snapshot at which the alarm on a `difference` (T,) of D(t) with its standard `error` (T,) is raised; −1 for none."""
    beyond = np.where(np.abs(difference) > LEVEL * error, np.sign(difference), 0)
    for start in range(beyond.size - IN_A_ROW + 1):
        if abs(beyond[start : start + IN_A_ROW].sum()) == IN_A_ROW:
            return start + IN_A_ROW - 1
    return -1


def lead_time(
    n: npt.NDArray[np.generic], epoch: Integers, grokked: Floats, control: Floats, grokking_epoch: Integers, seed: int = 0
) -> Estimate:
    """Epochs from the alarm between `grokked` (T, S, K) and `control` (T, S, L) runs to the mean `grokking_epoch` (S, K).

    The interval resamples runs within their scale, the error of the difference held fixed; without an alarm a resample counts
    as no lead, a lead of 0.
    """
    found, error = difference(n, grokked, control)
    when = alarm(found, error)
    rng = generator(seed, Stage.BOOTSTRAP)
    leads = np.zeros(_N_RESAMPLES)
    for k in range(_N_RESAMPLES):
        a, which = _resampled(grokked, rng)
        b, _ = _resampled(control, rng)
        again = alarm(slopes(n, a.mean(axis=-1)) - slopes(n, b.mean(axis=-1)), error)
        if again >= 0:
            leads[k] = np.take_along_axis(grokking_epoch, which, axis=1).mean() - epoch[again]
    low, high = np.percentile(leads, [2.5, 97.5])
    value = float(grokking_epoch.mean() - epoch[when]) if when >= 0 else 0.0
    note = f"alarm at epoch {epoch[when]:.0f}" if when >= 0 else "no alarm"
    return Estimate(value, float(low), float(high), "epochs before mean grokking", note)


def false_alarm_rate(n: npt.NDArray[np.generic], a: Floats, b: Floats, seed: int = 0) -> Estimate:
    """How often (%) the alarm between runs `a` (T, S, K) and `b` (T, S, L) goes off where there is nothing to be found.

    Each run is divided by the mean of its group, which leaves no difference but chance that lasts as long as theirs does; the
    runs of each scale are then dealt into two groups anew. The interval is Wilson's for the deals, which share the runs: it
    says how well the rate of *these* runs is known.
    """
    chance = np.concatenate([values / values.mean(axis=-1, keepdims=True) for values in (a, b)], axis=-1)
    rng = generator(seed, Stage.PERMUTATION)
    alarms = 0
    for _ in range(_N_RESAMPLES):
        order = rng.permuted(np.tile(np.arange(chance.shape[-1]), (chance.shape[1], 1)), axis=1)[None]
        dealt = np.take_along_axis(chance, order, axis=-1)
        alarms += alarm(*difference(n, dealt[..., : a.shape[-1]], dealt[..., a.shape[-1] :])) >= 0
    rate, z, m = alarms / _N_RESAMPLES, 1.96, _N_RESAMPLES
    centre = (rate + z**2 / (2 * m)) / (1 + z**2 / m)
    half_width = z / (1 + z**2 / m) * np.sqrt(rate * (1 - rate) / m + (z / (2 * m)) ** 2)
    low, high = 100 * max(centre - half_width, 0.0), 100 * min(centre + half_width, 1.0)
    return Estimate(100 * rate, float(low), float(high), "% of deals", f"{m} deals of runs whose groups differ by chance")


def _resampled(values: Floats, rng: np.random.Generator) -> tuple[Floats, Integers]:
    """Runs (T, S, K) drawn with replacement within their scale, and which (S, K)."""
    which = rng.integers(values.shape[-1], size=values.shape[1:])
    return np.take_along_axis(values, which[None], axis=-1), which
