"""The paper's testbed: an MLP learning XOR, with the avalanche probe in line or in shadow."""

import numpy as np

from tdu import _validate
from tdu.avalanches.graphs import Graph, barabasi_albert
from tdu.config import ACTIVATIONS, INITIALISATIONS, INPUTS, StudyConfig
from tdu.kernels.avalanche import workspace
from tdu.kernels.training import Curves, Probe, Problem, Snapshots, train
from tdu.models import mlp
from tdu.rng import Stage, derived_seed, generator
from tdu.types import Floats, Run

_BITS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
#: The four patterns (4, 2) in each coding, and what they are to be answered with.
PATTERNS = dict(zip(INPUTS, (_BITS, 2 * _BITS - 1), strict=True))
TARGETS = np.array([0.0, 1.0, 1.0, 0.0])
_LARGEST_SCALE = (2**31 - 2) // 4


def train_xor(
    hidden: int,
    seed: int = 0,
    epochs: int = 500,
    alpha: float = 0.3,
    alpha_train: float | None = None,
    snapshot_every: int = 10,
    *,
    quantile: float = 0.9,
    max_steps: int = 20,
    learning_rate: float = 0.5,
    replicate: int = 0,
    activation: str = ACTIVATIONS[0],
    initialisation: str = INITIALISATIONS[0],
    inputs: str = INPUTS[0],
) -> Run:
    """Train 2 → `hidden` → 1 on XOR by full-batch gradient descent, and measure the avalanches of its gradients.

    Parameters
    ----------
    hidden : hidden units h; N = 4h + 1 parameters are the sites of a Barabási–Albert graph (m = 2) of this run's own.
    seed, replicate : together with `hidden` the address of the run's random numbers.
    epochs : updates; epoch e is the state after e of them.
    alpha : diffusion strength of the measured avalanche, in [0, 1].
    alpha_train : diffusion strength of the avalanche whose relaxed field replaces the gradient in the update; None stands
        for `alpha` (in-line, the paper's probe), 0 lets the raw gradient train (shadow).
    snapshot_every : epochs between measured avalanches, the first at epoch 0.
    quantile, max_steps : as in `tdu.avalanche`.
    learning_rate : η of the update θ ← θ − η g.
    activation : hidden units: ``tanh``, ``relu`` or ``sigmoid``.
    initialisation : of the parameters: ``pytorch``, ``xavier``, ``he``, ``normal-0.5`` or ``normal-1``
        (`tdu.models.mlp.initial_parameters`).
    inputs : coding of the patterns: ``binary`` {0, 1} or ``bipolar`` ±1.

    Raises
    ------
    TypeError, ValueError
        For arguments of a wrong kind or out of range.
    """
    config = StudyConfig(
        hidden=(hidden,), replicates=1, epochs=epochs, snapshot_every=snapshot_every, learning_rate=learning_rate, alpha=alpha,
        alpha_train=alpha if alpha_train is None else alpha_train, quantile=quantile, max_steps=max_steps, seed=seed,
        activation=activation, initialisation=initialisation, inputs=inputs,
    )  # fmt: skip
    return run_of_study(checked(config), hidden, _validate.integer(replicate, "replicate", 0))


def checked(config: StudyConfig) -> StudyConfig:
    """`config` as it came, or TypeError or ValueError naming the setting that cannot be."""
    if not config.hidden:
        raise ValueError("`hidden` names no scale: a study needs at least one")
    for hidden in config.hidden:
        if _validate.integer(hidden, "hidden", 1) > _LARGEST_SCALE:
            raise ValueError(f"`hidden` must be at most {_LARGEST_SCALE}: its 4h + 1 sites are 32-bit numbers")
    if len(set(config.hidden)) < len(config.hidden):
        raise ValueError(f"`hidden` names a scale twice: {', '.join(map(str, config.hidden))}")
    _validate.integer(config.replicates, "replicates", 1)
    _validate.integer(config.epochs, "epochs", 0)
    _validate.integer(config.snapshot_every, "snapshot_every", 1)
    _validate.real(config.learning_rate, "learning_rate", 0, float("inf"))
    _validate.real(config.alpha, "alpha", 0, 1)
    _validate.real(config.alpha_train, "alpha_train", 0, 1)
    _validate.real(config.quantile, "quantile", 0, 1, open_interval=True)
    _validate.integer(config.max_steps, "max_steps", 0)
    _validate.integer(config.seed, "seed", 0, _validate.LARGEST_SEED)
    for name, known in (("activation", ACTIVATIONS), ("initialisation", INITIALISATIONS), ("inputs", INPUTS)):
        _validate.choice(getattr(config, name), name, known)
    return config


def run_of_study(config: StudyConfig, hidden: int, replicate: int, *, with_gini: bool = True) -> Run:
    """The run of a checked study at (`hidden`, `replicate`); its bits depend on nothing else."""
    return _train(config, hidden, replicate, with_gini=with_gini)[0]


def snapshot_fields(config: StudyConfig, hidden: int, replicate: int) -> tuple[Floats, Graph]:
    """The gradients (T, N) of the run's snapshots before their avalanches, and the run's graph."""
    _, fields, graph = _train(config, hidden, replicate, keep_fields=True)
    return fields, graph


def _train(
    config: StudyConfig, hidden: int, replicate: int, *, with_gini: bool = False, keep_fields: bool = False
) -> tuple[Run, Floats, Graph]:
    """One run, the gradients of its snapshots (T, N) if they are kept, and its graph."""
    rng = generator(config.seed, Stage.PARAMETERS, hidden, replicate)
    theta = mlp.initial_parameters(hidden, rng, initialisation=config.initialisation)
    graph = barabasi_albert(theta.size, m=2, seed=derived_seed(config.seed, Stage.GRAPH, hidden, replicate))
    epoch = np.arange(0, config.epochs + 1, config.snapshot_every)
    loss, accuracy = np.empty(config.epochs + 1), np.empty(config.epochs + 1)
    curves = Curves(loss, accuracy, gini=np.empty(config.epochs + 1 if with_gini else 0))
    snapshots = _empty_snapshots(epoch.size, config.max_steps, np.empty((epoch.size if keep_fields else 0, theta.size)))
    probe = Probe(
        graph.indptr, graph.targets, float(config.alpha), float(config.alpha_train), float(config.quantile),
        int(config.max_steps), int(config.snapshot_every),
    )  # fmt: skip
    activation = mlp.ACTIVATION_NUMBER[config.activation]
    problem = Problem(PATTERNS[config.inputs], TARGETS, float(config.learning_rate), activation)
    train(theta, problem, probe, curves, snapshots, workspace(theta.size))
    if not np.isfinite(curves.loss).all():
        at = int(np.argmin(np.isfinite(curves.loss)))
        raise ValueError(
            f"training with `learning_rate` {config.learning_rate:g} diverged at h = {hidden}, epoch {at}: lower it"
        )
    recorded = {**curves._asdict(), **snapshots._asdict()}
    fields = recorded.pop("field")
    return Run(hidden=hidden, n_sites=theta.size, replicate=replicate, epoch=epoch, **recorded), fields, graph


def _empty_snapshots(n_snapshots: int, max_steps: int, field: Floats) -> Snapshots:
    counts = {name: np.empty(n_snapshots, np.int64) for name in ("size", "duration", "extent", "peak")}
    measures = {name: np.empty(n_snapshots) for name in ("threshold", "dissipated", "deviation_angle")}
    profile, capped = np.empty((n_snapshots, max_steps), np.int64), np.empty(n_snapshots, np.bool_)
    return Snapshots(**counts, **measures, profile=profile, capped=capped, field=field)
