"""The synthetic control: i.i.d. Gaussian fields on five topologies (Fig. 3b, inset)."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from tdu.avalanches.cascades import sizes_of
from tdu.avalanches.fields import gaussian
from tdu.avalanches.graphs import Graph, barabasi_albert, random_graph, ring, small_world
from tdu.config import Scope, StudyConfig
from tdu.models.mlp import n_parameters
from tdu.results.series import Topologies
from tdu.rng import Stage, derived_seed, generator
from tdu.statistics.resampling import bootstrap, estimate, interval
from tdu.statistics.scaling import exponent_of_runs
from tdu.types import Band, Estimate, Findings, Floats, SizeStatistic

TOPOLOGIES: dict[str, Callable[[int, int], Graph]] = {
    "ring": lambda n, seed: ring(n),
    "small world, p = 0.05": lambda n, seed: small_world(n, p=0.05, seed=seed),
    "small world, p = 0.2": lambda n, seed: small_world(n, p=0.2, seed=seed),
    "scale-free": lambda n, seed: barabasi_albert(n, seed=seed),
    "random": lambda n, seed: random_graph(n, seed=seed),
}


@dataclass(frozen=True, eq=False)
class Control:
    """Mean avalanche sizes of synthetic fields, each over `n_draws` of them.

    `topologies` (5, S, K) at the study's α and Q; `alphas` (A, S, K) and `quantiles` (Q, S, K) on the scale-free graph.
    """

    topologies: Floats
    alphas: Floats
    quantiles: Floats
    n_draws: int


def measure(config: StudyConfig, scope: Scope, executor: Executor) -> Control:
    """Draw fields for each scale and seed, the same for every topology and setting, and average their avalanche sizes."""
    grid = [(hidden, replicate) for hidden in config.hidden for replicate in range(config.replicates)]
    rows = list(executor.map(lambda address: _of_address(config, scope, *address), grid))
    shape = (-1, len(config.hidden), config.replicates)
    topologies, alphas, quantiles = (np.array(column).T.reshape(shape) for column in zip(*rows, strict=True))
    return Control(topologies, alphas, quantiles, scope.n_draws)


def _of_address(
    config: StudyConfig, scope: Scope, hidden: int, replicate: int
) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    n = n_parameters(hidden)
    fields = gaussian(n, generator(config.seed, Stage.SYNTHETIC_FIELD, hidden, replicate), scope.n_draws)
    seed = derived_seed(config.seed, Stage.SYNTHETIC_GRAPH, hidden, replicate)
    graphs = {name: build(n, seed) for name, build in TOPOLOGIES.items()}

    def mean(graph: Graph, alpha: float = config.alpha, quantile: float = config.quantile) -> float:
        return float(sizes_of(fields, graph, alpha, quantile, config.max_steps).mean())

    return (
        [mean(graph) for graph in graphs.values()],
        [mean(graphs["scale-free"], alpha=alpha) for alpha in scope.alphas],
        [mean(graphs["scale-free"], quantile=quantile) for quantile in scope.quantiles],
    )


def analyse(config: StudyConfig, control: Control, *, intervals: bool = True) -> Findings:
    """D_synth from ⟨S⟩ ~ N^D, and how little it varies over topologies."""
    seed = config.seed if intervals else None
    n_sites = np.array([n_parameters(hidden) for hidden in config.hidden])
    exponents = exponent_of_runs(n_sites, SizeStatistic.MEAN)
    note = f"{len(TOPOLOGIES)} topologies × {config.replicates} seeds, {control.n_draws} fields each"
    samples = bootstrap(control.topologies, exponents, seed)
    low, high = interval(samples)
    return Findings(
        estimates={
            "dimension_synthetic": estimate(
                control.topologies, exponents.then(lambda of_topologies: of_topologies.mean(axis=-1)), "mean size", seed, note
            ),
            "synthetic_topology_cv": variation_beyond_noise(
                exponents(control.topologies), samples, "CV over topologies, %", note
            ),
        },
        series=(Topologies(Band(exponents(control.topologies), low, high), tuple(TOPOLOGIES)),),
    )


def variation(values: Floats) -> Floats:
    """Coefficient of variation over the last axis, in %."""
    with np.errstate(divide="ignore", invalid="ignore"):  # no size, no exponent, no variation
        return np.asarray(100 * values.std(axis=-1, ddof=1) / np.abs(values.mean(axis=-1)))


def variation_beyond_noise(exponents: Floats, samples: Floats, statistic: str, note: str = "") -> Estimate:
    """CV (%) of `exponents` (settings,) less what the scatter of runs alone would make, from bootstrap `samples` (B, settings).

    A CV of noisy values is never 0. Its noise is measured by resamples centred so that all settings agree, and taken off in
    squares: once from the value, and twice from resamples, which carry that of the runs and their own. Where nothing is left,
    the CV is not measured but bounded: `high` is at least what settings that agree could show in 97.5 % of cases.
    """
    squared_noise = variation(samples - exponents + exponents.mean()) ** 2
    noise = float(squared_noise.mean())
    beyond = float(variation(exponents)) ** 2 - noise
    low, high = interval(np.sqrt(np.maximum(variation(samples) ** 2 - 2 * noise, 0.0)))
    could_show = np.sqrt(np.maximum(np.percentile(squared_noise, 97.5) - noise, 0.0))
    said = f"raw CV {float(variation(exponents)):.2f}, of which runs alone make {np.sqrt(noise):.2f}"
    bound = "" if beyond > 0 else "a bound, as runs alone would make as much"
    note = "; ".join(part for part in (said, bound, note) if part)
    return Estimate(
        float(np.sqrt(np.maximum(beyond, 0.0))),
        float(low) if beyond > 0 else 0.0 * noise,  # nan where there is no interval
        float(np.maximum(high, could_show)),
        statistic,
        note,
    )


def sizes_for_bootstrap(control: Control) -> Floats:
    """(S, K) mean over topologies of each seed's mean size: one value a seed, as topologies share the seed's fields."""
    return np.asarray(control.topologies.mean(axis=0))
