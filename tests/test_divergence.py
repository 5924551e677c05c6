"""Alignment at grokking and the alarm between groups, on sizes of which the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import tdu
from tdu.analysis import alignment, divergence
from tdu.analysis.alignment import Aligned
from tdu.analysis.divergence import Groups
from tdu.config import NULLS
from tdu.types import Estimate

N_SITES = np.array([1000, 3000, 10_000, 30_000])


def sizes(exponent, n_runs, scatter, seed=0):
    """(S, K, T) sizes that scale with `exponent` (T,) or (S, K, T), runs scattered by a log-normal factor each snapshot."""
    rng = np.random.default_rng(seed)
    exponent = np.broadcast_to(exponent, (N_SITES.size, n_runs, np.shape(exponent)[-1]))
    noise = np.exp(scatter * rng.normal(size=exponent.shape))
    return N_SITES[:, None, None] ** exponent * noise


def falling_at(grokking, n_snapshots, before=1.2, after=0.9):
    """Exponents (S, K, T) that step from `before` to `after` at each run's own snapshot."""
    return np.where(np.arange(n_snapshots) < grokking[..., None], before, after)


def runs_of(grokking, n_snapshots=60, scatter=0.01, after=0.9):
    size = sizes(falling_at(grokking, n_snapshots, after=after), grokking.shape[1], scatter)
    permuted = sizes(np.full(n_snapshots, 1.0), grokking.shape[1], scatter, 1)
    flat = np.zeros(size.shape)
    return Aligned(
        n_sites=N_SITES,
        epoch=10 * np.arange(n_snapshots),
        accuracy=flat + (np.arange(n_snapshots) >= 3),
        test_accuracy=flat,
        grokking=grokking,
        size=size,
        null={name: np.stack([permuted, permuted * 1.01]) for name in NULLS},
    )


GROKKING = np.random.default_rng(5).integers(20, 40, size=(N_SITES.size, 4))


def test_runs_are_aligned_at_their_own_grokking():
    values = np.arange(2 * 3 * 10).reshape(2, 3, 10)
    grokking = np.array([[2, 5, -1], [0, 9, 4]])
    found = alignment.at_grokking(values, grokking, np.array([-1, 0, 2]))
    assert found.shape == (3, 2, 3)
    for (s, k), at in np.ndenumerate(grokking):
        for w, offset in enumerate((-1, 0, 2)):
            inside = at >= 0 and 0 <= at + offset < 10
            assert np.array_equal(found[w, s, k], values[s, k, at + offset] if inside else np.nan, equal_nan=True)


def test_memorisation_is_the_first_snapshot_with_a_training_accuracy_of_1():
    runs = runs_of(GROKKING)
    assert (runs.memorised == 3).all()
    assert (replace(runs, accuracy=runs.accuracy * 0.9).memorised == -1).all()


@pytest.mark.parametrize("statistic", ["mean", "run-peak", "peak"])
def test_a_planted_fall_comes_back_with_its_word_and_the_null_stays(statistic):
    runs = runs_of(GROKKING)
    found = alignment.around(runs, "real", statistic, 10)
    assert found["dimension_early"].value == pytest.approx(1.2, abs=0.02)
    assert found["dimension_late"].value == pytest.approx(0.9, abs=0.02)
    assert found["rise"].value == pytest.approx(-0.3, abs=0.02)
    # ten snapshots of four runs that scatter by 1 % leave ± 0.003; D is of a mean, or of the largest of forty
    assert 0.003 < found["rise"].high - found["rise"].low < 0.015
    assert alignment.crossing(found) == "falls through 1"
    null = alignment.around(runs, "permuted", statistic, 10)
    assert null["dimension_early"].value == pytest.approx(1.0, abs=0.02)
    assert alignment.crossing(null) in ("undecided", "falls", "rises")
    assert abs(null["rise"].value) < 0.02
    above = alignment.around(runs_of(GROKKING, after=1.1), "real", statistic, 10)
    assert alignment.crossing(above) == "falls"


