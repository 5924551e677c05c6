"""Local exponents and the test of a line: planted lines, steps and curves, with runs that are few and scatter differently."""

import json

import numpy as np
import pytest
from scipy import stats

import tdu
from tdu.analysis import grokking, local
from tdu.config import LogConfig
from tdu.logs.log import gather
from tdu.results import report
from tdu.results.assemble import local_table, results_of, table
from tdu.results.series_of_logs import LocalSlopes
from tdu.results.store import results_as_json
from tdu.statistics.linearity import of_line
from tests.test_fitting import WIDTHS, planted

N = np.array([80, 200, 500, 1200, 3000, 8000, 20000, 50000])


def runs(exponent=1.1, shape=1.0, seed=0, n_runs=6, scatter=0.05, n_steps=1):
    """Sizes (S, K, T) that go with `shape` (S,) · N^`exponent`; runs scatter, more so where N is small, and snapshots too."""
    rng = np.random.default_rng(seed)
    of_scale = scatter * (N / N[0])[:, None, None] ** -0.2
    noise = of_scale * rng.normal(size=(N.size, n_runs, 1)) + 0.3 * of_scale * rng.normal(size=(N.size, n_runs, n_steps))
    return (shape * N.astype(float) ** exponent)[:, None, None] * np.exp(noise)


def slopes(sizes, width):
    """Written once more: the mean over snapshots of a regression over each window."""
    log_mean = np.log(sizes.mean(axis=1))
    windows = [slice(w, w + width) for w in range(N.size - width + 1)]
    return [np.mean([np.polyfit(np.log(N[w]), log_mean[w, t], 1)[0] for t in range(sizes.shape[2])]) for w in windows]


@pytest.mark.parametrize("width", [2, 3, 5, 8])
def test_each_window_has_the_mean_slope_of_its_scales(width):
    sizes = runs(n_steps=4)
    found = tdu.local_exponents(N, sizes, width=width)
    np.testing.assert_allclose(found.value, slopes(sizes, width))
    np.testing.assert_array_equal(found.first, N[: N.size - width + 1])
    np.testing.assert_array_equal(found.last, N[width - 1 :])
    np.testing.assert_allclose(found.n_sites, np.sqrt(found.first * found.last))
    assert ((found.low < found.value) & (found.value < found.high)).all()


def test_over_all_scales_it_is_the_mean_of_dimension_over_time_with_its_interval():
    sizes = runs(n_steps=4)
    found, whole = tdu.local_exponents(N, sizes, width=N.size, seed=3), tdu.dimension_over_time(N, sizes, seed=3).mean
    assert (found.value[0], found.low[0], found.high[0]) == pytest.approx((whole.value, whole.low, whole.high))
    largest = tdu.local_exponents(N, sizes, width=3, statistic="peak").value
    log_largest = np.log(sizes.max(axis=1)).mean(axis=1)
    np.testing.assert_allclose(largest[2], np.polyfit(np.log(N[2:5]), log_largest[2:5], 1)[0])


def test_a_step_between_two_scales_is_in_the_windows_that_cross_it_alone():
    step = np.where(N > 1000, 1.5, 1.0)
    found = tdu.local_exponents(N, runs(1.0, step, scatter=0.01), width=2)
    expected = np.where(np.arange(7) == 2, 1 + np.log(1.5) / np.log(1200 / 500), 1.0)
    np.testing.assert_allclose(found.value, expected, atol=0.03)
    assert found.low[2] > 1.3
    assert (found.high[[0, 1, 3, 4, 5, 6]] < 1.1).all()


def test_intervals_of_local_exponents_cover():
    covered = []
    for seed in range(20):
        found = tdu.local_exponents(N, runs(seed=seed, scatter=0.2), seed=seed)
        covered.append((found.low < 1.1) & (found.high > 1.1))
    assert 0.9 < np.mean(covered) < 0.99  # 120 windows, 95 % nominal


def test_only_steps_inside_the_window_that_all_scales_have_count():
    sizes = runs(n_steps=5)
    sizes[2, :, 1] = np.nan
    found = tdu.local_exponents(N, sizes, step=[0, 10, 20, 30, 40], window=(0, 20))
    np.testing.assert_allclose(found.value, slopes(sizes[..., [0, 2]], 3))
    whole = tdu.linearity(N, sizes, step=[0, 10, 20, 30, 40], window=(0, 20))
    assert whole.chi2 == tdu.linearity(N, sizes[..., [0, 2]]).chi2
    with pytest.raises(
        tdu.InputError, match=r"no step of the window \(10, 10\) has runs of all scales: the log has steps 0 to 40"
    ):
        tdu.linearity(N, sizes, step=[0, 10, 20, 30, 40], window=(10, 10))


@pytest.mark.parametrize("width", [1, 9])
def test_a_window_of_too_few_or_too_many_scales_is_an_error(width):
    with pytest.raises(tdu.InputError, match=f"`width` is {width} but the log has 8 scales"):
        tdu.local_exponents(N, runs(), width=width)


