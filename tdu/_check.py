"""Scalars, names and lists of them as they may be, or an error that says what they are; standard library only."""

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

from tdu.errors import InputError, InputTypeError

#: Kernels hold counts in 64 bits, signed.
LARGEST_COUNT = 2**63 - 1
LARGEST_SEED = 2**64 - 1
#: Of steps, epochs and the like: more would not fit into memory, and NumPy would not say so plainly.
LARGEST_STEPS = 10**9


def integer(value: Any, name: str, minimum: int, maximum: int = LARGEST_COUNT) -> int:
    """`value` as an int within [minimum, maximum]."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InputTypeError(f"`{name}` must be an integer, but it is {value!r}")
    if value < minimum:
        raise InputError(f"`{name}` must be at least {minimum}, but it is {value}")
    if int(value) > maximum:
        raise InputError(f"`{name}` must be at most {maximum}, but it is {value}")
    return int(value)


def real(value: Any, name: str, low: float, high: float, *, open_interval: bool = False) -> float:
    """`value` as a float within [low, high], or within (low, high) for an open interval; nan is in neither."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InputTypeError(f"`{name}` must be a real number, but it is {value!r}")
    number = float(value)
    inside = low < number < high if open_interval else low <= number <= high
    if not inside or math.isinf(number):
        interval = f"({low:g}, {high:g})" if open_interval else f"[{low:g}, {high:g}]"
        raise InputError(f"`{name}` must lie in {interval}, but it is {number:g}")
    return number


def choice(value: Any, name: str, known: Sequence[str]) -> str:
    """`value`, one of the `known` names."""
    if not isinstance(value, str):
        raise InputTypeError(f"`{name}` must be a name, but it is {value!r}")
    if value not in known:
        raise InputError(f"`{name}` must be one of {', '.join(known)}, but it is {value}")
    return value


def listed(values: Any, name: str, check: Callable[[Any], object]) -> None:
    """A list, or another sequence that is not text, every entry of which passes `check`."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InputTypeError(f"`{name}` must be a list, but it is {values!r}")
    for value in values:
        check(value)


def distinct(values: Any, name: str, check: Callable[[Any], object], what: str = "value") -> None:
    """As `listed`, with at least one entry, and none twice."""
    listed(values, name, check)
    if not values:
        raise InputError(f"`{name}` names no {what}: a study needs at least one")
    if len(set(values)) < len(values):
        raise InputError(f"`{name}` names a {what} twice: {', '.join(map(str, values))}")


def integers(config: object, **least: int) -> None:
    """Settings of a configuration, integers of at least so many each."""
    for name, minimum in least.items():
        integer(getattr(config, name), name, minimum, LARGEST_STEPS)


def fractions(config: object, *names: str) -> None:
    """Settings of a configuration in [0, 1]."""
    for name in names:
        real(getattr(config, name), name, 0, 1)


def rates(config: object, *names: str) -> None:
    """Settings of a configuration that are not negative."""
    for name in names:
        real(getattr(config, name), name, 0, float("inf"))


def choices(config: object, **known: tuple[str, ...]) -> None:
    """Settings of a configuration, each one of the names that are `known`."""
    for name, names in known.items():
        choice(getattr(config, name), name, names)
