"""Means of gradients over consecutive steps, added up in place as training goes."""

import math

import numpy as np
import numpy.typing as npt

from tdu.avalanches.gauges import norm
from tdu.kernels.measures import dot
from tdu.types import Fields

#: A window that is no number of steps: the mean is the first moment that an optimiser keeps.
MOMENT = "moment"


class Averager:
    """The mean of the `window` consecutive gradients (N,) that end at a snapshot, one at every `every`-th step.

    As many sums are kept as windows are open at once: one where `window` is not above `every`. All that later steps depend on
    is in `arrays`, by name, which are changed in place.

    Examples
    --------
    >>> from tdu.avalanches.averaging import Averager
    >>> averager = Averager(2, window=2, every=3, dtype="float64")
    >>> for step in range(7):
    ...     averager.add(step, np.array([step, 1.0]))
    ...     if step % 3 == 0:
    ...         print(step, averager.mean(step), round(averager.cosine, 3))
    0 None nan
    3 [2.5 1. ] 0.99
    6 [5.5 1. ] 0.999
    """

    def __init__(self, n_sites: int, window: int, every: int, dtype: npt.DTypeLike) -> None:
        self._window, self._every = window, every
        n_open = -(-window // every)
        self._sums = np.zeros((n_open, n_sites), dtype)
        self._ends = np.full(n_open, -1)  # of the window that a sum is of
        self._counts = np.zeros(n_open, np.int64)
        self._last = np.zeros(n_sites, dtype)  # the gradient before a snapshot
        self._step = np.array([-2])  # of the last gradient that was taken
        self._cosine = np.array([math.nan])

    def add(self, step: int, gradient: Fields) -> None:
        """Take the gradient (N,) of a step; one not above the last is passed over, as where training goes on from its end."""
        if step <= self._step[0]:
            return
        if step % self._every == 0:
            self._cosine[0] = cosine(self._last, gradient) if self._step[0] == step - 1 else math.nan
        if (step + 1) % self._every == 0:
            self._last[:] = gradient
        self._step[0] = step
        for end in range(step + -step % self._every, step + self._window, self._every):
            at = end // self._every % len(self._sums)
            if self._ends[at] != end:
                self._ends[at], self._counts[at], self._sums[at] = end, 0, 0
            self._sums[at] += gradient
            self._counts[at] += 1

    def mean(self, step: int) -> Fields | None:
        """The mean (N,) over the window that ends at a snapshot; None unless every gradient of it was there."""
        at = step // self._every % len(self._sums)
        return self._sums[at] / self._window if self._ends[at] == step and self._counts[at] == self._window else None

    @property
    def cosine(self) -> float:
        """Of the last snapshot's gradient and the one a step before; nan where that was not there."""
        return float(self._cosine[0])

    @property
    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The state, to be kept and filled again."""
        return {name: getattr(self, f"_{name}") for name in ("sums", "ends", "counts", "last", "step", "cosine")}


def averaged(step: int, window: int, every: int) -> bool:
    """Whether the gradient of a step is in the window of a snapshot, or is the one before it, which the cosine takes."""
    return -step % every < max(window, 2)


def cosine(one: Fields, other: Fields) -> float:
    """Cosine of the angle between two fields (N,); nan where one is zero. −1 of gradients that turn around at every step.

    >>> from tdu.avalanches.averaging import cosine
    >>> cosine(np.array([3.0, 4.0]), np.array([-6.0, -8.0]))
    -1.0
    """
    a, b = (np.require(field, np.float64, ["C", "A", "W"]) for field in (one, other))
    lengths = norm(a) * norm(b)
    return float(dot(a, b)) / lengths if lengths > 0 else math.nan
