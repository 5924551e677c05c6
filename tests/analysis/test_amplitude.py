"""ε over a null: planted amplitudes come back, constant ones without an exponent."""

import math
from dataclasses import replace

import numpy as np
import pytest

import tdu
from tdu.logs.amplitude import amplitude
from tests.planted import log_of

N = np.array([100, 300, 1000, 4000])


def planted(delta, constant, seed=0, draws=6):
    """A log whose log sizes lie `constant` + `delta` log(N/600) above those of its null, with the scatter of its draws."""
    rng = np.random.default_rng(seed)
    level = np.log(N)[:, None, None]
    scatter = 0.1 * rng.normal(size=(1 + draws, N.size, 4, 8))
    real = np.exp(level + constant + delta * (level - math.log(600)) + scatter[0])
    empty = tdu.Log(N, N, np.arange(8), {"size": real}, {"blocks": np.exp(level + scatter[1:])}, {}, np.full((4, 4), -1))
    return empty


@pytest.mark.parametrize(("delta", "constant"), [(0.0, 0.3), (0.25, 0.0), (-0.1, -0.2)])
def test_a_constant_amplitude_has_no_exponent_and_one_that_grows_has_its_own(delta, constant):
    found = tdu.epsilon(planted(delta, constant), "blocks")
    assert found.delta.value == pytest.approx(delta, abs=0.03)
    assert found.delta.low < delta < found.delta.high
    assert found.delta.high - found.delta.low < 0.12
    wanted = constant + delta * np.log(N / 600)
    np.testing.assert_allclose(found.value.mean(axis=(1, 2)), wanted, atol=0.06)
    np.testing.assert_allclose(found.z.mean(axis=(1, 2)), wanted / 0.1, rtol=0.5, atol=1)


def test_epsilon_and_z_are_those_of_the_definition():
    log = planted(0.1, 0.2)
    found = tdu.epsilon(log, "blocks")
    for s, k, t in ((0, 0, 0), (3, 2, 7)):
        drawn = [math.log(size) for size in log.nulls["blocks"][:, s, k, t]]
        mean = sum(drawn) / len(drawn)
        spread = math.sqrt(sum((one - mean) ** 2 for one in drawn) / (len(drawn) - 1))
        wanted = math.log(log.size[s, k, t]) - mean
        assert (found.value[s, k, t], found.z[s, k, t]) == (pytest.approx(wanted), pytest.approx(wanted / spread))


def test_the_exponent_is_the_slope_of_what_runs_have_on_average():
    log = planted(0.1, 0.2)
    found = tdu.epsilon(log, "blocks")
    assert found.delta.value == pytest.approx(np.polyfit(np.log(N), found.value.mean(axis=(1, 2)), 1)[0])
    assert found.delta.note.startswith(f"N = 100: ε = {found.value[0].mean():.3g}, z = {found.z[0].mean():.2g}; N = 300")


def test_what_is_not_known_is_left_out():
    found = amplitude(np.array([4.0, 0.0, np.nan, 4.0]), np.array([[2.0, 2, 2, 8], [2.0, 2, 2, np.nan]]))
    np.testing.assert_allclose(found.epsilon, [math.log(2), np.nan, np.nan, -math.log(2)])
    assert np.isnan(found.z).all()  # equal draws, no size, no run, a single draw
    log = planted(0.1, 0.2)
    sizes, drawn = log.size.copy(), log.nulls["blocks"].copy()
    sizes[1, 2, 5], drawn[:, 0, 1, 3] = np.nan, np.nan
    gaps = tdu.epsilon(replace(log.with_size(sizes), nulls={"blocks": drawn}), "blocks")
    assert np.argwhere(np.isnan(gaps.value)).tolist() == [[0, 1, 3], [1, 2, 5]]
    assert gaps.delta.value == pytest.approx(tdu.epsilon(log, "blocks").delta.value, abs=0.02)


def test_a_null_that_was_not_probed_and_two_scales_are_refused():
    with pytest.raises(tdu.InputError, match="the log has no null `signs`, but blocks: probe its runs with it"):
        tdu.epsilon(planted(0, 0), "signs")
    log = log_of(np.ones((2, 3, 4)))
    with pytest.raises(tdu.InputError, match="there are runs of 2 scales: an exponent needs three"):
        tdu.epsilon(replace(log, n_sites=N[:2], nulls={"blocks": log.size[None]}), "blocks")
