"""What the distribution of |g| alone gives: topplings without diffusion, the moment ratio, the tail."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tdu.analysis import marginals
from tdu.avalanches.graphs import barabasi_albert
from tdu.avalanches.surrogates import moment_ratio
from tdu.config import StudyConfig
from tests.planted import GROKKED, HIDDEN, N_SITES, NEVER, all_same, ensemble_of, log_of, study, time_mean

BEFORE, AFTER = np.arange(25) < 6, np.arange(25) > 13
X = marginals.TAIL_GRID.size


@pytest.fixture(scope="module")
def log():
    return study()


@pytest.fixture
def found_of(log):
    """Other exponents than the log's: 0.7 without diffusion, 0.1 of the moment ratio; a tail unknown at two snapshots."""
    rng = np.random.default_rng(2)
    tail = rng.random((*log.size.shape, X))
    tail[0, 1, 3] = tail[2, 2, 20] = np.nan
    of = marginals.Marginals(
        isolated=study(pre=0.7, post=0.75, rng_seed=5).size.astype(float),
        moment_ratio=study(pre=0.1, post=0.2, rng_seed=6).size.astype(float),
        tail=tail,
    )
    return of, marginals.analyse(log, of)


def test_the_grid_of_the_tail_is_from_1_to_30_thresholds():
    assert marginals.TAIL_GRID[[0, -1]].tolist() == pytest.approx([1, 30])
    assert marginals.TAIL_GRID.size == 60
    np.testing.assert_allclose(np.diff(np.log(marginals.TAIL_GRID)), np.log(30) / 59)
    assert marginals.PHASES == ("before", "at", "after")


def test_exponents_are_of_what_they_are_called_in_their_window(log, found_of):
    of, found = found_of
    columns = {"dimension_isolated": of.isolated, "moment_ratio_exponent": of.moment_ratio}
    all_same(found.estimates, {key: time_mean(N_SITES, size, "mean", AFTER) for key, size in columns.items()})
    assert list(found.readings) == [*columns, "dimension_late"]
    for key, size in columns.items():
        all_same(found.readings[key], {"before the window": time_mean(N_SITES, size, "mean", BEFORE)})
    smaller = time_mean(N_SITES[:2], log.size[:2], "mean", AFTER)
    all_same(found.readings["dimension_late"], {"mean, without the two largest scales": smaller})


def test_without_the_two_largest_scales_two_are_left_at_least():
    three = study(GROKKED[:, :4])
    for kept, left in ((3, 2), (2, 2)):
        sizes = three.size[:kept]
        shorter = marginals.analyse(
            replace(three.with_size(sizes), n_sites=N_SITES[:kept], grokking_step=three.grokking_step[:kept]),
            marginals.Marginals(sizes.astype(float), sizes.astype(float), np.zeros((*sizes.shape, X))),
        )
        found = shorter.readings["dimension_late"]["mean, without the two largest scales"]
        last = np.mean(GROKKED[:kept, :4], axis=1).max()
        assert found.value == pytest.approx(time_mean(N_SITES[:left], sizes[:left], "mean", three.step > last).value)


def test_of_five_scales_the_three_smallest_are_left():
    n_sites = np.array([81, 201, 481, 1201, 2001])
    size = n_sites[:, None, None] ** np.linspace(0.9, 1.3, 25) * np.exp(0.1 * np.random.default_rng(0).normal(size=(5, 3, 25)))
    log = log_of(size, np.full((5, 3), 100), 10 * np.arange(25), hidden=(20, 50, 120, 300, 500))
    of = marginals.Marginals(size, size, np.zeros((*size.shape, X)))
    found = marginals.analyse(log, of).readings["dimension_late"]["mean, without the two largest scales"]
    assert found.value == pytest.approx(time_mean(n_sites[:3], size[:3], "mean", log.step > 100).value)


def phase_of(epoch, grokked):
    """Which phase each snapshot of a run is in."""
    later = [t for t, at in enumerate(epoch) if at >= grokked]
    return ["before" if t not in later else "at" if t == later[0] else "after" for t in range(len(epoch))]


