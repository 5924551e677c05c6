"""A network's training under the probe: a task, a network and an optimiser by name, avalanches and nulls at every snapshot."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tdu.avalanches import spectrum
from tdu.avalanches.averaging import Averager
from tdu.avalanches.probe import Probe
from tdu.config import NetworkConfig
from tdu.errors import DivergedError, InputError
from tdu.logs.grokking import first_generalised
from tdu.logs.rows import stacked
from tdu.logs.store import Store
from tdu.models import networks, tasks
from tdu.models.layers import Array
from tdu.models.networks import Network
from tdu.models.optimisers import Optimiser, optimiser
from tdu.models.tasks import Task
from tdu.rng import Stage, generator
from tdu.training import gradients, loop, sites
from tdu.types import Integers, Run

_SAVE_SECONDS = 20.0
#: What decides the first parameters of a run, its graph, and which pairs train it.
_OF_START = (
    "task", "modulus", "n_bits", "n_relevant", "train_fraction", "network", "width", "heads", "unit", "layer_norm", "precision",
    "seed", "replicate",
)  # fmt: skip
#: Settings in which the runs of one log may differ; longer training goes on from shorter.
_OF_RUN = ("width", "replicate", "epochs")
#: Settings that came when there were logs already, and are written only where they are not their default.
_ADDED = {name: getattr(NetworkConfig, name) for name in ("site_order", "measured_on", "window", "shuffled_labels")}


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products on one thread each: their bits depend on the number, and runs side by side fill the processors."""
    with threadpool_limits(1, user_api="blas"):
        yield


def train_network(config: NetworkConfig, directory: Path | None = None, save_gradients: bool = False) -> Run:
    """Train a network from its address (seed, width, replicate), and probe it; add the run to the log in `directory`.

    Parameters
    ----------
    config : the settings.
    directory : of a log (`tdu.logs.store`) of runs that share all settings but `width`, `replicate` and `epochs`; other
        processes may add other runs meanwhile. The state is kept every twenty seconds and at the end, and gone on with, also by
        longer training. None: nothing is written.
        On one machine the bits do not depend on how often that happens, or on what runs beside; on another they may, since the
        matrix products are BLAS's.
    save_gradients : also keep the raw gradients of the snapshots, (T, N), beside the state, in a file that `tdu probe` reads.

    Returns
    -------
    Run
        Columns ``loss`` (nats), ``accuracy``, ``test_accuracy``, and the observables of the gradient's avalanche.

    Raises
    ------
    TypeError, ValueError
        For settings of a wrong kind or out of range, a directory of other settings, or training that diverges; the log then
        has the run until there, and says so whenever it is read.

    Examples
    --------
    >>> run = tdu.train_network(tdu.NetworkConfig(modulus=5, width=8, epochs=20))
    >>> run.n_sites, run.epoch.tolist()
    (920, [0, 10, 20])
    """
    start = _start(config)  # an error in its settings is raised before anything is written
    if directory is None:
        if save_gradients:
            raise InputError("`save_gradients` needs a `directory` to keep them in")
        return _trained(config, *start)
    store = network_store(config, directory)
    with store.claim(config.width, config.replicate), _kept(store, config, start[-1], save_gradients) as (save, keep):
        try:
            run = _trained(config, *start, save, keep)
        except DivergedError:
            network, *_, state = start
            if state.rows:
                store.write(_run_of(config, network, state, state.epoch))
            raise
        store.write(run)
    return run


def with_fields(config: NetworkConfig) -> tuple[Run, Array]:
    """The run of a network, which is not written, and its snapshots' raw gradients (T, N) for whoever measures them again."""
    fields: list[Array] = []
    run = _trained(config, *_start(config), keep=lambda gradient: fields.append(gradient.copy()))
    return run, np.array(fields)


def _start(config: NetworkConfig) -> tuple[Network, Probe, Averager | None, Optimiser, loop.State]:
    """What a run starts from at its address (seed, width, replicate)."""
    probe, address = probe_of(config), (config.width, config.replicate)
    network = networks.NETWORKS[config.network](task_of(config), config)
    theta = network.initial(generator(config.seed, Stage.PARAMETERS, *address), config.precision)
    method = optimiser(config.optimiser, theta, config.learning_rate, config.weight_decay)
    averager = probe.averager(network.layout, config.snapshot_every)
    state = loop.State(theta, method.moments | (averager.arrays if averager else {}))
    return network, probe, averager, method, state


