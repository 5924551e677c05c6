"""Tasks: sequences of tokens, each to be answered with a class; some train the network, the rest test it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np

from tdu import _check
from tdu.config import NetworkConfig
from tdu.errors import InputError
from tdu.types import Indices, Integers


@dataclass(frozen=True, eq=False)
class Task:
    """All sequences of a task with their answers, split into training and test.

    Attributes
    ----------
    tokens : (B, L) int32 in 0 … n_tokens − 1.
    answers : (B,) int64 in 0 … n_classes − 1.
    train, test : row numbers of `tokens`, ascending; together they are all rows, and `test` may be empty.
    """

    name: str
    tokens: Indices
    answers: Integers
    n_tokens: int
    n_classes: int
    train: Integers
    test: Integers


_MODULAR: dict[str, Callable[[Integers, Integers, int], Integers]] = {
    "addition": lambda a, b, p: (a + b) % p,
    "subtraction": lambda a, b, p: (a - b) % p,
    "division": lambda a, b, p: a * _inverses(p)[b] % p,
    "polynomial": lambda a, b, p: (a * a + a * b + b * b) % p,
}


def modular(name: str, modulus: int, train_fraction: float, rng: np.random.Generator) -> Task:
    """All pairs under a ∘ b mod p (Power et al., arXiv:2201.02177): ``addition``, ``subtraction``, ``division`` (b ≠ 0) or
    ``polynomial``, a² + ab + b².

    Raises
    ------
    ValueError
        For an unknown name, a modulus below 2, one that is not prime where division needs its inverses, or a fraction that
        leaves nothing to train on.
    """
    _check.choice(name, "task", tuple(_MODULAR))
    p = _check.integer(modulus, "modulus", 2, 2**15)
    if name == "division" and any(p % k == 0 for k in range(2, p)):
        raise InputError(f"`modulus` must be prime for division, but {p} is not")
    a, b = (part.ravel() for part in np.meshgrid(np.arange(p), np.arange(p), indexing="ij"))
    if name == "division":
        a, b = a[b > 0], b[b > 0]
    return _task(f"{name} mod {p}", np.stack([a, b], axis=1), _MODULAR[name](a, b, p), p, p, train_fraction, rng)


def parity(n_bits: int, n_relevant: int, train_fraction: float, rng: np.random.Generator) -> Task:
    """The parity of the first `n_relevant` of `n_bits` bits, for all 2^n_bits patterns: XOR is ``parity(2, 2, 1.0, rng)``."""
    n_bits = _check.integer(n_bits, "n_bits", 1, 20)
    n_relevant = _check.integer(n_relevant, "n_relevant", 1, n_bits)
    patterns = np.array(list(product((0, 1), repeat=n_bits)))
    answers = patterns[:, :n_relevant].sum(axis=1) % 2
    return _task(f"parity of {n_relevant} in {n_bits}", patterns, answers, 2, 2, train_fraction, rng)


def _inverses(p: int) -> Integers:
    """(p,): b⁻¹ mod p at index b; 0 at index 0."""
    return np.array([0, *(pow(b, -1, p) for b in range(1, p))])


def _task(
    name: str,
    tokens: Integers,
    answers: Integers,
    n_tokens: int,
    n_classes: int,
    train_fraction: float,
    rng: np.random.Generator,
) -> Task:
    fraction = _check.real(train_fraction, "train_fraction", 0, 1)
    n_train = round(fraction * len(tokens))
    if n_train == 0:
        raise InputError(f"`train_fraction` {fraction:g} of the {len(tokens)} sequences of {name} leaves none to train on")
    order = rng.permutation(len(tokens))
    train, test = np.sort(order[:n_train]), np.sort(order[n_train:])
    return Task(name, tokens.astype(np.int32), answers.astype(np.int64), n_tokens, n_classes, train, test)


def with_shuffled_labels(task: Task, rng: np.random.Generator) -> Task:
    """The task with its answers permuted over all sequences: as many of each to be learnt by heart, and no rule in them."""
    return replace(task, name=f"{task.name}, shuffled labels", answers=rng.permutation(task.answers))


class NamedTask(NamedTuple):
    """A task by name: the `settings` that are its own, and what builds it from a configuration and the split's generator."""

    settings: tuple[str, ...]
    build: Callable[[NetworkConfig, np.random.Generator], Task]


def _modular(config: NetworkConfig, rng: np.random.Generator) -> Task:
    return modular(config.task, config.modulus, config.train_fraction, rng)


def _parity(config: NetworkConfig, rng: np.random.Generator) -> Task:
    return parity(config.n_bits, config.n_relevant, config.train_fraction, rng)


#: By name. A further task is a function above, a line here, and its name and settings in `tdu.config`.
TASKS: dict[str, NamedTask] = {
    **dict.fromkeys(_MODULAR, NamedTask(("modulus",), _modular)),
    "parity": NamedTask(("n_bits", "n_relevant"), _parity),
}


def settings_of_others(name: str) -> set[str]:
    """The settings of tasks other than `name`, which mean nothing to it."""
    return {setting for task in TASKS.values() for setting in task.settings} - set(TASKS[name].settings)
