"""When two groups of runs part: an alarm on the difference of their D(t), its lead time, and how often it is false."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tdu.errors import InputError
from tdu.rng import Stage, generator
from tdu.statistics.scaling import slopes
from tdu.types import Estimate, Floats, Integers

#: The alarm is raised when |difference| exceeds so many standard errors at so many snapshots in a row, with one sign: at the
#: last of these, since nobody knows sooner.
IN_A_ROW = 5
LEVEL = 3.0
_N_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Groups:
    """Two groups of runs that are compared snapshot by snapshot.

    Attributes
    ----------
    n_sites : (S,) parameters N.
    a, b : (T, S, K) and (T, S, L) sizes.
    paired : whether run k of a scale of `a` and run k of that scale of `b` have what chance gave them in common. K is then L;
        what a pair shares cancels in the difference, and pairs are resampled and exchanged whole.
    """

    n_sites: npt.NDArray[np.generic]
    a: Floats
    b: Floats
    paired: bool

    def __post_init__(self) -> None:
        """Pairs are of two."""
        if self.paired and self.a.shape != self.b.shape:
            raise InputError(f"paired groups are of one shape, but `a` has shape {self.a.shape} and `b` {self.b.shape}")

    @property
    def difference(self) -> Floats:
        """(T,): D(t) of the mean size of `a` minus that of `b`."""
        return slopes(self.n_sites, self.a.mean(axis=-1)) - slopes(self.n_sites, self.b.mean(axis=-1))

    @property
    def error(self) -> Floats:
        """(T,): standard error of the difference, from the scatter of runs: D is linear in the logarithms of the scales' means.

        That of groups apart by the delta method. That of pairs by the jackknife, which leaves out one pair after the other:
        where the runs of a scale differ much in size, which pairs share, linearising would count the largest too little.
        """
        x = np.log(self.n_sites.astype(np.float64))
        x -= x.mean()
        n_runs = self.a.shape[-1]
        if self.paired:
            without = [(runs.sum(axis=-1, keepdims=True) - runs) / (n_runs - 1) for runs in (self.a, self.b)]
            variances = (np.log(without[0]) - np.log(without[1])).var(axis=-1) * (n_runs - 1)
        else:
            variances = sum(runs.var(axis=-1, ddof=1) / runs.mean(axis=-1) ** 2 / runs.shape[-1] for runs in (self.a, self.b))
        return np.asarray(np.sqrt(variances @ (x / (x @ x)) ** 2))

    def resampled(self, rng: np.random.Generator) -> tuple["Groups", Integers]:
        """Runs drawn with replacement within their scale, pairs whole, and which of `a`: K − 1 of K as ever."""
        which, which_b = (rng.integers(k, size=(s, max(k - 1, 1))) for _, s, k in (self.a.shape, self.b.shape))
        which_b = which if self.paired else which_b
        a, b = (np.take_along_axis(runs, picks[None], axis=-1) for runs, picks in ((self.a, which), (self.b, which_b)))
        return Groups(self.n_sites, a, b, self.paired), which

    def exchanged(self, rng: np.random.Generator) -> "Groups":
        """The runs of each scale exchanged at random between the two groups; of a pair, one goes into each."""
        if self.paired:
            swapped = rng.integers(2, size=self.a.shape[1:], dtype=bool)
            a, b = np.where(swapped, self.b, self.a), np.where(swapped, self.a, self.b)
            return Groups(self.n_sites, a, b, True)
        runs, n_runs = np.concatenate([self.a, self.b], axis=-1), self.a.shape[-1]
        order = rng.permuted(np.tile(np.arange(runs.shape[-1]), (runs.shape[1], 1)), axis=1)[None]
        shuffled = np.take_along_axis(runs, order, axis=-1)
        return Groups(self.n_sites, shuffled[..., :n_runs], shuffled[..., n_runs:], False)


def alarm(difference: Floats, error: Floats) -> int:
    """Snapshot at which the alarm on a `difference` (T,) of D(t) with its standard `error` (T,) is raised; −1 for none."""
    beyond = np.where(np.abs(difference) > LEVEL * error, np.sign(difference), 0)
    for start in range(beyond.size - IN_A_ROW + 1):
        if abs(beyond[start : start + IN_A_ROW].sum()) == IN_A_ROW:
            return start + IN_A_ROW - 1
    return -1


def lead_time(groups: Groups, epoch: Integers, grokking_epoch: Integers, seed: int = 0) -> Estimate:
    """Epochs from the alarm between runs that grok, `a` of the `groups`, and others to their mean `grokking_epoch` (S, K).

    The interval resamples runs within their scale, the error of the difference held fixed; without an alarm a resample counts
    as no lead, a lead of 0.
    """
    error = groups.error
    when = alarm(groups.difference, error)
    rng = generator(seed, Stage.BOOTSTRAP)
    leads = np.zeros(_N_RESAMPLES)
    for k in range(_N_RESAMPLES):
        drawn, which = groups.resampled(rng)
        again = alarm(drawn.difference, error)
        if again >= 0:
            leads[k] = np.take_along_axis(grokking_epoch, which, axis=1).mean() - epoch[again]
    low, high = np.percentile(leads, [2.5, 97.5])
    value = float(grokking_epoch.mean() - epoch[when]) if when >= 0 else 0.0
    note = f"alarm at epoch {epoch[when]:.0f}" if when >= 0 else "no alarm"
    return Estimate(value, float(low), float(high), "epochs before mean grokking", note)


def in_words(lead: Estimate) -> str:
    """What a lead says, by its interval."""
    if lead.note == "no alarm":
        return "no alarm"
    return "an alarm that leads" if lead.low > 0 else "an alarm whose lead is not to be told from 0"


def false_alarm_rate(groups: Groups, seed: int = 0) -> Estimate:
    """How often (%) the alarm between two `groups` goes off where there is nothing to be found.

    Each run is divided by the mean of its group, which leaves no difference but chance that lasts as long as theirs does; the
    runs of each scale are then exchanged between the groups, those of a pair with each other. The interval is Wilson's for the
    exchanges, which share the runs: it says how well the rate of *these* runs is known.
    """
    from scipy.stats import binomtest  # slow to load, and nothing else here wants it

    a, b = (values / values.mean(axis=-1, keepdims=True) for values in (groups.a, groups.b))
    chance = Groups(groups.n_sites, a, b, groups.paired)
    rng = generator(seed, Stage.PERMUTATION)
    alarms = 0
    for _ in range(_N_RESAMPLES):
        exchanged = chance.exchanged(rng)
        alarms += alarm(exchanged.difference, exchanged.error) >= 0
    wilson = binomtest(alarms, _N_RESAMPLES).proportion_ci(method="wilson")
    rate, low, high = (float(100 * share) for share in (alarms / _N_RESAMPLES, wilson.low, wilson.high))
    return Estimate(rate, low, high, "% of deals", f"{_N_RESAMPLES} deals of runs whose groups differ by chance")
