"""Canonical arrays, or an error that names both sides. Nothing behind this module checks its input again."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tdu.errors import InputError, InputTypeError


def field(
    values: npt.ArrayLike, n_sites: int | None = None, name: str = "gradient", precision: str = "float64"
) -> npt.NDArray[Any]:
    """`values` as a C-contiguous vector of a `precision`, checked to be finite and, if given, to have `n_sites` entries."""
    array = numeric(values, name, precision)
    if array.ndim != 1:
        raise InputError(f"`{name}` must have one dimension, one entry per site, but its shape is {array.shape}")
    if n_sites is not None and array.size != n_sites:
        raise InputError(f"`graph` has {n_sites} sites but `{name}` has {array.size} entries")
    if array.size == 0:
        raise InputError(f"`{name}` is empty: an avalanche needs at least one site")
    return measurable(array, name)


#: The largest magnitude of an entry, by precision: a sum over 2³¹ sites and 2³⁰ steps stays finite (of float32, over the sites:
#: its sums over steps are of float64). An infinity on the way would become nan, and nan does not topple.
LARGEST = {np.dtype(np.float64): 2.0**960, np.dtype(np.float32): 2.0**96}


def measurable(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """`array` as it is, or a ValueError that names its first entry that is not finite, or too large for sums to be."""
    largest = LARGEST[array.dtype]
    if not (array.max(initial=0) <= largest and array.min(initial=0) >= -largest):
        where = np.unravel_index(int(np.argmax(np.abs(finite(array, name)) > largest)), array.shape)
        place = ", ".join(str(int(i)) for i in where)
        raise InputError(f"`{name}` must not exceed {largest:.3g} in {array.dtype}, but entry {place} is {array[where]:.3g}")
    return array


def finite(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """`array` as it is, or a ValueError that names its first entry that is nan or infinite."""
    good = np.isfinite(array)
    if not good.all():
        where = np.unravel_index(int(np.argmin(good)), array.shape)
        raise InputError(f"`{name}` must be finite, but entry {', '.join(str(int(i)) for i in where)} is {array[where]}")
    return array


def numeric(values: npt.ArrayLike, name: str, precision: str = "float64") -> npt.NDArray[Any]:
    """`values` as native, aligned, C-contiguous floats of any shape; complex numbers, text and objects are TypeErrors."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise InputTypeError(f"`{name}` must hold real numbers, but its dtype is {array.dtype}")
    with np.errstate(over="ignore"):  # what float32 has no room for becomes infinite, and is refused as such
        return np.require(array, np.dtype(precision), ["C", "A"])


def sizes(values: npt.ArrayLike, name: str = "sizes") -> npt.NDArray[np.float64]:
    """`values` as finite, non-negative float64 of any shape."""
    array = numeric(values, name)
    negative = finite(array, name) < 0
    if negative.any():
        where = np.unravel_index(int(np.argmax(negative)), array.shape)
        place = ", ".join(str(int(i)) for i in where)
        raise InputError(f"`{name}` must not be negative, but entry {place} is {array[where]:g}")
    return array


def generator(rng: Any) -> np.random.Generator:
    """`rng`, which must be one of NumPy's generators."""
    if not isinstance(rng, np.random.Generator):
        raise InputTypeError(f"`rng` must be a generator, as np.random.default_rng(0), but it is {rng!r}")
    return rng
