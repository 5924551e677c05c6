"""CCDFs, the quality of their collapse and its best exponent, power-law fits."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import tdu
from tdu.analysis import tails
from tdu.results.series import Ccdf, Collapse, PowerLaws
from tdu.statistics.resampling import bootstrap, interval
from tests.planted import HIDDEN, N_SITES, SEED, exponent, log_of, of_runs, of_scales, resampled, same, slope


def gamma_log(n_runs=4, rng_seed=0, planted=1.2):
    rng = np.random.default_rng(rng_seed)
    spread = np.exp(0.1 * rng.normal(size=(4, n_runs, 1)))
    return log_of((N_SITES[:, None, None] ** planted * spread * rng.gamma(2.0, 1.0, (4, n_runs, 41))).astype(int) + 1)


@pytest.fixture(scope="module")
def log():
    return gamma_log()


@pytest.fixture
def found(log):
    return tails.analyse(log)


def ccdfs(size, grid):
    """P(≥ grid) of each run, by counting: (S, K, points)."""
    return np.array([[[np.mean(run >= at) for at in points] for run in runs] for runs, points in zip(size, grid, strict=True)])


def wanted_tails(log):
    grid = np.array([np.geomspace(max(of.min(), 1) - 0.5, of.max() + 0.5, 40) for of in log.size])
    of_runs = ccdfs(log.size, grid)
    n_runs, n = log.size.shape[1], log.size[0].size
    p = of_runs.mean(axis=1)
    counted = np.sqrt(np.maximum(p * (1 - p), 1 / n) / n)
    return grid, p, np.maximum(of_runs.std(axis=1, ddof=1) / np.sqrt(n_runs), counted)


def quality(at, grid, p, error):
    return tdu.collapse_quality(grid / N_SITES[:, None] ** at, p, error)


def best(grid, p, error):
    """The best exponent between 0.5 and 2, the least of several minima: of a scan in steps of 0.05, then refined."""
    scan = np.linspace(0.5, 2, 31)
    at = int(np.nanargmin([quality(one, grid, p, error) for one in scan]))
    bounds = scan[max(at - 1, 0)], scan[min(at + 1, 30)]
    return minimize_scalar(lambda one: quality(one, grid, p, error), bounds=bounds, method="bounded", options={"xatol": 1e-7}).x


def test_the_collapse_is_at_the_regressions_exponent_and_at_its_own_best(log, found):
    grid, p, error = wanted_tails(log)
    regression = float(slope(N_SITES, of_scales(of_runs(log.size, "peak"), "peak")))
    own = best(grid, p, error)
    assert list(found.estimates) == ["collapse_exponent", "collapse_quality", "collapse_quality_best", "decades"]

    def measure(which):
        """Of logs of resampled runs, at the errors of the log."""
        rows = []
        for drawn in which.astype(int):
            resampled_size = np.stack([runs[of] for runs, of in zip(log.size, drawn, strict=True)])
            again = grid, ccdfs_of(resampled_size).mean(axis=1), error
            rows.append([best(*again), quality(regression, *again), quality(own, *again)])
        return np.array(rows)

    def ccdfs_of(size):
        return (size[..., None] >= grid[:, None, None]).mean(axis=2)

    which = np.tile(np.arange(4), (4, 1))
    low, high = interval(bootstrap(which, measure, SEED, 100, stretched=False))
    inflated = "resampling adds about 1 to S: read its interval as a scale"
    wanted = {
        "collapse_exponent": (own, "least Houdayer–Hartmann S", ""),
        "collapse_quality": (
            quality(regression, grid, p, error), f"S at the D of the regression, {regression:.3f}", inflated,
        ),
        "collapse_quality_best": (quality(own, grid, p, error), f"S at its own best exponent, {own:.3f}", inflated),
    }  # fmt: skip
    for i, (key, (value, statistic, note)) in enumerate(wanted.items()):
        one = found.estimates[key]
        assert (one.value, one.low, one.high) == pytest.approx((value, low[i], high[i]), rel=2e-3), key
        assert (one.statistic, one.note) == (statistic, note)
    drawn = found.series_of(Collapse)
    assert np.array_equal(drawn.n_sites, N_SITES)
    for name, values in (("size", grid), ("p", p), ("error", error)):
        np.testing.assert_allclose(getattr(drawn, name), values, rtol=1e-10)
    assert drawn.exponents.tolist() == pytest.approx([regression, float(own)], abs=2e-4)
    assert drawn.qualities.tolist() == [found.estimates[key].value for key in ("collapse_quality", "collapse_quality_best")]


def test_the_planted_exponent_comes_back_with_its_width(found):
    """Levels of runs scatter by σ = 10 %: over four runs in four scales ± 1.96 σ / √4 over the spread of log N."""
    x = np.log(N_SITES) - np.log(N_SITES).mean()
    half = 1.96 * 0.1 / np.sqrt(4) / np.sqrt(x @ x)
    one = found.estimates["collapse_exponent"]
    assert one.value == pytest.approx(1.2, abs=1.5 * half)
    assert one.high - one.low == pytest.approx(2 * half, rel=0.5)
    assert found.estimates["collapse_quality_best"].value < 2


def test_decades_are_of_the_widest_scale_over_all_its_runs(log, found):
    ends = np.log10(np.stack([log.size.min(axis=-1), log.size.max(axis=-1)]))

    def widest(values):
        return (values[:, 1].max(axis=-1) - values[:, 0].min(axis=-1)).max(axis=-1)

    words = "widest scale, largest over smallest size"
    same(found.estimates["decades"], resampled(ends, widest, words, stretched=False))
    size = np.ones((4, 2, 5), int)
    size[1, 0, 2], size[1, 1, 3], size[2, 0, 0] = 0, 1000, 500  # 0 counts as 1: no logarithm below
    assert tails.analyse(log_of(size)).estimates["decades"].value == pytest.approx(3)


def test_ccdfs_and_fits_are_those_of_every_scale(log, found):
    assert [type(one) for one in found.series] == [Ccdf, Collapse, PowerLaws]
    assert list(found.series_of(Ccdf).tails) == list(HIDDEN)
    fits = found.series_of(PowerLaws)
    assert np.array_equal(fits.n_sites, N_SITES)
    for i, size in enumerate(log.size):
        drawn = found.series_of(Ccdf).tails[HIDDEN[i]]
        assert (drawn.p == [np.mean(size >= at) for at in drawn.size]).all()
        assert drawn.size.tolist() == sorted(set(size.ravel().tolist()))
        fit = tdu.fit_power_law(size)
        for name in ("alpha", "stderr", "xmin", "ks", "n_tail", "decades"):
            assert getattr(fits, name)[i] == getattr(fit, name)
            assert getattr(fits, name).dtype == np.float64


def test_a_scale_of_one_size_has_no_fit():
    log = gamma_log()
    size = log.size.copy()
    size[2] = 7
    fits = tails.analyse(log_of(size)).series_of(PowerLaws)
    wanted = {"alpha": np.nan, "stderr": np.nan, "xmin": 0, "ks": np.nan, "n_tail": 0, "decades": np.nan}
    for name, value in wanted.items():
        assert getattr(fits, name)[2] == pytest.approx(value, nan_ok=True), name
        assert np.isfinite(getattr(fits, name)[[0, 1, 3]]).all()


def test_one_run_a_scale_has_a_collapse_but_no_interval():
    log = gamma_log(n_runs=1)
    found = tails.analyse(log)
    error = found.series_of(Collapse).error
    p, n = found.series_of(Collapse).p, 41
    np.testing.assert_allclose(error, np.sqrt(np.maximum(p * (1 - p), 1 / n) / n))
    for key in ("collapse_exponent", "collapse_quality", "collapse_quality_best", "decades"):
        assert np.isfinite(found.estimates[key].value)
        assert np.isnan(found.estimates[key].low)
        assert np.isnan(found.estimates[key].high)


def test_silent_snapshots_count_below_the_grid():
    size = np.array([[[0, 0, 4, 8]]] * 4) * np.ones((4, 2, 1), int)
    grid, p, error = tails._tails(size)
    assert grid[:, [0, -1]].tolist() == [[0.5, 8.5]] * 4
    assert p[:, 0].tolist() == [0.5] * 4
    assert p[:, -1].tolist() == [0] * 4
    np.testing.assert_allclose(error[:, -1], 1 / 8)  # p (1 − p) at least 1/n, of n = 8
    assert tails._tails(np.zeros((1, 2, 3), int))[0][0, [0, -1]].tolist() == pytest.approx([0.5, 1.5])


def test_curves_that_never_meet_have_no_best_exponent():
    grid = np.geomspace(1, 1.01, 40) * np.array([[1.0], [1e9], [1e18], [1e27]])
    n_sites = np.array([10, 11, 12, 13])
    assert np.isnan(tails._best_exponent(n_sites, grid, np.full((4, 40), 0.5), np.full((4, 40), 0.1)))


def test_the_best_exponent_may_lie_at_either_end_of_the_scan():
    for planted, wanted in ((0.3, 0.5), (2.1, 2.0)):
        size = np.stack([n**planted * np.random.default_rng(0).gamma(2.0, 1.0, (3, 60)) for n in N_SITES]) * 50 + 1
        grid, p, error = tails._tails(size.astype(int))
        assert tails._best_exponent(N_SITES, grid, p, error) == pytest.approx(wanted, abs=1e-3)


def test_the_exponent_of_peaks_is_the_regressions(log, found):
    assert exponent(N_SITES, "peak")(of_runs(log.size, "peak")) == pytest.approx(found.series_of(Collapse).exponents[0])
