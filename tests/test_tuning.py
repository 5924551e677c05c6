"""What pays on a machine is measured once, and remembered beside the kernels."""

import math
from unittest import mock

import pytest

import tdu
from tdu.avalanches import tuning
from tdu.kernels.avalanche import FEW_SITES


@pytest.fixture(autouse=True)
def forgotten():
    asked = tuning.sites_from_which_bins_pay, tuning.sites_up_to_which_branches_pay
    for function in asked:
        function.cache_clear()
    yield
    for function in asked:
        function.cache_clear()


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """What is measured of bins, by number of sites; the cache is an empty directory."""
    ratios = mock.Mock()
    monkeypatch.setattr(tuning, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(tuning, "binned_over_pushed", ratios)
    return ratios


@pytest.mark.parametrize(
    ("ratios", "wanted"), [([0.9], 1 << 21), ([1.1, 0.9], 1 << 23), ([1.1, 1.0], math.inf)], ids=["small", "large", "never"]
)
def test_bins_are_used_from_the_least_size_at_which_they_are_faster(measured, ratios, wanted):
    measured.side_effect = ratios
    assert tuning.sites_from_which_bins_pay() == wanted
    tuning.sites_from_which_bins_pay.cache_clear()  # as in another process
    assert tuning.sites_from_which_bins_pay() == wanted
    assert measured.call_count == len(ratios)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"sites": "many"}', '{"sites": null}'])
def test_it_is_measured_again_where_the_file_says_nothing(measured, tmp_path, text):
    (tmp_path / "binning.json").write_text(text)
    measured.side_effect = [0.5]
    assert tuning.sites_from_which_bins_pay() == 1 << 21


def test_it_is_measured_in_every_process_where_there_is_no_cache(measured, monkeypatch):
    monkeypatch.setattr(tuning, "cache_directory", lambda: None)
    measured.side_effect = [0.5]
    assert tuning.sites_from_which_bins_pay() == 1 << 21


@pytest.mark.compiled
@pytest.mark.parametrize(("ratio", "wanted"), [(0.89, 10_000), (0.9, FEW_SITES)])
def test_branches_are_used_on_thousands_of_sites_where_they_are_faster(tmp_path, monkeypatch, ratio, wanted):
    measured = mock.Mock(return_value=ratio)
    monkeypatch.setattr(tuning, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(tuning, "branched_over_listed", measured)
    assert [tuning.few_sites(n) for n in (3, FEW_SITES, 10_001)] == [FEW_SITES] * 3
    assert measured.call_count == 0  # which ends the matter for so few, and for so many
    assert [tuning.workspace_for(tdu.ring(n)).few for n in (FEW_SITES + 1, 10_000)] == [wanted] * 2
    assert measured.call_count == 1


@pytest.mark.compiled
def test_a_ratio_is_measured():
    assert 0.01 < tuning.binned_over_pushed(20_000) < 1000
    assert 0.01 < tuning.branched_over_listed() < 1000
