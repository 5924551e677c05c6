"""Runs aligned at their own grokking, beside their nulls: every window, every statistic, by definition."""

import numpy as np
import pytest

from tdu.analysis import alignment
from tdu.analysis.alignment import Aligned
from tdu.config import NULLS
from tdu.types import Estimate
from tests.planted import N_SITES, all_same, band, exponent, in_time, of_scales, r_squared, reference_p, resampled, same

T, K = 40, 4
#: One run never groks, one groks too early for a window of 5 before it, one too late for one after.
GROKKING = np.array([[12, 15, 3, 20], [18, 14, 16, -1], [20, 22, 24, 37], [25, 19, 21, 23]])
MEMORISED = np.array([[2, 4, 6, 4], [5, 7, 9, -1], [3, 5, 7, 9], [0, 2, 3, 5]])  # means 4, 7, 6, 2.5


def planted(seed=0):
    rng = np.random.default_rng(seed)
    exponents = np.where(np.arange(T) < GROKKING[..., None], 1.2, 0.9) - 0.002 * np.arange(T)

    def noise(shape):
        return np.exp(0.1 * rng.normal(size=(*shape[:-1], 1)) + 0.05 * rng.normal(size=shape))

    size = N_SITES[:, None, None] ** exponents * noise(exponents.shape)
    null = {name: N_SITES[:, None, None] ** 1.0 * noise((2, *size.shape)) for name in NULLS}
    accuracy = np.where((np.arange(T) >= MEMORISED[..., None]) & (MEMORISED[..., None] >= 0), 1.0, 0.9)
    return Aligned(N_SITES, 10 * np.arange(T), accuracy, accuracy * 0, GROKKING, size, null)


RUNS = planted()
STATISTICS = ("mean", "run-peak", "peak")


def aligned(size, offsets):
    """(W, S, K), run by run."""
    found = np.full((len(offsets), *GROKKING.shape), np.nan)
    for (s, k), at in np.ndenumerate(GROKKING):
        for w, offset in enumerate(offsets):
            if at >= 0 and 0 <= at + offset < T:
                found[w, s, k] = size[s, k, at + offset]
    return found


def fields(name):
    return RUNS.size if name == "real" else RUNS.null[name].mean(axis=0)


def test_a_field_is_the_gradients_or_the_mean_over_the_draws_of_a_null():
    assert alignment.FIELDS == ("real", "permuted", "blocks", "signs", "gaussian", "rewired")
    for name in alignment.FIELDS:
        np.testing.assert_allclose(RUNS.of(name), fields(name))
    assert np.array_equal(RUNS.memorised, MEMORISED)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(("name", "statistic"), [("real", "mean"), ("signs", "run-peak"), ("signs", "peak")])
def test_d_of_t_around_grokking_has_its_band_and_fit(name, statistic, seed):
    offsets = np.arange(-5, 6)
    found = alignment.over_offsets(RUNS, name, statistic, offsets, *(() if seed is None else (seed,)))
    values = aligned(fields(name), offsets)
    of_time = exponent(N_SITES, statistic)
    low, high = band(values, of_time, largest=statistic == "peak", seed=seed or 0, n_resamples=2000)
    np.testing.assert_allclose(found.value, of_time(values))
    np.testing.assert_allclose(found.low, low, rtol=1e-8)
    np.testing.assert_allclose(found.high, high, rtol=1e-8)
    np.testing.assert_allclose(found.r2, r_squared(N_SITES, of_scales(values, statistic)))


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(("name", "statistic"), [("real", "mean"), ("signs", "run-peak"), ("real", "peak")])
def test_before_after_and_their_difference(name, statistic, seed):
    found = alignment.around(RUNS, name, statistic, 5, *(() if seed is None else (seed,)))
    parts = [aligned(fields(name), offsets) for offsets in (range(-5, 0), range(5))]
    fit, settings = exponent(N_SITES, statistic), {"largest": statistic == "peak", "seed": seed or 0}
    if statistic == "mean":
        values = parts

        def level(v):
            return fit(v).mean(axis=-1)

    else:
        values, level = [np.fmax.reduce(part, axis=0) for part in parts], fit

    def rise(v):
        return level(v[:, 1]) - level(v[:, 0])

    wanted = {
        "dimension_early": resampled(values[0], level, statistic, **settings),
        "dimension_late": resampled(values[1], level, statistic, **settings),
        "rise": resampled(np.stack(values), rise, statistic, **settings),
    }
    all_same(found, wanted)


def test_without_grokking_the_word_is_no_interval():
    unknown = Estimate(np.nan, np.nan, np.nan, "")
    assert alignment.crossing(dict.fromkeys(("rise", "dimension_early", "dimension_late"), unknown)) == "no interval"


def test_memorisation_spans_the_widths_means():
    assert alignment.memorising(RUNS).tolist() == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_over_epochs_it_is_d_of_t_at_absolute_epochs(statistic, seed):
    found = alignment.over_epochs(RUNS, "blocks", statistic, *(() if seed is None else (seed,)))
    of_time = exponent(N_SITES, statistic)
    low, high = band(in_time(fields("blocks")), of_time, largest=statistic == "peak", seed=seed or 0, n_resamples=2000)
    assert found.r2 is None
    np.testing.assert_allclose(found.value, of_time(in_time(fields("blocks"))))
    np.testing.assert_allclose(found.low, low, rtol=1e-8)
    np.testing.assert_allclose(found.high, high, rtol=1e-8)


