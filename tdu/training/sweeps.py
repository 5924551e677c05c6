"""Training under other settings of the probe than the study's."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tdu.avalanches.cascades import sizes_of
from tdu.config import Scope, StudyConfig
from tdu.training.ensembles import Ensemble, over_grid
from tdu.training.xor import Trained, sizes_under
from tdu.types import Floats, Integers, Log

#: Diffusion strength α and threshold level Q.
Setting = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Sweeps:
    """Avalanche sizes (A or Q, S, K, T) of real training over the scope's settings, in-line and, unless left out, in shadow."""

    inline_alphas: Floats
    inline_quantiles: Floats
    shadow_alphas: Integers | None = None
    shadow_quantiles: Integers | None = None


def sweep(config: StudyConfig, log: Log, scope: Scope, executor: Executor, shadow: Ensemble | None = None) -> Sweeps:
    """Train the study of a `log` in-line under every setting of the `scope`; in shadow, probe one ensemble under each."""
    alphas: list[Setting] = [(alpha, config.quantile) for alpha in scope.alphas]
    quantiles: list[Setting] = [(config.alpha, level) for level in scope.quantiles]
    studies = [replace(config, alpha=alpha, alpha_train=alpha, quantile=level) for alpha, level in [*alphas, *quantiles]]
    of_study = {config: log.size} | _trained([study for study in dict.fromkeys(studies) if study != config], config, executor)
    over = np.array([of_study[study] for study in studies])
    over_alphas, over_quantiles = over[: len(alphas)], over[len(alphas) :]
    if shadow is None:
        return Sweeps(over_alphas, over_quantiles)
    of_runs = shadow.measured(partial(_probed, [*alphas, *quantiles]), executor).values()
    probed = np.moveaxis(np.array(list(of_runs)), 1, 0)  # (settings, S·K, T)
    probed = probed.reshape(len(probed), len(config.hidden), config.replicates, -1)
    return Sweeps(over_alphas, over_quantiles, probed[: len(alphas)], probed[len(alphas) :])


def _trained(studies: Sequence[StudyConfig], config: StudyConfig, executor: Executor) -> dict[StudyConfig, Floats]:
    """Sizes (S, K, T) of `studies` that differ from `config` in the settings of the avalanche alone: a run's are one job."""
    if not studies:
        return {}
    found = dict(over_grid(config, partial(sizes_under, tuple(studies)), executor))
    sizes = np.array([found[address] for address in sorted(found)], np.float64)  # (S·K, C, T)
    grid = np.moveaxis(sizes, 1, 0).reshape(len(studies), len(config.hidden), config.replicates, -1)
    return dict(zip(studies, grid, strict=True))


def _probed(settings: Sequence[Setting], trained: Trained) -> list[Integers]:
    """Sizes (T,) of one run's snapshots under each setting."""
    graph, max_steps = trained.probe.graph, trained.probe.probe.max_steps
    return [sizes_of(trained.fields, graph, alpha, level, max_steps) for alpha, level in settings]