def ragged(seed):
    """Lines with 12 to 3 runs a scale, and larger scatter where N is small."""
    sizes = runs(seed=seed, n_runs=12, scatter=0.3)
    for s, n_known in enumerate((12, 12, 8, 8, 6, 4, 4, 3)):
        sizes[s, n_known:] = np.nan
    return np.moveaxis(sizes, -1, 0)


def test_p_is_uniform_where_scales_lie_on_a_line():
    p = np.array([of_line(N, ragged(seed), seed, n_draws=400).p for seed in range(600)])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.025)
    assert (p < 0.5).mean() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    "shape", [np.where(N > 1000, 1.5, 1.0), np.exp(0.06 * np.log(N / 2000) ** 2), np.where(N == 3000, 1.4, 1.0)]
)
def test_a_step_a_curve_and_an_outlier_are_seen(shape):
    assert np.mean([tdu.linearity(N, runs(1.0, shape, seed, scatter=0.2)).p < 0.05 for seed in range(20)]) > 0.8


def test_chi2_is_that_of_the_weighted_line_with_the_variance_of_scale_means():
    sizes = np.moveaxis(ragged(5), 0, -1)
    found = tdu.linearity(N, sizes)
    mean = np.nanmean(sizes, axis=1)[:, 0]
    stderr = np.nanstd(sizes, axis=1, ddof=1)[:, 0] / mean / np.sqrt((~np.isnan(sizes)).sum(axis=1)[:, 0])
    np.testing.assert_allclose(found.stderr, stderr)
    slope, intercept = np.polyfit(np.log(N), np.log(mean), 1, w=1 / stderr)
    np.testing.assert_allclose(found.deviation, np.log(mean) - intercept - slope * np.log(N), atol=1e-12)
    assert found.exponent == pytest.approx(slope)
    assert found.chi2 == pytest.approx(((found.deviation / stderr) ** 2).sum())


def test_with_many_runs_p_is_that_of_chi2():
    found = tdu.linearity(N, runs(n_runs=400, seed=2))
    assert found.p == pytest.approx(stats.chi2.sf(found.chi2, N.size - 2), abs=0.02)


def test_a_scale_of_one_run_is_left_out_and_fewer_than_three_leave_no_p():
    sizes = runs(n_runs=4)
    sizes[1, 1:] = np.nan
    found = tdu.linearity(N, sizes)
    assert np.isnan(found.deviation[1])
    assert np.isnan(found.stderr[1])
    others = np.arange(N.size) != 1
    assert found.chi2 == pytest.approx(tdu.linearity(N[others], sizes[others]).chi2)
    assert np.isnan(tdu.linearity(N, sizes[:, :1]).p)
    equal = np.repeat(N.astype(float) ** 1.1, 5).reshape(-1, 5, 1)
    assert np.isnan(tdu.linearity(N, equal).p)


def found_in(log):
    return results_of(LogConfig("network", {}, WIDTHS, 4, 0), None, [local.analyse(log, grokking.window(log))])


def log_of(real, grokking_step=-1):
    return gather(planted(width, k, grokking_step=grokking_step, real=real(width)) for width in WIDTHS for k in range(4))


def test_beside_a_line_local_exponents_are_its_slope_in_every_phase():
    line = found_in(log_of(lambda width: 1.2, grokking_step=100))
    for key in ("linearity", "linearity_early", "linearity_late"):
        assert line.quantities[key].value > 0.05
        assert line.quantities[key].note == "as far from a line as runs scatter"
    head, *rows = local_table(line)
    assert head == ("D from N", "to N", "all steps", "before grokking", "after grokking")
    ends = [(768, 3072), (3072, 12288), (12288, 49152), (768, 12288), (3072, 49152)]
    assert [tuple(map(int, row[:2])) for row in rows] == ends
    assert all(float(cell.split()[0]) == pytest.approx(1.2, abs=0.06) for row in rows for cell in row[2:])


def test_scales_that_do_not_lie_on_a_line_are_said():
    bent = found_in(log_of(lambda width: 1.2 if width > 16 else 1.25))
    assert list(bent.quantities) == ["linearity"]  # no run groks
    assert bent.quantities["linearity"].value < 0.01
    said = "the scales do not lie on a line: one slope over them is no exponent; farthest off, N = 3072 by +"
    assert bent.quantities["linearity"].note.startswith(said)
    lines = table(bent).splitlines()
    assert sum(said in line for line in lines) == 1
    assert next(line for line in lines if line.startswith("D from N")).endswith("  all steps")
    written = json.loads(json.dumps(results_as_json(bent)))["series"]["local_exponents_neighbours"]
    neighbours = next(one for one in bent.all_of(LocalSlopes) if one.over == "neighbours")
    assert written["all"]["value"] == neighbours.bands["all"].value.tolist()
    assert [part.anchor for part in report._local_exponents(bent)] == ["table-local"]
