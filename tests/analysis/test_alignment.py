"""Runs aligned at their own grokking, beside their nulls: every window, every statistic, by definition."""

import numpy as np
import pytest

from tdu.analysis import alignment
from tdu.analysis.alignment import Aligned
from tdu.config import NULLS
from tdu.types import Estimate
from tests.planted import N_SITES, all_same, band, exponent, in_time, known_mean, r_squared, reference_p, resampled, same

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
@pytest.mark.parametrize("name", ["real", "signs"])
def test_d_of_t_around_grokking_has_its_band_and_fit(name, seed):
    offsets = np.arange(-5, 6)
    found = alignment.over_offsets(RUNS, name, offsets, *(() if seed is None else (seed,)))
    values = aligned(fields(name), offsets)
    of_time = exponent(N_SITES, "mean")
    low, high = band(values, of_time, seed=seed or 0, n_resamples=2000)
    assert list(found) == ["value", "low", "high", "r2"]
    np.testing.assert_allclose(found["value"], of_time(values))
    np.testing.assert_allclose(found["low"], low, rtol=1e-8)
    np.testing.assert_allclose(found["high"], high, rtol=1e-8)
    np.testing.assert_allclose(found["r2"], r_squared(N_SITES, known_mean(values)))


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(("name", "statistic"), [("real", "mean"), ("signs", "run-peak"), ("real", "peak")])
def test_before_after_and_their_difference(name, statistic, seed):
    found = alignment.around(RUNS, name, statistic, 5, *(() if seed is None else (seed,)))
    parts = [aligned(fields(name), offsets) for offsets in (range(-5, 0), range(5))]
    fit, settings = exponent(N_SITES, statistic), {"peak": statistic == "peak", "seed": seed or 0}
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
def test_over_epochs_it_is_d_of_t_at_absolute_epochs(seed):
    found = alignment.over_epochs(RUNS, "blocks", *(() if seed is None else (seed,)))
    of_time = exponent(N_SITES, "mean")
    low, high = band(in_time(fields("blocks")), of_time, seed=seed or 0, n_resamples=2000)
    assert list(found) == ["value", "low", "high"]
    np.testing.assert_allclose(found["value"], of_time(in_time(fields("blocks"))))
    np.testing.assert_allclose(found["low"], low, rtol=1e-8)
    np.testing.assert_allclose(found["high"], high, rtol=1e-8)


@pytest.mark.parametrize("seed", [None, 3])
def test_a_level_is_the_mean_of_d_of_t_over_its_snapshots(seed):
    inside = np.arange(3, 12)
    found = alignment.level(RUNS, "real", inside, *(() if seed is None else (seed,)))
    of_time = exponent(N_SITES, "mean")

    def level(values):
        return of_time(values).mean(axis=-1)

    note = "mean of D(t) over 9 snapshots"
    same(found, resampled(in_time(RUNS.size, inside), level, "mean", note, seed=seed or 0))


def test_a_level_of_the_ungrokked_leaves_the_others_out():
    grokking = np.where(np.arange(K) < 2, -1, np.where(np.arange(K) < 3, 0, 20)) * np.ones((4, 1), int)
    runs = Aligned(**{**vars(RUNS), "grokking": grokking})
    inside = np.arange(30, 40)
    of_time = exponent(N_SITES, "mean")

    def level(values):
        return of_time(values).mean(axis=-1)

    ungrokked = np.where(grokking < 0, in_time(RUNS.size, inside), np.nan)
    found = alignment.level(runs, "real", inside, ungrokked=True)
    same(found, resampled(ungrokked, level, "mean", "mean of D(t) over 10 snapshots", seed=0))
    assert found.value == pytest.approx(level(in_time(RUNS.size, inside)[..., :2]))
    assert alignment.level(runs, "real", inside).value == pytest.approx(level(in_time(RUNS.size, inside)))


@pytest.mark.parametrize("seed", [None, 3])
def test_excess_around_grokking_is_paired_and_over_the_offsets(seed):
    offsets = np.arange(-5, 0)
    found = alignment.excess_at_grokking(RUNS, "rewired", offsets, *(() if seed is None else (seed,)))
    real = aligned(RUNS.size, offsets)
    null = np.stack([aligned(draw, offsets) for draw in RUNS.null["rewired"]])
    of_time = exponent(N_SITES, "mean")

    def level(values):
        return of_time(values).mean(axis=-1)

    note = f"p = {reference_p(real, null, level, seed=seed or 0):.4f} over 2000 permutations"
    both = np.stack([real, null.mean(axis=0)])
    wanted = resampled(both, lambda v: level(v[:, 0]) - level(v[:, 1]), "real − null", note, n_resamples=2000, seed=seed or 0)
    same(found, wanted)
