"""Networks, optimisers and runs are those of PyTorch: against vectors it made once, and live where `make test-torch` has it.

tests/oracles/torch_vectors.py made them in double precision, at parameters and gradients that single precision holds exactly.
Tolerances are shares of the largest entry of a block. What was seen in the vectors kept: 5e-15 of a gradient and 4e-16 of a run
and of a step; in single precision 8e-7 and 3e-7. Over thirty other seeds: 5e-14, 4e-15 and 6e-16; 9e-6 and 5e-7.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import tdu
from tdu.models import mlp, optimisers
from tdu.models.networks import TokenMLP, Transformer
from tdu.models.tasks import Task
from tdu.rng import Stage, generator
from tdu.training.loop import State, train

KEPT = json.loads((Path(__file__).parent / "oracles" / "torch.json").read_text())
DOUBLE = 1e-13
#: torch's name → tdu's, of blocks that have the same shape.
NAMES = {
    "tokens.weight": "tokens", "positions.weight": "positions", "attention.out_proj.weight": "output",
    "unembedding.weight": "unembedding", **{f"norm{k}.weight": f"norm{k}.gain" for k in range(3)},
}  # fmt: skip
MOMENTS = {"first": "exp_avg", "second": "exp_avg_sq", "velocity": "momentum_buffer"}


@pytest.fixture(scope="module", params=["kept", *(pytest.param(seed, marks=pytest.mark.torch) for seed in range(3))])
def vectors(request):
    if request.param == "kept":
        return KEPT
    from tests.oracles import torch_vectors

    return torch_vectors.made(request.param)


def close(found, wanted, share, what=""):
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=share * np.abs(wanted).max(), err_msg=what)


def blocks_of(theirs):
    """Arrays by tdu's names."""
    blocks = {}
    for name, block in theirs.items():
        if name == "attention.in_proj_weight":
            blocks |= zip(("query", "key", "value"), np.split(np.array(block), 3), strict=True)
        elif name == "hidden.weight":  # a column for every entry of the one-hot vectors
            blocks["tokens"] = np.transpose(block)
        else:
            blocks[NAMES.get(name, name)] = np.array(block)
    return blocks


def task_of(vectors, name):
    task = vectors["tasks"][name]
    arrays = {"tokens": np.int32, "answers": np.int64, "train": np.int64, "test": np.int64}
    return Task(name, **task | {key: np.array(task[key], kind) for key, kind in arrays.items()})


def planted(vectors, name, precision):
    """The network of that name, and its parameters."""
    case = vectors["networks"][name]
    if "heads" in case:
        network = Transformer(task_of(vectors, case["task"]), case["width"], case["heads"], case["unit"], case["layer_norm"])
    else:
        network = TokenMLP(task_of(vectors, case["task"]), case["width"], case["unit"])
    theta = np.empty(network.layout.n_sites, precision)
    fill(network.views(theta), case["parameters"])
    return network, theta


def fill(views, theirs):
    blocks = blocks_of(theirs)
    assert {name: view.shape for name, view in views.items()} == {name: blocks[name].shape for name in views}
    assert len(blocks) == len(views)
    for name, view in views.items():
        view[:] = blocks[name]


@pytest.mark.parametrize(("precision", "share"), [("float64", DOUBLE), ("float32", 1e-5)])
@pytest.mark.parametrize("name", KEPT["networks"])
def test_logits_loss_and_every_block_of_the_gradient_of_a_network(vectors, name, precision, share):
    network, theta = planted(vectors, name, precision)
    wanted = vectors["networks"][name]
    close(network.logits(theta, network.task.test), wanted["logits"], share)
    loss, _, gradient = network.loss_and_gradient(theta, network.task.train)
    assert loss == pytest.approx(wanted["loss"], rel=share)
    of_blocks = blocks_of(wanted["gradient"])
    for block, found in network.views(gradient).items():
        close(found, of_blocks[block], share, block)
        assert np.abs(found).max() > 0, f"{block} has no gradient"


