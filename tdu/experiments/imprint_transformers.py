"""The conditions of `imprint` with transformers on modular addition: does the probe write into their gradients too?"""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tdu.analysis import excess, imprint
from tdu.analysis.imprint import Condition
from tdu.config import NetworkConfig, StudyConfig
from tdu.executors import as_finished
from tdu.experiments.experiment import Table, columns
from tdu.logs.log import gather
from tdu.results.published import beside_nothing, with_interval
from tdu.series import Series
from tdu.statistics.resampling import RunStatistic
from tdu.statistics.sampling import mean_of_runs
from tdu.statistics.scaling import window_dimension
from tdu.training import sites
from tdu.training.network import one_blas_thread, probe_of, with_fields
from tdu.types import Estimate, Integers, Log, Run, SizeStatistic

#: Those of XOR that do not ask for hidden units.
CONDITIONS = tuple(one for one in imprint.CONDITIONS if one.moved != "units-permuted")
NULLS = ("permuted", "blocks", "signs")
_WIDTHS = (32, 48, 64, 96)
_RUNS_OF_XOR = 6  # for one of a transformer
_EPOCHS = 400  # where XOR has the 500 of the paper
_SHARE_OF_QUICK = 3  # a quick study shows that it runs
_LATE = 0.75  # of training
_MEAN = RunStatistic(mean_of_runs, "mean").then(lambda of_time: of_time.mean(axis=-1))


@dataclass(frozen=True)
class End:
    """The end of one training as each condition measures it, by its name; and the test accuracy there."""

    measured: dict[str, Run]
    test_accuracy: float


@dataclass(frozen=True)
class Measured:
    """What a condition gives at the end of training: D, its excess over each null, and ε; and the mean test accuracy there."""

    name: str
    found: dict[str, Estimate]
    test_accuracy: float


@dataclass(frozen=True, eq=False)
class Transformers(Series):
    """Every condition, and how many runs there are of each `width` (S,), of `n_sites` (S,)."""

    key = "transformers"
    rows: list[Measured]
    width: Integers
    n_sites: Integers
    n_runs: int


def measure(study: StudyConfig, executor: Executor) -> Transformers:
    """Transformers of several widths under every condition; those that differ in how they are measured are trained once."""
    n_runs, widths = max(study.replicates // _RUNS_OF_XOR, 2), _WIDTHS[: len(study.hidden)]
    jobs = {
        (*training, width, k): partial(_end, settings(study, width, k), *training)
        for training in dict.fromkeys(map(_training, CONDITIONS))
        for width in widths[::-1]  # the longest first
        for k in range(n_runs)
    }
    with one_blas_thread():
        found = dict(as_finished(jobs, executor))
    rows = []
    for one in CONDITIONS:
        ended = [end for key, end in found.items() if key[:2] == _training(one)]
        log = gather((end.measured[one.name] for end in ended), study.seed)
        rows.append(Measured(one.name, late(log), float(np.mean([end.test_accuracy for end in ended]))))
    return Transformers(rows, log.scale, log.n_sites, n_runs)


def settings(study: StudyConfig, width: int, replicate: int) -> NetworkConfig:
    """One network: small, and quick to generalise."""
    epochs = _EPOCHS if study.epochs > _EPOCHS else study.epochs // _SHARE_OF_QUICK
    return NetworkConfig(
        modulus=23, width=width, train_fraction=0.9, learning_rate=4e-3, weight_decay=1.5, nulls=NULLS, epochs=epochs,
        snapshot_every=study.snapshot_every, alpha=study.alpha, quantile=study.quantile, max_steps=study.max_steps,
        n_null_draws=study.n_null_draws, seed=study.seed, replicate=replicate,
    )  # fmt: skip


def _training(condition: Condition) -> tuple[float, str]:
    """What decides the gradients of a condition: how strongly they diffuse in training, and in which order if at all."""
    asked: Mapping[str, object] = condition.changes
    if asked.get("alpha_train") == 0.0:
        return 0.0, "layer"
    return StudyConfig.alpha_train, str(asked.get("site_order", "layer"))


def _end(config: NetworkConfig, alpha_train: float, order: str) -> End:
    run, fields = with_fields(replace(config, alpha_train=alpha_train, site_order=order, n_null_draws=0))
    at = np.flatnonzero(run.step >= _LATE * config.epochs)
    ended = replace(run, step=run.step[at], columns={})
    found = {}
    for one in (one for one in CONDITIONS if _training(one) == (alpha_train, order)):
        _, graph = sites.graphs(replace(config, **one.changes), run.layout, run.scale, run.replicate)
        found[one.name] = imprint.placed(ended, fields[at], graph, one.moved, probe_of(config))
    return End(found, float(run.columns["test_accuracy"][-1]))


def late(log: Log) -> dict[str, Estimate]:
    """D of the mean size, its excess over each null, and ε: log of the size less that of its draws, the mean over all."""
    everything = np.arange(log.step.size)
    found = {"transformers_dimension": window_dimension(log, SizeStatistic.MEAN, log.complete, log.seed)}
    real = np.moveaxis(np.log(log.size), -1, 0)  # (T, S, K)
    for name in log.nulls:
        found[f"transformers_excess_{name}"] = excess.excess_inside(log, name, everything, log.seed)[0]
    for name, drawn in log.nulls.items():
        over_null = excess.excess(real, np.moveaxis(np.log(drawn), -1, 1), _MEAN, log.seed)
        found[f"transformers_epsilon_{name}"] = replace(over_null, statistic="mean over widths and runs")
    return found


def tables(found: Transformers) -> dict[str, Table]:
    """The networks; and a row for each condition: numbers, and the same to be read."""
    numbers: Table = []
    words: Table = []
    for row in found.rows:
        cells: dict[str, object] = {"condition": row.name, "test accuracy": row.test_accuracy}
        said: dict[str, object] = {"condition": row.name}
        for key, one in row.found.items():
            cells |= {key: one.value, f"{key} low": one.low, f"{key} high": one.high}
            said[_heading(key.removeprefix("transformers_"))] = with_interval(beside_nothing(one))
        numbers.append(cells)
        words.append(said)
    networks = columns(width=found.width, N=found.n_sites, runs=[found.n_runs] * len(found.width))
    return {"networks": networks, "transformers": numbers, "of-transformers": words}


def _heading(key: str) -> str:
    if key == "dimension":
        return "D"
    what, null = key.split("_")
    return f"ε over {null}" if what == "epsilon" else f"D over {null}"
