"""Tails, collapse and power laws against other people's software."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import zeta

import tdu

ORACLE = json.loads((Path(__file__).parent / "oracles" / "vectors.json").read_text())


def test_ccdf_counts_sizes_at_least_as_large():
    of = ORACLE["ccdf_conventions"]
    x, p = tdu.ccdf(of["sample"])
    assert {str(int(size)): value for size, value in zip(x, p, strict=True)} == pytest.approx(of["P_S_ge_s"])
    assert p.tolist() == pytest.approx(of["powerlaw_ccdf"]["p"])


@given(st.lists(st.integers(0, 50), min_size=1))
def test_ccdf_starts_at_one_and_falls(sizes):
    x, p = tdu.ccdf(sizes)
    assert p[0] == 1
    assert (np.diff(p) < 0).all()
    assert (np.diff(x) > 0).all()
    assert p[-1] == pytest.approx(sizes.count(max(sizes)) / len(sizes))


@pytest.mark.parametrize("sample", ORACLE["powerlaw_discrete"], ids=lambda sample: sample["name"])
def test_power_law_fits_agree_with_the_exact_likelihood_and_with_powerlaw(sample):
    sizes = np.repeat(sample["values"], sample["counts"])
    for fixed in sample["fixed_xmin"]:
        fit = tdu.fit_power_law(sizes, xmin=fixed["xmin"])
        assert fit.alpha == pytest.approx(fixed["scipy_zeta_exact"]["alpha"], abs=1e-6)
        assert fit.alpha == pytest.approx(fixed["powerlaw"]["alpha"], abs=2e-4)
        assert fit.ks == pytest.approx(fixed["scipy_zeta_exact"]["D"], abs=1e-6)
        assert fit.n_tail == fixed["scipy_zeta_exact"]["n_tail"]
        assert (fit.alpha - 1) / np.sqrt(fit.n_tail) == pytest.approx(fixed["powerlaw"]["sigma"], abs=1e-4)  # of large xmin
        x = np.arange(fit.xmin, 10**6, dtype=float)
        p = x**-fit.alpha / (x**-fit.alpha).sum()
        spread = p @ np.log(x) ** 2 - (p @ np.log(x)) ** 2  # Fisher's information of the exponent is the variance of log s
        assert fit.stderr == pytest.approx(1 / np.sqrt(fit.n_tail * spread), rel=2e-3)
    free, wanted = tdu.fit_power_law(sizes), sample["free_xmin"]["igraph_plfit"]
    assert (free.alpha, free.xmin) == pytest.approx((wanted["alpha"], wanted["xmin"]), abs=1e-6)
    assert free.ks == pytest.approx(wanted["D"], abs=1e-6)
    assert free.decades == pytest.approx(np.log10(sizes.max() / free.xmin))


def curves(tau, dimension):
    """The oracle's recipe: P ~ s^−(τ−1) exp(−s/N^D) with 2 % noise, scaled."""
    n = np.array([64, 256, 1024, 4096])[:, None]
    logs = np.linspace(0.3, 3.6, 34)
    s = 10.0**logs
    clean = s ** -(1.5 - 1) * np.exp(-s / n**1.2)
    error = 0.02 * clean
    noisy = clean + error * np.random.default_rng(11).standard_normal(clean.shape)
    scale = s ** (tau - 1)
    return logs - dimension * np.log10(n), scale * noisy, scale * error


@pytest.mark.parametrize("case", ORACLE["collapse_quality"]["S_grid"])
def test_collapse_quality_agrees_with_fssa(case):
    tau, dimension = (float(part.split("=")[1]) for part in case.split(","))
    assert tdu.collapse_quality(*curves(tau, dimension)) == pytest.approx(ORACLE["collapse_quality"]["S_grid"][case], abs=1e-6)