@pytest.mark.parametrize("name", KEPT["runs"])
def test_a_run_of_full_batch_updates(vectors, name):
    wanted = vectors["runs"][name]
    network, theta = planted(vectors, wanted["network"], "float64")
    method = optimisers.optimiser(name, theta, wanted["learning_rate"], wanted["weight_decay"])
    state = State(theta, method.moments)
    train(network, network.task, method, state, wanted["epochs"], 1, lambda gradient, epoch: ({}, {}))
    for curve in ("loss", "accuracy", "test_accuracy"):
        np.testing.assert_allclose([row.columns[curve] for row in state.rows], wanted[curve], rtol=DOUBLE, err_msg=curve)
    ends = blocks_of(wanted["parameters"])
    for block, found in network.views(theta).items():
        close(found, ends[block], DOUBLE, block)


@pytest.mark.parametrize(("precision", "share"), [("float64", 1e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("name", KEPT["optimisers"])
def test_every_step_of_an_optimiser(vectors, name, precision, share):
    case = vectors["optimisers"][name]
    gradients, thetas = np.array(case["gradients"]), np.array([case["start"], *case["theta"]])
    theta = thetas[0].astype(precision)
    if "betas" in case:
        method = optimisers.AdamW(theta, case["learning_rate"], case["weight_decay"], case["betas"], case["epsilon"])
    else:
        method = optimisers.SGD(theta, case["learning_rate"], case["weight_decay"], case["momentum"])
    # of every entry apart: that of a gradient beside ε weighs as much as that of one ten thousand million times larger
    for t, gradient in enumerate(gradients.astype(precision), 1):
        method.step(theta, gradient, t)
        assert (np.abs(theta - thetas[t]) <= share * np.abs(thetas).max(axis=0)).all(), f"step {t}"
    assert {MOMENTS[moment] for moment in method.moments} == set(case["moments"])
    for moment, found in method.moments.items():
        unit = np.abs(gradients).max(axis=0) ** (2 if moment == "second" else 1)
        off = np.abs(found - case["moments"][MOMENTS[moment]])
        assert (off <= share * unit).all(), moment


def flat(theirs):
    """As the MLP d → h → 1 has them: torch's parameters one behind another."""
    return np.concatenate([np.ravel(block) for block in theirs.values()])


@pytest.mark.parametrize("name", KEPT["xor"])
def test_loss_and_every_block_of_the_gradient_of_the_mlp(vectors, name):
    case = vectors["xor"][name]
    n_inputs = len(case["inputs"][0])
    loss, gradient = mlp.loss_and_gradient(flat(case["parameters"]), case["inputs"], case["targets"], case["activation"])
    assert loss == pytest.approx(case["loss"], rel=DOUBLE)
    wanted = flat(case["gradient"])
    if name.startswith("saturated"):  # of the slope of such a unit, 1 − h² or h (1 − h), neither has a digit left
        close(gradient, wanted, DOUBLE)
        return
    of_blocks = mlp.parameter_views(wanted, n_inputs)
    for block, found in mlp.parameter_views(gradient, n_inputs).items():
        close(found, of_blocks[block], DOUBLE, block)


@pytest.mark.parametrize("activation", KEPT["xor_runs"])
def test_a_run_on_xor_from_torchs_initialisation(vectors, activation):
    wanted = vectors["xor_runs"][activation]
    hidden, seed = wanted["hidden"], wanted["seed"]
    start = mlp.initial_parameters(hidden, generator(seed, Stage.PARAMETERS, hidden))
    np.testing.assert_allclose(start, flat(wanted["parameters"]), rtol=1e-15)
    settings = {name: wanted[name] for name in ("epochs", "learning_rate", "inputs")}
    run = tdu.train_xor(hidden, seed, activation=activation, alpha_train=0, **settings)
    np.testing.assert_allclose(run.loss, wanted["loss"], rtol=DOUBLE)
    assert run.accuracy.tolist() == wanted["accuracy"]


@pytest.mark.torch
def test_the_kept_vectors_are_what_torch_gives():
    from tests.oracles import torch_vectors

    assert KEPT["seed"] == torch_vectors.SEED
    same(KEPT, torch_vectors.made(), "torch.json")


def same(kept, given, where):
    if isinstance(kept, dict):
        assert kept.keys() == given.keys(), where
        for key in kept.keys() - {"versions"}:
            same(kept[key], given[key], f"{where}: {key}")
    elif isinstance(kept, str):
        assert kept == given, where
    else:
        close(given, kept, DOUBLE, where)
