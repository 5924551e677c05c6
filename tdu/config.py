"""Configurations of studies, which check themselves; standard library only, so that ``--help`` loads nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tdu import _check

#: Activations, distributions of initial parameters, and codings of XOR's patterns. The paper names none of them; the first of
#: each is the recipe that meets its incidental figures (experiments/recipes).
ACTIVATIONS = ("tanh", "relu", "sigmoid")
INITIALISATIONS = ("pytorch", "xavier", "he", "normal-0.5", "normal-1")
INPUTS = ("binary", "bipolar")
#: How the XOR network's start and rates depend on its width (`tdu.models.parametrisation`), and in which order its parameters
#: sit on a graph (`tdu.training.sites`); the first of each is the paper's.
PARAMETRISATIONS = ("standard", "mean-field", "tangent-kernel")
SITE_ORDERS = ("layer", "reversed", "units", "units-permuted")
#: What the network learns of the two bits: XOR, or what is learnt without delay.
TARGET_NAMES = ("xor", "and", "or", "first")
#: The null models that a study probes unless it names others; `tdu.avalanches.nulls.MODELS` has them all, and `Probe` checks.
NULLS = ("permuted", "blocks", "signs", "gaussian", "rewired")
#: Families of graphs; `tdu.avalanches.families.FAMILIES` builds them, and a test holds the names to it.
GRAPHS = ("ba", "ring", "small-world", "random", "units", "rook")
#: Those in which neighbours have to do with each other, so that the order of sites does not matter.
STRUCTURAL_GRAPHS = GRAPHS[4:]
#: What a study's avalanches are measured on: the graph that trains, another of its family, or a graph of another family.
MEASURED_ON = ("own", "fresh", *GRAPHS[1:])
#: Likewise of networks, whose parameters are not all of hidden units.
NETWORK_SITE_ORDERS = SITE_ORDERS[:2]
NETWORK_MEASURED_ON = tuple(name for name in MEASURED_ON if name != "units")
#: What `tdu.models` has by name beyond the paper's network. The tables are there (`tasks.TASKS`, `networks.NETWORKS`,
#: `layers.UNITS`, `optimisers.OPTIMISERS`), and load NumPy; a test holds the names to them.
TASKS = ("addition", "subtraction", "division", "polynomial", "parity")
NETWORKS = ("transformer", "mlp")
UNIT_NAMES = ("relu", "gelu")
OPTIMISERS = ("adamw", "sgd", "momentum")
PRECISIONS = ("float32", "float64")
EXECUTORS = ("threads", "processes", "dask", "mpi")  # tdu.executors
FIGURE_FORMATS = ("pdf", "svg", "png")

#: Defaults of the probe: diffusion strength, quantile of |g| that is the threshold, steps allowed.
ALPHA, QUANTILE, MAX_STEPS = 0.3, 0.9, 20


def _check_probe(config: "StudyConfig | SyntheticConfig | NetworkConfig") -> None:
    """Settings of the probe that all have, apart from the strength in training and the names of the nulls."""
    _check.fractions(config, "alpha")
    _check.levels(config, quantile=1)
    _check.integers(config, max_steps=0, n_null_draws=0)
    _check.steps(config.max_steps)
    _check.seed(config.seed)


@dataclass(frozen=True)
class StudyConfig:
    """All that a study's results depend on. `hidden`: the scales h (N = 4h + 1); `replicates`: runs per scale.

    `alpha` is the diffusion strength of the measured avalanche, `alpha_train` that of the avalanche whose relaxed field
    trains the network (0: shadow, the raw gradient trains). `activation` of the hidden units, `initialisation` of the
    parameters and `inputs` ({0, 1} or ±1) are the recipe; `tdu.models.mlp` defines their names. `n_null_draws` of
    each of the `nulls` are probed with every snapshot. `parametrisation`: how start, rates and coordinates depend on h
    (`tdu.models.parametrisation`). `site_order`: in which order parameters sit on the graphs (`tdu.training.sites`).
    `measured_on`: the graph that trains (``own``), another of its family (``fresh``), or one of another family by its name.

    >>> paper = tdu.StudyConfig()
    >>> len(paper.hidden), paper.replicates, paper.epochs, paper.alpha_train
    (8, 6, 500, 0.3)
    """

    hidden: tuple[int, ...] = (20, 30, 50, 70, 100, 120, 200, 500)
    replicates: int = 6
    epochs: int = 500
    snapshot_every: int = 10
    learning_rate: float = 0.5
    alpha: float = ALPHA
    alpha_train: float = ALPHA
    quantile: float = QUANTILE
    max_steps: int = MAX_STEPS
    seed: int = 0
    activation: str = ACTIVATIONS[0]
    initialisation: str = INITIALISATIONS[0]
    inputs: str = INPUTS[0]
    nulls: tuple[str, ...] = NULLS
    n_null_draws: int = 8
    parametrisation: str = PARAMETRISATIONS[0]
    site_order: str = SITE_ORDERS[0]
    measured_on: str = MEASURED_ON[0]
    targets: str = TARGET_NAMES[0]

    def __post_init__(self) -> None:
        _check.distinct(self.hidden, "hidden", _check.scale, "scale")
        _check.integers(self, replicates=1, epochs=0, snapshot_every=1)
        _check.rates(self, "learning_rate")
        _check_probe(self)
        _check.fractions(self, "alpha_train")
        _check.choices(self, activation=ACTIVATIONS, initialisation=INITIALISATIONS, inputs=INPUTS, targets=TARGET_NAMES)
        _check.choices(self, parametrisation=PARAMETRISATIONS, site_order=SITE_ORDERS, measured_on=MEASURED_ON)
        _check.room(len(self.hidden) * self.replicates, self.epochs, self.snapshot_every, self.n_null_draws * len(self.nulls))


#: A study that takes seconds, for a first look and for tests.
QUICK = StudyConfig(hidden=(20, 30, 50, 70), replicates=3, epochs=200, n_null_draws=2)


@dataclass(frozen=True)
class Scope:
    """How far `tdu reproduce` goes beyond the study itself.

    `n_gini_runs` runs of `example_hidden` units for Fig. 1c; `n_draws` synthetic fields per topology, scale and seed;
    `n_studies` studies of successive seeds, the study's own the first, are pooled; and the diffusion
    strengths and threshold levels of the robustness sweeps. `figure_formats`: what the figures are written as.
    """

    example_hidden: int = 21
    n_gini_runs: int = 1000
    n_draws: int = 50
    n_studies: int = 12
    alphas: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    quantiles: tuple[float, ...] = (0.80, 0.85, 0.90, 0.95)
    figure_formats: tuple[str, ...] = FIGURE_FORMATS

    def __post_init__(self) -> None:
        _check.integers(self, example_hidden=1, n_gini_runs=1, n_draws=1, n_studies=1)
        _check.room(self.n_gini_runs, self.n_draws, 1)
        _check.distinct(self.alphas, "alphas", partial(_check.real, name="alphas", low=0, high=1))
        level = partial(_check.real, name="quantiles", low=0, high=1, open_interval=True)
        _check.distinct(self.quantiles, "quantiles", level)
        figure_format = partial(_check.choice, name="figure_formats", known=FIGURE_FORMATS)
        _check.distinct(self.figure_formats, "figure_formats", figure_format)


#: A pooled study has this many times fewer of these than a single one: the many studies make up for it.
POOLED_FRACTION = {"n_gini_runs": 10, "n_draws": 5}
POOLED_NULL_DRAWS = 4  # likewise, of each null

QUICK_SCOPE = Scope(
    n_gini_runs=50, n_draws=5, n_studies=3, alphas=(0.1, 0.3, 0.5), quantiles=(0.80, 0.90, 0.95), figure_formats=("svg",)
)


@dataclass(frozen=True)
class SyntheticConfig:
    """All that the avalanches of synthetic fields depend on, the paper's control.

    A run is of `fields` fields of independent entries from N(0, `std`²), on a graph of the family `graph`. `hidden`: the scales
    h, N = 4h + 1 as of XOR; `replicates`: runs per scale; `ranked`, `edges`: of `tdu.Probe`. The rest is as in `StudyConfig`.
    """

    hidden: tuple[int, ...] = StudyConfig.hidden
    replicates: int = StudyConfig.replicates
    fields: int = 50
    std: float = 0.5
    graph: str = GRAPHS[0]
    alpha: float = ALPHA
    quantile: float = QUANTILE
    max_steps: int = MAX_STEPS
    nulls: tuple[str, ...] = ()
    n_null_draws: int = 8
    seed: int = 0
    ranked: bool = False
    edges: bool = False

    def __post_init__(self) -> None:
        _check.distinct(self.hidden, "hidden", _check.scale, "scale")
        _check.integers(self, replicates=1, fields=1)
        _check.levels(self, std=float("inf"))
        _check.choices(self, graph=GRAPHS)
        _check.truths(self, "ranked", "edges")
        _check_probe(self)
        _check.room(len(self.hidden) * self.replicates, self.fields, 1, self.n_null_draws * len(self.nulls))


@dataclass(frozen=True)
class NetworkConfig:
    """All that one network's training under the probe depends on (`tdu.training.network`).

    The task: arithmetic mod `modulus`, or the ``parity`` of `n_relevant` among `n_bits` bits; `train_fraction` of its examples
    train, with `shuffled_labels` all answers permuted once. The network: ``transformer`` of `width` d, `heads` and `unit`, with
    or without `layer_norm`, or ``mlp`` of `width` hidden units; in `precision` float32 or float64. The optimiser: ``adamw``,
    ``sgd`` or ``momentum``, full batch, with `learning_rate` and decoupled `weight_decay`. Probe and `alpha_train` are as in
    `StudyConfig`. `n_null_draws` of each of the `nulls` are probed with every snapshot. `window`: of `tdu.Probe`.
    `site_order`, `measured_on`: of `StudyConfig`, but for what asks for units.

    >>> tdu.train_network(tdu.NetworkConfig(modulus=5, width=4, epochs=20)).epoch.tolist()
    [0, 10, 20]
    """

    task: str = "addition"
    modulus: int = 59
    n_bits: int = 10
    n_relevant: int = 3
    train_fraction: float = 0.8
    shuffled_labels: bool = False
    network: str = "transformer"
    width: int = 48
    heads: int = 4
    unit: str = "relu"
    layer_norm: bool = False
    precision: str = "float32"
    optimiser: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.8
    epochs: int = 1500
    snapshot_every: int = 10
    alpha: float = ALPHA
    alpha_train: float = 0.0
    quantile: float = QUANTILE
    max_steps: int = MAX_STEPS
    nulls: tuple[str, ...] = NULLS
    n_null_draws: int = 0
    window: int = 0
    seed: int = 0
    replicate: int = 0
    site_order: str = SITE_ORDERS[0]
    measured_on: str = MEASURED_ON[0]

    def __post_init__(self) -> None:
        _check.choices(self, task=TASKS, network=NETWORKS, unit=UNIT_NAMES, precision=PRECISIONS, optimiser=OPTIMISERS)
        _check.choices(self, site_order=NETWORK_SITE_ORDERS, measured_on=NETWORK_MEASURED_ON)
        _check.integers(self, width=1, heads=1, epochs=0, snapshot_every=1, replicate=0, window=0)
        _check.fractions(self, "train_fraction", "alpha_train")
        _check.rates(self, "learning_rate", "weight_decay")
        _check.truths(self, "layer_norm")
        _check_probe(self)


#: A network has grokked from when on its test accuracy stays above this to the end.
GROKKED = 0.99


@dataclass(frozen=True)
class GrokkingConfig:
    """The study of delayed generalisation: one-layer transformers of several `widths` on addition mod each of `moduli`.

    Grokking runs train on `train_fraction` of the pairs; controls train on `few_fraction`, or without weight decay. Runs that
    generalise only long after they memorise train on `delayed_fraction`, for `delayed_epochs`, with a learning rate and weight
    decay of their own. D before and after grokking are means over `window` epochs. The rest is as in `NetworkConfig`.
    """

    widths: tuple[int, ...] = (40, 48, 64, 80, 96, 128)
    moduli: tuple[int, ...] = (59, 47)
    replicates: int = 3
    epochs: int = 1500
    snapshot_every: int = 10
    window: int = 100
    train_fraction: float = 0.8
    few_fraction: float = 0.3
    delayed_fraction: float = 0.5
    delayed_epochs: int = 3500
    delayed_learning_rate: float = 2e-3
    delayed_weight_decay: float = 1.0
    layer_norm: bool = False
    learning_rate: float = 1e-3
    weight_decay: float = 0.8
    alpha: float = ALPHA
    n_null_draws: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        _check.distinct(self.widths, "widths", partial(_check.integer, name="widths", minimum=1), "scale")
        _check.distinct(self.moduli, "moduli", partial(_check.integer, name="moduli", minimum=2))
        _check.integers(self, replicates=1, epochs=0, snapshot_every=1, window=1, delayed_epochs=0, n_null_draws=0)
        _check.fractions(self, "train_fraction", "few_fraction", "delayed_fraction", "alpha")
        _check.rates(self, "learning_rate", "weight_decay", "delayed_learning_rate", "delayed_weight_decay")
        _check.truths(self, "layer_norm")
        _check.seed(self.seed)
        n_runs = len(self.widths) * len(self.moduli) * self.replicates
        _check.room(n_runs, max(self.epochs, self.delayed_epochs), self.snapshot_every, self.n_null_draws)


#: A study that groks within seconds: a small prime, narrow networks.
QUICK_GROKKING = GrokkingConfig(
    widths=(32, 40, 48), moduli=(19,), replicates=2, epochs=300, delayed_epochs=300, snapshot_every=20, train_fraction=0.9,
    learning_rate=4e-3, weight_decay=1.5, n_null_draws=1,
)  # fmt: skip


@dataclass(frozen=True)
class LogConfig:
    """What is known of a log that is not of the paper's study: its `source`, and the `settings` that its runs share.

    `scales` are those of its runs; each has at most `replicates` runs.
    """

    source: str
    settings: Mapping[str, Any]
    scales: tuple[int, ...]
    replicates: int
    seed: int = 0

    def __post_init__(self) -> None:
        _check.text(self.source, "source")
        _check.listed(self.scales, "scales", partial(_check.integer, name="scales", minimum=0))
        _check.integers(self, replicates=1)
        _check.seed(self.seed)
