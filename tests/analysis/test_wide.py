"""Sizes of narrow and wide networks by phase, on a planted log; and runs that diverge, which are counted and no crash."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tdu.analysis import wide
from tdu.config import StudyConfig
from tdu.errors import DivergedError
from tdu.experiments import large_n
from tdu.training.xor import run_of_study
from tests import planted

EPOCH = np.arange(0, 301, 5)
#: Epochs at which runs grok; the last run of the largest scale never does.
GROKKED = np.array([[40, 60, 80], [40, 60, 80], [60, 60, 60], [50, 100, planted.NEVER]])


def log():
    """s = 2 N early, 3 N around grokking and 0.3 N^1.2 late, of every run."""
    size = np.zeros((*GROKKED.shape, EPOCH.size))
    own = GROKKED[..., None]
    n = np.broadcast_to(planted.N_SITES[:, None, None].astype(float), size.shape)
    for inside, planted_size in (
        (own / 2 >= EPOCH, 2 * n),
        (abs(EPOCH - own) <= 10, 3 * n),
        (EPOCH + 0 * own > 200, 0.3 * n**1.2),
    ):
        size[inside] = planted_size[inside]
    scatter = np.array([0.99, 1.0, 1.01])[:, None] ** np.array([1, -1, 1, -1])[:, None, None]
    return planted.log_of(size * scatter, GROKKED, EPOCH)


def test_phases_are_counted_by_each_run_and_one_that_never_groks_has_a_late_one_alone():
    sizes = wide.sizes_of(log())
    n = planted.N_SITES[:, None]
    mean = np.array([0.99, 1.0, 1.01]) ** np.array([1, -1, 1, -1])[:, None]
    never = np.where(GROKKED == planted.NEVER, np.nan, 1)
    np.testing.assert_allclose(sizes["early"], 2 * n * mean * never)
    np.testing.assert_allclose(sizes["grokking"], 3 * n * mean * never)
    np.testing.assert_allclose(sizes["late"], 0.3 * n**1.2 * mean)
    inside = wide.phases_of(log())
    assert EPOCH[inside["early"][0, 1]].tolist() == [0, 5, 10, 15, 20, 25, 30]
    assert EPOCH[inside["grokking"][0, 0]].tolist() == [30, 35, 40, 45, 50]
    assert EPOCH[inside["late"][3, 2]].tolist() == list(range(205, 301, 5))
    assert not inside["early"][3, 2].any()


def test_shares_and_exponents_are_those_planted():
    of = log()
    sizes = wide.sizes_of(of)
    found = wide.share(of.n_sites, sizes["grokking"], 0)
    np.testing.assert_allclose(found.value, 3, atol=0.02)
    assert ((found.low < 3.02) & (found.high > 2.98) & (found.high - found.low < 0.4)).all()
    np.testing.assert_allclose(wide.local(of.n_sites, sizes["late"], 2, 0).value, 1.2, atol=0.01)
    ranges = {"all": of.scale > 0, "narrow": of.scale <= 120, "two": of.scale > 100}
    late = wide.exponents(of, sizes["late"], ranges)
    assert [one.hidden.tolist() for one in late] == [[20, 50, 120, 500], [20, 50, 120], [120, 500]]
    assert [one.dimension.value for one in late[:2]] == pytest.approx([1.2, 1.2], abs=0.005)
    assert late[0].dimension.low < 1.2 < late[0].dimension.high
    assert late[0].p > 0.05
    assert np.isnan(late[2].dimension.value)
    assert late[2].dimension.note == "fewer than three scales"


def test_a_null_is_compared_over_the_scales_and_runs_that_have_it():
    of = log()
    null = np.broadcast_to(of.size / 1.1, (2, *of.size.shape)).copy()
    null[:, 0] = np.nan  # the smallest scale was not probed
    null[:, 2:, 2] = np.nan  # nor a third run of the largest two
    dimension, more = wide.beside_null(replace(of, nulls={"permuted": null}), "permuted", "late")
    assert dimension.value == pytest.approx(0, abs=1e-9)
    assert more.value == pytest.approx(100 * np.log(1.1))
    growing = null * of.n_sites[:, None, None] ** -0.2
    assert wide.beside_null(replace(of, nulls={"permuted": growing}), "permuted", "late")[0].value == pytest.approx(0.2)
    null[:, 1] = np.nan
    dimension, more = wide.beside_null(replace(of, nulls={"permuted": null}), "permuted", "late")
    assert np.isnan(dimension.value)
    assert np.isnan(more.value)


SMALL = StudyConfig(
    hidden=(5, 6, 8, 10, 12, 20), replicates=3, epochs=20, snapshot_every=5, nulls=("permuted",), n_null_draws=1
)


def test_wide_scales_have_fewer_runs():
    config = large_n.EXPERIMENT.study
    assert {h: large_n.runs_of(config, h) for h in (20, 1000, 1200, 8000, 12000, 100000)} == {
        20: 12, 1000: 12, 1200: 8, 8000: 8, 12000: 4, 100000: 4
    }  # fmt: skip
    assert len(config.hidden) == 19


def test_a_run_that_diverged_is_counted_and_a_scale_of_such_is_a_row(monkeypatch):
    def diverging(config, hidden, replicate, **settings):
        if hidden == 20 or (hidden, replicate) == (5, 1):
            raise DivergedError("diverged")
        return run_of_study(config, hidden, replicate, **settings)

    monkeypatch.setattr(large_n, "run_of_study", diverging)
    with ThreadPoolExecutor(1) as executor:
        found = large_n._found("standard, shadow", SMALL, executor)
    assert found.diverged == {5: 1, 20: 3}
    assert found.log.scale.tolist() == [5, 6, 8, 10, 12]
    rows = {row["hidden"]: row for row in large_n._scale_rows(found)}
    whole = [(h, 3, 0) for h in (6, 8, 10, 12)]
    assert [(h, row["runs"], row["diverged"]) for h, row in rows.items()] == [(5, 2, 1), *whole, (20, 0, 3)]
    assert list(rows[20]) == list(rows[5])
    assert large_n._dynamics(found)["diverged"] == 4
