"""The paper's testbed: an MLP learning XOR, with the avalanche probe in line or in shadow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from tdu import _check, _memory
from tdu.avalanches import observables
from tdu.avalanches.graphs import Graph
from tdu.avalanches.probe import Probe
from tdu.avalanches.run_probe import RunProbe
from tdu.avalanches.tuning import few_sites
from tdu.config import (
    ACTIVATIONS,
    ALPHA,
    INITIALISATIONS,
    INPUTS,
    MAX_STEPS,
    MEASURED_ON,
    PARAMETRISATIONS,
    QUANTILE,
    SITE_ORDERS,
    TARGET_NAMES,
    StudyConfig,
)
from tdu.errors import DivergedError
from tdu.kernels import training as kernels
from tdu.logs.grokking import grokking_epochs
from tdu.models import mlp
from tdu.models.parametrisation import Parametrisation
from tdu.rng import Stage, generator
from tdu.training import sites
from tdu.types import Floats, Integers, Layout, Run

_BITS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
#: The four patterns (4, 2) in each coding, and what they are to be answered with.
PATTERNS = dict(zip(INPUTS, (_BITS, 2 * _BITS - 1), strict=True))
TARGETS = np.array([0.0, 1.0, 1.0, 0.0])
#: The same by name, and what a line in the plane of the inputs parts, which needs no grokking.
TARGETS_OF = dict(zip(TARGET_NAMES, (TARGETS, _BITS.min(axis=1), _BITS.max(axis=1), _BITS[:, 0].copy()), strict=True))


@dataclass(frozen=True, eq=False)
class Trained:
    """A run, its probe, and the gradients (T, N) of its snapshots before their avalanches, for whoever measures them again."""

    run: Run
    probe: RunProbe
    fields: Floats


def train_xor(
    hidden: int,
    seed: int = 0,
    epochs: int = 500,
    alpha: float = ALPHA,
    alpha_train: float | None = None,
    snapshot_every: int = 10,
    *,
    quantile: float = QUANTILE,
    max_steps: int = MAX_STEPS,
    learning_rate: float = 0.5,
    replicate: int = 0,
    activation: str = ACTIVATIONS[0],
    initialisation: str = INITIALISATIONS[0],
    inputs: str = INPUTS[0],
    parametrisation: str = PARAMETRISATIONS[0],
    site_order: str = SITE_ORDERS[0],
    measured_on: str = MEASURED_ON[0],
    targets: str = TARGET_NAMES[0],
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
    parametrisation : how start, rates and coordinates depend on h: ``standard``, ``mean-field`` or ``tangent-kernel``
        (`tdu.models.parametrisation`).
    site_order : in which order the parameters sit on a graph: ``layer``, ``reversed``, ``units`` or ``units-permuted``
        (`tdu.training.sites`).
    measured_on : the graph of the measured avalanche: that of the one that trains (``own``), another Barabási–Albert graph
        (``fresh``), or one of another family by its name, as ``ring``.
    targets : what is learnt of the two bits: ``xor``, ``and``, ``or``, or the ``first`` of them.

    Raises
    ------
    TypeError, ValueError
        For arguments of a wrong kind or out of range.

    Examples
    --------
    >>> run = tdu.train_xor(20, seed=0, epochs=200)
    >>> run.n_sites, float(run.accuracy[-1])
    (81, 1.0)
    >>> run.size.shape  # an avalanche at epochs 0, 10, …, 200
    (21,)
    """
    config = StudyConfig(
        hidden=(hidden,), replicates=1, epochs=epochs, snapshot_every=snapshot_every, learning_rate=learning_rate, alpha=alpha,
        alpha_train=alpha if alpha_train is None else alpha_train, quantile=quantile, max_steps=max_steps, seed=seed,
        activation=activation, initialisation=initialisation, inputs=inputs, n_null_draws=0, parametrisation=parametrisation,
        site_order=site_order, measured_on=measured_on, targets=targets,
    )  # fmt: skip
    return run_of_study(config, hidden, _check.integer(replicate, "replicate", 0), every_epoch=False)


def run_of_study(
    config: StudyConfig, hidden: int, replicate: int, *, gini: bool = True, every_epoch: bool = True, nulls: bool = True
) -> Run:
    """The run of a study at (`hidden`, `replicate`); its bits depend on nothing else.

    `gini`: with that curve, a fifth of the time. `every_epoch`: with the avalanche size at every epoch as a curve, which costs
    next to nothing where the same avalanche trains. `nulls`: with the draws of the study's nulls.
    """
    n_draws = config.n_null_draws if nulls else 0
    found = _train(config, hidden, replicate, n_draws, gini=gini, every_epoch=every_epoch, keep_fields=n_draws > 0)
    return replace(found.run, nulls=found.probe.null_sizes(found.fields, found.run.step)) if n_draws else found.run


def with_fields(config: StudyConfig, hidden: int, replicate: int) -> Trained:
    """The run of a study at (`hidden`, `replicate`) with its gradients, for whoever measures these."""
    return _train(config, hidden, replicate, 0, gini=False, every_epoch=False, keep_fields=True)


def sizes_under(configs: Sequence[StudyConfig], _config: StudyConfig, hidden: int, replicate: int) -> Integers:
    """Sizes (C, T) of the run at (`hidden`, `replicate`) of C studies that differ in the settings of the avalanche alone."""
    setup = Setup.of(configs[0], hidden, replicate)
    return np.array([_recorded(one, setup, gini=False, every_epoch=False, keep_fields=False)[1].size for one in configs])