def test_over_offsets_the_step_is_at_0():
    x = np.log(N_SITES) - np.log(N_SITES).mean()
    width = 2 * stats.t.ppf(0.975, 12) * 0.01 / np.sqrt(4) / np.sqrt(x @ x)
    for statistic in ("mean", "peak"):
        found = alignment.over_offsets(runs_of(GROKKING), "real", statistic, np.arange(-5, 6))
        np.testing.assert_allclose(found.value[:5], 1.2, atol=0.02)
        np.testing.assert_allclose(found.value[5:], 0.9, atol=0.02)
        assert ((found.low <= found.value) & (found.value <= found.high)).all()
        wider = {"mean": 1.0, "peak": 1.4}[statistic]  # the largest of four scatters by 0.70 of one run, their mean by a half
        assert np.mean(found.high - found.low) == pytest.approx(width * wider, rel=0.2)


@pytest.mark.parametrize("statistic", ["mean", "peak"])
def test_over_epochs_is_the_exponent_of_what_is_there(statistic):
    runs = runs_of(GROKKING, scatter=0.3)
    found = alignment.over_epochs(runs, "real", statistic).value
    over = {"mean": np.mean, "peak": np.max}[statistic]
    for t in (0, 17, 59):
        assert found[t] == pytest.approx(tdu.scaling_exponent(N_SITES, over(runs.size[..., t], axis=1)).exponent)


def test_excess_is_real_minus_null():
    runs = runs_of(GROKKING)
    before = alignment.excess_at_grokking(runs, "permuted", np.arange(-10, 0))
    after = alignment.excess_at_grokking(runs, "permuted", np.arange(10))
    assert before.value == pytest.approx(0.2, abs=0.02)
    assert after.value == pytest.approx(-0.1, abs=0.02)
    assert "p = " in before.note
    change = alignment.excess_of_change(runs, "permuted", 10)
    assert change.value == pytest.approx(after.value - before.value)
    assert change.high - change.low < 0.05


def test_runs_that_never_grok_have_no_interval():
    found = alignment.around(replace(runs_of(GROKKING), grokking=np.full_like(GROKKING, -1)), "real", "mean", 10)
    assert alignment.crossing(found) == "no interval"
    assert np.isnan(found["rise"].value)


@pytest.mark.parametrize("statistic", ["mean", "peak"])
def test_level_is_the_mean_of_the_exponent(statistic):
    runs = runs_of(GROKKING, scatter=0.3)
    over = {"mean": np.mean, "peak": np.max}[statistic]
    wanted = [tdu.scaling_exponent(N_SITES, over(runs.size[..., t], axis=1)).exponent for t in range(4, 9)]
    found = alignment.level(alignment.inside(runs, "real", np.arange(4, 9)), N_SITES, statistic)
    assert found.value == pytest.approx(np.mean(wanted))
    assert (found.statistic, found.note) == (statistic, "mean of D(t) over 5 snapshots")


def with_shared(exponent, shared, scatter, seed):
    """(W, S, K) sizes that scale with `exponent`, those of a run times its factor in `shared` (S, K) at all snapshots."""
    return moved(sizes(np.full(5, exponent), shared.shape[1], scatter, seed)) * shared


