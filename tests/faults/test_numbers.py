"""Numbers that are none of NumPy's, or too large to be added."""

import json
from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np
import pytest

import tdu
from tdu import _validate
from tdu.avalanches.cascades import Meter, sizes_of
from tdu.config import GrokkingConfig, SyntheticConfig
from tdu.errors import InputError, InputTypeError

HUGE = (10**400, -(10**400), 10**5000, Fraction(10**400), Fraction(10**400, 3))
RING = tdu.ring(6, k=2)
FIELD = np.array([1.0, 2.0, 3.0, -4.0, 5.0, -6.0])


@pytest.mark.parametrize("huge", HUGE, ids=["1e400", "-1e400", "1e5000", "fraction", "third"])
@pytest.mark.parametrize(
    "call",
    [
        lambda huge: tdu.avalanche(FIELD, RING, alpha=huge),
        lambda huge: tdu.avalanche(FIELD, RING, quantile=huge),
        lambda huge: tdu.avalanche(FIELD, RING, threshold=huge),
        lambda huge: tdu.avalanche(FIELD, RING, max_steps=huge),
        lambda huge: tdu.avalanche([huge] * 6, RING),
        lambda huge: tdu.ring(huge),
        lambda huge: tdu.barabasi_albert(10, seed=huge),
        lambda huge: tdu.random_graph(20, huge),
        lambda huge: tdu.train_xor(5, epochs=2, learning_rate=huge),
        lambda huge: tdu.train_xor(huge),
        lambda huge: tdu.ccdf([huge]),
        lambda huge: tdu.scaling_exponent([huge, 2, 3], [1, 2, 3]),
        lambda huge: tdu.Probe(seed=huge),
        lambda huge: SyntheticConfig(std=huge),
        lambda huge: tdu.train_network(tdu.NetworkConfig(modulus=huge)),
    ],
)
def test_numbers_without_a_float_are_refused_by_name(call, huge):
    with pytest.raises(InputError) as raised:
        call(huge)
    assert len(str(raised.value)) < 700


def test_fractions_are_the_floats_they_are_near():
    third = tdu.avalanche(FIELD, RING, alpha=Fraction(1, 3), quantile=Fraction(1, 2))
    assert third.gradient.tolist() == tdu.avalanche(FIELD, RING, alpha=1 / 3, quantile=0.5).gradient.tolist()
    config = tdu.NetworkConfig(modulus=5, width=4, epochs=20, learning_rate=Fraction(1, 1000), alpha=Fraction(1, 3))
    assert config == replace(config, learning_rate=0.001, alpha=1 / 3)
    assert json.loads(json.dumps(asdict(config)))["alpha"] == 1 / 3
    assert tdu.train_network(config).size.size == 3


def test_whole_numbers_and_those_of_numpy_are_kept_as_json_knows_them():
    config = tdu.StudyConfig(epochs=np.int64(3), alpha=np.float32(0.5), alpha_train=0)
    assert json.dumps([config.epochs, config.alpha, config.alpha_train]) == "[3, 0.5, 0]"


@pytest.mark.parametrize("value", [float("-inf"), float("nan"), 1, 0.0, "yes"])
def test_a_switch_is_true_or_false(value):
    for made in (
        lambda: tdu.NetworkConfig(layer_norm=value),
        lambda: GrokkingConfig(layer_norm=value),
        lambda: SyntheticConfig(edges=value),
        lambda: tdu.Probe(ranked=value),
        lambda: tdu.Probe(profiles=value),
    ):
        with pytest.raises(InputTypeError, match="must be True or False"):
            made()


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_no_sum_of_an_avalanche_leaves_the_finite_numbers(precision):
    """With α = 1 a site that gathers more than the largest float became nan, which never topples: a wrong size, unnoticed."""
    largest = _validate.LARGEST[np.dtype(precision)]
    field = np.full(6, largest)
    for alpha in (0.5, 1):
        found = tdu.avalanche(field, RING, alpha=alpha, threshold=1.0, max_steps=1000, precision=precision)
        assert np.isfinite(found.gradient).all()
        assert np.isfinite(found.transport)
        assert np.abs(found.gradient).sum() == pytest.approx(6 * largest, rel=1e-5)
    field[4] *= -2
    for call in (
        lambda: tdu.avalanche(field, RING, precision=precision),
        lambda: sizes_of(field[None], RING, 0.3, 0.9, 20, precision=precision),
        lambda: Meter(RING, 0.3, 0.9, 20, precision=precision)(field.astype(precision)),
    ):
        with pytest.raises(InputError, match=rf"must not exceed [\d.e+]+ in {precision}, but entry (0, )?4 is -"):
            call()


def test_a_star_gathers_what_it_is_given_and_stays_finite():
    n = 1001
    star = tdu.Graph.from_edges(n, [(0, leaf) for leaf in range(1, n)])
    found = tdu.avalanche(np.full(n, 2.0**960), star, alpha=1, threshold=1.0, max_steps=50)
    assert np.isfinite(found.gradient).all()
    assert found.capped
    assert found.size == sum(found.profile)


def test_a_training_that_diverges_leaves_the_run_until_then_and_says_so(tmp_path):
    config = tdu.NetworkConfig(modulus=5, width=8, epochs=400, optimiser="sgd", learning_rate=1e6, snapshot_every=1)
    for _ in range(2):  # and says it again
        with pytest.raises(InputError, match=r"training diverged at epoch \d+: lower `learning_rate`"):
            tdu.train_network(config, tmp_path)
    with pytest.warns(UserWarning, match=r"s00008-r00\.npz: training diverged at step \d+, where the run ends"):
        log = tdu.load(tmp_path)
    assert log.step.tolist() == list(range(log.step.size))
    assert np.isfinite(log.size).all()
