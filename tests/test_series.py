"""Series as results.json holds them: written, read, and the same again."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tdu.checksums import signed
from tdu.files import write_json
from tdu.results import series, store
from tdu.results import series_of_logs as of_logs
from tdu.types import Band, Findings, SizeStatistic

COMMITTED = Path(__file__).parent.parent / "docs" / "results.json"


@pytest.fixture(scope="module")
def results():
    return store.load_results(COMMITTED)


def test_the_committed_results_load_and_encode_to_the_same_text(results):
    written = json.loads(COMMITTED.read_text())
    assert json.dumps(signed(store.results_as_json(results))) == json.dumps(written)
    assert len(results.series) == len(written["series"])
    of_other_logs = {
        of_logs.MeanProfiles,
        of_logs.OneOfLog,
        of_logs.Scales,
        of_logs.Watched,
        of_logs.LocalSlopes,
    }  # tried below
    assert {type(one) for one in results.series} == set(series.KINDS) - of_other_logs, "every kind is tried"


def test_what_a_study_says_of_d_over_time_keeps_its_place(results):
    """`epoch`, and by statistic the value and its interval: other programs read it."""
    written = store.results_as_json(results)["series"]["dimension_over_time"]
    assert list(written) == ["epoch", "peak", "run-peak", "mean"]
    assert all(list(written[name]) == ["value", "low", "high", "r2"] for name in list(written)[1:])


def random_series():
    """A value of every shape that a field can have, with what JSON does not know: nan, integers, tuples as keys."""
    rng = np.random.default_rng(0)

    def band(n, r2=None):
        return Band(*rng.normal(size=(3, n)), r2)

    unknown = np.array([1.0, np.nan, 3.0])
    return (
        series.OneRun(unknown, rng.normal(size=3), float("nan")),
        series.DimensionOverTime(np.arange(3), {statistic: band(3, unknown) for statistic in SizeStatistic}),
        series.NullOverTime("rewired", np.arange(3), band(3), band(3)),
        series.NullOverTime("two_words", np.arange(3), band(3), band(3)),
        series.Bootstrap({"dimension_pre": series.Histogram(np.zeros(0), np.zeros(1))}),
        series.Ccdf({20: series.Tail(np.arange(2.0), unknown), 500: series.Tail(unknown, unknown)}),
        of_logs.Scales(*(np.arange(k, k + 3) for k in range(4)), unknown),
        of_logs.MeanProfiles(np.arange(3, 6), np.arange(2.0), np.ones((3, 2)), np.full((3, 2), 0.1), 1.4, 0.9),
        of_logs.Watched(np.arange(3), {"loss": of_logs.Recorded(unknown), "weight_norm": of_logs.Recorded(unknown)}),
        of_logs.OneOfLog(64.0, 1.0, 30.0, float("nan"), np.arange(3), {"loss": of_logs.Recorded(unknown)}),
        of_logs.LocalSlopes("windows", np.arange(2), np.arange(2, 4), {"all": band(2), "late": band(2)}),
        series.Topologies(band(2), ("ring", "small world, p = 0.05")),
        series.Robustness(
            unknown,
            unknown[:2],
            {
                ("alpha", "inline", SizeStatistic.LARGEST_OF_RUNS): band(3),
                ("quantile", "synthetic", SizeStatistic.MEAN): band(2),
            },
        ),
    )


def same(one, other):
    """Equal in type and value to the last bit, nan included."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert [(key, type(key)) for key in one] == [(key, type(key)) for key in other]
        for key in one:
            same(one[key], other[key])
    elif hasattr(one, "__dataclass_fields__"):
        for item in fields(one):
            same(getattr(one, item.name), getattr(other, item.name))
    else:
        assert one == other or one != one != other


def test_series_come_back_as_they_went(results, tmp_path):
    written = random_series()
    store.save_results(tmp_path / "results.json", replace(results, series=written))
    read = store.load_results(tmp_path / "results.json").series
    assert len(read) == len(written)
    for one, other in zip(written, read, strict=True):
        same(one, other)


@pytest.mark.parametrize(
    "damaged",
    [
        {"no such series": {}},
        {"grokking": {"n_sites": [1], "epoch": [[1]]}},
        {"grokking": {"n_sites": [1], "epoch": [[1]], "mean": [1], "median": [1]}},
        {"grokking": {"n_sites": [None], "epoch": [[1]], "mean": [1]}},
        {"robustness": {"alpha": [0.1], "quantile": [0.9], "alpha, inline": {"value": [1], "low": [1], "high": [1]}}},
        {"dimension_over_time": {"epoch": [0], "median": {"value": [1], "low": [1], "high": [1]}}},
        {"ccdf": {"20": 3}},
    ],
    ids=["unknown", "field missing", "field too many", "no integer", "short key", "no statistic", "no dictionary"],
)
def test_what_is_no_series_is_refused(damaged, tmp_path):
    write_json(tmp_path / "results.json", {**json.loads(COMMITTED.read_text()), "series": damaged})
    with pytest.raises(ValueError, match=r"results\.json is damaged"):
        store.load_results(tmp_path / "results.json")


def test_series_are_looked_up_by_class():
    one, two = (series.NullOverTime(name, np.arange(1), *[Band(*np.ones((3, 1)))] * 2) for name in ("signs", "blocks"))
    found = Findings(series=(one, two))
    assert found.series_of(series.NullOverTime) is one
    assert found.all_of(series.NullOverTime) == [one, two]
    assert found.has(series.NullOverTime)
    assert not found.has(series.NullOverTime, series.Gini)
    with pytest.raises(ValueError, match="there is no series `gini`"):
        found.series_of(series.Gini)