@pytest.mark.parametrize("statistic", ["mean", "peak"])
@pytest.mark.parametrize("paired", [True, False])
def test_a_planted_difference_between_levels_comes_back_with_its_interval(statistic, paired):
    shared = np.exp(0.5 * np.random.default_rng(3).normal(size=(N_SITES.size, 6)))
    others = shared if paired else np.exp(0.5 * np.random.default_rng(4).normal(size=(N_SITES.size, 6)))
    a, b = with_shared(1.1, shared, 0.01, 5), with_shared(0.9, others, 0.01, 6)[:3]
    found = alignment.apart(a, b, N_SITES, statistic, paired=paired)
    levels = [alignment.level(runs, N_SITES, statistic) for runs in (a, b)]
    assert found.value == pytest.approx(levels[0].value - levels[1].value)
    assert found.low < 0.2 < found.high
    # what pairs share cancels; groups apart add the scatter of both, as the intervals of the two levels have it
    if paired:
        assert found.value == pytest.approx(0.2, abs=0.01)
        assert found.high - found.low < 0.03
    else:
        widths = [level.high - level.low for level in levels]
        assert found.high - found.low == pytest.approx(np.hypot(*widths), rel=0.12)
        assert found.high - found.low > 0.3
    pretending = alignment.apart(a, b, N_SITES, statistic, paired=False)
    assert pretending.high - pretending.low > (10 if paired else 0.9) * (found.high - found.low)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.1, 0.2, "higher"), (-0.2, -0.1, "lower"), (-0.1, 0.3, "not to be told apart"), (0.0, 0.3, "not to be told apart"),
     (np.nan, np.nan, "no interval")],
)  # fmt: skip
def test_what_a_difference_says_in_words(low, high, words):
    assert alignment.higher_or_lower(Estimate(0.1, low, high, "mean")) == words


@pytest.mark.parametrize(
    ("signs", "at"),
    [
        ([0, 4, 4, 4, 4, 4, 0], 5),
        ([4, 4, 4, 4, 0, 4, 4, 4, 4, 4], 9),
        ([4, 4, -4, 4, 4, 0, 4], -1),
        ([-4] * 5, 4),
        ([3.0] * 9, -1),
        ([4, 4, 4, 4], -1),
        ([], -1),
    ],
)
def test_the_alarm_is_raised_at_the_fifth_in_a_row_with_one_sign(signs, at):
    assert (divergence.IN_A_ROW, divergence.LEVEL) == (5, 3.0)
    assert divergence.alarm(np.array(signs, float), np.ones(len(signs))) == at


def moved(values):
    return np.moveaxis(values, -1, 0)


def slope_weights():
    x = np.log(N_SITES) - np.log(N_SITES).mean()
    return x / (x @ x)


def test_the_error_of_the_difference_is_its_scatter():
    found = [
        Groups(N_SITES, *(moved(sizes(np.ones(3), 4, 0.2, seed)) for seed in (k, 1000 + k)), paired=False) for k in range(400)
    ]
    differences, errors = (np.array([getattr(of, name) for of in found]) for name in ("difference", "error"))
    known = np.sqrt(2 * (slope_weights() ** 2).sum() * np.expm1(0.2**2) / 4)
    assert np.sqrt((errors**2).mean()) == pytest.approx(known, rel=0.05)
    assert differences.std() == pytest.approx(known, rel=0.1)


def paired_groups(seed, n_runs=4, n_snapshots=3, scatter=0.02, exponent=1.0):
    """Groups of which run k and run k share a large factor, each by itself scattered a little at each snapshot."""
    shared = np.exp(0.5 * np.random.default_rng(10_000 + seed).normal(size=(N_SITES.size, n_runs)))
    a, b = (moved(sizes(np.ones(n_snapshots), n_runs, scatter, k)) * shared for k in (seed, 5000 + seed))
    return a * N_SITES[:, None] ** (np.broadcast_to(exponent, n_snapshots)[:, None, None] - 1), b


