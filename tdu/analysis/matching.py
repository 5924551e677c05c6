"""Snapshots of runs beside snapshots of controls that are as far in training: equal in training loss and in time, nearly."""

import numpy as np
import numpy.typing as npt

from tdu import _check, _validate
from tdu.errors import InputError
from tdu.types import Integers

#: How far apart a pair may be: in the natural logarithm of the training loss, and in steps.
LOSS_CALIPER, STEP_CALIPER = 0.5, 100.0


def matched(
    step: npt.ArrayLike,
    loss: npt.ArrayLike,
    control_step: npt.ArrayLike,
    control_loss: npt.ArrayLike,
    *,
    loss_caliper: float = LOSS_CALIPER,
    step_caliper: float = STEP_CALIPER,
) -> Integers:
    """The snapshot of each control that is nearest to each snapshot of a run, within calipers of training loss and of step.

    Parameters
    ----------
    step, loss : (T,), the run's steps and training losses; a loss of nan or 0 is matched with nothing.
    control_step, control_loss : (U,) and (R, U), of R controls at the same steps; nan where one has no snapshot.
    loss_caliper, step_caliper : how far |Δ log loss| and |Δ step| may be, ends included.

    Returns
    -------
    (R, T) int64
        The index of the control's snapshot, −1 where none is within both calipers. Nearest is the least
        (Δ log loss / `loss_caliper`)² + (Δ step / `step_caliper`)², of equally near ones the first. A snapshot of a control may
        be matched more than once.

    Raises
    ------
    ValueError
        If shapes do not fit, or a caliper is not positive.

    Examples
    --------
    The control is slower by 20 steps; the run's last snapshot has a loss that the control never gets to:

    >>> loss = np.array([[1.0, 0.5, 0.25, 0.125]])
    >>> tdu.matched([0, 20, 40], [0.5, 0.25, 0.01], [0, 20, 40, 60], loss, loss_caliper=0.1, step_caliper=30).tolist()
    [[1, 2, -1]]
    """
    _check.real(loss_caliper, "loss_caliper", 0, float("inf"), open_interval=True)
    _check.real(step_caliper, "step_caliper", 0, float("inf"), open_interval=True)
    at, of_controls = _validate.numeric(step, "step"), _validate.numeric(control_step, "control_step")
    losses, control_losses = _validate.numeric(loss, "loss"), _validate.numeric(control_loss, "control_loss")
    if losses.shape != at.shape or at.ndim != 1:
        raise InputError(f"`loss` has shape {losses.shape} but `step` {at.shape}: both are (T,)")
    if control_losses.ndim != 2 or control_losses.shape[1:] != of_controls.shape:
        raise InputError(
            f"`control_loss` has shape {control_losses.shape} but `control_step` {of_controls.shape}: (R, U) and (U,)"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(np.log(control_losses)[:, None] - np.log(losses)[:, None])  # (R, T, U)
        far = np.abs(of_controls - at[:, None])
        within = (apart <= loss_caliper) & (far <= step_caliper)
        distance = np.where(within, (apart / loss_caliper) ** 2 + (far / step_caliper) ** 2, np.inf)
    return np.where(within.any(axis=-1), distance.argmin(axis=-1), -1)
