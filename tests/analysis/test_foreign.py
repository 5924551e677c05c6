"""What is found in logs that are not the paper's: planted exponents, correlations, leads and shares come back."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import tdu
from tdu.analysis import crackling, one_run, profiles, support, transport, watched
from tdu.avalanches import observables
from tdu.results.series_of_logs import MeanProfiles, OneOfLog, Scales, Watched
from tdu.types import Log
from tests import planted

N = np.array([100, 300, 1000, 4000])
STEP = np.arange(0, 400, 10)
SHAPE = (N.size, 5, STEP.size)


def log_of(size, **columns):
    nothing = np.zeros(size.shape)
    known = {"size": size, "duration": nothing + 5, "capped": nothing, **columns}
    step = STEP[: size.shape[-1]]
    return Log(N, N, step, known, {}, {}, np.full(size.shape[:2], -1), planted.SEED)


def scattered(exponent, rng, scatter=0.03):
    return 3 * N[:, None, None] ** exponent * np.exp(scatter * rng.normal(size=SHAPE))


def test_exponents_of_duration_and_rate_come_back_and_close():
    rng = np.random.default_rng(0)
    duration, size = scattered(0.1, rng), scattered(1.25, rng)
    found = transport.analyse(log_of(size, duration=duration, branching_ratio=rng.normal(0.8, 0.05, SHAPE))).estimates
    wanted = {"duration_exponent": 0.1, "rate_exponent": 1.15, "intensive_rate_exponent": 0.15, "rate_closure": 0.0}
    for key, value in {**wanted, "branching_ratio": 0.8}.items():
        assert found[key].value == pytest.approx(value, abs=0.01), key
        assert found[key].low - 0.005 < value < found[key].high + 0.005, key
        assert found[key].high - found[key].low < 0.03, key


def test_the_exponents_are_of_these_means():
    rng = np.random.default_rng(1)
    size, duration = rng.integers(5, 500, SHAPE).astype(float), rng.integers(0, 9, SHAPE).astype(float)
    found = transport.analyse(log_of(size, duration=duration)).estimates
    known = np.where(duration > 0, duration, np.nan)
    mean = [planted.known_mean(planted.known_mean(values)) for values in (size, known, size / known)]
    z, beta = planted.slope(N, mean[1]), planted.slope(N, mean[2])
    delta = planted.slope(N, mean[0] / mean[1] / N)
    assert found["duration_exponent"].value == pytest.approx(z)
    assert found["rate_exponent"].value == pytest.approx(beta)
    assert found["intensive_rate_exponent"].value == pytest.approx(delta)
    assert found["rate_closure"].value == pytest.approx(delta - (beta - 1))
    assert abs(found["rate_closure"].value) > 0.001
    assert "branching_ratio" not in found


def test_exponents_of_transport_and_efficiency_come_back_and_close():
    rng = np.random.default_rng(2)
    size, each = scattered(1.1, rng), scattered(-0.2, rng)
    found = transport.analyse(log_of(size, transport=size * each, efficiency=each)).estimates
    for key, value in {"transport_exponent": 0.9, "efficiency_exponent": -0.2, "efficiency_closure": 0.0}.items():
        assert found[key].value == pytest.approx(value, abs=0.01), key
        assert found[key].low - 0.005 < value < found[key].high + 0.005, key
        assert found[key].high - found[key].low < 0.03, key


def test_the_closure_of_the_efficiency_is_of_these_means():
    rng = np.random.default_rng(3)
    size, moved = rng.integers(1, 500, SHAPE).astype(float), rng.exponential(size=SHAPE) * N[:, None, None] ** 0.7
    found = transport.analyse(log_of(size, transport=moved, efficiency=moved / size)).estimates
    of_size, of_moved, of_each = (
        planted.slope(N, planted.known_mean(planted.known_mean(v))) for v in (size, moved, moved / size)
    )
    assert found["transport_exponent"].value == pytest.approx(of_moved)
    assert found["efficiency_exponent"].value == pytest.approx(of_each)
    assert found["efficiency_closure"].value == pytest.approx(of_each - of_moved + of_size)
    assert abs(found["efficiency_closure"].value) > 0.001


def test_scales_say_what_stands_behind_and_where_the_step_limit_bends():
    rng = np.random.default_rng(0)
    size, capped = scattered(1.0, rng), np.zeros(SHAPE)
    size[1, 4], size[2, 0, 30:] = np.nan, np.nan
    capped[3, :, :4] = 1  # of 40 steps
    capped[np.isnan(size)] = np.nan
    found = support.analyse(log_of(size, capped=capped))
    scales = found.series_of(Scales)
    assert scales.runs.tolist() == [5, 4, 5, 5]
    assert scales.snapshots.tolist() == [200, 160, 190, 200]
    assert scales.capped.tolist() == [0, 0, 0, 10]
    largest = found.estimates["capped_at_largest"]
    assert largest.value == 10
    assert largest.note == (
        "10.0 % of the avalanches at N = 4000 are stopped at the last step allowed: exponents are bent, "
        "probe with more (`--max-steps`, `tdu.Probe(max_steps=…)`)"
    )
    assert support.bent(replace(scales, capped=np.array([0, 0, 0.9, 1.0]))) == ""
    assert "1.1 % of the avalanches at N = 300" in support.bent(replace(scales, capped=np.array([0, 1.1, 0.9, 1.0])))


def test_the_interval_of_a_share_does_not_go_below_none():
    capped = np.zeros(SHAPE)
    capped[3, 0] = 1  # one run of five
    found = support.analyse(log_of(scattered(1.0, np.random.default_rng(0)), capped=capped)).estimates["capped_at_largest"]
    assert (found.value, found.low) == (20, 0)
    assert 40 < found.high < 100


def test_what_would_resolve_is_said_from_the_width_found():
    rng = np.random.default_rng(0)
    of_run = np.exp(0.25 * rng.normal(size=(N.size, 5, 1)))
    found = support.analyse(log_of(scattered(1.0, rng) * of_run)).estimates["half_width"]
    x = np.log(N) - np.log(N).mean()
    expected = 0.25 / np.sqrt(5) / np.sqrt((x * x).sum()) * 2  # a slope's error, some 95 %
    assert found.value == pytest.approx(expected, rel=0.5)
    runs, decades = int(np.ceil(5 * (found.value / 0.05) ** 2)), np.log10(40) * found.value / 0.05
    assert (
        found.note == f"5 runs a scale over 1.60 decades of N; ± 0.05 needs about {runs} runs a scale, or {decades:.1f} decades"
    )
    precise = support.analyse(log_of(scattered(1.0, rng))).estimates["half_width"]
    assert precise.value < 0.02
    assert precise.note == "5 runs a scale over 1.60 decades of N: enough for ± 0.05"


def sigmoid(middle, width=20.0):
    return 1 / (1 + np.exp(-(STEP - middle) / width))


def with_trends(dimension_at, loss_at, seed=0, falling=True, scatter=0.02):
    """D rises from 0.9 to 1.2 at one step, the loss falls at another; the null's D does not change."""
    rng = np.random.default_rng(seed)
    size = scattered(0.9 + 0.3 * sigmoid(dimension_at), rng, scatter)
    loss = 2 - (1 if falling else -1) * sigmoid(loss_at) + 0.05 * rng.normal(size=SHAPE)
    log = log_of(size, loss=loss, weight_norm=1 + 0.1 * rng.normal(size=SHAPE))
    return replace(log, nulls={"permuted": np.stack([scattered(1.0, rng, scatter) for _ in range(4)])})


