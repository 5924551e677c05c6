"""Layers, networks, optimisers and tasks, each against plain Python or finite differences; PyTorch is in test_torch.py."""

import numpy as np
import pytest

from tdu.models import layers, networks, tasks
from tdu.models.networks import TokenMLP, Transformer
from tdu.models.optimisers import SGD, AdamW, optimiser
from tests.reference import transformer as reference


def task_of(modulus=7, seed=0, name="addition"):
    return tasks.modular(name, modulus, 0.8, np.random.default_rng(seed))


def built(which):
    parity = tasks.parity(4, 3, 0.75, np.random.default_rng(1))
    return {
        "plain": lambda: Transformer(task_of(), 8, heads=2),
        "normed gelu": lambda: Transformer(task_of(), 8, heads=2, unit="gelu", layer_norm=True),
        "one head": lambda: Transformer(task_of(5), 4, heads=1, layer_norm=True),
        "parity": lambda: Transformer(parity, 8, heads=4, unit="gelu"),
        "xor": lambda: Transformer(tasks.parity(2, 2, 1.0, np.random.default_rng(0)), 4, heads=2),
        "mlp": lambda: TokenMLP(task_of(), 6),
        "mlp parity": lambda: TokenMLP(parity, 5, unit="gelu"),
    }[which]()


EVERY = ["plain", "normed gelu", "one head", "parity", "xor", "mlp", "mlp parity"]


def somewhere(network, seed=0, precision="float64"):
    """Parameters away from where biases are 0 and gains 1."""
    rng = np.random.default_rng(seed)
    theta = network.initial(rng, "float64")
    return (theta + 0.1 * rng.normal(size=theta.size)).astype(precision)


@pytest.mark.slow
@pytest.mark.parametrize("which", EVERY)
def test_every_block_of_the_gradient_is_that_of_central_differences(which):
    network = built(which)
    theta, train, step = somewhere(network), network.task.train, 1e-5
    _, _, gradient = network.loss_and_gradient(theta, train)
    slope = np.empty_like(theta)
    for i in range(theta.size):
        moved = theta.copy()
        moved[i] = theta[i] + step
        above = network.loss_and_gradient(moved, train)[0]
        moved[i] = theta[i] - step
        slope[i] = (above - network.loss_and_gradient(moved, train)[0]) / (2 * step)
    wanted = network.views(slope)
    for name, block in network.views(gradient).items():
        np.testing.assert_allclose(block, wanted[name], atol=2e-9, err_msg=name)
        assert np.abs(block).max() > 0, f"{name} has no gradient"


@pytest.mark.parametrize("which", ["plain", "normed gelu", "one head", "parity", "xor"])
def test_forward_and_loss_are_those_of_the_plain_reference(which):
    network = built(which)
    theta = somewhere(network)
    p = {name: view.tolist() for name, view in network.views(theta).items()}
    chosen = np.arange(len(network.task.tokens))[::3]
    normed = "norm0.gain" in network.shapes
    unit = "gelu" if network.unit_forward is layers.gelu_forward else "relu"
    wanted = [reference.logits_of(p, network.task.tokens[i].tolist(), network.heads, unit, normed) for i in chosen]
    np.testing.assert_allclose(network.logits(theta, chosen), wanted, rtol=1e-10, atol=1e-12)
    loss, accuracy, _ = network.loss_and_gradient(theta, chosen)
    answers = network.task.answers[chosen]
    assert loss == pytest.approx(reference.loss_of(wanted, answers.tolist()), rel=1e-12)
    assert accuracy == np.mean(np.argmax(wanted, axis=1) == answers)


@pytest.mark.parametrize("which", EVERY)
def test_single_precision_is_the_same_but_for_rounding(which):
    network = built(which)
    theta = somewhere(network, precision="float32")
    loss, accuracy, gradient = network.loss_and_gradient(theta, network.task.train)
    wanted = network.loss_and_gradient(theta.astype(np.float64), network.task.train)
    assert gradient.dtype == np.float32
    assert network.logits(theta, network.task.train).dtype == np.float32
    assert loss == pytest.approx(wanted[0], rel=1e-5)
    assert accuracy == wanted[1]
    np.testing.assert_allclose(gradient, wanted[2], atol=1e-6)


def test_a_batch_in_parts_gives_the_same(monkeypatch):
    network = built("normed gelu")
    theta = somewhere(network)
    whole = network.loss_and_gradient(theta, network.task.train)
    monkeypatch.setattr(networks, "_ACTIVATIONS_IN_CACHE", 7 * network.widest)
    parts = network.loss_and_gradient(theta, network.task.train)
    assert parts[0] == pytest.approx(whole[0], rel=1e-13)
    assert parts[1] == whole[1]
    np.testing.assert_allclose(parts[2], whole[2], atol=1e-15)


def test_parameters_are_as_many_as_the_formula_says():
    network = Transformer(task_of(59), 16)
    assert network.layout.n_sites == 12 * 16**2 + 127 * 16
    assert Transformer(task_of(59), 16, layer_norm=True).layout.n_sites == 12 * 16**2 + 133 * 16
    views = network.views(np.arange(float(network.layout.n_sites)))
    assert np.concatenate([view.ravel() for view in views.values()]).tolist() == list(range(network.layout.n_sites))


