"""When a run has grokked: from where on it has generalised, and stays so."""

import numpy as np

from tdu.config import GROKKED
from tdu.types import Floats, Integers


def grokking_epochs(accuracy: Floats) -> Integers:
    """First epoch from which `accuracy` (…, E+1) stays at 1 to the end, −1 where it never does; shape (…)."""
    n_epochs = accuracy.shape[-1]
    after_last_error = ((accuracy < 1.0) * np.arange(1, n_epochs + 1)).max(axis=-1)
    return np.where(after_last_error < n_epochs, after_last_error, -1)


def first_generalised(step: Integers, test_accuracy: Floats) -> int:
    """First of the steps (T,) from which `test_accuracy` (T,) stays above 0.99 to the end, −1 where it never does."""
    at = int(grokking_epochs((test_accuracy > GROKKED).astype(np.float64)))
    return -1 if at < 0 else int(step[at])
