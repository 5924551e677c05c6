"""Arrays that figures and tables show: what a series is, and how a value that holds several is asked for one."""

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from tdu.errors import InputError

_Floats = npt.NDArray[np.float64]
#: Metadata of a series' fields (`tdu.results.series`).
INLINE, IN_KEY = "inline", "in_key"


@dataclass(frozen=True, eq=False)
class Band:
    """Values with the ends of their intervals, and the R² of each one's fit where it is known; all of one shape."""

    value: _Floats
    low: _Floats
    high: _Floats
    r2: _Floats | None = None


@dataclass(frozen=True, eq=False)
class Series:
    """Arrays that figures and tables show, looked up by their class; `key` is its name in results.json."""

    key: ClassVar[str]


AnySeries = TypeVar("AnySeries", bound=Series)


class HoldsSeries:
    """A value that holds `series`, and is asked for those of a class."""

    series: tuple[Series, ...]

    def all_of(self, kind: type[AnySeries]) -> list[AnySeries]:
        """Every series of a class, in order."""
        return [one for one in self.series if isinstance(one, kind)]

    def series_of(self, kind: type[AnySeries]) -> AnySeries:
        """The series of a class; a ValueError says that there is none."""
        if found := self.all_of(kind):
            return found[0]
        raise InputError(f"there is no series `{kind.key}`")

    def has(self, *kinds: type[Series]) -> bool:
        """Whether there is a series of every class in `kinds`."""
        return all(self.all_of(kind) for kind in kinds)