def test_a_network_learns_xor():
    network = built("xor")
    theta = network.initial(np.random.default_rng(0), "float64")
    method = AdamW(theta, 1e-2)
    for t in range(1, 201):
        _, accuracy, gradient = network.loss_and_gradient(theta, network.task.train)
        method.step(theta, gradient, t)
    assert accuracy == 1


GRADIENTS = np.random.default_rng(2).normal(size=(6, 5))
START = np.random.default_rng(3).normal(size=5)


def stepped(method, theta):
    for t, gradient in enumerate(GRADIENTS, 1):
        method.step(theta, gradient.astype(theta.dtype), t)
    return theta


@pytest.mark.parametrize(("decay", "epsilon"), [(0.0, 1e-8), (0.5, 1e-8), (2.0, 0.1)])
def test_adamw_is_the_plain_one(decay, epsilon):
    theta = START.copy()
    stepped(AdamW(theta, 0.01, decay, (0.9, 0.98), epsilon), theta)
    wanted = reference.adamw(START.tolist(), GRADIENTS.tolist(), 0.01, decay, 0.9, 0.98, epsilon)
    np.testing.assert_allclose(theta, wanted, rtol=1e-13)
    single = START.astype(np.float32)
    stepped(AdamW(single, 0.01, decay, (0.9, 0.98), epsilon), single)
    np.testing.assert_allclose(single, wanted, rtol=2e-6)


@pytest.mark.parametrize(("decay", "momentum"), [(0.0, 0.0), (0.5, 0.0), (0.5, 0.9)])
def test_sgd_and_momentum_are_the_plain_ones(decay, momentum):
    theta = START.copy()
    stepped(SGD(theta, 0.01, decay, momentum), theta)
    np.testing.assert_allclose(theta, reference.sgd(START.tolist(), GRADIENTS.tolist(), 0.01, decay, momentum), rtol=1e-13)


def test_optimisers_by_name():
    assert isinstance(optimiser("adamw", START.copy(), 0.1, 0), AdamW)
    assert optimiser("sgd", START.copy(), 0.1, 0).moments == {}
    assert list(optimiser("momentum", START.copy(), 0.1, 0).moments) == ["velocity"]
    with pytest.raises(ValueError, match="`optimiser` must be one of adamw, sgd, momentum, but it is adam"):
        optimiser("adam", START, 0.1, 0)


OPERATIONS = {
    "addition": lambda a, b, c, p: (a + b - c) % p,
    "subtraction": lambda a, b, c, p: (a - b - c) % p,
    "division": lambda a, b, c, p: (b * c - a) % p,
    "polynomial": lambda a, b, c, p: (a**2 + a * b + b**2 - c) % p,
}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_modular_tasks_hold_every_pair_once_with_its_answer(name):
    p = 11
    task = task_of(p, name=name)
    pairs = [tuple(pair) for pair in task.tokens.tolist()]
    assert len(set(pairs)) == len(pairs) == p * (p - 1 if name == "division" else p)
    for (a, b), answer in zip(pairs, task.answers.tolist(), strict=True):
        assert OPERATIONS[name](a, b, answer, p) == 0
        assert 0 <= answer < p
    assert np.array_equal(np.sort(np.concatenate([task.train, task.test])), np.arange(len(pairs)))
    assert len(task.train) == round(0.8 * len(pairs))
    assert not np.array_equal(task.train, task_of(p, 1, name).train)
    assert np.array_equal(task.train, task_of(p, 0, name).train)


def test_parity_and_xor():
    task = tasks.parity(5, 2, 0.5, np.random.default_rng(0))
    assert task.tokens.shape == (32, 5)
    assert all(answer == (bits[0] ^ bits[1]) for bits, answer in zip(task.tokens.tolist(), task.answers, strict=True))
    xor = tasks.parity(2, 2, 1.0, np.random.default_rng(0))
    assert xor.tokens.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert xor.answers.tolist() == [0, 1, 1, 0]
    assert xor.test.size == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda rng: tasks.modular("addition", 1, 0.8, rng), "`modulus` must be at least 2, but it is 1"),
        (lambda rng: tasks.modular("power", 7, 0.8, rng), "`task` must be one of addition, subtraction"),
        (lambda rng: tasks.modular("division", 9, 0.8, rng), "`modulus` must be prime for division, but 9 is not"),
        (lambda rng: tasks.modular("addition", 3, 0.01, rng), "0.01 of the 9 sequences of addition mod 3 leaves none"),
        (lambda rng: tasks.parity(3, 4, 0.5, rng), "`n_relevant` must be at most 3, but it is 4"),
        (lambda rng: Transformer(task_of(), 6), "`width` 6 cannot be shared by 4 heads"),
        (lambda rng: Transformer(task_of(), 8, unit="tanh"), "`unit` must be one of relu, gelu, but it is tanh"),
        (lambda rng: Transformer(task_of(), 8).views(np.zeros(3)), r"`theta` has shape \(3,\) but the network has"),
    ],
)
def test_what_cannot_be_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(np.random.default_rng(0))
