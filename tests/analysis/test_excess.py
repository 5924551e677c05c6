"""D against its nulls: what is compared, over which snapshots, and the p-value."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tdu.analysis import excess
from tdu.avalanches import nulls, surrogates
from tdu.avalanches.cascades import sizes_of
from tdu.avalanches.graphs import barabasi_albert
from tdu.avalanches.nulls import MODELS
from tdu.avalanches.surrogates import SURROGATES
from tdu.config import StudyConfig
from tdu.results.series import NullOverTime
from tdu.rng import Stage, generator, normal
from tdu.statistics.scaling import exponent_of_runs
from tests.planted import (
    GROKKED,
    N_SITES,
    NEVER,
    SEED,
    all_same,
    band,
    ensemble_of,
    exponent,
    in_time,
    of_runs,
    reference_p,
    resampled,
    same,
    study,
    unknown,
)

BEFORE, AFTER = np.arange(25) < 6, np.arange(25) > 13
HEADLINE = "D(t) after the window, mean"


@pytest.fixture(scope="module")
def log():
    return study()


@pytest.fixture(scope="module")
def null():
    """Three draws (3, S, K, T) that differ, of D = 1 throughout."""
    return np.stack([study(pre=1.0, post=1.0, drift=0.0, rng_seed=10 + draw).size for draw in range(3)])


def wanted(real, null, function):
    """Real minus null, runs resampled with their nulls, and p."""
    both = np.stack([real, null.mean(axis=0)])
    note = f"p = {reference_p(real, null, function):.4f} over 2000 permutations"
    return resampled(both, lambda v: function(v[:, 0]) - function(v[:, 1]), "real − null", note, n_resamples=2000)


def over_time(size, inside):
    """(…, S, K, T) → (…, T, S, K)."""
    return np.moveaxis(size[..., inside].astype(float), -1, -3)


def time_mean(values):
    return exponent(N_SITES, "mean")(values).mean(axis=-1)


def rise(values):
    of_time = exponent(N_SITES, "mean")(values)
    return of_time[..., 6:].mean(axis=-1) - of_time[..., :6].mean(axis=-1)


def runs_of(size, statistic, inside=True):
    return of_runs(size, statistic, inside)


def test_every_reading_compares_the_same_thing_of_real_and_null(log, null):
    found = excess.analyse(replace(log, nulls={"permuted": null, "signs": null * 0}), "permuted")
    windows = np.flatnonzero(BEFORE).tolist() + np.flatnonzero(AFTER).tolist()
    after = over_time(log.size, AFTER), over_time(null, AFTER), time_mean
    both = np.stack([after[0], after[1].mean(axis=0)])

    def share(values):
        real, of_null = time_mean(values[:, 0]), time_mean(values[:, 1])
        return 100 * (real - of_null) / (real - 1)

    assert list(found.estimates) == ["excess_permuted", "share_permuted"]
    same(found.estimates["excess_permuted"], wanted(*after))
    same(found.estimates["share_permuted"], resampled(both, share, "share of D − 1, %", n_resamples=2000))
    comparisons = {
        "D(t) before the window, mean": (over_time(log.size, BEFORE), over_time(null, BEFORE), time_mean),
        "D(t) after minus before, mean": (over_time(log.size, windows), over_time(null, windows), rise),
    }
    post = log.step >= np.where(GROKKED == NEVER, 10**6, GROKKED)[..., None]
    for statistic, of_all in (("mean", "γ"), ("run-peak", "D, run-peak")):
        fit = exponent(N_SITES, statistic)
        for reading, inside in ((of_all, True), (f"D_pre, {statistic}", ~post), (f"D_post, {statistic}", post)):
            comparisons[reading] = runs_of(log.size, statistic, inside), runs_of(null, statistic, inside), fit
    assert list(found.readings) == ["excess_permuted"]
    all_same(found.readings["excess_permuted"], {reading: wanted(*case) for reading, case in comparisons.items()})


def test_the_series_are_d_of_t_of_the_null_and_real_minus_null(log, null):
    (found,) = excess.analyse(replace(log, nulls={"rewired": null}), "rewired").series
    assert isinstance(found, NullOverTime)
    assert found.null == "rewired"
    of_time = exponent(N_SITES, "mean")
    both = np.stack([in_time(log.size), in_time(null.mean(axis=0))])
    assert np.array_equal(found.epoch, log.step)
    np.testing.assert_allclose(found.dimension.value, of_time(both[1]))
    np.testing.assert_allclose(found.excess.value, of_time(both[0]) - of_time(both[1]))
    bands = (
        *band(both[1], of_time, n_resamples=2000),
        *band(both, lambda v: of_time(v[:, 0]) - of_time(v[:, 1]), n_resamples=2000),
    )
    drawn = (found.dimension.low, found.dimension.high, found.excess.low, found.excess.high)
    for of_drawn, one in zip(drawn, bands, strict=True):
        np.testing.assert_allclose(of_drawn, one, rtol=1e-8)


def test_planted_excesses_come_back_with_their_widths():
    """Over a null of D = 1, D = 0.9 falls short by 0.1 and D = 1.2 exceeds by 0.2, which is all that it exceeds 1 by."""
    grokked = np.array([[60], [66], [110], [130]]) * np.ones((1, 5), int)
    log = study(grokked, drift=0.0, scatter=0.02)
    null = np.stack([study(grokked, pre=1.0, post=1.0, drift=0.0, scatter=0.02, rng_seed=10 + k).size for k in range(3)])
    found = excess.analyse(replace(log, nulls={"permuted": null}), "permuted")
    readings = {HEADLINE: found.estimates["excess_permuted"], **found.readings["excess_permuted"]}
    x = np.log(N_SITES) - np.log(N_SITES).mean()
    width = 2 * stats.t.ppf(0.975, 16) * 0.02 / np.sqrt(5) / np.sqrt(x @ x) * np.sqrt(1 + 1 / 3)
    for reading, planted in (
        (HEADLINE, 0.2), ("D(t) before the window, mean", -0.1), ("D(t) after minus before, mean", 0.3), ("D_post, mean", 0.2),
        ("D_pre, run-peak", -0.1),
    ):  # fmt: skip
        assert readings[reading].value == pytest.approx(planted, abs=width), reading
        paired = "minus" in reading  # what a run has at all times drops out
        assert readings[reading].high - readings[reading].low == pytest.approx(width / (2 if paired else 1), rel=0.5), reading
    share = found.estimates["share_permuted"]
    assert share.value == pytest.approx(100, abs=100 * width / 0.2)
    # the error of D_null over D − 1: only the null's scatter counts where the share is 1
    assert share.high - share.low == pytest.approx(100 * width / np.sqrt(4) / 0.2, rel=0.5)


def test_a_window_without_snapshots_has_no_reading(log, null):
    sizes = {"permuted": null}
    late = study(np.array([[100], [110], [120], [240]]) * np.ones((1, 5), int))
    found = excess.analyse(replace(late, nulls=sizes), "permuted")
    all_same(found.estimates, {"excess_permuted": unknown("real − null", "no snapshot after the window")})
    assert next(iter(found.readings["excess_permuted"])) == "D(t) before the window, mean"
    assert "D(t) after minus before, mean" not in found.readings["excess_permuted"]
    early = excess.analyse(replace(study(GROKKED * 0), nulls=sizes), "permuted")
    assert next(iter(early.readings["excess_permuted"])) == "γ"
    assert list(early.estimates) == ["excess_permuted", "share_permuted"]


@pytest.mark.parametrize("n", [1, 250, 251, 700])
def test_p_counts_exchanges_as_large_as_what_was_found(n):
    rng = np.random.default_rng(1)
    real, null = rng.lognormal(sigma=0.3, size=(2, 4, 3)), rng.lognormal(sigma=0.3, size=(2, 2, 4, 3))
    fit = exponent(N_SITES, "mean")
    for seed in (0, 3):
        found = excess.permutation_p(real, null, lambda v: fit(v).sum(axis=-1), seed, n)
        assert found == reference_p(real, null, lambda v: fit(v).sum(axis=-1), n, seed)
    assert excess.permutation_p(real, null, time_mean) == reference_p(real, null, time_mean, 2000, 0)
    for of in (excess.excess, excess.excess):  # the default seed is 0
        assert of(real, null, time_mean).note == of(real, null, time_mean, 0).note
    assert excess.excess(real, null, time_mean).low == excess.excess(real, null, time_mean, 0).low
    of_share = [excess.lost_share(real, null[0], time_mean, *seed) for seed in ((), (0,), (1,))]
    assert of_share[0].low == of_share[1].low != of_share[2].low


def test_a_run_unknown_in_real_and_null_takes_no_part_in_p():
    rng = np.random.default_rng(1)
    real, null = rng.lognormal(sigma=0.3, size=(4, 3)), rng.lognormal(sigma=0.3, size=(2, 4, 3))
    real[1, 2] = null[:, 1, 2] = np.nan
    fit = exponent(N_SITES, "mean")
    assert excess.permutation_p(real, null, fit, SEED, 300) == reference_p(real, null, fit, 300)


def test_d_of_1_has_no_share():
    size = np.stack([N_SITES[:, None] * np.ones((4, 3))] * 2)
    found = excess.lost_share(size[:1], size[:1] * 1.0, time_mean)
    assert not np.isfinite(found.value) or abs(found.value) < 1e3  # 0/0 to rounding: no error is raised


CONFIG = StudyConfig(hidden=(3, 6), replicates=2, seed=SEED, alpha=0.2, quantile=0.8, max_steps=7)


def planted_fields(hidden, replicate):
    """Three snapshots that share an arrangement, as training's do, on a graph of the run's own."""
    n = 4 * hidden + 1
    rng = np.random.default_rng([hidden, replicate])
    return rng.normal(size=n) * np.exp(0.3 * rng.normal(size=(3, n))), barabasi_albert(n, seed=100 * hidden + replicate)


def drawn_at(seed, step, n):
    """The Gaussian null at a step, which is the last of the four words of Philox's counter."""
    return normal(np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, step])), n, 0.5)