def mean_of(statistic):
    """(…, W, S, K) → (…): D(t) of each snapshot, and the mean of these."""
    of_time = exponent(N_SITES, statistic)
    return lambda values: of_time(values).mean(axis=-1)


@pytest.mark.parametrize("name", ["real", "gaussian"])
def test_inside_are_the_sizes_of_a_field_at_absolute_snapshots(name):
    found = alignment.inside(RUNS, name, np.array([3, 4, 11]))
    np.testing.assert_allclose(found, [fields(name)[..., t] for t in (3, 4, 11)])


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_level_is_the_mean_of_d_of_t_over_its_snapshots(statistic, seed):
    values = in_time(RUNS.size, np.arange(3, 12))
    found = alignment.level(values, N_SITES, statistic, *(() if seed is None else (seed,)))
    note, settings = "mean of D(t) over 9 snapshots", {"largest": statistic == "peak", "seed": seed or 0}
    same(found, resampled(values, mean_of(statistic), statistic, note, **settings))


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_level_leaves_out_runs_of_which_nothing_is_known(statistic):
    values = in_time(RUNS.size, np.arange(30, 40))
    known = np.where(np.arange(K) < 2, values, np.nan)
    found = alignment.level(known, N_SITES, statistic)
    note, settings = "mean of D(t) over 10 snapshots", {"largest": statistic == "peak", "seed": 0}
    same(found, resampled(known, mean_of(statistic), statistic, note, **settings))
    assert found.value == pytest.approx(mean_of(statistic)(values[..., :2]))
    assert found.value != pytest.approx(mean_of(statistic)(values))


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("lengths", [(9, 4), (4, 9)])
def test_levels_apart_are_resampled_run_by_run_or_each_group_by_itself(lengths, paired, statistic, seed):
    """In pairs the draws of one group are those of the other; groups apart are drawn as scales of their own."""
    a, b = (in_time(planted(k).size, np.arange(3, 3 + n)) for k, n in enumerate(lengths))
    found = alignment.apart(a, b, N_SITES, statistic, *(() if seed is None else (seed,)), paired=paired)
    level, n = mean_of(statistic), len(a)
    settings = {"largest": statistic == "peak", "seed": seed or 0}
    if paired:
        wanted = resampled(
            np.concatenate([a, b]), lambda v: level(v[:, :n]) - level(v[:, n:]), statistic, "paired run by run", **settings
        )
    else:
        longest = max(lengths)
        beside = np.concatenate([part[np.minimum(np.arange(longest), len(part) - 1)] for part in (a, b)], axis=1)
        wanted = resampled(
            beside,
            lambda v: level(v[:, : lengths[0], :4]) - level(v[:, : lengths[1], 4:]),
            statistic,
            "groups resampled each by itself",
            **settings,
        )
    assert found.value == pytest.approx(level(a) - level(b))
    same(found, wanted)


@pytest.mark.parametrize("seed", [None, 3])
def test_excess_around_grokking_is_paired_and_over_the_offsets(seed):
    offsets = np.arange(-5, 0)
    found = alignment.excess_at_grokking(RUNS, "rewired", offsets, *(() if seed is None else (seed,)))
    real = aligned(RUNS.size, offsets)
    null = np.stack([aligned(draw, offsets) for draw in RUNS.null["rewired"]])
    level = mean_of("mean")
    note = f"p = {reference_p(real, null, level, seed=seed or 0):.4f} over 2000 permutations"
    both = np.stack([real, null.mean(axis=0)])
    wanted = resampled(both, lambda v: level(v[:, 0]) - level(v[:, 1]), "real − null", note, n_resamples=2000, seed=seed or 0)
    same(found, wanted)


@pytest.mark.parametrize("seed", [None, 3])
def test_excess_of_the_change_is_what_comes_after_minus_what_was_before(seed):
    found = alignment.excess_of_change(RUNS, "rewired", 5, *(() if seed is None else (seed,)))
    offsets = np.arange(-5, 5)
    real = aligned(RUNS.size, offsets)
    null = np.stack([aligned(draw, offsets) for draw in RUNS.null["rewired"]])
    of_time = exponent(N_SITES, "mean")

    def change(values):
        return of_time(values)[..., 5:].mean(axis=-1) - of_time(values)[..., :5].mean(axis=-1)

    note = f"p = {reference_p(real, null, change, seed=seed or 0):.4f} over 2000 permutations"
    both = np.stack([real, null.mean(axis=0)])
    wanted = resampled(both, lambda v: change(v[:, 0]) - change(v[:, 1]), "real − null", note, n_resamples=2000, seed=seed or 0)
    same(found, wanted)


@pytest.mark.parametrize(
    ("low", "high", "beside_0", "beside_1"),
    [
        (1.5, 1.9, "higher", "above 1"),
        (0.2, 0.9, "higher", "below 1"),
        (1.0, 1.2, "higher", "not to be told from 1"),
        (0.5, 1.0, "higher", "not to be told from 1"),
        (0.0, 1.5, "not to be told apart", "not to be told from 1"),
        (-0.5, 0.0, "not to be told apart", "below 1"),
        (-0.5, -0.1, "lower", "below 1"),
        (np.nan, np.nan, "no interval", "no interval"),
    ],
)
def test_words_are_of_the_whole_interval(low, high, beside_0, beside_1):
    found = Estimate(0.5, low, high, "mean")
    assert alignment.higher_or_lower(found) == beside_0
    assert alignment.beside_one(found) == beside_1
