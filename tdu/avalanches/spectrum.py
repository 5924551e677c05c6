"""What an averaged gradient has that its entries in random places have not, matrix by matrix: spectrum, rows and columns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tdu import _check, _memory, _validate
from tdu.avalanches.contrast import Contrast
from tdu.avalanches.lines import of_row_sums
from tdu.avalanches.ranks import RANKS
from tdu.avalanches.spectral import SpectralNull, log_participation, null_of_shape
from tdu.errors import InputError
from tdu.rng import Stage, generator
from tdu.types import Fields, Floats, Layout

#: What `spectrum` measures of each matrix.
OF_MATRICES = ("spectral", "spectral_signs", "row_correlation", "column_correlation")
#: The columns of a log: those, and the cosine of the gradients of a step and the one before.
SPECTRAL_COLUMNS = (*OF_MATRICES, "cosine")
_FEWEST_PROBES = 2


@dataclass(frozen=True)
class Spectrum:
    """Of every matrix of a field and of all together, by name (`OF_MATRICES`); and the tensors that are `left_out`."""

    pooled: Mapping[str, Contrast]
    tensors: Mapping[str, Mapping[str, Contrast]]
    left_out: tuple[str, ...]


def spectrum(field: npt.ArrayLike, layout: Layout, *, probes: int = 0, ranks: str = "exact", seed: int = 0) -> Spectrum:
    """Spectra, and correlations of rows and of columns, of the matrices in a field (N,), each less what chance makes.

    Parameters
    ----------
    field : (N,), finite, best a mean over consecutive steps or an optimiser's first moment: one step's gradient may oscillate.
    layout : names and shapes of its tensors. One of more than two dimensions is a matrix (first, all others). Left out is what
        has rank 1 by construction: tensors of one dimension, and those with a single row or column.
    probes : 0 for exact spectra, else of how many random vectors they are estimated, in time N log N
        (`tdu.avalanches.spectral.log_participation`).
    ranks : ``exact``, or ``binned``: magnitudes whose leading nine bits are equal share a rank, and products are in single
        precision, several times as fast (`tdu.avalanches.ranks`).
    seed : of the probes.

    Returns
    -------
    Spectrum
        ``spectral``: S, the log of the participation ratio of the squared singular values of the matrix, whose magnitudes are
        replaced by half-normal quantiles of their ranks (`tdu.avalanches.ranked`), minus its mean over permuted and signed
        draws of that shape (`tdu.avalanches.spectral.null_of_shape`): below 0 where fewer directions make up the matrix.
        ``spectral_signs``: the same of the signs alone. ``row_correlation``, ``column_correlation``: of the ranks of
        magnitudes, over all pairs of entries that share a row or a column, less the expectation
        (`tdu.avalanches.lines.row_correlation`). ``pooled``: their means, each matrix with its number of entries for weight,
        and standard deviations as of independent matrices. Matrices of zeros, and those that all probes miss, are nan, and do
        not count in these.

    Raises
    ------
    ValueError
        If the field is not finite, it and the layout differ in N, the tensors are not known, or none is a matrix whose rank
        can exceed 1.

    Notes
    -----
    A zero has no sign and stays zero, so that a row of zeros, as of a unit that is off, is one direction less: the null of the
    shape has no zeros. Spectra multiply matrices by BLAS: on other machines they may have other last bits.

    Examples
    --------
    A direction that half of the variance lies in:

    >>> rng = np.random.default_rng(0)
    >>> layout = tdu.types.Layout.of({"weight": (40, 30), "bias": (40,)})
    >>> field = rng.normal(size=1240)
    >>> field[:1200] += np.outer(rng.normal(size=40), rng.normal(size=30)).ravel()
    >>> found = tdu.spectrum(field, layout)
    >>> {name: round(one.value, 2) for name, one in found.pooled.items()}, found.left_out
    ({'spectral': -1.68, 'spectral_signs': -0.71, 'row_correlation': 0.06, 'column_correlation': 0.13}, ('bias',))
    """
    _check.kind(layout, "layout", Layout)
    _check.integer(probes, "probes", 0)
    if probes and probes < _FEWEST_PROBES:
        raise InputError(f"`probes` must be 0, for exact spectra, or {_FEWEST_PROBES} or more, but it is {probes}")
    _check.choice(ranks, "ranks", tuple(RANKS))
    _check.integer(seed, "seed", 0, _check.LARGEST_SEED)
    _memory.need(8 * probes * layout.n_sites, f"`probes` {probes}", "take fewer")
    rng = generator(seed, Stage.SPECTRAL_PROBES) if probes else None
    shapes = matrices(layout)
    views = layout.views(_validate.field(field, name="field"))
    tensors = {name: _of_matrix(views[name].reshape(shape), ranks, probes, rng) for name, shape in shapes.items()}
    pooled = {name: _pooled([(of[name], math.prod(shapes[key])) for key, of in tensors.items()]) for name in OF_MATRICES}
    return Spectrum(pooled, tensors, tuple(name for name, _ in layout.tensors if name not in shapes))


def matrices(layout: Layout) -> dict[str, tuple[int, int]]:
    """Shapes (first, all others) of the tensors whose rank can exceed 1, by name; a ValueError where there is none."""
    if layout.sizes is None:
        raise InputError(
            f"spectra need the names and shapes of the tensors, but the field is one array of {layout.n_sites} entries: "
            "give named tensors, or leave spectra out"
        )
    shapes = {name: (shape[0], math.prod(shape[1:])) for name, shape in layout.tensors if len(shape) > 1}
    found = {name: shape for name, shape in shapes.items() if min(shape) > 1}
    if not found:
        names = ", ".join(f"`{name}` {shape}" for name, shape in layout.tensors)
        raise InputError(f"spectra need a matrix of two rows and columns or more, but the tensors are {names}: leave them out")
    return found


def columns(mean: Fields | None, cosine: float, layout: Layout, ranks: str = "exact") -> dict[str, float]:
    """`SPECTRAL_COLUMNS` of an averaged field (N,), pooled over matrices; nan where there is none that is finite."""
    pooled = spectrum(mean, layout, ranks=ranks).pooled if mean is not None and np.isfinite(mean).all() else {}
    return {name: pooled[name].value if name in pooled else math.nan for name in OF_MATRICES} | {"cosine": cosine}


def _of_matrix(matrix: Floats, ranks: str, probes: int, rng: np.random.Generator | None) -> dict[str, Contrast]:
    """Of a matrix (m, n)."""
    by_rank = RANKS[ranks](matrix)
    of_ranked, of_signs = null_of_shape(*matrix.shape, probes)

    def beside(null: SpectralNull, values: Fields) -> Contrast:
        found = log_participation(values, probes, rng)
        return Contrast(found.value - null.mean, null.sd, found.error)

    return {
        "spectral": beside(of_ranked, by_rank.values),
        "spectral_signs": beside(of_signs, by_rank.signs),
        "row_correlation": of_row_sums(by_rank.row_sums, matrix.shape[1], by_rank.powers),
        "column_correlation": of_row_sums(by_rank.column_sums, matrix.shape[0], by_rank.powers),
    }


def _pooled(found: list[tuple[Contrast, int]]) -> Contrast:
    """The mean of contrasts with weights, of those that are known."""
    known = [(one, weight) for one, weight in found if not math.isnan(one.value)]
    if not known:
        return Contrast(math.nan, math.nan, math.nan)
    total = sum(weight for _, weight in known)
    values, deviations, errors = zip(*([part * weight / total for part in one] for one, weight in known), strict=True)
    return Contrast(sum(values), math.hypot(*deviations), math.hypot(*errors))
