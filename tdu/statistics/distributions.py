"""Distributions of avalanche sizes: their tails, how well scaled ones collapse, and strict power-law fits."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import zeta

from tdu import _check, _validate
from tdu.errors import InputError
from tdu.kernels.collapse import houdayer_hartmann
from tdu.rng import seeded_igraph
from tdu.types import Floats

_LARGEST_SIZE = 2.0**53


@dataclass(frozen=True)
class PowerLawFit:
    """P(s) ~ s^−alpha for s ≥ xmin: exponent, its standard error, lower end, Kolmogorov–Smirnov distance, points in the tail.

    `decades` is log₁₀ of the largest size over xmin: below 1.5 the exponent says little (Clauset, Shalizi, Newman 2009).

    Examples
    --------
    >>> fit = tdu.fit_power_law(np.repeat([1, 2, 4, 10], [60, 15, 4, 1]), xmin=2)
    >>> fit.xmin, fit.n_tail, round(fit.decades, 2), fit.decades < 1.5
    (2, 20, 0.7, True)
    """

    alpha: float
    stderr: float
    xmin: int
    ks: float
    n_tail: int
    decades: float


def ccdf(sizes: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Complementary cumulative distribution P(S ≥ x) at the distinct sizes x, ascending.

    Raises
    ------
    ValueError
        If there is no size, or one is negative or not finite.

    Examples
    --------
    >>> x, p = tdu.ccdf([1, 1, 2, 4])
    >>> x.tolist(), p.tolist()
    ([1.0, 2.0, 4.0], [1.0, 0.5, 0.25])
    """
    values = _sizes(sizes)
    x, counts = np.unique(values, return_counts=True)
    return x, counts[::-1].cumsum()[::-1] / values.size


def fit_power_law(sizes: npt.ArrayLike, xmin: int | None = None) -> PowerLawFit:
    """Discrete maximum-likelihood power law of `sizes`; `xmin` None: the one with the least Kolmogorov–Smirnov distance.

    The fit is igraph's plfit: the exact zeta likelihood of Clauset, Shalizi and Newman, SIAM Review 51, 661 (2009).

    Raises
    ------
    ValueError
        If fewer than two distinct positive integer sizes are left to fit, one exceeds 2⁵³, or no exponent above 1 fits.

    Examples
    --------
    >>> sizes = np.repeat(np.arange(1, 101), np.round(1e5 / np.arange(1, 101) ** 2.0).astype(int))
    >>> fit = tdu.fit_power_law(sizes, xmin=1)
    >>> print(f"{fit.alpha:.2f} of {fit.n_tail}")
    2.04 of 163500
    """
    values = _sizes(sizes)
    if (values != np.round(values)).any():
        raise InputError(f"`sizes` must be whole numbers of topplings, but one is {values[values != np.round(values)][0]:g}")
    if values.max(initial=0) > _LARGEST_SIZE:
        raise InputError(f"`sizes` must be at most 2⁵³, but one is {values.max():g}: larger floats are not all whole numbers")
    tail = values[values >= (1 if xmin is None else _check.integer(xmin, "xmin", 1))]
    if np.unique(tail).size < 2:
        raise InputError("a power law needs at least two distinct positive sizes in the tail")
    import igraph  # with which matplotlib comes along: a second that other work of a study hides

    # igraph always simulates a p-value, at its default precision for seconds; the coarsest is not used here either
    try:
        with seeded_igraph(0):
            fit = igraph.power_law_fit(tail.astype(int).tolist(), xmin=xmin, method="discrete", p_precision=0.5)
    except igraph.InternalError as error:
        raise InputError(f"no power law fits `sizes`: {error}") from None
    n_tail = int((tail >= fit.xmin).sum())
    return PowerLawFit(
        alpha=fit.alpha,
        stderr=_standard_error(fit.alpha, int(fit.xmin), n_tail),
        xmin=int(fit.xmin),
        ks=fit.D,
        n_tail=n_tail,
        decades=float(np.log10(tail.max() / fit.xmin)),
    )


def _standard_error(alpha: float, xmin: int, n: int) -> float:
    """Of the discrete exponent: 1/√(n d² log ζ(α, xmin) / dα²); (α − 1)/√n is its limit for large xmin."""
    step = 1e-3
    zetas = zeta(alpha + step * np.array([-1.0, 0.0, 1.0]), xmin)
    if zetas.min() < np.finfo(np.float64).tiny:  # beyond the floats, and at the limit long since
        return float((alpha - 1) / np.sqrt(n))
    below, at, above = np.log(zetas)
    return float(1 / np.sqrt(n * (below - 2 * at + above) / step**2))


def collapse_quality(x: npt.ArrayLike, y: npt.ArrayLike, dy: npt.ArrayLike) -> float:
    """Houdayer–Hartmann quality S of a collapse: near 1 when the curves agree within their errors, larger when they do not.

    Parameters
    ----------
    x, y, dy : (k, n), one scaled curve of n points with standard errors a row; x ascending along rows, dy > 0.

    Returns
    -------
    float
        S, nan if no point of one curve lies within the range of another.

    Raises
    ------
    ValueError
        If the three differ in shape or the above does not hold.

    Notes
    -----
    J. Houdayer and A. K. Hartmann, Phys. Rev. B 70, 014418 (2004); averaged within each curve first, as pyfssa does.

    Examples
    --------
    >>> x, dy = np.tile(np.arange(5.0), (2, 1)), np.full((2, 5), 0.1)
    >>> apart = [np.stack([x[0], x[0] + shift]) for shift in (0.1, 0.5)]  # by one error, by five
    >>> [round(tdu.collapse_quality(x, y, dy), 6) for y in apart]
    [0.5, 12.5]
    """
    arrays = [_validate.finite(_validate.numeric(values, name), name) for values, name in ((x, "x"), (y, "y"), (dy, "dy"))]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim != 2:
        raise InputError(
            f"`x`, `y` and `dy` must share one shape (k, n), but they have {', '.join(str(a.shape) for a in arrays)}"
        )
    if (np.diff(arrays[0], axis=1) < 0).any():
        raise InputError("`x` must ascend along each row")
    if (arrays[2] <= 0).any():
        raise InputError("`dy` must be positive")
    x, y, dy = (np.require(array, requirements=["W"]) for array in arrays)
    return float(houdayer_hartmann(x, y, dy, np.empty(len(x), np.int64)))


def _sizes(sizes: npt.ArrayLike) -> Floats:
    values = _validate.sizes(sizes).ravel()
    if values.size == 0:
        raise InputError("`sizes` is empty: a distribution needs at least one avalanche")
    return values
