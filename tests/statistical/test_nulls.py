"""The excess over a null is calibrated: 0 is covered where fields are the null, and planted arrangement is found."""

import numpy as np
import pytest

import tdu
from tdu.analysis.excess import excess, permutation_p
from tdu.avalanches.cascades import sizes_of
from tdu.avalanches.nulls import MODELS
from tdu.statistics.scaling import exponent_of_runs
from tdu.types import Layout

pytestmark = pytest.mark.statistical

N_SITES = np.array([81, 161, 321, 641])
N_RUNS, N_SNAPSHOTS, N_DRAWS, N_STUDIES = 6, 2, 4, 120
FIT = exponent_of_runs(N_SITES, "mean")
GRAPHS = [[tdu.barabasi_albert(n, seed=k) for k in range(N_RUNS)] for n in N_SITES]


def study(field, graphs, seed):
    """Mean sizes of runs (S, K), and of the permuted draws (draws, S, K), of fields (T, N) that `field` makes."""
    rng = np.random.default_rng(seed)
    real = np.empty((len(N_SITES), N_RUNS))
    null = np.empty((N_DRAWS, len(N_SITES), N_RUNS))
    for scale, n in enumerate(N_SITES):
        for run in range(N_RUNS):
            fields = field(rng, scale, (N_SNAPSHOTS, n))
            real[scale, run] = sizes_of(fields, graphs[scale][run], 0.3, 0.9, 20).mean()
            for draw in range(N_DRAWS):
                permuted = (
                    MODELS["permuted"].prepare(Layout.unknown(n), graphs[scale][run], rng).apply(fields, np.arange(N_SNAPSHOTS))
                )
                null[draw, scale, run] = sizes_of(permuted, graphs[scale][run], 0.3, 0.9, 20).mean()
    return real, null


@pytest.mark.parametrize("family", ["normal", "heavy-tailed", "the same at every snapshot"])
def test_where_fields_are_the_null_the_interval_covers_zero_and_p_is_uniform(family):
    def independent(rng, _scale, shape):
        heavy = np.exp(rng.normal(size=shape)) if family == "heavy-tailed" else 1.0
        if family == "the same at every snapshot":  # as the arrangement of a training run all but is
            return np.tile(rng.normal(size=shape[1]), (shape[0], 1))
        return rng.normal(size=shape) * heavy

    covered, p = [], []
    for seed in range(N_STUDIES):
        real, null = study(independent, GRAPHS, seed)
        found = excess(real, null, FIT, seed)
        covered.append(found.low <= 0 <= found.high)
        p.append(permutation_p(real, null, FIT, seed, n=200))
    three_errors = 3 * np.sqrt(0.95 * 0.05 / N_STUDIES)
    assert abs(np.mean(covered) - 0.95) < three_errors
    assert np.mean(np.array(p) <= 0.05) < 0.05 + three_errors
    assert 0.4 < np.mean(p) < 0.6


def test_entries_sorted_along_the_graph_are_found():
    """Neighbours that are alike keep each other active; planted in the larger scales only, it is an excess of the exponent."""
    rings = [[tdu.ring(n)] * N_RUNS for n in N_SITES]

    def sorted_in_large(rng, scale, shape):
        fields = rng.normal(size=shape)
        return np.sort(fields, axis=1) if scale >= 2 else fields

    found = excess(*study(sorted_in_large, rings, 0), FIT)
    assert found.low > 0.1
    assert "p = 0.0005" in found.note


def test_fields_smoothed_over_the_graph_are_found():
    """Smoothing over neighbours, the more the larger the system, changes the arrangement and shows in the exponent."""

    def smoothed(rng, scale, shape):
        fields = np.abs(rng.normal(size=shape))
        for _ in range(scale):
            fields = (fields + np.roll(fields, 1, axis=1) + np.roll(fields, -1, axis=1)) / 3
        return fields

    rings = [[tdu.ring(n)] * N_RUNS for n in N_SITES]
    found = excess(*study(smoothed, rings, 1), FIT)
    assert found.low > 0 or found.high < 0
    assert "p = 0.0005" in found.note
