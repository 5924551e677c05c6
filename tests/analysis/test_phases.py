"""Before and after each run's own grokking epoch, and each scale left out in turn."""

import numpy as np
import pytest
from scipy import stats

from tdu.analysis import phases
from tdu.results.series import Bootstrap, LeaveOneOut
from tdu.statistics.resampling import bootstrap
from tests.planted import (
    GROKKED,
    N_SITES,
    NEVER,
    SEED,
    all_same,
    band,
    depending,
    exponent,
    exponent_of,
    of_runs,
    of_scales,
    resampled,
    same,
    slope,
    study,
)

STATISTICS = ("peak", "run-peak", "mean")


@pytest.fixture(scope="module")
def log():
    return study()


@pytest.fixture(scope="module")
def dense():
    """The same runs with a snapshot at every second epoch, and other scatter."""
    return study(every=2, n_snapshots=121, rng_seed=3)


SYNTHETIC = 3 * N_SITES[:, None] ** 0.97 * np.exp(0.05 * np.random.default_rng(4).normal(size=(4, 5)))


def split(log):
    """(S, K, T), run by run: before the run's grokking epoch, and from it on."""
    before = np.ones(log.size.shape, bool)
    for (scale, run), grokked in np.ndenumerate(GROKKED):
        before[scale, run] = [epoch < grokked for epoch in log.step]
    return {"dimension_pre": before, "dimension_post": ~before}


def separation(log, statistic):
    of_both = exponent(N_SITES, statistic)

    def difference(values):
        exponents = of_both(values)
        return exponents[..., 1] - exponents[..., 0]

    both = np.stack([of_runs(log.size, statistic, inside) for inside in split(log).values()])
    return resampled(both, difference, statistic, largest=statistic == "peak")


def phase(log, key, statistic):
    inside = split(log)[key]
    counts = inside.sum(axis=-1)
    note = f"; {counts.mean():.1f} snapshots a run; {(counts == 0).sum()} of 20 runs have none"
    return exponent_of(N_SITES, of_runs(log.size, statistic, inside), statistic, note)


def without_each(statistic):
    """(…, S, K) → (…, S): the slope through all scales but one."""

    def slopes(values):
        size = of_scales(values, statistic)
        rest = [[i for i in range(4) if i != left_out] for left_out in range(4)]
        return np.stack([slope(N_SITES[kept], size[..., kept]) for kept in rest], axis=-1)

    return slopes


def least_gap(log):
    def gap(values):
        pre, post = (without_each("peak")(values[..., which, :, :]) for which in (0, 1))
        return np.array([[later - earlier for later in np.moveaxis(post, -1, 0)] for earlier in np.moveaxis(pre, -1, 0)]).min(
            axis=(0, 1)
        )

    both = np.stack([of_runs(log.size, "peak", inside) for inside in split(log).values()])
    return resampled(both, gap, "peak", largest=True)


def test_every_quantity_is_of_the_runs_own_split(log, dense):
    found = phases.analyse(log, dense, SYNTHETIC)
    all_same(
        found.estimates,
        {
            "dimension_pre": phase(log, "dimension_pre", "peak"),
            "dimension_post": phase(log, "dimension_post", "peak"),
            "phase_separation": separation(log, "peak"),
            "phases_apart": separation(log, "peak"),
            "leave_one_out_gap": least_gap(log),
        },
    )
    assert list(found.readings) == ["dimension_pre", "dimension_post", "phase_separation"]
    sources = [(log, name, "every snapshot") for name in STATISTICS[1:]] + [(dense, name, "every epoch") for name in STATISTICS]
    for key in ("dimension_pre", "dimension_post"):
        all_same(found.readings[key], {f"{name}, {words}": phase(of, key, name) for of, name, words in sources})
    all_same(found.readings["phase_separation"], {f"{name}, {words}": separation(of, name) for of, name, words in sources})


def test_one_run_without_a_phase_is_counted_in_its_note(log):
    found = phases.analyse(log)
    assert found.estimates["dimension_pre"].note.endswith("10.0 snapshots a run; 1 of 20 runs have none")
    assert found.estimates["dimension_post"].note.endswith("15.0 snapshots a run; 1 of 20 runs have none")
    assert all(name.endswith("every snapshot") for named in found.readings.values() for name in named)