def test_tails_and_ratios_are_means_over_a_phase_of_each_run(log, found_of):
    of, found = found_of
    tail, ratio = found.series
    assert (type(tail), type(ratio)) == (marginals.Tails, marginals.MomentRatios)
    assert tuple(tail.phases) == tuple(ratio.phases) == marginals.PHASES == ("before", "at", "after")
    assert tail.hidden.tolist() == ratio.hidden.tolist() == list(HIDDEN)
    for scale in range(4):
        for phase in marginals.PHASES:
            chosen = [
                (k, t)
                for k in range(5)
                for t, of_phase in enumerate(phase_of(log.step, GROKKED[scale, k]))
                if of_phase == phase
            ]
            ratios = [of.moment_ratio[scale, k, t] for k, t in chosen]
            tails = [of.tail[scale, k, t] for k, t in chosen if not np.isnan(of.tail[scale, k, t]).any()]
            assert ratio.phases[phase][scale] == pytest.approx(np.mean(ratios))
            np.testing.assert_allclose(tail.phases[phase][scale], np.mean(tails, axis=0))


def test_a_phase_that_no_run_has_is_unknown():
    log = study(np.full((4, 3), NEVER))
    of = marginals.Marginals(*[np.ones(log.size.shape)] * 2, np.ones((*log.size.shape, X)))
    found = marginals.analyse(log, of)
    assert np.isnan(found.series_of(marginals.MomentRatios).phases["at"]).all()
    assert np.isnan(found.series_of(marginals.Tails).phases["after"]).all()
    assert (found.series_of(marginals.Tails).phases["before"] == 1).all()


CONFIG = StudyConfig(hidden=(3, 6), replicates=2, alpha=0.2, quantile=0.8, max_steps=3)


def planted_fields(hidden, replicate):
    """Two snapshots, and one that is silent but for a site, so that its threshold is 0."""
    fields = np.random.default_rng([hidden, replicate]).standard_t(2, size=(3, 4 * hidden + 1))
    fields[1] = 0
    fields[1, 0] = 1
    fields[2, 0] = np.quantile(np.abs(fields[2]), 0.8)  # ties with a threshold near it
    return fields, barabasi_albert(4 * hidden + 1)


def test_snapshots_are_measured_at_the_studys_own_level_and_steps():
    with ThreadPoolExecutor(2) as executor:
        found = marginals.measure(ensemble_of(CONFIG, planted_fields), executor)
    assert found.isolated.shape == found.moment_ratio.shape == (2, 2, 3)
    assert found.tail.shape == (2, 2, 3, X)
    for s, hidden in enumerate(CONFIG.hidden):
        for k in range(2):
            fields, _ = planted_fields(hidden, k)
            for t in (0, 2):
                threshold = np.quantile(np.abs(fields[t]), 0.8)
                topplings = 0
                for magnitude in np.abs(fields[t]):
                    for step in range(3):
                        topplings += magnitude * 0.8**step > threshold
                assert found.isolated[s, k, t] == topplings
                shares = [np.mean(np.abs(fields[t]) >= x * threshold) for x in marginals.TAIL_GRID]
                np.testing.assert_allclose(found.tail[s, k, t], shares, atol=1e-12)
                assert found.moment_ratio[s, k, t] == moment_ratio(fields[t])
            assert np.isnan(found.tail[s, k, 1]).all()
            assert np.isnan(found.isolated[s, k, 1])
            assert found.moment_ratio[s, k, 1] == pytest.approx(4 * hidden + 1)


def test_topplings_per_site_are_of_the_snapshots_after_the_window(log):
    draws = np.stack([log.size * 2, log.size * 4])
    found = marginals.size_share(replace(log, nulls={"double": draws}))
    assert (found.estimates, found.readings) == ({}, {})
    (share,) = found.series
    assert list(share.fields) == ["real", "double"]
    runs = log.size[..., AFTER].mean(axis=-1) / N_SITES[:, None]
    np.testing.assert_allclose(share.runs, runs)
    np.testing.assert_allclose(share.fields["real"], runs.mean(axis=-1))
    np.testing.assert_allclose(share.fields["double"], 3 * runs.mean(axis=-1))
    assert share.hidden.tolist() == list(HIDDEN)
    assert share.n_sites.tolist() == N_SITES.tolist()
    (none,) = marginals.size_share(study(GROKKED * 0 + 240)).series
    assert np.isnan(none.fields["real"]).all()
