"""The alarm between two groups of runs, in pairs or apart: difference, lead and false alarms by definition."""

import numpy as np
import pytest
from scipy import stats

from tdu.analysis import divergence
from tdu.analysis.divergence import Groups
from tdu.rng import Stage, generator
from tests.planted import N_SITES, SEED, slope

T = 30


def group(n_runs, rng_seed, part_at=None, noise=0.05):
    """(T, S, K) of D = 1, from snapshot `part_at` on of D = 1.2."""
    rng = np.random.default_rng(rng_seed)
    exponent = np.where(np.arange(T) < (T if part_at is None else part_at), 1.0, 1.2)[:, None, None]
    return N_SITES[:, None] ** exponent * np.exp(noise * rng.normal(size=(T, 4, n_runs)))


def difference_of(a, b):
    """(T,): D(t) of the mean size of `a` (T, S, K) minus that of `b`."""
    return slope(N_SITES, a.mean(axis=-1)) - slope(N_SITES, b.mean(axis=-1))


def error_apart(a, b):
    """(T,): relative errors of the scales' means, by their weights in the slope."""
    weight = np.log(N_SITES) - np.log(N_SITES).mean()
    weight /= (weight**2).sum()
    variance = np.zeros(len(a))
    for values in (a, b):
        for s in range(4):
            relative = values[:, s].std(axis=-1, ddof=1) / values[:, s].mean(axis=-1)
            variance += (weight[s] * relative) ** 2 / values.shape[-1]
    return np.sqrt(variance)


def error_of_pairs(a, b):
    """(T,): of each scale, the jackknife of the difference as it is without one of its pairs."""
    n_runs, variance = a.shape[-1], np.zeros(len(a))
    for s in range(4):
        without = []
        for k in range(n_runs):
            means = [values.mean(axis=-1) for values in (a, b)]
            for of_group, values in zip(means, (a, b), strict=True):
                of_group[:, s] = np.delete(values[:, s], k, axis=-1).mean(axis=-1)
            without.append(slope(N_SITES, means[0]) - slope(N_SITES, means[1]))
        variance += (n_runs - 1) / n_runs * ((without - np.mean(without, axis=0)) ** 2).sum(axis=0)
    return np.sqrt(variance)


ERRORS = {True: error_of_pairs, False: error_apart}


@pytest.mark.parametrize(("n_runs", "paired"), [(6, False), (4, False), (4, True), (2, True)])
def test_the_difference_and_its_error_are_those_of_the_scales_means(n_runs, paired):
    a, b = group(4 if n_runs > 2 else 2, 0, 10, 0.3), group(n_runs, 1, None, 0.3)
    groups = Groups(N_SITES, a, b, paired)
    np.testing.assert_allclose(groups.difference, difference_of(a, b), atol=1e-12)
    np.testing.assert_allclose(groups.error, ERRORS[paired](a, b))


def first_alarm(difference, error):
    """The last of the first five snapshots in a row that are all beyond three errors on one side."""
    for last in range(4, len(difference)):
        window = slice(last - 4, last + 1)
        if (difference[window] > 3 * error[window]).all() or (difference[window] < -3 * error[window]).all():
            return last
    return -1


@pytest.mark.parametrize("seed", [None, SEED])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("noise", [0.05, 0.25])
def test_the_lead_is_from_the_alarm_to_mean_grokking_and_resamples_without_alarm_have_none(noise, paired, seed):
    """Of 4 runs 3 are drawn, of 5 there are 4; the other of a pair comes with the one."""
    n_others = 4 if paired else 5
    grokked, control = group(4, 2, 12, noise), group(n_others, 3, None, noise)
    if paired:  # which share more than the groups differ by
        shared = np.exp(0.3 * np.random.default_rng(6).normal(size=(4, 4)))
        grokked, control = grokked * shared, control * shared
    epoch, grokking = 10 * np.arange(T), 200 + 10 * np.random.default_rng(4).integers(0, 9, (4, 4))
    groups = Groups(N_SITES, grokked, control, paired)
    found = divergence.lead_time(groups, epoch, grokking, *(() if seed is None else (seed,)))
    error = ERRORS[paired](grokked, control)
    rng, leads = generator(seed or 0, Stage.BOOTSTRAP), []
    for _ in range(1000):
        which = rng.integers(4, size=(4, 3))
        others = rng.integers(n_others, size=(4, n_others - 1))
        others = which if paired else others
        a = np.stack([grokked[:, s, which[s]] for s in range(4)], axis=1)
        b = np.stack([control[:, s, others[s]] for s in range(4)], axis=1)
        at = first_alarm(difference_of(a, b), error)
        leads.append(np.mean([grokking[s, which[s]] for s in range(4)]) - epoch[at] if at >= 0 else 0.0)
    at = first_alarm(difference_of(grokked, control), error)
    value = grokking.mean() - epoch[at] if at >= 0 else 0
    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(leads, [2.5, 97.5])))
    assert found.statistic == "epochs before mean grokking"
    assert found.note == (f"alarm at epoch {10 * at}" if at >= 0 else "no alarm")
    if noise == 0.05:
        assert at == 16
        assert found.value == pytest.approx(grokking.mean() - 160)
        assert 10 < found.high - found.low < 60


@pytest.mark.parametrize("seed", [None, SEED])
@pytest.mark.parametrize("paired", [False, True])
def test_false_alarms_are_counted_over_deals_of_runs_without_their_groups_means(paired, seed):
    a = np.repeat(group(3, 5, None, 0.3)[:6], 5, axis=0)  # chance that lasts five snapshots
    b = 3 * np.repeat(group(3 if paired else 4, 6, 0, 0.3)[:6], 5, axis=0)
    found = divergence.false_alarm_rate(Groups(N_SITES, a, b, paired), *(() if seed is None else (seed,)))
    a, b = (values / values.mean(axis=-1, keepdims=True) for values in (a, b))
    both = np.concatenate([a, b], axis=-1)
    rng, alarms = generator(seed or 0, Stage.PERMUTATION), 0
    for _ in range(1000):
        if paired:  # of run k and run k one goes into each group
            swapped = rng.integers(2, size=(4, 3), dtype=bool)
            one, other = np.where(swapped, b, a), np.where(swapped, a, b)
        else:
            order = rng.permuted(np.tile(np.arange(7), (4, 1)), axis=1)
            dealt = np.stack([both[:, s, order[s]] for s in range(4)], axis=1)
            one, other = dealt[..., :3], dealt[..., 3:]
        alarms += first_alarm(difference_of(one, other), ERRORS[paired](one, other)) >= 0
    assert 10 < alarms < 990
    wilson = stats.binomtest(alarms, 1000).proportion_ci(method="wilson")
    assert found.value == pytest.approx(alarms / 10)
    assert (found.low, found.high) == pytest.approx((100 * wilson.low, 100 * wilson.high), abs=1e-3)
    assert (found.statistic, found.note) == ("% of deals", "1000 deals of runs whose groups differ by chance")


def test_the_rate_of_what_never_or_always_happens_ends_at_0_and_100():
    quiet = np.ones((T, 4, 3)) * N_SITES[:, None] * np.exp(1e-3 * np.random.default_rng(0).normal(size=(T, 4, 3)))
    none = divergence.false_alarm_rate(Groups(N_SITES, quiet, quiet, paired=False))
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(100 * stats.binomtest(0, 1000).proportion_ci(method="wilson").high, abs=1e-3)
