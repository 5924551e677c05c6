"""When two groups of runs part: an alarm on the difference of their D(t), its lead time, and how often it is false."""

import numpy as np
import numpy.typing as npt

from tdu.rng import Stage, generator
from tdu.scaling import slopes
from tdu.types import Estimate, Floats, Integers

#: The alarm: the first of so many snapshots in a row at which |difference| exceeds so many standard errors, with one sign.
IN_A_ROW = 5
LEVEL = 3.0
_N_RESAMPLES = 1000


def difference(n: npt.NDArray[np.generic], a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """D(t) of the mean size of runs `a` (T, S, K) minus that of `b` (T, S, L), and its standard error; both (T,).

    D is linear in the logarithms of the scales' means, so the error follows from the scatter of runs by the delta method.
    """
    return slopes(n, a.mean(axis=-1)) - slopes(n, b.mean(axis=-1)), _error(n, a, a.shape[-1], b, b.shape[-1])


def _error(n: npt.NDArray[np.generic], a: Floats, n_a: int, b: Floats, n_b: int) -> Floats:
    """Standard error (T,) of the difference of D(t) between `n_a` runs like `a` and `n_b` like `b`."""
    x = np.log(n.astype(np.float64))
    x -= x.mean()
    weight = x / (x @ x)

    def variance(values: Floats) -> Floats:
        return np.asarray((values.var(axis=-1, ddof=1) / values.mean(axis=-1) ** 2) @ weight**2)

    return np.sqrt(variance(a) / n_a + variance(b) / n_b)


def alarm(difference: Floats, error: Floats) -> int:
    """Snapshot of the alarm in a `difference` (T,) of D(t) with its standard `error` (T,); −1 for none."""
    beyond = np.where(np.abs(difference) > LEVEL * error, np.sign(difference), 0)
    for start in range(beyond.size - IN_A_ROW + 1):
        if abs(beyond[start : start + IN_A_ROW].sum()) == IN_A_ROW:
            return start
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


def false_alarm_rate(n: npt.NDArray[np.generic], control: Floats, seed: int = 0) -> Estimate:
    """How often (%) the alarm goes off between two disjoint halves of the `control` runs (T, S, L), dealt at random.

    The error is that of halves, from the scatter of all runs. The interval is the binomial one of the deals (Wilson), which
    share the runs: it says how well the rate of *these* runs is known.
    """
    half = control.shape[-1] // 2
    error = _error(n, control, half, control, half)
    rng = generator(seed, Stage.PERMUTATION)
    alarms = 0
    for _ in range(_N_RESAMPLES):
        order = rng.permuted(np.tile(np.arange(control.shape[-1]), (control.shape[1], 1)), axis=1)[None]
        dealt = np.take_along_axis(control, order, axis=-1)
        one, other = dealt[..., :half].mean(axis=-1), dealt[..., half : 2 * half].mean(axis=-1)
        alarms += alarm(slopes(n, one) - slopes(n, other), error) >= 0
    rate, z = alarms / _N_RESAMPLES, 1.96
    centre = (rate + z**2 / (2 * _N_RESAMPLES)) / (1 + z**2 / _N_RESAMPLES)
    half_width = z / (1 + z**2 / _N_RESAMPLES) * np.sqrt(rate * (1 - rate) / _N_RESAMPLES + (z / (2 * _N_RESAMPLES)) ** 2)
    low, high = 100 * max(centre - half_width, 0.0), 100 * min(centre + half_width, 1.0)
    return Estimate(100 * rate, low, high, "% of deals", f"{_N_RESAMPLES} deals into halves of {half} runs a width")


def _resampled(values: Floats, rng: np.random.Generator) -> tuple[Floats, Integers]:
    """Runs (T, S, K) drawn with replacement within their scale, and which (S, K)."""
    which = rng.integers(values.shape[-1], size=values.shape[1:])
    return np.take_along_axis(values, which[None], axis=-1), which
