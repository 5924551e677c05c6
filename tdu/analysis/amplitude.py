"""ε: by how much avalanches are larger than those of a null, and whether that grows with N."""

from dataclasses import dataclass

import numpy as np

from tdu import _check
from tdu.errors import InputError
from tdu.logs.amplitude import amplitude
from tdu.logs.log import probed_null
from tdu.statistics.resampling import RunStatistic, estimate
from tdu.statistics.sampling import mean_of_known
from tdu.statistics.scaling import MIN_SCALES, slopes
from tdu.types import Estimate, Findings, Floats, Log


@dataclass(frozen=True, eq=False)
class Epsilon:
    """ε of every snapshot of a log over a null: `value` and `z` (S, K, T), and the exponent `delta` of ε ~ Δ log N."""

    value: Floats
    z: Floats
    delta: Estimate


def epsilon(log: Log, null: str) -> Epsilon:
    """How far the sizes of a log lie from those of a null, snapshot by snapshot.

    Parameters
    ----------
    log : as `tdu.load` gives it.
    null : the name of a null that was probed with the runs.

    Returns
    -------
    Epsilon
        `value`, ε = log s − mean of log s over the draws of the null, and `z`, ε in standard deviations of log s over these
        draws; both (S, K, T), nan where there is no snapshot or no toppling. `delta`, the slope of ε on log N, ε being averaged
        over the snapshots of each run, with an interval that resamples runs within their scale.

    Raises
    ------
    ValueError
        If the log has no such null, or fewer than three scales.

    Notes
    -----
    A correlation of constant strength makes a constant ε, and no exponent: only one that grows with N makes Δ. Of mean
    sizes, Δ is what `tdu.excess` measures, D − D of the null, up to how logarithms average.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from tdu.logs.log import gather
    >>> log = gather(tdu.train_xor(hidden, epochs=20) for hidden in (20, 30, 50))
    >>> drawn = np.stack([log.size * 0.8, log.size * 1.25]) / log.n_sites[:, None, None] ** 0.2
    >>> found = tdu.epsilon(replace(log, nulls={"permuted": drawn}), "permuted")
    >>> found.value[:, 0, 0].round(3).tolist(), round(found.delta.value, 3)
    ([0.879, 0.959, 1.061], 0.2)
    """
    drawn = _check.kind(log, "log", Log).nulls[probed_null(log, null)]
    if log.n_sites.size < MIN_SCALES:
        raise InputError(f"there are runs of {log.n_sites.size} scales: an exponent needs three, since any two lie on a line")
    found = amplitude(log.size, drawn)
    of_runs, z = (mean_of_known(values) for values in found)  # (S, K)
    of_scales = zip(log.n_sites, mean_of_known(of_runs), mean_of_known(z), strict=True)
    note = "; ".join(f"N = {n}: ε = {value:.3g}, z = {deviations:.2g}" for n, value, deviations in of_scales)
    slope = RunStatistic(lambda drawn: slopes(log.n_sites, np.exp(mean_of_known(drawn))), "mean")
    return Epsilon(*found, estimate(of_runs, slope, "ε on log N", log.seed, note))


def analyse(log: Log, null: str) -> Findings:
    """Δ over one null, with ε and z of each scale beside it."""
    return Findings({f"epsilon_{null}": epsilon(log, null).delta})