def task_of(config: NetworkConfig) -> Task:
    """The task of a run, split by a stream of its own; its labels are shuffled by another, so that the split is the same."""
    address = (config.width, config.replicate)
    task = tasks.TASKS[config.task].build(config, generator(config.seed, Stage.SPLIT, *address))
    if not config.shuffled_labels:
        return task
    return tasks.with_shuffled_labels(task, generator(config.seed, Stage.LABELS, *address))


def network_store(config: NetworkConfig, directory: Path) -> Store:
    """The log that a network's run is added to, begun if it is not there."""
    left_out = {*_OF_RUN, *tasks.settings_of_others(config.task)}
    settings = {name: value for name, value in asdict(config).items() if name not in left_out}
    return Store.begin(
        directory, "network", {name: v for name, v in settings.items() if name not in _ADDED or v != _ADDED[name]}
    )


def _trained(
    config: NetworkConfig,
    network: Network,
    probe: Probe,
    averager: Averager | None,
    method: Optimiser,
    state: loop.State,
    save: Callable[[loop.State], None] | None = None,
    keep: Callable[[Array], None] | None = None,
) -> Run:
    """The run that goes on from `state`; one that is finished is read back from it."""
    last_due = config.epochs - config.epochs % config.snapshot_every
    if state.epoch < config.epochs or not state.rows or state.rows[-1].step < last_due:
        address = (network.layout, config.width, config.replicate)
        training, measuring = sites.graphs(config, *address)
        of_run = replace(probe, graph=measuring).of_run(*address)
        in_line = replace(of_run, graph=training)

        def observe(gradient: Array, epoch: int) -> tuple[dict[str, float], dict[str, Integers]]:
            if keep is not None:
                keep(gradient)
            columns, nulls = of_run.snapshot(gradient, epoch)
            if averager is not None:
                columns |= spectrum.columns(averager.mean(epoch), averager.cosine, network.layout)
            return columns, nulls

        def relaxed(gradient: Array) -> Array:
            return in_line.relaxed(gradient, config.alpha_train)

        transform = relaxed if config.alpha_train > 0 else None
        with one_blas_thread():
            seen = averager.add if averager is not None else None
            loop.train(
                network, network.task, method, state, config.epochs, config.snapshot_every, observe, transform, save, seen
            )
    return _run_of(config, network, state)


def _run_of(config: NetworkConfig, network: Network, state: loop.State, diverged_step: int = -1) -> Run:
    step, columns, nulls = stacked(state.rows)
    grokking_step = -1 if diverged_step >= 0 else first_generalised(step, columns["test_accuracy"])
    return Run(config.width, config.replicate, network.layout, step, columns, nulls, {}, grokking_step, diverged_step)


def probe_of(config: NetworkConfig) -> Probe:
    """The probe of a network's run."""
    return Probe.paper(
        alpha=config.alpha, quantile=config.quantile, max_steps=config.max_steps, nulls=config.nulls,
        draws=config.n_null_draws, seed=config.seed, window=config.window,
    )  # fmt: skip


def start_together(one: NetworkConfig, other: NetworkConfig) -> bool:
    """Whether two runs have their first parameters, their graph and their split in common, all that chance gives a run."""
    return all(getattr(one, name) == getattr(other, name) for name in _OF_START)


@contextmanager
def _kept(
    store: Store, config: NetworkConfig, state: loop.State, save_gradients: bool
) -> Iterator[tuple[Callable[[loop.State], None], Callable[[Array], None] | None]]:
    """What saves a state now and then and what keeps a gradient; `state` goes on from what is there.

    Left without an error, the state at the end and the gradients are whole.
    """
    path = store.state(config.width, config.replicate)
    settings: dict[str, Any] = {"log": store.digest, "save_gradients": save_gradients}
    if save_gradients:
        settings["epochs"] = config.epochs  # the file of gradients is laid out already
    if path.exists():
        loop.load_state(path, state, settings)
        if state.epoch > config.epochs:
            raise InputError(f"{path} is of a run of {state.epoch} `epochs` already, not {config.epochs}: ask for as many")
    last = time.monotonic()

    def save(state: loop.State) -> None:
        nonlocal last
        if time.monotonic() - last > _SAVE_SECONDS:
            loop.save_state(path, state, settings)
            last = time.monotonic()

    if not save_gradients:
        yield save, None
    else:
        shape = (config.epochs // config.snapshot_every + 1, state.theta.size)
        whole = path.with_name(f"{path.stem}-gradients.npy")
        with gradients.kept(whole, shape, np.dtype(config.precision), state) as keep:
            yield save, keep
    loop.save_state(path, state, settings)