@pytest.mark.parametrize("falling", [True, False])
def test_a_planted_correlation_has_its_sign_and_a_null_has_none(falling):
    found = watched.analyse(with_trends(200, 200, falling=falling))
    rho, of_null = found.estimates["correlation_loss"], found.readings["correlation_loss"]["of D(t) under permuted"]
    sign = -1 if falling else 1
    assert sign * rho.value > 0.7
    assert 0.01 < rho.high - rho.low < 0.4
    assert abs(of_null.value) < 0.4
    assert of_null.low < 0 < of_null.high
    unrelated = found.estimates["correlation_weight_norm"]
    assert unrelated.low < 0.1
    assert unrelated.high > -0.1
    assert {"correlation_loss", "lead_loss", "correlation_weight_norm"} <= set(found.estimates)
    assert not {"correlation_size", "correlation_duration", "correlation_capped"} & set(found.estimates)


def test_the_correlation_is_spearmans():
    log = with_trends(200, 150)
    of_time = planted.slope(N, planted.known_mean(planted.in_time(log.size)))
    loss = log.columns["loss"].mean(axis=(0, 1))
    found = watched.analyse(log).estimates["correlation_loss"]
    assert found.value == pytest.approx(stats.spearmanr(of_time, loss).statistic)
    assert found.statistic == "Spearman's ρ over 40 steps"


