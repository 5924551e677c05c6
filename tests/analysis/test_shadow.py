"""A shadow log beside the in-line one, paired by run."""

import numpy as np
import pytest
from scipy import stats

from tdu.analysis import dimension, shadow
from tdu.results.series import ShadowDimensionOverTime
from tests.planted import (
    GROKKED,
    N_SITES,
    NEVER,
    SEED,
    WINDOW,
    all_same,
    exponent,
    exponent_of,
    in_time,
    of_runs,
    resampled,
    same,
    study,
    time_mean,
    unknown,
)

BEFORE, AFTER = np.arange(25) < 6, np.arange(25) > 13


@pytest.fixture(scope="module")
def logs():
    """In line D is 0.9, then 1.2; in shadow 0.8, then 1.4, with scatter and a seed of its own, which must not count."""
    return study(), study(pre=0.8, post=1.4, rng_seed=1, seed=SEED + 1)


def change(logs, inside, statistic):
    """Mean of D(t), shadow minus in-line, both logs of a run resampled together."""
    of_time = exponent(N_SITES, statistic)

    def difference(values):
        means = of_time(values).mean(axis=-1)
        return means[..., 1] - means[..., 0]

    both = np.stack([in_time(log.size, inside) for log in logs])
    return resampled(both, difference, statistic, largest=statistic == "peak")


def test_every_quantity_is_of_the_shadow_log_or_of_the_pair(logs):
    found = shadow.analyse(*logs, WINDOW)
    size = logs[1].size
    all_same(found.estimates, {"shadow_change": change(logs, AFTER, "peak")})
    assert list(found.readings) == ["dimension", "gamma", "dimension_early", "dimension_late", "shadow_change"]
    all_same(found.readings["dimension"], {"shadow": exponent_of(N_SITES, of_runs(size, "peak"), "peak")})
    all_same(found.readings["gamma"], {"shadow": exponent_of(N_SITES, of_runs(size, "mean"), "mean")})
    for key, inside in (("dimension_early", BEFORE), ("dimension_late", AFTER)):
        of_shadow = {f"shadow, {name}": time_mean(N_SITES, size, name, inside) for name in ("peak", "mean")}
        all_same(found.readings[key], of_shadow)
    all_same(
        found.readings["shadow_change"],
        {
            "mean": change(logs, AFTER, "mean"),
            "before the window": change(logs, BEFORE, "peak"),
            "before the window, mean": change(logs, BEFORE, "mean"),
        },
    )
    (series,) = found.series
    assert isinstance(series, ShadowDimensionOverTime)
    assert np.array_equal(series.epoch, logs[1].step)
    wanted = dimension.over_time(logs[1], SEED)
    for name in ("peak", "run-peak", "mean"):
        assert np.array_equal(series.bands[name].high, wanted[name].high)


def test_a_planted_change_comes_back_with_its_sign_and_width():
    """0.9 → 0.8 before and 1.2 → 1.4 after, the scatter of two logs that have none in common."""
    grokked = np.where(GROKKED == NEVER, 130, np.clip(GROKKED, 60, 130))
    logs = [study(grokked, rng_seed=k, pre=pre, post=post, scatter=0.02) for k, pre, post in ((0, 0.9, 1.2), (1, 0.8, 1.4))]
    found = shadow.analyse(*logs, WINDOW)
    x = np.log(N_SITES) - np.log(N_SITES).mean()
    width = 2 * np.sqrt(2) * stats.t.ppf(0.975, 16) * 0.02 / np.sqrt(5) / np.sqrt(x @ x)
    for one, planted in (
        (found.readings["shadow_change"]["before the window, mean"], -0.1),
        (found.readings["shadow_change"]["mean"], 0.2),
    ):
        assert one.value == pytest.approx(planted, abs=width)
        assert one.high - one.low == pytest.approx(width, rel=0.5)
    assert found.estimates["shadow_change"].value == pytest.approx(0.2, abs=2 * width)
    paired = shadow.analyse(logs[0], logs[0], WINDOW).estimates["shadow_change"]
    assert (paired.value, paired.low, paired.high) == (0, 0, 0)


def test_without_a_snapshot_in_the_window_there_is_no_change(logs):
    found = shadow.analyse(*logs, (0.0, 240.0))
    missing = "no snapshot in this window"
    same(found.estimates["shadow_change"], unknown("peak", missing))
    same(found.readings["shadow_change"]["before the window, mean"], unknown("mean", missing))
    same(found.readings["dimension_early"]["shadow, mean"], unknown("mean", missing))
