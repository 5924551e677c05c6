"""A number beside what chance makes of it."""

import math
from typing import NamedTuple


class Contrast(NamedTuple):
    """What a number exceeds its expectation under a null by: `value`, with the null's standard deviation `sd`.

    `error` is the standard error of an estimate, 0 of what is exact; the null's `sd` then has it too.

    >>> from tdu.avalanches.contrast import Contrast
    >>> Contrast(-0.5, sd=0.25).z
    -2.0
    """

    value: float
    sd: float
    error: float = 0.0

    @property
    def z(self) -> float:
        """The value in standard deviations of the null; nan where these are 0, or not known."""
        return self.value / self.sd if self.sd > 0 else math.nan
