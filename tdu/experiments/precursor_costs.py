"""What each observable costs beside a training step, on one thread of the machine that asks."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tdu.avalanches import gauges
from tdu.avalanches.averaging import cosine
from tdu.avalanches.ranked import ranked
from tdu.avalanches.spectrum import spectrum
from tdu.config import GrokkingConfig
from tdu.experiments.precursor_observables import Probes, seconds_of
from tdu.experiments.precursor_runs import GROKS, SET, Group
from tdu.models import networks
from tdu.rng import Stage, generator
from tdu.training.network import one_blas_thread, task_of


def costs(study: GrokkingConfig) -> dict[str, float]:
    """Time of a measurement over that of an update, by observable, of the largest width that sets the alarms."""
    group = Group(SET, GROKS)
    config = group.config(study, *group.addresses(study)[-1])
    task = task_of(config)
    network = networks.NETWORKS[config.network](task, config)
    theta = network.initial(generator(config.seed, Stage.PARAMETERS, config.width, config.replicate))
    _, _, gradient = network.loss_and_gradient(theta, task.train)
    field, layout = gradient.astype(np.float64), network.layout
    probes = Probes(layout, config.seed, config.width, config.replicate)
    on_ba, on_rook, edges, _ = probes.measures(field, field)
    weights = layout.views(theta)

    jobs: dict[str, Callable[[], Any]] = {
        "ba_size": lambda: probes.on_ba.sizes(field[None]),
        "ba_epsilon": on_ba,
        "size": lambda: probes.on_rook.sizes(ranked(field, layout)[None]),
        "epsilon": on_rook,
        "moran": edges,
        "spectral": lambda: spectrum(field, layout),
        "cosine": lambda: cosine(field, gradient),
        "gradient_norm": lambda: gauges.norm(field),
        "weight_norm": lambda: gauges.norm(theta),
        "effective_rank": lambda: gauges.mean_effective_rank(weights),
        "gini": lambda: gauges.gini(theta.astype(np.float64)),
        "test_accuracy": lambda: network.logits(theta, task.test),
    }
    with one_blas_thread():
        step = seconds_of(lambda: network.loss_and_gradient(theta, task.train))
        found = {name: seconds_of(job) / step for name, job in jobs.items()}
    alike = {"concordance": "moran", "spectral_signs": "spectral", "row_correlation": "spectral"}
    alike |= {"column_correlation": "spectral"}
    return found | {name: found[other] for name, other in alike.items()} | {"loss": 0.0}
