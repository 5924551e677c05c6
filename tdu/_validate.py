"""Canonical arrays, or an error that names both sides. Nothing behind this module checks its input again."""

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

#: Kernels hold counts in 64 bits, signed.
LARGEST_COUNT = 2**63 - 1
LARGEST_SEED = 2**64 - 1


def field(values: npt.ArrayLike, n_sites: int | None = None, name: str = "gradient") -> npt.NDArray[np.float64]:
    """`values` as a C-contiguous float64 vector, checked to be finite and, if given, to have `n_sites` entries."""
    array = numeric(values, name)
    if array.ndim != 1:
        raise ValueError(f"`{name}` must have one dimension, one entry per site, but its shape is {array.shape}")
    if n_sites is not None and array.size != n_sites:
        raise ValueError(f"`graph` has {n_sites} sites but `{name}` has {array.size} entries")
    if array.size == 0:
        raise ValueError(f"`{name}` is empty: an avalanche needs at least one site")
    return finite(array, name)


def finite(array: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
    """`array` as it is, or a ValueError that names its first entry that is nan or infinite."""
    good = np.isfinite(array)
    if not good.all():
        where = np.unravel_index(int(np.argmin(good)), array.shape)
        raise ValueError(f"`{name}` must be finite, but entry {', '.join(str(int(i)) for i in where)} is {array[where]}")
    return array


def numeric(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """`values` as native, aligned, C-contiguous float64 of any shape; complex numbers, text and objects are TypeErrors."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"`{name}` must hold real numbers, but its dtype is {array.dtype}")
    return np.require(array, np.float64, ["C", "A"])


def integer(value: Any, name: str, minimum: int, maximum: int = LARGEST_COUNT) -> int:
    """`value` as an int within [minimum, maximum]."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`{name}` must be an integer, but it is {value!r}")
    if value < minimum:
        raise ValueError(f"`{name}` must be at least {minimum}, but it is {value}")
    if int(value) > maximum:
        raise ValueError(f"`{name}` must be at most {maximum}, but it is {value}")
    return int(value)


def real(value: Any, name: str, low: float, high: float, *, open_interval: bool = False) -> float:
    """`value` as a float within [low, high], or within (low, high) for an open interval; nan is in neither."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be a real number, but it is {value!r}")
    number = float(value)
    inside = low < number < high if open_interval else low <= number <= high
    if not inside or math.isinf(number):
        interval = f"({low:g}, {high:g})" if open_interval else f"[{low:g}, {high:g}]"
        raise ValueError(f"`{name}` must lie in {interval}, but it is {number:g}")
    return number


def choice(value: Any, name: str, known: Sequence[str]) -> str:
    """`value`, one of the `known` names."""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a name, but it is {value!r}")
    if value not in known:
        raise ValueError(f"`{name}` must be one of {', '.join(known)}, but it is {value}")
    return value


def sizes(values: npt.ArrayLike, name: str = "sizes") -> npt.NDArray[np.float64]:
    """`values` as finite, non-negative float64 of any shape."""
    array = numeric(values, name)
    negative = finite(array, name) < 0
    if negative.any():
        where = np.unravel_index(int(np.argmax(negative)), array.shape)
        place = ", ".join(str(int(i)) for i in where)
        raise ValueError(f"`{name}` must not be negative, but entry {place} is {array[where]:g}")
    return array