@dataclass(frozen=True, eq=False)
class Setup:
    """What a run begins with, however avalanches are set: start (N,), problem, and the graphs that train and measure it."""

    hidden: int
    layout: Layout
    start: Floats
    problem: kernels.Problem
    training: Graph
    measuring: Graph

    @classmethod
    def of(cls, config: StudyConfig, hidden: int, replicate: int) -> "Setup":
        """That of the run of a study at (`hidden`, `replicate`)."""
        layout = mlp.layout(hidden)
        return cls(hidden, layout, *start(config, hidden, replicate), *sites.graphs(config, layout, hidden, replicate))


def _train(
    config: StudyConfig, hidden: int, replicate: int, n_draws: int, *, gini: bool, every_epoch: bool, keep_fields: bool
) -> Trained:
    setup = Setup.of(config, hidden, replicate)
    probe = probe_of(config, n_draws).on(setup.measuring, setup.layout, hidden, replicate)
    curves, snapshots = _recorded(config, setup, gini=gini, every_epoch=every_epoch, keep_fields=keep_fields)
    recorded = snapshots._asdict()
    fields = recorded.pop("field")
    run = Run(
        scale=hidden,
        replicate=replicate,
        layout=setup.layout,
        step=_epochs_of_snapshots(config),
        columns=observables.columns(observables.Avalanches(**recorded)),
        nulls={},
        curves={name: np.asarray(curve, np.float64) for name, curve in curves._asdict().items()},
        grokking_step=int(grokking_epochs(curves.accuracy)),
    )
    return Trained(run, probe, fields)


def _recorded(
    config: StudyConfig, setup: Setup, *, gini: bool, every_epoch: bool, keep_fields: bool
) -> tuple[kernels.Curves, kernels.Snapshots]:
    """Train from the start of `setup`; what is seen at every epoch, and at every snapshot."""
    theta = setup.start.copy()
    training, measuring = setup.training, setup.measuring
    n_epochs, n_snapshots = config.epochs + 1, _epochs_of_snapshots(config).size
    n_numbers = 4 * n_epochs + n_snapshots * (config.max_steps + (theta.size if keep_fields else 0))
    _memory.need(8 * n_numbers, f"a run of h = {setup.hidden} with {n_snapshots} snapshots", "ask for fewer snapshots or steps")
    curves = kernels.Curves(
        loss=np.empty(n_epochs),
        accuracy=np.empty(n_epochs),
        gini=np.empty(n_epochs if gini else 0),
        size=np.empty(n_epochs if every_epoch else 0, np.int64),
    )
    snapshots = _empty_snapshots(n_snapshots, config.max_steps, np.empty((n_snapshots if keep_fields else 0, theta.size)))
    diffusion = kernels.Diffusion(
        measuring.begins, measuring.targets, training.begins, training.targets, measuring is training, float(config.alpha),
        float(config.alpha_train), float(config.quantile), int(config.max_steps), int(config.snapshot_every),
    )  # fmt: skip
    work = kernels.workspace(setup.problem, diffusion, few_sites(theta.size))
    kernels.train(theta, setup.problem, diffusion, curves, snapshots, work)
    if not np.isfinite(curves.loss).all():
        at = int(np.argmin(np.isfinite(curves.loss)))
        raise DivergedError(
            f"training with `learning_rate` {config.learning_rate:g} diverged at h = {setup.hidden}, epoch {at}: lower it"
        )
    return curves, snapshots


def _epochs_of_snapshots(config: StudyConfig) -> Integers:
    return np.arange(0, config.epochs + 1, config.snapshot_every)


def start(config: StudyConfig, hidden: int, replicate: int) -> tuple[Floats, kernels.Problem]:
    """What the run of a study at (`hidden`, `replicate`) starts from, (N,) in its coordinates, and what it is to learn."""
    rng = generator(config.seed, Stage.PARAMETERS, hidden, replicate)
    coordinates = Parametrisation.of(config.parametrisation, hidden)
    theta = coordinates.start(mlp.initial_parameters(hidden, rng, initialisation=config.initialisation))
    rates = coordinates.rates_of(hidden, float(config.learning_rate))
    activation = mlp.ACTIVATION_NUMBER[config.activation]
    return theta, kernels.Problem(
        PATTERNS[config.inputs], TARGETS_OF[config.targets], rates, activation, coordinates.output_scale
    )


@lru_cache
def probe_of(config: StudyConfig, n_draws: int) -> Probe:
    """The probe of a study, with so many draws of each of its nulls."""
    return Probe.paper(
        alpha=config.alpha, quantile=config.quantile, max_steps=config.max_steps, nulls=config.nulls,
        draws=n_draws, seed=config.seed,
    )  # fmt: skip


def _empty_snapshots(n_snapshots: int, max_steps: int, field: Floats) -> kernels.Snapshots:
    counts = {name: np.empty(n_snapshots, np.int64) for name in ("size", "duration", "extent", "peak")}
    measures = {name: np.empty(n_snapshots) for name in ("threshold", "dissipated", "transport", "deviation_angle")}
    profile, capped = np.empty((n_snapshots, max_steps), np.int64), np.empty(n_snapshots, np.bool_)
    return kernels.Snapshots(**counts, **measures, profile=profile, capped=capped, field=field)
