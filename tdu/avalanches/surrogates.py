"""Surrogates: fields of independent entries whose magnitudes share one chosen property with a given field, and nothing else.

Each takes fields (T, N) and a generator and returns others of that shape, snapshot by snapshot. The parametric families have
the moment ratio of their snapshot, E g² / (E|g|)²: 4/3 for a uniform, π/2 for a Gaussian, 2 for a Laplace distribution, more
for heavier tails. Scale is left out: multiplying a field by a constant changes no avalanche.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln

from tdu.avalanches.graphs import Graph
from tdu.avalanches.nulls import Draw, Null
from tdu.types import Floats, Layout

_RANK_LEVEL = 0.9  # what lies above this quantile of |g| is the tail: the paper's threshold


def moment_ratio(fields: Floats) -> Floats:
    """E g² / (E|g|)² over the last axis; nan for a field of zeros."""
    with np.errstate(invalid="ignore"):
        return np.asarray((fields**2).mean(axis=-1) / np.abs(fields).mean(axis=-1) ** 2)


def resampled(fields: Floats, rng: np.random.Generator) -> Floats:
    """Entries drawn with replacement from the snapshot's own: its marginal distribution, independent over the sites.

    The draw is one for all snapshots, as sites keep their rank from one to the next.
    """
    n = fields.shape[-1]
    return fields[:, rng.integers(n, size=n)]


def laplace(fields: Floats, rng: np.random.Generator) -> Floats:
    """Laplace: the exponential tail between the Gaussian's and power laws; it has no shape to fit."""
    return rng.laplace(size=fields.shape)


def student_t(fields: Floats, rng: np.random.Generator) -> Floats:
    """Student's t, a power-law tail, of the snapshot's moment ratio; a ratio below the Gaussian's gives the Gaussian."""
    freedom = 2 + np.geomspace(1e-4, 1e6, 4000)
    ratio = np.pi * (freedom - 1) ** 2 / (4 * (freedom - 2)) * np.exp(2 * (gammaln(freedom / 2) - gammaln((freedom + 1) / 2)))
    of_snapshots = _shape(moment_ratio(fields), ratio, freedom)
    return rng.standard_t(of_snapshots[:, None], fields.shape)


def log_normal(fields: Floats, rng: np.random.Generator) -> Floats:
    """Log-normal magnitudes, whose moment ratio is exp σ², with random signs."""
    spread = np.sqrt(np.log(moment_ratio(fields)))
    return _signed(np.exp(spread[:, None] * rng.normal(size=fields.shape)), rng)


def generalised_gaussian(fields: Floats, rng: np.random.Generator) -> Floats:
    """Density ∝ exp(−|x|^β) of the snapshot's moment ratio: β = 2 is the Gaussian, 1 the Laplace distribution."""
    beta = np.geomspace(0.1, 100, 4000)
    ratio = np.exp(gammaln(1 / beta) + gammaln(3 / beta) - 2 * gammaln(2 / beta))
    of_snapshots = _shape(moment_ratio(fields), ratio, beta)[:, None]
    return _signed(rng.standard_gamma(1 / of_snapshots, fields.shape) ** (1 / of_snapshots), rng)


def own_tail(fields: Floats, rng: np.random.Generator) -> Floats:
    """The snapshot's own magnitudes above its threshold, a Gaussian's below."""
    return _spliced(fields, rng, tail_is_own=True)


def own_bulk(fields: Floats, rng: np.random.Generator) -> Floats:
    """The snapshot's own magnitudes up to its threshold, a Gaussian's above."""
    return _spliced(fields, rng, tail_is_own=False)


def _shape(wanted: Floats, ratio: Floats, shape: Floats) -> Floats:
    """Shape parameters at which a family has the `wanted` moment ratios; `ratio` falls along `shape`."""
    return np.asarray(np.interp(wanted, ratio[::-1], shape[::-1]))


def _signed(magnitudes: Floats, rng: np.random.Generator) -> Floats:
    return np.where(rng.integers(2, size=magnitudes.shape, dtype=bool), magnitudes, -magnitudes)


def _spliced(fields: Floats, rng: np.random.Generator, *, tail_is_own: bool) -> Floats:
    """Own and Gaussian magnitudes, joined in order of rank at the threshold, which both have in common."""
    own = np.sort(np.abs(fields), axis=-1)
    normal = np.sort(np.abs(rng.normal(size=fields.shape)), axis=-1)
    threshold, of_normal = (np.quantile(ranked, _RANK_LEVEL, axis=-1, keepdims=True) for ranked in (own, normal))
    normal *= threshold / of_normal
    in_tail = np.arange(fields.shape[-1]) > _RANK_LEVEL * (fields.shape[-1] - 1)
    magnitudes = np.where(in_tail == tail_is_own, own, normal)
    return rng.permuted(_signed(magnitudes, rng), axis=-1)


def _null(stream: int, keeps: str, surrogate: Callable[[Floats, np.random.Generator], Floats]) -> Null:
    """A surrogate as a null model: a draw is a seed, so that the same fields give the same surrogates."""

    def prepare(_layout: Layout, graph: Graph, rng: np.random.Generator) -> Draw:
        seed = int(rng.integers(2**63))
        return Draw(lambda fields, _: surrogate(fields.astype(np.float64, copy=False), np.random.default_rng(seed)), graph)

    return Null(surrogate.__name__.replace("_", "-"), stream, keeps, prepare)


#: By name.
SURROGATES: dict[str, Null] = {
    null.name: null
    for null in (
        _null(16, "the distribution of the entries, with replacement", resampled),
        _null(17, "|g| above the threshold, beside a Gaussian bulk", own_tail),
        _null(18, "|g| below the threshold, beside a Gaussian tail", own_bulk),
        _null(19, "nothing: Laplace", laplace),
        _null(20, "the moment ratio of |g|, by Student's t", student_t),
        _null(21, "the moment ratio of |g|, log-normal", log_normal),
        _null(22, "the moment ratio of |g|, by a generalised Gaussian", generalised_gaussian),
    )
}
