"""How far a size lies from those of its null: nothing that is not in the log already."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tdu.types import Floats


class Amplitude(NamedTuple):
    """Of sizes (…): `epsilon` (…), log s less the mean of log s over the draws of a null, and `z`, in their deviations."""

    epsilon: Floats
    z: Floats


def amplitude(size: npt.NDArray[np.number], drawn: npt.NDArray[np.number]) -> Amplitude:
    """ε and z of sizes (…) beside those `drawn` (D, …) of a null.

    nan where nothing is known or an avalanche has size 0, and z also of a single draw, or of draws that are all equal. Draws
    that a run does not have, nan, are left out.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        real, null = np.log(size), np.log(drawn)
        known = ~np.isnan(null)
        n_draws = known.sum(axis=0)
        mean = np.where(known, null, 0).sum(axis=0) / n_draws
        spread = np.sqrt(np.where(known, (null - mean) ** 2, 0).sum(axis=0) / (n_draws - 1))
        epsilon = real - mean
        z = epsilon / spread
    return Amplitude(*(np.where(np.isfinite(values), values, np.nan) for values in (epsilon, z)))
