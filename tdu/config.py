"""What a study is; standard library only, so that the command line can show its defaults without loading anything."""

from dataclasses import dataclass

#: Hidden units, the distributions of initial parameters, and the codings of XOR's patterns that a study can name. The paper
#: names none; the first of each is the recipe that meets its incidental figures (experiments/recipes).
ACTIVATIONS = ("tanh", "relu", "sigmoid")
INITIALISATIONS = ("pytorch", "xavier", "he", "normal-0.5", "normal-1")
INPUTS = ("binary", "bipolar")
#: The null models by name (`tdu.nulls`); each has random numbers of its own, by its place here.
NULLS = ("permuted", "blocks", "signs", "gaussian", "rewired")


@dataclass(frozen=True)
class StudyConfig:
    """Everything that decides the bits of a study. `hidden`: the scales h (N = 4h + 1); `replicates`: runs per scale.

    `alpha` is the diffusion strength of the measured avalanche, `alpha_train` that of the avalanche whose relaxed field
    trains the network (0: shadow, the raw gradient trains). `activation` of the hidden units, `initialisation` of the
    parameters and `inputs` ({0, 1} or ±1) are the recipe; `tdu.models.mlp` says what their names stand for.
    """

    hidden: tuple[int, ...] = (20, 30, 50, 70, 100, 120, 200, 500)
    replicates: int = 6
    epochs: int = 500
    snapshot_every: int = 10
    learning_rate: float = 0.5
    alpha: float = 0.3
    alpha_train: float = 0.3
    quantile: float = 0.9
    max_steps: int = 20
    seed: int = 0
    activation: str = ACTIVATIONS[0]
    initialisation: str = INITIALISATIONS[0]
    inputs: str = INPUTS[0]


#: A study of seconds, for a first look and for tests.
QUICK = StudyConfig(hidden=(20, 30, 50, 70), replicates=3, epochs=200)


@dataclass(frozen=True)
class Scope:
    """How far `tdu reproduce` goes beyond the study itself.

    `n_gini_runs` runs of `example_hidden` units for Fig. 1c; `n_draws` synthetic fields per topology, scale and seed;
    `n_repeats` further studies of other seeds; `n_null_draws` draws of each null per snapshot; and the diffusion strengths and
    threshold levels of the robustness sweeps. `figure_formats`: what the figures are written as.
    """

    example_hidden: int = 21
    n_gini_runs: int = 1000
    n_draws: int = 50
    n_repeats: int = 5
    n_null_draws: int = 8
    alphas: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    quantiles: tuple[float, ...] = (0.80, 0.85, 0.90, 0.95)
    figure_formats: tuple[str, ...] = ("pdf", "svg", "png")


QUICK_SCOPE = Scope(
    n_gini_runs=50,
    n_draws=5,
    n_repeats=2,
    n_null_draws=2,
    alphas=(0.1, 0.3, 0.5),
    quantiles=(0.80, 0.90, 0.95),
    figure_formats=("svg",),
)
