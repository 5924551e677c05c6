"""When the runs grok."""

import numpy as np
import pytest

from tdu.analysis import grokking
from tdu.results.series import GrokkingEpochs, OneRun
from tests.planted import GROKKED, N_SITES, NEVER, SEED, WINDOW, all_same, known_mean, log_of, resampled, same, study, unknown

EPOCHS = np.where(GROKKED == NEVER, np.nan, GROKKED)


def test_the_window_is_of_scale_means_over_grokked_runs():
    assert grokking.window(study()) == WINDOW == (60, 130)
    assert np.array_equal(grokking.epochs_of_runs(study()), EPOCHS, equal_nan=True)


def test_epochs_have_their_statistics_intervals_and_counts_of_the_ungrokked():
    note = "1 of 20 runs never grok"
    of_extremes = f"{note}; an extreme over runs: resampling cannot go beyond it"
    found = grokking.analyse(study())
    all_same(
        found.estimates,
        {
            "grokking_first": resampled(EPOCHS, lambda v: known_mean(v).min(axis=-1), "earliest scale mean", note),
            "grokking_last": resampled(EPOCHS, lambda v: known_mean(v).max(axis=-1), "latest scale mean", note),
        },
    )
    assert list(found.readings) == ["grokking_first", "grokking_last"]
    for key, words, reduce in (
        ("grokking_first", "earliest run", np.fmin.reduce),
        ("grokking_last", "latest run", np.fmax.reduce),
    ):

        def of_all(values, reduce=reduce):
            return reduce(values, axis=(-2, -1))

        all_same(found.readings[key], {words: resampled(EPOCHS, of_all, words, of_extremes, stretched=False)})
    assert found.readings["grokking_first"]["earliest run"].value == 0
    assert found.readings["grokking_last"]["latest run"].value == 145
    (series,) = found.series
    assert isinstance(series, GrokkingEpochs)
    assert series.n_sites.tolist() == N_SITES.tolist()
    assert np.array_equal(series.epoch, EPOCHS, equal_nan=True)
    assert series.mean.tolist() == [60, 66, 110, 130]


def test_where_every_run_groks_the_note_says_so():
    found = grokking.analyse(study(np.where(GROKKED == NEVER, 130, GROKKED)))
    assert found.estimates["grokking_last"].note == "every run groks"
    assert found.readings["grokking_last"]["latest run"].note.startswith("every run groks; an extreme over runs")


def test_one_run_stands_among_its_like():
    grokked = np.array([[30, 10, 20, 40, 50, 60, 70, 80, 90, NEVER]])
    log = log_of(np.ones((1, 10, 101), int), grokked, hidden=(21,), loss=np.arange(1010.0).reshape(1, 10, 101))
    found = grokking.one_run(log)
    one = found.estimates["grokking_example"]
    assert one.value == 50  # the median of nine
    assert (one.low, one.high) == pytest.approx((10 + 0.2 * 10, 90 - 0.2 * 10))
    assert (one.statistic, one.note) == ("median run", "the interval holds 95 % of 9 runs of h = 21")
    (curves,) = found.series
    assert isinstance(curves, OneRun)
    assert curves.accuracy.tolist() == [0.5] * 30 + [1.0] * 71
    assert curves.loss.tolist() == list(range(101))
    assert curves.grokking_epoch == 30


def test_a_scale_that_never_groks_has_no_example():
    found = grokking.one_run(log_of(np.ones((1, 2, 11), int), np.full((1, 2), NEVER), hidden=(21,)))
    same(found.estimates["grokking_example"], unknown("median run", "the interval holds 95 % of 0 runs of h = 21"))
    assert grokking.analyse(study(np.full((4, 3), NEVER), SEED)).estimates["grokking_first"].note == "12 of 12 runs never grok"


def test_intervals_are_of_the_studys_own_seed(monkeypatch):
    """Extremes of few runs have the same percentiles under any seed: what is asked for is looked at."""
    seeds, real = [], grokking.estimate

    def noted(values, function, statistic, seed, *rest, **settings):
        seeds.append((statistic, seed))
        return real(values, function, statistic, seed, *rest, **settings)

    monkeypatch.setattr(grokking, "estimate", noted)
    grokking.analyse(study())
    words = ("earliest scale mean", "latest scale mean", "earliest run", "latest run")
    assert seeds == [(name, SEED) for name in words]