@pytest.mark.parametrize("lead", [100, -80, 0])
def test_a_planted_lead_comes_back_with_its_sign(lead):
    found = watched.analyse(with_trends(200, 200 + lead)).estimates["lead_loss"]
    assert found.value == pytest.approx(lead, abs=12)
    assert found.low < lead + 10
    assert found.high > lead - 10
    assert found.high - found.low < 60


def test_a_half_change_lies_between_the_levels_of_a_fifth_at_either_end():
    step = np.arange(10.0)
    rise = np.array([[0, 0, 0, 0, 1, 3, 4, 4, 4, 4.0], [4, 4, 2, 0, 0, 0, 0, 0, 0, 0.0], [1] * 10])
    np.testing.assert_allclose(watched.half_change(step, rise), [4.5, 2.0, np.nan])


def test_columns_are_shown_and_short_ones_not_judged():
    log = with_trends(200, 200)
    shown = watched.analyse(log).series_of(Watched)
    np.testing.assert_allclose(shown.columns["loss"].value, log.columns["loss"].mean(axis=(0, 1)))
    short = replace(
        log,
        step=log.step[:4],
        columns={n: c[..., :4] for n, c in log.columns.items()},
        nulls={"permuted": log.nulls["permuted"][..., :4]},
    )
    assert watched.analyse(short).estimates == {}
    assert watched.analyse(log_of(log.size)).series == ()


def test_planted_tails_come_back_with_their_relation():
    rng = np.random.default_rng(0)
    uniform = rng.random((1, 8, 2000))
    duration = np.floor((1 - uniform) ** (-1 / 1.0))  # P(T) ~ T^−2
    duration = np.minimum(duration, 2000)
    size = np.round(4 * duration**1.5)
    shape = (N.size, 8, 2000)
    log = Log(
        N,
        N,
        np.arange(2000),
        {"size": np.broadcast_to(size, shape), "duration": np.broadcast_to(duration, shape)},
        {},
        {},
        np.full(shape[:2], -1),
    )
    found = crackling.analyse(log).estimates
    assert found["duration_tail"].value == pytest.approx(2, abs=0.1)
    assert found["size_given_duration"].value == pytest.approx(1.5, abs=0.02)
    assert found["size_tail"].value == pytest.approx(1 + 1 / 1.5, abs=0.1)
    assert found["crackling_closure"].value == pytest.approx(0, abs=0.15)
    assert found["size_tail"].high - found["size_tail"].low < 0.3
    assert "cannot be told" not in found["size_tail"].note


def test_a_short_range_is_said():
    rng = np.random.default_rng(0)
    found = crackling.analyse(log_of(scattered(1.0, rng), duration=rng.integers(3, 9, SHAPE).astype(float))).estimates
    assert found["duration_tail"].note.endswith("0.43 decades of durations: below 1.5 a power law cannot be told")


def test_where_d_does_not_change_its_lead_is_called_none():
    still = watched.analyse(with_trends(10_000, 200)).estimates["lead_loss"]
    assert still.note == "D(t) does not change beyond its interval, and leads nothing"
    assert watched.analyse(with_trends(200, 200)).estimates["lead_loss"].note == ""