def test_what_pairs_share_is_no_error_of_their_difference():
    """Run k of either group has a factor r of its scale's mean, w = r / Σ r, and a scatter of its own that counts with w."""
    shared, scatter, of_weights = np.array([0.25, 0.5, 1.0, 4.0]), 0.02, (slope_weights() ** 2).sum()
    alone = Groups(N_SITES, *paired_groups(0, scatter=0), paired=True)
    np.testing.assert_allclose(alone.error, 0, atol=1e-12)
    np.testing.assert_allclose(alone.difference, 0, atol=1e-12)
    drawn = [[moved(sizes(np.ones(3), 4, scatter, seed)) * shared for seed in (k, 5000 + k)] for k in range(400)]
    paired, apart = ([Groups(N_SITES, a, b, paired) for a, b in drawn] for paired in (True, False))
    w = shared / shared.sum()
    known = np.sqrt(2 * scatter**2 * of_weights * (w**2).sum())
    assert np.std([of.difference for of in paired]) == pytest.approx(known, rel=0.05)
    # leaving out run k gives Σ w d / (1 − w) of the others, so that the jackknife is a little too large for runs this different
    without = [[w[j] / (1 - w[k]) if j != k else 0 for j in range(4)] for k in range(4)]
    jackknife = np.sqrt(2 * scatter**2 * of_weights * 3 * np.var(without, axis=0).sum())
    assert jackknife == pytest.approx(known, rel=0.06)
    errors = {kind: np.sqrt(np.mean([of.error**2 for of in group])) for kind, group in (("paired", paired), ("apart", apart))}
    assert errors["paired"] == pytest.approx(jackknife, rel=0.05)
    assert errors["apart"] == pytest.approx(np.sqrt(2 * of_weights * shared.var(ddof=1) / shared.mean() ** 2 / 4), rel=0.02)
    assert errors["apart"] > 40 * errors["paired"]


def test_the_error_of_pairs_of_like_runs_is_their_scatter():
    found = [Groups(N_SITES, *(moved(sizes(np.ones(3), 4, 0.2, seed)) for seed in (k, 1000 + k)), True) for k in range(400)]
    known = np.sqrt(2 * (slope_weights() ** 2).sum() * np.expm1(0.2**2) / 4)
    assert np.sqrt(np.mean([of.error**2 for of in found])) == pytest.approx(known, rel=0.05)


def test_pairs_are_of_two():
    a, b = paired_groups(0)
    with pytest.raises(ValueError, match=r"`a` has shape \(3, 4, 4\) and `b` \(3, 4, 3\)"):
        Groups(N_SITES, a, b[..., :3], paired=True)


