"""Seeds as addresses: every random stream is named by its purpose, so that neither order nor the number of workers matters."""

from enum import IntEnum

import numpy as np


class Stage(IntEnum):
    """What a stream is for; the first component of its address. Numbers are never reused."""

    PARAMETERS = 0
    GRAPH = 1
    BOOTSTRAP = 2
    SYNTHETIC_FIELD = 3
    SYNTHETIC_GRAPH = 4
    NULL = 5
    PERMUTATION = 6
    SPLIT = 7


def _address(seed: int, stage: Stage, *where: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(int(stage), *where))


def generator(seed: int, stage: Stage, scale: int = 0, replicate: int = 0, *stream: int) -> np.random.Generator:
    """The generator at an address: the `seed`, the `stage`, the `scale`, the run of that scale, and which `stream` of it."""
    return np.random.default_rng(_address(seed, stage, scale, replicate, *stream))


def derived_seed(seed: int, stage: Stage, scale: int = 0, replicate: int = 0) -> int:
    """An integer seed for an address, for builders that take one (`tdu.barabasi_albert`)."""
    return int(_address(seed, stage, scale, replicate).generate_state(1, np.uint64)[0])
