import math

import numpy as np
import pytest

import tdu
from tdu.models import mlp
from tdu.rng import Stage, derived_seed, generator
from tdu.training.xor import PATTERNS, TARGETS
from tests.reference import training as reference
from tests.strategies import neighbours

EPOCHS = 40


def reference_run(hidden, seed, initialisation="pytorch", inputs="binary", **settings):
    theta = mlp.initial_parameters(hidden, generator(seed, Stage.PARAMETERS, hidden, 0), initialisation=initialisation)
    graph = tdu.barabasi_albert(theta.size, seed=derived_seed(seed, Stage.GRAPH, hidden, 0))
    fixed = {"learning_rate": 0.5, "quantile": 0.9, "max_steps": 20, "epochs": EPOCHS}
    return reference.train(theta.tolist(), PATTERNS[inputs].tolist(), TARGETS.tolist(), neighbours(graph), **fixed, **settings)


@pytest.mark.parametrize(
    ("alpha", "alpha_train", "every"),
    [(0.3, 0.3, 10), (0.3, 0.0, 5), (0.3, 0.1, 1), (0.5, 0.5, 7)],
    ids=["in-line", "shadow", "another alpha trains", "snapshots that miss the last epoch"],
)
def test_follows_the_plain_run(alpha, alpha_train, every):
    wanted = reference_run(8, 3, alpha=alpha, alpha_train=alpha_train, snapshot_every=every)
    found = tdu.train_xor(8, seed=3, epochs=EPOCHS, alpha=alpha, alpha_train=alpha_train, snapshot_every=every)
    same_run(found, wanted)


@pytest.mark.parametrize(
    "recipe",
    [
        {"activation": "relu", "initialisation": "he", "inputs": "bipolar"},
        {"activation": "sigmoid", "initialisation": "normal-1", "inputs": "binary"},
        {"activation": "relu", "initialisation": "xavier", "inputs": "binary"},
    ],
    ids=lambda recipe: " ".join(recipe.values()),
)
def test_follows_the_plain_run_of_other_recipes(recipe):
    wanted = reference_run(8, 3, alpha=0.3, alpha_train=0.3, snapshot_every=10, **recipe)
    same_run(tdu.train_xor(8, seed=3, epochs=EPOCHS, alpha=0.3, **recipe), wanted)


def same_run(found, wanted):
    # tanh may differ in its last bit from one mathematical library to another: curves to rounding, counts as they are
    of_run = {**found.curves, **found.columns, "epoch": found.epoch}
    for name in ("loss", "accuracy", "gini", "threshold", "transport", "deviation_angle"):
        np.testing.assert_allclose(of_run[name], wanted[name], rtol=1e-9, atol=1e-7, err_msg=name)
    for name in ("epoch", "size", "duration", "extent", "peak"):
        assert of_run[name].tolist() == wanted[name], name


def test_shapes_and_invariants_of_a_run():
    run = tdu.train_xor(20, seed=1, epochs=120)
    assert run.n_sites == 81
    assert run.loss.shape == run.accuracy.shape == run.gini.shape == (121,)
    assert run.epoch.tolist() == list(range(0, 121, 10))
    column = run.columns
    assert {values.shape for values in column.values()} == {(13,)}
    assert (column["peak"] <= column["extent"]).all()
    assert (column["extent"] <= run.size).all()
    assert (column["dissipated"] == 0).all()  # a Barabási–Albert graph has no isolated site
    assert ((column["deviation_angle"] > 0) & (column["deviation_angle"] < math.pi / 2)).all()
    assert run.loss[-1] < run.loss[0]


def test_alpha_train_defaults_to_alpha_and_zero_is_plain_gradient_descent():
    inline, same = tdu.train_xor(10, epochs=30), tdu.train_xor(10, epochs=30, alpha_train=0.3)
    assert np.array_equal(inline.loss, same.loss)
    shadow = tdu.train_xor(10, epochs=30, alpha_train=0)
    other = tdu.train_xor(10, epochs=30, alpha=0.5, alpha_train=0, snapshot_every=1)
    assert np.array_equal(shadow.loss, other.loss)  # a shadow probe, whatever its settings, leaves training alone
    assert not np.array_equal(shadow.loss, inline.loss)


def test_a_measured_epoch_trains_like_an_unmeasured_one():
    dense, sparse = tdu.train_xor(10, epochs=30, snapshot_every=1), tdu.train_xor(10, epochs=30, snapshot_every=10)
    assert np.array_equal(dense.loss, sparse.loss)
    assert np.array_equal(dense.size[::10], sparse.size)


def test_runs_differ_by_seed_and_by_replicate():
    losses = {tuple(tdu.train_xor(5, seed=s, epochs=1, replicate=r).loss) for s in (0, 1) for r in (0, 1)}
    assert len(losses) == 4


@pytest.mark.compiled  # interpreted, NumPy warns of the overflow before the run is over
def test_a_diverging_run_is_an_error_not_a_log():
    with pytest.raises(ValueError, match=r"`learning_rate` 1.7e\+308 diverged at h = 5, epoch"):
        tdu.train_xor(5, epochs=20, learning_rate=1.7e308)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"hidden": 0}, ValueError, "`hidden` must be at least 1"),
        ({"hidden": 2.5}, TypeError, "`hidden` must be an integer"),
        ({"epochs": -1}, ValueError, "`epochs`"),
        ({"alpha": 2}, ValueError, "`alpha` must lie in"),
        ({"alpha_train": -1}, ValueError, "`alpha_train` must lie in"),
        ({"quantile": 1}, ValueError, "`quantile` must lie in"),
        ({"snapshot_every": 0}, ValueError, "`snapshot_every`"),
        ({"seed": -1}, ValueError, "`seed`"),
        ({"learning_rate": float("nan")}, ValueError, "`learning_rate`"),
        ({"activation": "gelu"}, ValueError, "`activation` must be one of tanh, relu, sigmoid, but it is gelu"),
        ({"initialisation": None}, TypeError, "`initialisation` must be a name, but it is None"),
        ({"inputs": "0/1"}, ValueError, "`inputs` must be one of binary, bipolar, but it is 0/1"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        tdu.train_xor(**{"hidden": 5, "epochs": 1, **settings})


def test_a_run_of_no_epochs_is_the_start_of_one_of_some():
    nothing, some = tdu.train_xor(hidden=5, epochs=0), tdu.train_xor(hidden=5, epochs=3)
    for name in ("loss", "accuracy", "gini", "size"):
        assert getattr(nothing, name).tolist() == getattr(some, name)[:1].tolist(), name
