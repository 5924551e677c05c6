"""Whether one thread bins is measured once, and remembered beside the kernels."""

import math
from unittest import mock

import pytest

from tdu.avalanches import binning


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """What is measured, by number of sites; the cache is an empty directory."""
    ratios = mock.Mock()
    monkeypatch.setattr(binning, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(binning, "binned_over_pushed", ratios)
    binning.sites_from_which_bins_pay.cache_clear()
    yield ratios
    binning.sites_from_which_bins_pay.cache_clear()


@pytest.mark.parametrize(
    ("ratios", "wanted"), [([0.9], 1 << 21), ([1.1, 0.9], 1 << 23), ([1.1, 1.0], math.inf)], ids=["small", "large", "never"]
)
def test_bins_are_used_from_the_least_size_at_which_they_are_faster(measured, ratios, wanted):
    measured.side_effect = ratios
    assert binning.sites_from_which_bins_pay() == wanted
    binning.sites_from_which_bins_pay.cache_clear()  # as in another process
    assert binning.sites_from_which_bins_pay() == wanted
    assert measured.call_count == len(ratios)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"from_sites": "many"}', '{"from_sites": null}'])
def test_it_is_measured_again_where_the_file_says_nothing(measured, tmp_path, text):
    (tmp_path / "binning.json").write_text(text)
    measured.side_effect = [0.5]
    assert binning.sites_from_which_bins_pay() == 1 << 21


def test_it_is_measured_in_every_process_where_there_is_no_cache(measured, monkeypatch):
    monkeypatch.setattr(binning, "cache_directory", lambda: None)
    measured.side_effect = [0.5]
    assert binning.sites_from_which_bins_pay() == 1 << 21


def test_a_ratio_is_measured():
    assert 0.01 < binning.binned_over_pushed(20_000) < 1000
