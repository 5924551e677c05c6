"""Fields → avalanches."""

import numpy as np
import numpy.typing as npt

from tdu import _check, _validate
from tdu.avalanches.graphs import Graph
from tdu.avalanches.observables import Avalanches
from tdu.avalanches.threads import MIN_SITES_THREADED, Relaxed, relax_in_blocks
from tdu.avalanches.tuning import sites_from_which_bins_pay, workspace_for
from tdu.config import ALPHA, MAX_STEPS, PRECISIONS, QUANTILE
from tdu.errors import InputError, InputTypeError
from tdu.kernels.avalanche import Work, relax
from tdu.kernels.measures import STRIP, all_within, angle
from tdu.kernels.sizes import measure_sizes
from tdu.kernels.threshold import magnitude_quantile
from tdu.types import Avalanche, Fields, Integers


def avalanche(
    gradient: npt.ArrayLike,
    graph: Graph,
    alpha: float = ALPHA,
    quantile: float = QUANTILE,
    threshold: float | None = None,
    max_steps: int = MAX_STEPS,
    *,
    workers: int = 1,
    precision: str = "float64",
) -> Avalanche:
    """Relax a gradient field on a graph by threshold-driven diffusion, and measure the avalanche.

    Parameters
    ----------
    gradient : (N,) real numbers, the field; it is not changed.
    graph : `Graph` of N sites.
    alpha : share of a toppling site's field that goes to its neighbours, in [0, 1].
    quantile : level in (0, 1) of |g| that sets the threshold (linear interpolation, as ``np.quantile``).
    threshold : the threshold itself, ≥ 0; `quantile` is then not used.
    max_steps : steps allowed, ≥ 0.
    workers : threads that share the field, if it has millions of sites; the bits do not depend on their number.
    precision : "float64", or "float32" for half the memory: the field, α, threshold and shares are then of that precision.

    Returns
    -------
    Avalanche
        Size, duration, extent, peak, profile, threshold, dissipated, capped, transport, and the relaxed field.

    Raises
    ------
    TypeError
        For arguments of a wrong kind.
    ValueError
        For a field that is not finite or does not fit the graph, and for parameters out of range.

    Notes
    -----
    arXiv:2604.04655, eq. 1: while |g_i| > τ, strictly, g_i ← (1 − α) g_i and every neighbour j of i gains α g_i / k_i. Where
    the paper is silent: all active sites topple at once, and a site without neighbours sheds α g_i out of the system.
    Σ g + dissipated is conserved; Σ |g| never grows.

    Examples
    --------
    One site above the threshold topples once, and gives a quarter of its field to each of its two neighbours:

    >>> found = tdu.avalanche([8.0, 0.0, 0.0, 0.0], tdu.ring(4, k=2), alpha=0.5, threshold=5.0)
    >>> found.size, found.duration, found.gradient.tolist()
    (1, 1, [4.0, 2.0, 0.0, 2.0])
    """
    if not isinstance(graph, Graph):
        raise InputTypeError(f"`graph` must be a tdu.Graph, but it is a {type(graph).__name__}")
    n = len(graph)
    kind = np.dtype(_check.choice(precision, "precision", PRECISIONS))
    checked = _validate.field(gradient, n, precision=precision)
    # what had to be converted is ours already, and a second copy of a field of 10⁸ sites would be felt
    relaxed = checked.copy() if np.may_share_memory(checked, gradient) else checked
    alpha = _check.real(alpha, "alpha", 0, 1)
    max_steps = _check.steps(max_steps)
    if threshold is None:
        level = _check.real(quantile, "quantile", 0, 1, open_interval=True)
        threshold = magnitude_quantile(relaxed, level, 0.0, np.empty(n, kind))
    else:
        threshold = _check.real(threshold, "threshold", 0, float("inf"))
    threshold = _rounded(threshold, relaxed)
    profile = np.empty(max_steps, np.int64)
    found = _relax(relaxed, graph, alpha, threshold, profile, _check.integer(workers, "workers", 1))
    size, duration, extent, peak, dissipated, capped, transport = found
    return Avalanche(
        size=int(size),
        duration=int(duration),
        extent=int(extent),
        peak=int(peak),
        profile=profile[:duration],
        threshold=float(threshold),
        dissipated=float(dissipated),
        capped=bool(capped),
        transport=float(transport),
        gradient=relaxed,
    )


def _rounded(value: float, field: Fields) -> float:
    """A number as kernels compare it with the entries of a field: of their type."""
    if field.dtype == np.float64:
        return value
    with np.errstate(over="ignore"):
        return field.dtype.type(value)  # type: ignore[return-value]


