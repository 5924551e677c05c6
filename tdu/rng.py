"""Seeds as addresses: every random stream is named by its purpose, so that neither order nor the number of workers matters."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from tdu import _check
from tdu.kernels.elementary import quantiles_of_normal
from tdu.types import Floats

_IGRAPH_RANDOM = threading.Lock()


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
    PLANTED_FIELD = 8
    MEASURING_GRAPH = 9
    SITE_ORDER = 10
    SPECTRAL_NULL = 12
    SPECTRAL_PROBES = 13
    LABELS = 14


def _address(seed: int, stage: Stage, *where: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(int(stage), *where))


def generator(seed: int, stage: Stage, scale: int = 0, replicate: int = 0, *stream: int) -> np.random.Generator:
    """The generator at an address: the `seed`, the `stage`, the `scale`, the run of that scale, and which `stream` of it."""
    return np.random.default_rng(_address(seed, stage, scale, replicate, *stream))


def derived_seed(seed: int, stage: Stage, scale: int = 0, replicate: int = 0) -> int:
    """An integer seed for an address, for builders that take one (`tdu.barabasi_albert`)."""
    return int(_address(seed, stage, scale, replicate).generate_state(1, np.uint64)[0])


def normal(rng: np.random.Generator, shape: int | tuple[int, ...], scale: float = 1.0) -> Floats:
    """Independent normal numbers of mean 0 and standard deviation `scale`, the same bits on every processor.

    NumPy's own take a logarithm of the C library's in the tails.
    """
    return _made_normal(rng.random(shape), scale)


def normal_at_steps(seed: int, steps: npt.NDArray[np.integer], n: int, scale: float = 1.0) -> Floats:
    """Normal numbers (T, n) as of `normal`, those of each of `steps` (T,) its own, whatever the other steps are.

    The step is a word of the counter of which Philox makes random numbers; a generator made for each step would cost more than
    a small avalanche.
    """
    bits = np.random.Philox(key=seed)
    rng, state = np.random.Generator(bits), bits.state
    uniforms = np.empty((len(steps), n))
    for row, step in zip(uniforms, steps, strict=True):
        state["state"]["counter"][-1] = step
        bits.state = state
        rng.random(out=row)
    return _made_normal(uniforms, scale)


def _made_normal(uniforms: Floats, scale: float) -> Floats:
    values = np.empty(uniforms.size)
    quantiles_of_normal(uniforms.ravel(), float(scale), values)
    return values.reshape(uniforms.shape)


@contextmanager
def seeded_igraph(seed: int) -> Iterator[None]:
    """Have igraph draw from a generator seeded with `seed`; it has one for the whole process, hence the lock."""
    import igraph

    seed = _check.integer(seed, "seed", 0, _check.LARGEST_SEED)
    with _IGRAPH_RANDOM:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            yield
        finally:
            igraph.set_random_number_generator(random)
