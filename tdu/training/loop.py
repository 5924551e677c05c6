"""Training over thousands of epochs: rows of what was seen, and a state that a killed run goes on from, bit for bit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tdu.errors import DivergedError, InputError
from tdu.files import SCHEMA, read_arrays, write_arrays
from tdu.logs.rows import Row, stacked, unstacked
from tdu.models.layers import Array
from tdu.models.networks import Network, accuracy_of
from tdu.models.optimisers import Optimiser
from tdu.models.tasks import Task
from tdu.types import Integers

#: Of a snapshot's gradient (N,) and epoch: what the probe makes of it.
Observe = Callable[[Array, int], tuple[Mapping[str, float], Mapping[str, Integers]]]


@dataclass
class State:
    """All that the next epoch depends on, and the rows so far; the moments are the optimiser's, and sums over windows.

    `gradients`: digest of the gradients of these rows, where they are kept (`tdu.training.gradients`).
    """

    theta: Array
    moments: dict[str, Array]
    epoch: int = 0
    rows: list[Row] = field(default_factory=list)
    gradients: str = ""


def train(
    network: Network,
    task: Task,
    optimiser: Optimiser,
    state: State,
    epochs: int,
    snapshot_every: int,
    observe: Observe,
    transform: Callable[[Array], Array] | None = None,
    save: Callable[[State], None] | None = None,
    seen: Callable[[int, Array], None] | None = None,
) -> State:
    """Go on with `state` to epoch `epochs` by full-batch updates, with a row at every snapshot.

    A row has ``loss`` (nats), ``accuracy``, ``test_accuracy`` and what `observe` makes of the raw gradient, that of every
    epoch being given to `seen` before. `transform` is what becomes of the gradient before the optimiser sees it. `save` is
    called after every update, and decides itself whether it is time.

    Raises
    ------
    DivergedError
        If the loss, or the gradient of a snapshot, is no longer finite; the rows until then are in `state`.
    """
    while True:
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at
            loss, accuracy, gradient = network.loss_and_gradient(state.theta, task.train)
        due = state.epoch % snapshot_every == 0 and not (state.rows and state.rows[-1].step == state.epoch)
        if not (np.isfinite(loss) and (not due or np.isfinite(gradient).all())):
            raise DivergedError(f"training diverged at epoch {state.epoch}: lower `learning_rate`")
        if seen is not None:
            seen(state.epoch, gradient)
        if due:
            test = accuracy_of(network.logits(state.theta, task.test), task.answers[task.test])
            columns, nulls = observe(gradient, state.epoch)
            learning = {"loss": loss, "accuracy": accuracy, "test_accuracy": test}
            state.rows.append(Row(state.epoch, {**learning, **columns}, nulls))
        if state.epoch >= epochs:
            return state
        optimiser.step(state.theta, gradient if transform is None else transform(gradient), state.epoch + 1)
        state.epoch += 1
        if save is not None:
            save(state)


def save_state(path: Path, state: State, settings: Mapping[str, Any]) -> None:
    """Write `state` to `path`, whole or not at all, with the `settings` it belongs to."""
    step, columns, nulls = stacked(state.rows)
    groups = {"moment": state.moments, "column": columns, "null": nulls}
    arrays = {f"{group}.{name}": values for group, named in groups.items() for name, values in named.items()}
    described = {"schema": SCHEMA, "settings": dict(settings), "epoch": state.epoch, "gradients": state.gradients}
    write_arrays(path, {"theta": state.theta, "step": step, **arrays}, described)


def load_state(path: Path, state: State, settings: Mapping[str, Any]) -> State:
    """`state` as it was when it was written to `path`; the arrays of `state`, which the optimiser holds too, are filled.

    Raises
    ------
    ValueError
        If the file is not such a state, or one of other settings.
    """
    arrays, described = read_arrays(path, "training state")
    try:
        if described["schema"] != SCHEMA:
            raise InputError(f"{path} has schema {described['schema']}, but this version of tdu reads schema {SCHEMA}")
        for name, mine in settings.items():
            if described["settings"].get(name) != mine:
                raise InputError(
                    f"{path} is of a run with `{name}` {described['settings'].get(name)}, not {mine}: "
                    "give those settings, or another directory"
                )
        wanted = {"theta": state.theta, **{f"moment.{name}": moment for name, moment in state.moments.items()}}
        for name, mine in wanted.items():
            if (arrays[name].dtype, arrays[name].shape) != (mine.dtype, mine.shape):
                raise InputError(
                    f"{path}: `{name}` is {arrays[name].dtype} {arrays[name].shape}, not {mine.dtype} {mine.shape}"
                )
            mine[:] = arrays[name]
        state.epoch, state.gradients = int(described["epoch"]), str(described.get("gradients", ""))
        columns, nulls = (_named(arrays, group) for group in ("column", "null"))
        state.rows[:] = unstacked(arrays["step"], columns, nulls)
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path} is not a training state: {error}") from None
    return state


def _named(arrays: Mapping[str, Array], group: str) -> dict[str, Array]:
    return {name.removeprefix(f"{group}."): values for name, values in arrays.items() if name.startswith(f"{group}.")}