def test_pairs_are_drawn_and_exchanged_whole():
    """Sizes name their run, 10 for each, and their group, the last digit."""
    a = np.broadcast_to(10.0 * np.arange(12).reshape(4, 3) + 10, (2, 4, 3))
    groups, rng = Groups(N_SITES, a, a + 1, paired=True), np.random.default_rng(0)
    swapped, drawn = [], []
    for _ in range(50):
        exchanged = groups.exchanged(rng)
        assert np.array_equal(exchanged.a // 10, a // 10)
        assert np.array_equal(exchanged.b // 10, a // 10)
        assert np.array_equal(exchanged.a + exchanged.b, 2 * a + 1)
        assert np.array_equal(exchanged.a[0], exchanged.a[1])
        swapped.append(exchanged.a[0] % 10)
        again, which = groups.resampled(rng)
        assert again.a.shape == (2, 4, 2)
        assert np.array_equal(again.b, again.a + 1)
        assert np.array_equal(again.a, np.take_along_axis(a, which[None], axis=-1))
        drawn.append(which)
    assert np.mean(swapped) == pytest.approx(0.5, abs=0.06)
    assert np.bincount(np.ravel(drawn)).tolist() == pytest.approx([400 / 3] * 3, rel=0.2)
    apart = Groups(N_SITES, a, a + 1, paired=False)
    exchanged, (again, _) = apart.exchanged(rng), apart.resampled(rng)
    both = [np.sort(np.concatenate([of.a, of.b], axis=-1)) for of in (apart, exchanged)]
    assert np.array_equal(*both)
    assert not np.array_equal(exchanged.a // 10, a // 10)
    assert not np.array_equal(again.b, again.a + 1)


def leads(groups, grokking, seed=0):
    return divergence.lead_time(groups, 10 * np.arange(groups.a.shape[0]), grokking, seed)


def test_a_planted_parting_is_found_with_its_lead():
    parting, grokking = 20, np.full((N_SITES.size, 6), 400)
    exponent = np.where(np.arange(40) < parting, 1.0, 1.1)
    grokked, control = moved(sizes(exponent, 6, 0.05)), moved(sizes(np.ones(40), 6, 0.05, 1))
    lead = leads(Groups(N_SITES, grokked, control, paired=False), grokking)
    assert (lead.value, lead.low) == (160, 160)
    assert lead.high in (160, 170)  # one snapshot sooner, where chance helps
    assert (lead.note, divergence.in_words(lead)) == ("alarm at epoch 240", "an alarm that leads")
    other = moved(sizes(np.ones(40), 6, 0.05, 2))
    none = leads(Groups(N_SITES, control, other, paired=False), grokking)
    assert (none.value, none.low, none.high) == (0, 0, 0)
    assert (none.note, divergence.in_words(none)) == ("no alarm", "no alarm")
    assert divergence.in_words(Estimate(50, 0, 120, "", "alarm at epoch 3")) == "an alarm whose lead is not to be told from 0"


def test_a_parting_smaller_than_what_pairs_share_is_found_in_pairs_alone():
    a, b = paired_groups(1, 6, 40, exponent=np.where(np.arange(40) < 20, 1.0, 1.05))
    grokking = np.full((N_SITES.size, 6), 400)
    paired, apart = (leads(Groups(N_SITES, a, b, paired), grokking) for paired in (True, False))
    assert (paired.note, paired.value) == ("alarm at epoch 240", 160)
    assert paired.low == 160
    assert paired.high in (160, 170)
    assert (apart.note, apart.value) == ("no alarm", 0)


@pytest.mark.slow
def test_intervals_of_the_lead_cover_the_planted_lead(monkeypatch):
    """Runs grok at epochs about 400, the groups part at 200 and are found out at 240: the lead is 160. Of 60 intervals."""
    monkeypatch.setattr(divergence, "_N_RESAMPLES", 200)
    exponent, covered, found = np.where(np.arange(40) < 20, 1.0, 1.1), 0, []
    for k in range(60):
        groups = Groups(N_SITES, *paired_groups(k, 6, 40, exponent=exponent), paired=True)
        grokking = 400 + 60 * np.random.default_rng(20_000 + k).normal(size=(N_SITES.size, 6))
        lead = leads(groups, grokking, k)
        covered += lead.low <= 160 <= lead.high
        found.append(lead.value)
    assert np.mean(found) == pytest.approx(160, abs=3 * 60 / np.sqrt(24 * 60))
    assert covered / 60 == pytest.approx(0.95, abs=0.07)


@pytest.mark.slow
def test_false_alarms_are_rare_unless_what_runs_do_by_chance_lasts():
    def rate(make):
        groups = Groups(N_SITES, *(moved(make(seed)) for seed in (0, 1)), paired=False)
        return divergence.false_alarm_rate(groups)

    white = rate(lambda seed: sizes(np.ones(300), 4, 0.1, seed))
    assert white.value < 1
    assert white.low <= white.value <= white.high < 2
    # chance that is drawn anew every ten snapshots only, and a difference that is none of chance's
    lasting = rate(lambda seed: np.repeat(sizes(np.full(60, 1 + 0.2 * seed), 4, 0.1, seed), 10, axis=-1))
    assert 5 < lasting.value < 70
    assert lasting.low < lasting.value < lasting.high


@pytest.mark.slow
def test_false_alarms_of_pairs_do_not_count_what_they_share():
    """A pair that drifts together for good raises no alarm, whichever of it goes into which group."""
    drift = np.exp(np.cumsum(0.2 * np.random.default_rng(7).normal(size=(100, N_SITES.size, 4)), axis=0))
    a, b = (moved(sizes(np.ones(100), 4, 0.1, seed)) * drift for seed in (0, 1))
    paired, apart = (divergence.false_alarm_rate(Groups(N_SITES, a, b, paired)) for paired in (True, False))
    assert paired.value < 2
    assert apart.value > 10
    assert paired.note == apart.note == "1000 deals of runs whose groups differ by chance"
