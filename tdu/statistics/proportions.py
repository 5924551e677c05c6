"""Shares of few: how often something happens, with an interval that covers where counts are small."""

from scipy.special import betaincinv

from tdu.types import Estimate


def proportion(found: int, n: int, note: str = "") -> Estimate:
    """The share `found` of `n` with the central 95 % interval of Clopper and Pearson, which never covers less; nan for n = 0.

    Examples
    --------
    >>> from tdu.statistics.proportions import proportion
    >>> none = proportion(0, 27)
    >>> none.value, none.low, round(none.high, 3)
    (0.0, 0.0, 0.128)
    """
    low = float(betaincinv(found, n - found + 1, 0.025)) if found else 0.0
    high = float(betaincinv(found + 1, n - found, 0.975)) if found < n else 1.0
    return Estimate(found / n if n else float("nan"), low, high, "share", note or f"{found} of {n}")