def test_curves_that_do_not_meet_have_no_quality():
    x = np.array([[0.0, 1, 2], [5, 6, 7]])
    assert np.isnan(tdu.collapse_quality(x, np.ones((2, 3)), np.ones((2, 3))))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tdu.ccdf([]), "`sizes` is empty"),
        (lambda: tdu.ccdf([3, -1]), "`sizes` must not be negative, but entry 1 is -1"),
        (lambda: tdu.fit_power_law([3, 3, 3]), "at least two distinct positive sizes"),
        (lambda: tdu.fit_power_law([1.5, 2]), "whole numbers of topplings, but one is 1.5"),
        (lambda: tdu.fit_power_law([1, 2, 3], xmin=9), "at least two distinct"),
        (lambda: tdu.fit_power_law([1, 2, np.nan]), "entry 2 is nan"),
        (lambda: tdu.collapse_quality(np.ones((2, 3)), np.ones((2, 3)), np.zeros((2, 3))), "`dy` must be positive"),
        (lambda: tdu.collapse_quality([[1, 0.5]], [[1, 1]], [[1, 1]]), "`x` must ascend"),
        (lambda: tdu.collapse_quality([[1, 2]], [[1, 1, 1]], [[1, 1]]), r"share one shape \(k, n\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_fit_at_a_given_xmin_has_the_error_the_counts_and_the_range_of_its_tail():
    sizes = [0, 1, 1, 2, 2, 3, 5, 8, 20, 100]
    free, fixed = tdu.fit_power_law(sizes), tdu.fit_power_law(sizes, xmin=2)
    assert (fixed.xmin, fixed.n_tail) == (2, 7)
    assert fixed.decades == pytest.approx(np.log10(50))
    mean_log = [-np.diff(np.log(zeta([fixed.alpha + at - 1e-4, fixed.alpha + at + 1e-4], 2)))[0] / 2e-4 for at in (-0.01, 0.01)]
    assert fixed.stderr == pytest.approx(1 / np.sqrt(7 * (mean_log[0] - mean_log[1]) / 0.02), rel=1e-3)
    assert free.n_tail == sum(size >= free.xmin for size in sizes)
    assert free.decades == pytest.approx(np.log10(100 / free.xmin))
    assert (type(fixed.xmin), type(fixed.n_tail), type(fixed.decades)) == (int, int, float)
    assert tdu.fit_power_law([1, 2, 2, 3, 9], xmin=1).n_tail == 5
    assert tdu.fit_power_law(np.array([[1, 2], [2, 9]])).n_tail <= 4
    with pytest.raises(ValueError, match="`xmin` must be at least 1"):
        tdu.fit_power_law(sizes, xmin=0)


def test_sizes_of_any_shape_are_one_sample():
    x, p = tdu.ccdf([[3, 1], [1, 2]])
    assert (x.tolist(), p.tolist()) == ([1, 2, 3], [1, 0.5, 0.25])


@pytest.mark.parametrize(
    ("x", "y", "dy", "message"),
    [
        ([[1, 2]], [[1, np.nan]], [[1, 1]], "`y` must be finite, but entry .*1.* is nan"),
        ([[np.inf, 2]], [[1, 1]], [[1, 1]], "`x` must be finite"),
        ([[1, 2]], [[1, 1]], [[1, np.inf]], "`dy` must be finite"),
        ([1, 2], [1, 1], [1, 1], r"share one shape \(k, n\), but they have \(2,\), \(2,\), \(2,\)"),
        ([[1, 2]], [[1, 1]], [[1, -1]], "`dy` must be positive"),
    ],
)
def test_curves_that_cannot_be_compared_are_named(x, y, dy, message):
    with pytest.raises(ValueError, match=message):
        tdu.collapse_quality(x, y, dy)


def test_ties_along_a_row_ascend():
    assert np.isfinite(tdu.collapse_quality([[1, 1, 2], [1, 1.5, 2]], np.ones((2, 3)), np.ones((2, 3))))


def test_the_standard_error_of_sizes_too_large_for_zeta_is_its_limit():
    sizes = np.round(3e7 * np.exp(0.002 * np.random.default_rng(0).normal(size=200))).astype(int)
    fit = tdu.fit_power_law(sizes)
    assert fit.alpha > 45  # so that x_min^−α is below every float
    assert fit.stderr == pytest.approx((fit.alpha - 1) / np.sqrt(fit.n_tail))
