"""Training over thousands of epochs: rows of what was seen, and a state that a killed run goes on from, bit for bit."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from tdu.files import SCHEMA, atomic, read_arrays
from tdu.models.layers import Array
from tdu.models.networks import Network, accuracy_of
from tdu.models.optimisers import Optimiser
from tdu.models.tasks import Task

#: Of a snapshot: its gradient → further numbers for its row.
Observe = Callable[[Array], Mapping[str, float]]


@dataclass
class State:
    """All that the next epoch depends on, and the rows so far; the moments are those of the optimiser, by name."""

    theta: Array
    moments: dict[str, Array]
    epoch: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)


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
) -> State:
    """Go on with `state` to epoch `epochs` by full-batch updates, with a row at every snapshot.

    A row has ``epoch``, ``loss`` (nats), ``accuracy``, ``test_accuracy`` and what `observe` makes of the raw gradient.
    `transform` is what becomes of the gradient before the optimiser sees it. `save` is called after every update, and decides
    itself whether it is time.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    while True:
        loss, accuracy, gradient = network.loss_and_gradient(state.theta, task.train)
        if not np.isfinite(loss):
            raise ValueError(f"training diverged at epoch {state.epoch}: lower `learning_rate`")
        if state.epoch % snapshot_every == 0 and not (state.rows and state.rows[-1]["epoch"] == state.epoch):
            test = accuracy_of(network.logits(state.theta, task.test), task.answers[task.test])
            row = {"epoch": state.epoch, "loss": loss, "accuracy": accuracy, "test_accuracy": test}
            state.rows.append({**row, **observe(gradient)})
        if state.epoch >= epochs:
            return state
        optimiser.step(state.theta, gradient if transform is None else transform(gradient), state.epoch + 1)
        state.epoch += 1
        if save is not None:
            save(state)


def save_state(path: Path, state: State, settings: Mapping[str, Any]) -> None:
    """Write `state` to `path`, whole or not at all, with the `settings` it belongs to."""
    described = {
        "schema": SCHEMA,
        "settings": dict(settings),
        "columns": list(state.rows[0]) if state.rows else [],
    }
    rows = np.array([list(row.values()) for row in state.rows], np.float64)
    arrays: dict[str, Any] = {f"moment.{name}": moment for name, moment in state.moments.items()}
    with atomic(path) as file:
        np.savez(cast(Any, file), description=json.dumps(described), epoch=state.epoch, theta=state.theta, rows=rows, **arrays)


def load_state(path: Path, state: State, settings: Mapping[str, Any]) -> State:
    """`state` as it was when it was written to `path`; the arrays of `state`, which the optimiser holds too, are filled.

    Raises
    ------
    ValueError
        If the file is not such a state, or one of other settings.
    """
    stored = read_arrays(path, "training state")
    try:
        described = json.loads(str(stored["description"]))
        if described["schema"] != SCHEMA:
            raise ValueError(f"{path} has schema {described['schema']}, but this version of tdu reads schema {SCHEMA}")
        mine = json.loads(json.dumps(dict(settings)))
        for name in mine:
            if described["settings"].get(name) != mine[name]:
                raise ValueError(
                    f"{path} is of a run with `{name}` {described['settings'].get(name)}, not {mine[name]}: "
                    "give those settings, or another directory"
                )
        state.theta[:] = stored["theta"]
        for name, moment in state.moments.items():
            moment[:] = stored[f"moment.{name}"]
        state.epoch = int(stored["epoch"])
        state.rows[:] = [dict(zip(described["columns"], row, strict=True)) for row in stored["rows"].tolist()]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a training state: {error}") from None
    return state