def _relax(
    field: Fields, graph: Graph, alpha: float, threshold: float, profile: Integers, workers: int, work: Work | None = None
) -> Relaxed:
    """As `tdu.kernels.avalanche.relax`, in one go or in blocks, for as many steps as `profile` has room for."""
    n, max_steps, alpha = field.size, profile.size, _rounded(alpha, field)
    if n >= MIN_SITES_THREADED and (workers > 1 or n >= sites_from_which_bins_pay()):
        return relax_in_blocks(field, graph, alpha, threshold, max_steps, profile, workers)
    work = workspace_for(graph, field.dtype) if work is None else work
    found: Relaxed = relax(field, graph.begins, graph.targets, alpha, threshold, max_steps, profile, work, True)
    return found


def sizes_of(
    fields: npt.ArrayLike, graph: Graph, alpha: float, quantile: float, max_steps: int, *, workers: int = 1,
    precision: str = "float64",
) -> Integers:  # fmt: skip
    """Avalanche sizes (T,) of many fields (T, N) on one graph, each with its own threshold; otherwise as `avalanche`."""
    if len(graph) >= MIN_SITES_THREADED:  # one by one, which takes the least memory
        many = _shaped(fields, graph)
        settings = (alpha, quantile, None, max_steps)
        return np.array(
            [avalanche(field, graph, *settings, workers=workers, precision=precision).size for field in many], np.int64
        )
    many = _fields(fields, graph, precision)
    sizes, n = np.empty(len(many), np.int64), len(graph)
    measured = measure_sizes(
        np.require(many, requirements=["W"]),
        graph.begins,
        graph.targets,
        _rounded(_check.real(alpha, "alpha", 0, 1), many),
        _check.real(quantile, "quantile", 0, 1, open_interval=True),
        _check.steps(max_steps),
        sizes,
        np.empty(n, many.dtype),
        np.empty(n, many.dtype),
        np.empty(max_steps, np.int64),
        workspace_for(graph, many.dtype),
        _validate.LARGEST[many.dtype],
    )
    if measured < len(many):
        _validate.measurable(many, "fields")  # says where
    return sizes


def avalanches(
    fields: npt.ArrayLike, graph: Graph, alpha: float, quantile: float, max_steps: int, *, workers: int = 1,
    precision: str = "float64",
) -> Avalanches:  # fmt: skip
    """The avalanches of many fields (T, N) on one graph, each with its own threshold; otherwise as `avalanche`."""
    measure = Meter(graph, alpha, quantile, max_steps, workers, precision)
    many = [measure(field) for field in _fields(fields, graph, precision)]
    return Avalanches(*(np.array([one[place] for one in many]) for place in range(len(Avalanches._fields))))


class Meter:
    """The avalanches of one field after another in numbers, with settings that were checked: for training loops.

    A call costs little more than the kernels, which on a few thousand sites is less than the checks of `avalanche`. Work space
    is kept from call to call, up to millions of sites, so that a meter serves one thread.
    """

    def __init__(
        self, graph: Graph, alpha: float, quantile: float, max_steps: int, workers: int = 1, precision: str = "float64"
    ) -> None:
        self._graph, self._alpha, self._quantile, self._max_steps = graph, alpha, quantile, max_steps
        self._workers, self._kind, n = workers, np.dtype(precision), len(graph)
        self._largest = _validate.LARGEST[self._kind]
        self._last_quantile = 0.0  # a guess of the next: gradients change little from step to step
        self._kept = (np.empty(n, self._kind), workspace_for(graph, self._kind)) if n < MIN_SITES_THREADED else None

    def __call__(self, field: Fields) -> Avalanches:
        """The avalanche of a field (N,), which is not changed."""
        before = field
        if field.dtype != self._kind or not field.flags.carray:
            before = np.require(field, self._kind, ["C", "A", "W"])
        if before.shape != (len(self._graph),) or not all_within(before, self._largest):
            _validate.field(before, len(self._graph), precision=self._kind.name)  # says why
        relaxed, work = self._kept or (np.empty_like(before), None)
        self._last_quantile = magnitude_quantile(before, self._quantile, self._last_quantile, relaxed)
        threshold = _rounded(self._last_quantile, before)
        relaxed[:] = before
        profile = np.empty(self._max_steps, np.int64)
        found = _relax(relaxed, self._graph, self._alpha, threshold, profile, self._workers, work)
        size, duration, extent, peak, dissipated, capped, transport = found
        turned = angle(before, relaxed, np.empty(STRIP))
        return Avalanches(size, duration, extent, peak, profile, float(threshold), dissipated, capped, transport, turned)


def _fields(fields: npt.ArrayLike, graph: Graph, precision: str) -> Fields:
    return _validate.numeric(_shaped(fields, graph), "fields", precision)


def _shaped(fields: npt.ArrayLike, graph: Graph) -> npt.NDArray[np.generic]:
    many = np.asarray(fields)
    if many.ndim != 2 or many.shape[1] != len(graph):
        raise InputError(f"`graph` has {len(graph)} sites but `fields` has shape {many.shape}, not (T, {len(graph)})")
    return many