def with_profiles(x, rng, scatter=0.2, n_runs=12, shape=lambda u: u * (1 - u)):
    """Avalanches of 4 to 16 steps whose mean profile is 200 T^(x − 1) F(t/T); a fifth are cut short, and of no such shape."""
    of_log = (N.size, n_runs, STEP.size)
    duration, capped = rng.integers(4, 17, of_log), rng.random(of_log) < 0.2
    step = np.arange(20).reshape(-1, 1, 1, 1)
    steps = 200.0 * duration ** (x - 1) * shape((step + 0.5) / duration) * np.exp(scatter * rng.normal(size=(20, *of_log)))
    steps = np.where(step < duration, np.where(capped, 1.0, np.round(steps)), 0.0)
    named = {observables.profile_column(number): topplings for number, topplings in enumerate(steps, start=1)}
    return log_of(steps.sum(axis=0), duration=duration.astype(float), capped=capped.astype(float), **named)


@pytest.mark.parametrize(
    ("x", "shape"),
    [(1.3, lambda u: u * (1 - u)), (2.0, lambda u: u**2 * (1 - u)), (0.7, np.ones_like)],
    ids=["1.3", "2.0", "0.7"],
)
def test_the_exponent_of_mean_profiles_comes_back_from_their_collapse(x, shape):
    found = profiles.analyse(with_profiles(x, np.random.default_rng(0), shape=shape))
    estimate, series = found.estimates["profile_exponent"], found.series_of(MeanProfiles)
    assert estimate.value == pytest.approx(x, abs=0.05)
    assert estimate.low <= estimate.value <= estimate.high
    assert 0.01 < estimate.high - estimate.low < 0.2
    assert (series.exponent, series.duration.tolist()) == (estimate.value, list(range(4, 17)))
    assert series.mean.shape == (13, series.place.size)
    t = series.duration[:, None]
    np.testing.assert_allclose(series.mean, 204 * t ** (x - 1) * shape(series.place), rtol=0.25, atol=1)  # e^(σ²/2)
    assert series.quality < 4
    assert estimate.note.startswith("N = 4000; 13 durations, 4 to 16 steps; S = ")


def test_profiles_of_another_exponent_do_not_collapse():
    log = with_profiles(2.0, np.random.default_rng(1))
    series = profiles.analyse(log).series_of(MeanProfiles)
    wrong = series.duration[:, None] ** 0.0 * series.mean
    tiled = np.tile(series.place, (13, 1))
    assert tdu.collapse_quality(tiled, wrong, series.error) > 10 * series.quality


def test_logs_without_profiles_or_with_too_few_durations_have_no_collapse():
    rng = np.random.default_rng(0)
    assert profiles.analyse(log_of(scattered(1.0, rng))).estimates == {}
    log = with_profiles(1.3, rng)
    two = np.clip(log.columns["duration"], 4, 5)
    assert profiles.analyse(replace(log, columns={**log.columns, "duration": two})).estimates == {}


def test_one_run_is_the_first_of_the_largest_scale_that_groks_with_all_that_changes():
    log = with_trends(200, 200)
    grokking_step = np.full(log.grokking_step.shape, -1)
    grokking_step[-1, 2] = 90
    log = replace(log, grokking_step=grokking_step, columns={**log.columns, "accuracy": np.ones(log.size.shape)})
    shown = one_run.analyse(log).series_of(OneOfLog)
    assert (shown.scale, shown.run, shown.memorised, shown.grokked) == (log.scale[-1], 2, log.step[0], 90)
    np.testing.assert_array_equal(shown.columns["loss"].value, log.columns["loss"][-1, 2])
    drawn = log.nulls["permuted"][:, -1, 2]
    np.testing.assert_allclose(shown.columns["epsilon, permuted"].value, np.log(log.size[-1, 2]) - np.log(drawn).mean(axis=0))
    assert "accuracy" not in shown.columns  # never changes
    never = one_run.analyse(replace(log, grokking_step=np.full(log.grokking_step.shape, -1))).series_of(OneOfLog)
    assert (never.run, np.isnan(never.grokked)) == (0, True)


def test_profiles_are_no_columns_to_lay_beside_d():
    assert watched.analyse(with_profiles(1.3, np.random.default_rng(0))).estimates == {}