def test_a_null_is_drawn_from_a_stream_of_its_own_and_probed_as_the_study_is():
    models = [MODELS["signs"], MODELS["rewired"], MODELS["gaussian"], SURROGATES["laplace"]]
    with ThreadPoolExecutor(1) as executor:
        found = excess.measure(ensemble_of(CONFIG, planted_fields), models, 2, executor)
        alone = excess.measure(ensemble_of(CONFIG, planted_fields), models[2:], 1, executor)
    assert list(found) == ["signs", "rewired", "gaussian", "laplace"]
    for s, hidden in enumerate(CONFIG.hidden):
        for k in range(2):
            fields, graph = planted_fields(hidden, k)
            signs, rewiring, gaussian, laplace = (generator(SEED, Stage.NULL, hidden, k, stream) for stream in (2, 4, 3, 19))
            for draw in range(2):
                seed = int(gaussian.integers(2**63))
                of_steps = [drawn_at(seed, step, fields.shape[1]) for step in range(3)]
                drawn = np.random.default_rng(int(laplace.integers(2**63)))
                wanted = {
                    "signs": (fields * nulls.signs(np.ones(fields.shape[1]), signs), graph),
                    "rewired": (fields, nulls.rewired(graph, int(rewiring.integers(2**63)))),
                    "gaussian": (np.array(of_steps), graph),
                    "laplace": (surrogates.laplace(fields, drawn), graph),
                }
                for name, case in wanted.items():
                    assert found[name][draw, s, k].tolist() == sizes_of(*case, 0.2, 0.8, 7).tolist(), name
    for name, sizes in alone.items():
        assert np.array_equal(sizes[0], found[name][0]), "a null's draws depend on which others are probed"


def test_the_largest_over_runs_has_no_p_value(log, null):
    with pytest.raises(ValueError, match="the largest over runs has no p-value here: give `run-peak` or `mean`"):
        excess.permutation_p(log.size[..., 0], null[..., 0], exponent_of_runs(N_SITES, "peak"))
