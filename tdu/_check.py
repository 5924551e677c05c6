"""Scalars, names and lists of them as they may be, or an error that says what they are; standard library only."""

import math
import numbers
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tdu import _memory
from tdu.errors import InputError, InputTypeError

T = TypeVar("T")

#: Kernels hold counts in 64 bits, signed.
LARGEST_COUNT = 2**63 - 1
LARGEST_SEED = 2**64 - 1
#: Of steps, epochs and the like: more would not fit into memory, and NumPy would not say so plainly.
LARGEST_STEPS = 10**9
#: The most hidden units h: their 4h + 1 sites are 32-bit numbers.
_LARGEST_SCALE = (2**31 - 2) // 4
#: Sites are 32-bit numbers in the rows of a graph, each of which begins at another.
_LARGEST_GRAPH, _SITE_BYTES = 2**31 - 1, 20
#: Of a run in memory: what it takes at least, and how many numbers it has of a snapshot and of an epoch.
_RUN_BYTES, _COLUMNS, _CURVES = 2000, 10, 4


def integer(value: Any, name: str, minimum: int, maximum: int = LARGEST_COUNT) -> int:
    """`value` as an int within [minimum, maximum]."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InputTypeError(f"`{name}` must be an integer, but it is {value!r}")
    if value < minimum:
        raise InputError(f"`{name}` must be at least {minimum}, but it is {_said(value)}")
    if int(value) > maximum:
        raise InputError(f"`{name}` must be at most {maximum}, but it is {_said(value)}")
    return int(value)


def real(value: Any, name: str, low: float, high: float, *, open_interval: bool = False) -> float:
    """`value` as a float within [low, high], or within (low, high) for an open interval; nan is in neither."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InputTypeError(f"`{name}` must be a real number, but it is {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf  # type: ignore[operator]
    inside = low < number < high if open_interval else low <= number <= high
    if not inside or math.isinf(number):
        interval = f"({low:g}, {high:g})" if open_interval else f"[{low:g}, {high:g}]"
        raise InputError(f"`{name}` must lie in {interval}, but it is {number:g}")
    return number


def seed(value: Any) -> int:
    """`value` as a seed of random numbers."""
    return integer(value, "seed", 0, LARGEST_SEED)


def scale(value: Any) -> int:
    """`value` as a number of hidden units h."""
    if integer(value, "hidden", 1) > _LARGEST_SCALE:
        raise InputError(f"`hidden` must be at most {_LARGEST_SCALE}: its 4h + 1 sites are 32-bit numbers")
    return int(value)


def steps(value: Any, name: str = "max_steps") -> int:
    """`value` as a number of steps, which are counted one by one."""
    number = integer(value, name, 0, LARGEST_STEPS)
    _memory.need(8 * number, f"`{name}` {number}", "allow fewer steps")
    return number


def room(n_runs: int, epochs: int, every: int, n_draws: int = 0) -> None:
    """Raise an `InputError` if the log of so many runs, of which all analysis starts, has no room in memory."""
    n_snapshots = epochs // every + 1
    a_run = _RUN_BYTES + 8 * (n_snapshots * (_COLUMNS + n_draws) + _CURVES * epochs)
    _memory.need(n_runs * a_run, f"the log of {n_runs} runs of {n_snapshots} snapshots", "ask for fewer, or for shorter ones")


def graph(n_sites: int, degree: float, end_bytes: int) -> int:
    """`n_sites`, if a graph of so many and of a mean `degree` has room: an end of an edge takes so many bytes to be built."""
    if n_sites > _LARGEST_GRAPH:
        raise InputError(f"a graph of {n_sites} sites is beyond the 32-bit site numbers of `indices`")
    _memory.need(n_sites * (_SITE_BYTES + end_bytes * degree), f"a graph of {n_sites} sites", "take fewer")
    return n_sites


def truth(value: Any, name: str) -> bool:
    """`value`, which is true or false; numbers are neither."""
    if not isinstance(value, bool):
        raise InputTypeError(f"`{name}` must be True or False, but it is {value!r}")
    return value


def _said(value: Any) -> str:
    """An integer in a message: of more than a line, its length."""
    return str(value) if abs(value) < 10**40 else f"of {int(value).bit_length()} bits"


def kind(value: Any, name: str, wanted: type[T]) -> T:
    """`value`, an object of one of tdu's own types."""
    if not isinstance(value, wanted):
        raise InputTypeError(f"`{name}` must be a tdu.{wanted.__name__}, but it is {value!r:.200}")
    return value


def path(value: Any, name: str) -> Path:
    """`value` as a path: a text without null bytes, or what the system takes for one."""
    if not isinstance(value, str | os.PathLike):
        raise InputTypeError(f"`{name}` must be a path, but it is {value!r:.200}")
    if "\0" in str(value):
        raise InputError(f"`{name}` has a null byte in it, which no path has: {str(value)!r}")
    return Path(value)


def text(value: Any, name: str) -> str:
    """`value`, a text."""
    if not isinstance(value, str):
        raise InputTypeError(f"`{name}` must be a name, but it is {value!r}")
    return value


def choice(value: Any, name: str, known: Sequence[str]) -> str:
    """`value`, one of the `known` names."""
    if text(value, name) not in known:
        raise InputError(f"`{name}` must be one of {', '.join(known)}, but it is {value}")
    return str(value)


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
        _keep(config, name, integer(getattr(config, name), name, minimum, LARGEST_STEPS))


def fractions(config: object, *names: str) -> None:
    """Settings of a configuration in [0, 1]."""
    for name in names:
        _keep(config, name, real(getattr(config, name), name, 0, 1))


def levels(config: object, **high: float) -> None:
    """Settings of a configuration, each between 0 and a number, neither included."""
    for name, most in high.items():
        _keep(config, name, real(getattr(config, name), name, 0, most, open_interval=True))


def rates(config: object, *names: str) -> None:
    """Settings of a configuration that are not negative."""
    for name in names:
        _keep(config, name, real(getattr(config, name), name, 0, float("inf")))


def truths(config: object, *names: str) -> None:
    """Settings of a configuration, each true or false."""
    for name in names:
        truth(getattr(config, name), name)


def _keep(config: object, name: str, number: float) -> None:
    """A setting as what kernels and JSON know, where it is a fraction, or a number of NumPy's."""
    if type(getattr(config, name)) not in (int, float):
        object.__setattr__(config, name, number)


def choices(config: object, **known: tuple[str, ...]) -> None:
    """Settings of a configuration, each one of the names that are `known`."""
    for name, names in known.items():
        choice(getattr(config, name), name, names)