def test_planted_phases_come_back_with_their_widths():
    """D is 0.9 and 1.2. Means over runs that scatter by σ = 2 % leave ± t σ / √5 over the spread of log N."""
    grokked = np.where(GROKKED == NEVER, 130, np.clip(GROKKED, 60, None))
    found = phases.analyse(study(grokked, drift=0.0, scatter=0.02))
    x = np.log(N_SITES) - np.log(N_SITES).mean()
    width = 2 * stats.t.ppf(0.975, 16) * 0.02 / np.sqrt(5) / np.sqrt(x @ x)
    for key, planted in (("dimension_pre", 0.9), ("dimension_post", 1.2), ("phase_separation", 0.3)):
        assert found.estimates[key].value == pytest.approx(planted, abs=2 * width), key
        for statistic in ("run-peak", "mean"):
            one = found.readings[key][f"{statistic}, every snapshot"]
            assert one.value == pytest.approx(planted, abs=width), key
            # what a run has in both phases drops out of their difference, which leaves the scatter of snapshots
            assert one.high - one.low == pytest.approx(width if key != "phase_separation" else width / 2, rel=0.5), key
    gap = found.estimates["leave_one_out_gap"]
    assert gap.value == pytest.approx(0.29, abs=0.01)
    assert gap.value < found.estimates["phase_separation"].value


def test_the_series_hold_histograms_and_exponents_without_each_scale(log):
    histograms, left_out = phases.analyse(log, synthetic=SYNTHETIC).series
    assert (type(histograms), type(left_out)) == (Bootstrap, LeaveOneOut)
    assert list(histograms.histograms) == ["dimension_pre", "dimension_post", "dimension_synthetic"]
    cases = {key: (of_runs(log.size, "peak", inside), "peak") for key, inside in split(log).items()}
    cases["dimension_synthetic"] = SYNTHETIC, "mean"
    assert list(left_out.bands) == list(cases)
    assert np.array_equal(left_out.n_sites, N_SITES)
    for key, (values, statistic) in cases.items():
        exponents, function = left_out.bands[key], without_each(statistic)
        np.testing.assert_allclose(exponents.value, function(values), rtol=1e-10)
        for name, wanted in zip(("low", "high"), band(values, function, largest=statistic == "peak"), strict=True):
            np.testing.assert_allclose(getattr(exponents, name), wanted, rtol=1e-8)
        # the samples of the estimate's interval, of its seed; rounding may move one from a bin to the next
        samples = bootstrap(values, depending(exponent(N_SITES, statistic), statistic == "peak"), SEED)
        density, edges = np.histogram(samples[np.isfinite(samples)], bins=80, density=True)
        histogram = histograms.histograms[key]
        np.testing.assert_allclose(histogram.edges, edges, rtol=1e-9)
        np.testing.assert_allclose(histogram.density, density, atol=2.1 / len(samples) / np.diff(edges)[0])
        assert (density * np.diff(edges)).sum() == pytest.approx(1)


def test_samples_without_spread_have_no_density():
    for samples in (np.full(10, np.nan), np.ones(10), np.array([1.0, 1.0 + 5e-10, np.nan])):
        found = phases._histogram(samples)
        assert found.density.tolist() == []
        assert found.edges.tolist() == [0]
    assert phases._histogram(np.array([1.0, 1.0 + 2e-9, np.nan])).density.size == 80


def test_a_study_that_never_groks_has_no_second_phase():
    found = phases.analyse(study(np.full((4, 3), NEVER)))
    assert np.isnan(found.estimates["dimension_post"].value)
    note = found.estimates["dimension_post"].note
    assert "must be finite" in note
    assert note.endswith("; 0.0 snapshots a run; 12 of 12 runs have none")
    assert found.estimates["dimension_pre"].value == pytest.approx(0.99, abs=0.1)
    assert found.series_of(Bootstrap).histograms["dimension_post"].density.tolist() == []
    same(found.estimates["phases_apart"], found.estimates["phase_separation"])
