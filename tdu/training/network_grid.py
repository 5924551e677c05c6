"""Networks of several widths and replicates, trained side by side into one log."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from tdu.config import NetworkConfig
from tdu.errors import InputError
from tdu.executors import Address, Workers, as_finished, opened, share
from tdu.logs.claims import TakenError
from tdu.logs.filling import filled
from tdu.logs.store import Store
from tdu.training.network import network_store, one_blas_thread, train_network
from tdu.types import Run


def grid_of(width: tuple[int, ...] | None, replicate: tuple[int, ...] | None, **settings: Any) -> list[NetworkConfig]:
    """The networks of every width and replicate, which share all other settings."""
    default = NetworkConfig()
    widths, replicates = width or (default.width,), replicate or (default.replicate,)
    for name, values in (("width", widths), ("replicate", replicates)):
        if len(set(values)) < len(values):
            raise InputError(f"`{name}` names a value twice: {','.join(map(str, values))}")
    return [NetworkConfig(**settings, width=one, replicate=other) for one, other in product(widths, replicates)]


def train_networks(
    configs: list[NetworkConfig],
    directory: Path,
    workers: Workers | int,
    *,
    part: tuple[int, int] | None = None,
    save_gradients: bool = False,
) -> Iterator[Run]:
    """Train networks that share all settings but width and replicate into the log at `directory`; each as it is finished.

    As `tdu.reproduce.train_study` does: runs that other processes are making are waited for unless a `part` is asked for. A run
    is kept with what it goes on from, by the worker that trains it: workers elsewhere must see the directory.

    Raises
    ------
    ValueError
        For settings out of range, a directory of others, or training that diverges; if one network is asked for and another
        process is training it.
    """
    workers = Workers.of(workers)
    if workers.hand_back:
        raise InputError(
            "networks keep what they go on from beside the log, so that they cannot be handed back: --no-hand-back"
        )
    of_address = {(config.width, config.replicate): config for config in configs}
    wanted = share(of_address, part) if part else sorted(of_address, reverse=True)
    if len(configs) == 1 and workers.executor == "threads":
        yield from (train_network(of_address[address], directory, save_gradients) for address in wanted)
        return
    store = network_store(configs[0], directory.absolute())
    first = partial(train_network, replace(configs[0], width=min(configs, key=_width).width, epochs=1, n_null_draws=0))
    with opened(workers, first) as executor, one_blas_thread():

        def make(missing: list[Address]) -> Iterator[Address]:
            return _made({address: of_address[address] for address in missing}, store, save_gradients, executor)

        for address in filled(store, make, wanted, wait=part is None):
            yield store.read(*address)


def _width(config: NetworkConfig) -> int:
    return config.width


def _made(
    configs: Mapping[Address, NetworkConfig], store: Store, save_gradients: bool, executor: Executor
) -> Iterator[Address]:
    """Train what nobody else is training; the addresses of what is finished."""
    begun = store.begun()
    jobs = {address: partial(_train, config, store, save_gradients, begun) for address, config in configs.items()}
    for address, finished in as_finished(jobs, executor):
        if finished:
            yield address


def _train(config: NetworkConfig, store: Store, save_gradients: bool, begun: bytes) -> bool:
    """Train a network; False where another process is at it."""
    store.refuse_another(begun)
    try:
        train_network(config, store.path, save_gradients)
    except TakenError:
        return False
    return True
