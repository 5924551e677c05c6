"""A network's training under the probe: a task, a network and an optimiser by name, avalanches and nulls at every snapshot."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from tdu import _validate
from tdu.avalanches import nulls
from tdu.avalanches.cascades import avalanche
from tdu.avalanches.graphs import Graph, barabasi_albert
from tdu.config import GROKKED, NETWORKS, NULLS, PRECISIONS, NetworkConfig
from tdu.files import TEMPORARY, write_csv
from tdu.models import networks, tasks
from tdu.models.layers import Array
from tdu.models.networks import Network
from tdu.models.optimisers import optimiser
from tdu.rng import Stage, derived_seed, generator
from tdu.training import loop
from tdu.types import Avalanche, Floats, Integers, grokking_epochs

_SAVE_SECONDS = 20.0
#: What decides the first parameters of a run, its graph, and which pairs train it.
_OF_START = (
    "task", "modulus", "train_fraction", "network", "width", "heads", "unit", "layer_norm", "precision", "seed", "replicate",
)  # fmt: skip
_OF_AVALANCHE = ("size", "duration", "extent", "peak", "threshold", "dissipated", "capped")


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """One network's training: T snapshots.

    Attributes
    ----------
    config, n_sites : the settings, and N, the parameters, which are the sites of the run's graph.
    columns : (T,) each: ``epoch``, ``loss`` (nats), ``accuracy``, ``test_accuracy``, what `Avalanche` says of the gradient, and
        for each null and draw ``null.0`` …, the size of its avalanche.
    """

    config: NetworkConfig
    n_sites: int
    columns: Mapping[str, Floats]

    @property
    def grokking_epoch(self) -> int | None:
        """First snapshot's epoch from which test accuracy stays above 0.99 to the end."""
        at = self.grokking_snapshot
        return None if at < 0 else int(self.columns["epoch"][at])

    @property
    def grokking_snapshot(self) -> int:
        """First snapshot from which test accuracy stays above 0.99 to the end, −1 if there is none."""
        return int(grokking_epochs((self.columns["test_accuracy"] > GROKKED).astype(np.float64)))

    @property
    def first_snapshot(self) -> int:
        """First snapshot with a test accuracy above 0.99, whatever spikes of the loss come later; −1 if there is none."""
        above = self.columns["test_accuracy"] > GROKKED
        return int(above.argmax()) if above.any() else -1

    def null_sizes(self, name: str) -> Integers:
        """(draws, T) sizes under the null `name`."""
        return np.array([self.columns[f"{name}.{draw}"] for draw in range(self.config.n_null_draws)], np.int64)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products on one thread each: their bits depend on the number, and runs side by side fill the processors."""
    with threadpool_limits(1, user_api="blas"):
        yield


def train_network(config: NetworkConfig, directory: Path | None = None, save_gradients: bool = False) -> NetworkRun:
    """Train a network from its address (seed, width, replicate), or go on from the state in `directory`, and probe it.

    Parameters
    ----------
    config : the settings.
    directory : where the state is kept, every twenty seconds and at the end, as ``state.npz``, with the rows as ``run.csv``.
        Longer training goes on from the end of shorter. None: nothing is written.
    save_gradients : also keep the raw gradients of the snapshots, (T, N), in ``gradients.npy``, which `tdu probe` reads.

    Raises
    ------
    TypeError, ValueError
        For settings of a wrong kind or out of range, a directory of other settings, or training that diverges.
    """
    checked(config)
    address = (config.width, config.replicate)
    task = tasks.modular(config.task, config.modulus, config.train_fraction, generator(config.seed, Stage.SPLIT, *address))
    network = _network(config, task)
    theta = network.initial(generator(config.seed, Stage.PARAMETERS, *address), config.precision)
    method = optimiser(config.optimiser, theta, config.learning_rate, config.weight_decay)
    state = loop.State(theta, method.moments)
    with one_blas_thread(), _kept(directory, config, state, save_gradients) as (save, keep):
        if state.epoch < config.epochs or not state.rows:  # a finished run is read back
            probe = Probe(config, network.blocks)

            def observe(gradient: Array) -> dict[str, float]:
                keep(gradient)
                return probe.measure(gradient, state.epoch)

            transform = probe.relaxed if config.alpha_train > 0 else None
            loop.train(network, task, method, state, config.epochs, config.snapshot_every, observe, transform, save)
    columns = {name: np.array([row[name] for row in state.rows]) for name in state.rows[0]}
    return NetworkRun(config, theta.size, columns)


def start_together(one: NetworkConfig, other: NetworkConfig) -> bool:
    """Whether two runs have their first parameters, their graph and their split in common, all that chance gives a run."""
    return all(getattr(one, name) == getattr(other, name) for name in _OF_START)


def checked(config: NetworkConfig) -> NetworkConfig:
    """`config` as it came, or TypeError or ValueError naming the setting that cannot be.

    What a task, a network or an optimiser is given is checked by it.
    """
    for name, known in (("network", NETWORKS), ("precision", PRECISIONS)):
        _validate.choice(getattr(config, name), name, known)
    for name, minimum in (("epochs", 0), ("snapshot_every", 1), ("max_steps", 0), ("n_null_draws", 0), ("replicate", 0)):
        _validate.integer(getattr(config, name), name, minimum)
    _validate.integer(config.seed, "seed", 0, _validate.LARGEST_SEED)
    _validate.real(config.alpha, "alpha", 0, 1)
    _validate.real(config.alpha_train, "alpha_train", 0, 1)
    _validate.real(config.quantile, "quantile", 0, 1, open_interval=True)
    return config


def _network(config: NetworkConfig, task: tasks.Task) -> Network:
    if config.network == "mlp":
        return networks.TokenMLP(task, config.width, config.unit)
    return networks.Transformer(task, config.width, config.heads, config.unit, config.layer_norm)


class Probe:
    """The avalanche probe of one run: its graph, and the draws of each null that serve all its snapshots.

    Rearranged anew at each snapshot, a draw's mean over time would scatter less than the real one; only `gaussian`, of which
    nothing can persist, is drawn anew, by its epoch, so that a run gone on with draws what it would have drawn.
    """

    def __init__(self, config: NetworkConfig, blocks: Sequence[int]) -> None:
        self.config = config
        n, draws = sum(blocks), range(config.n_null_draws)
        address = (config.width, config.replicate)
        self.graph = barabasi_albert(n, m=2, seed=derived_seed(config.seed, Stage.GRAPH, *address))
        # a stream for each null, so that what one draws does not depend on the others
        rng = dict(zip(NULLS, generator(config.seed, Stage.NULL, *address).spawn(len(NULLS)), strict=True))
        self.orders = {
            "permuted": [nulls.permuted(np.arange(n), rng["permuted"]).astype(np.int64) for _ in draws],
            "blocks": [nulls.blocks(np.arange(n), rng["blocks"], blocks).astype(np.int64) for _ in draws],
        }
        self.signs = [nulls.signs(np.ones(n), rng["signs"]) for _ in draws]
        self.gaussian = [int(rng["gaussian"].integers(2**63)) for _ in draws]
        self.rewired = [nulls.rewired(self.graph, int(rng["rewired"].integers(2**63))) for _ in draws]

    def measure(self, gradient: Array, epoch: int) -> dict[str, float]:
        """The avalanche of the gradient (N,) of an `epoch`, and its size under each draw of each null."""
        field = gradient.astype(np.float64)
        found = self._avalanche(field, self.graph)
        row = {name: float(getattr(found, name)) for name in _OF_AVALANCHE}
        for draw in range(self.config.n_null_draws):
            of_null = {
                "permuted": (field[self.orders["permuted"][draw]], self.graph),
                "blocks": (field[self.orders["blocks"][draw]], self.graph),
                "signs": (field * self.signs[draw], self.graph),
                "gaussian": (nulls.gaussian(field, np.random.default_rng([self.gaussian[draw], epoch])), self.graph),
                "rewired": (field, self.rewired[draw]),
            }
            row |= {f"{name}.{draw}": float(self._avalanche(*of_null[name]).size) for name in NULLS}
        return row

    def relaxed(self, gradient: Array) -> Array:
        """What the optimiser is given in in-line training: the gradient after its avalanche at `alpha_train`."""
        of = self.config
        found = avalanche(gradient, self.graph, of.alpha_train, of.quantile, max_steps=of.max_steps)
        return found.gradient.astype(gradient.dtype)

    def _avalanche(self, field: Floats, graph: Graph) -> Avalanche:
        return avalanche(field, graph, self.config.alpha, self.config.quantile, max_steps=self.config.max_steps)


@contextmanager
def _kept(
    directory: Path | None, config: NetworkConfig, state: loop.State, save_gradients: bool
) -> Iterator[tuple[Callable[[loop.State], None], Callable[[Array], None]]]:
    """What saves a state now and then and what keeps a gradient, in `directory`; `state` goes on from what is there.

    Left without an error, the state at the end, the rows and the gradients are whole.
    """
    if directory is None:
        if save_gradients:
            raise ValueError("`save_gradients` needs a `directory` to keep them in")
        yield lambda _: None, lambda _: None
        return
    settings = {**asdict(config), "save_gradients": save_gradients}
    if not save_gradients:
        del settings["epochs"]  # longer training goes on from shorter, unless the file of gradients is laid out already
    path, whole = directory / "state.npz", directory / "gradients.npy"
    if path.exists():
        loop.load_state(path, state, settings)
        if state.epoch > config.epochs:
            raise ValueError(f"{path} is of a run of {state.epoch} `epochs` already, not {config.epochs}: ask for as many")
    directory.mkdir(parents=True, exist_ok=True)
    last = time.monotonic()

    def save(state: loop.State) -> None:
        nonlocal last
        if time.monotonic() - last > _SAVE_SECONDS:
            loop.save_state(path, state, settings)
            last = time.monotonic()

    if not save_gradients or whole.exists():
        yield save, lambda _: None
    else:
        part = whole.with_name(whole.name + TEMPORARY)
        shape = (config.epochs // config.snapshot_every + 1, state.theta.size)
        mode = "r+" if part.exists() and state.rows else "w+"
        fields = np.lib.format.open_memmap(part, mode, config.precision, shape)

        def keep(gradient: Array) -> None:
            fields[len(state.rows)] = gradient

        yield save, keep
        fields.flush()
        os.replace(part, whole)
    write_csv(directory / "run.csv", state.rows)
    loop.save_state(path, state, settings)
