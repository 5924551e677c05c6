"""Observables of planted avalanches, in the log of every source."""

import numpy as np
import pytest

import tdu
from tdu.avalanches import cascades
from tdu.avalanches.cascades import avalanches
from tdu.avalanches.observables import OBSERVABLES, Avalanches, columns
from tdu.config import NetworkConfig
from tdu.types import Layout

PROFILE = np.array([[4, 2, 1, 0], [5, 5, 5, 5], [3, 0, 0, 0], [0, 0, 0, 0]])


def planted(profile):
    counts = {name: np.zeros(len(profile), int) for name in ("duration", "extent", "peak")}
    measures = {name: np.zeros(len(profile)) for name in ("threshold", "dissipated", "transport", "deviation_angle")}
    capped = profile[:, -1] > 0
    return Avalanches(size=profile.sum(axis=1), profile=profile, capped=capped, **counts, **measures)


def test_the_branching_ratio_is_topplings_one_step_later_over_topplings_that_have_a_next():
    found = columns(planted(PROFILE))["branching_ratio"]
    np.testing.assert_allclose(found, [3 / 7, 1, 0, np.nan])


def test_the_efficiency_is_transport_by_toppling():
    found = planted(PROFILE)._replace(transport=np.array([7.0, 5.0, 6.0, 0.0]), threshold=np.array([2.0, 1.0, 0.0, 3.0]))
    np.testing.assert_allclose(columns(found)["transport"], [3.5, 5, np.nan, 0])
    np.testing.assert_allclose(columns(found)["efficiency"], [0.5, 0.25, np.nan, np.nan])


def test_of_many_fields_every_observable_is_that_of_each_avalanche():
    graph, fields = tdu.barabasi_albert(101), np.random.default_rng(0).standard_t(2, (5, 101))
    found = columns(avalanches(fields, graph, 0.3, 0.9, 20))
    assert list(found) == list(OBSERVABLES)
    for t, field in enumerate(fields):
        one = tdu.avalanche(field, graph)
        for name in ("size", "duration", "extent", "peak", "threshold", "dissipated", "capped"):
            assert found[name][t] == getattr(one, name), name
        assert found["transport"][t] == one.transport / one.threshold
        assert found["efficiency"][t] == one.transport / one.threshold / one.size
        profile = np.append(one.profile, np.zeros(20 - one.profile.size))
        assert found["branching_ratio"][t] == pytest.approx(profile[1:].sum() / profile[:-1].sum())
        cosine = field @ one.gradient / np.linalg.norm(field) / np.linalg.norm(one.gradient)
        assert found["deviation_angle"][t] == pytest.approx(np.arccos(cosine))


def test_large_fields_whose_work_space_is_not_kept_have_the_same_bits(monkeypatch):
    graph, fields = tdu.barabasi_albert(101), np.random.default_rng(0).standard_t(2, (3, 101))
    small = avalanches(fields, graph, 0.3, 0.9, 20)
    monkeypatch.setattr(cascades, "MIN_SITES_THREADED", 101)
    for workers in (1, 2):
        for one, other in zip(small, avalanches(fields, graph, 0.3, 0.9, 20, workers=workers), strict=True):
            np.testing.assert_array_equal(one, other)


def test_every_source_records_every_observable():
    xor = tdu.train_xor(5, epochs=20)
    network = tdu.train_network(NetworkConfig(modulus=7, width=8, epochs=20))
    for run in (xor, network):
        assert set(OBSERVABLES) <= set(run.columns)
        assert ((run.columns["branching_ratio"] >= 0) & (run.columns["branching_ratio"] < 2)).all()


@pytest.mark.parametrize("max_steps", [0, 1, 20])
@pytest.mark.parametrize("scale", [0.0, 1.0])  # where all is zero, nothing topples and the threshold is 0
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_observables_of_one_field_have_the_bits_of_those_of_many(max_steps, scale, precision):
    graph, fields = tdu.barabasi_albert(101), scale * np.random.default_rng(0).standard_t(2, (5, 101))
    many = columns(avalanches(fields, graph, 0.3, 0.9, max_steps, precision=precision))
    probe = tdu.Probe(graph, max_steps=max_steps, draws=0, precision=precision).of_run(Layout.unknown(101))
    for t, field in enumerate(fields):
        one, nulls = probe.snapshot(field, t)
        assert nulls == {}
        assert {name: np.float64(value).tobytes() for name, value in one.items()} == {
            name: np.float64(values[t]).tobytes() for name, values in many.items()
        }
