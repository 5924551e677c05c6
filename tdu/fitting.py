"""Any log → its exponents: what its columns allow, beside the nulls that were probed with it."""

import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np

from tdu.analysis import (
    amplitude,
    crackling,
    dimension,
    edge,
    excess,
    grokking,
    local,
    one_run,
    phases,
    profiles,
    support,
    tails,
    transport,
    watched,
)
from tdu.avalanches.probe import SOURCE
from tdu.config import LogConfig, StudyConfig
from tdu.errors import InputError
from tdu.files import with_tuples
from tdu.logs.log import every_epoch
from tdu.logs.store import Store
from tdu.reproduce import fittable
from tdu.results.assemble import results_of
from tdu.results.series_of_logs import Scales
from tdu.results.store import load_results, save_results
from tdu.sources.synthetic import SOURCE as SYNTHETIC
from tdu.statistics.scaling import MIN_SCALES
from tdu.training.ensembles import study_of
from tdu.types import Findings, Log, Results


def fit(path: Path, executor: Executor) -> Results:
    """Every quantity that the log at `path` can give, with its interval, and the excess over each null of its runs.

    Those of the paper's study stand beside the published figures.

    Raises
    ------
    ValueError
        If there is no whole log, it has fewer than three scales, or these have no step in common.
    """
    store = Store.open(path)
    config = _study_of(store)
    log = store.log()
    if len(log.n_sites) < MIN_SCALES:
        sizes = ", ".join(map(str, log.n_sites))
        raise InputError(f"{path} has runs of N = {sizes} only: an exponent needs three scales, since any two lie on a line")
    if not log.complete.any():
        raise InputError(
            f"{path} has no step at which every scale has a run: record all runs at the same steps, or fit those that are"
        )
    found = measure(log, executor, foreign=config is None)
    if config is not None:
        found.append(edge.analyse(log, edge.measure(config, executor)))
    results = results_of(config or _described(store, log), None, found)
    for said in (support.bent(scales) for scales in results.all_of(Scales)):
        if said:
            warnings.warn(said, stacklevel=2)
    return results


def results_in(path: Path, executor: Executor) -> Results:
    """What `tdu reproduce` found in the directory `path`, or else what can be fitted in the log that is there, and is kept."""
    kept = path / "results.json"
    if kept.exists():
        results = load_results(kept)
        if results.scope is not None or not (path / "manifest.json").exists():
            return results
    results = fit(path, executor)
    save_results(kept, results)
    return results


def _study_of(store: Store) -> StudyConfig | None:
    """The paper's study, if the log is one; checked before its runs are read."""
    if store.source != "xor":
        return None
    try:
        return fittable(study_of(store))
    except InputError as error:
        raise InputError(f"{store.path / 'manifest.json'}: {error}") from None


def _described(store: Store, log: Log) -> LogConfig:
    """What the runs of any other log have in common; runs may differ in length, of which the longest is said."""
    settings = with_tuples(dict(store.settings))
    if store.source != SYNTHETIC:
        settings["last_step" if store.source == SOURCE else "epochs"] = int(log.step[-1])
    scales = tuple(int(scale) for scale in log.scale)
    return LogConfig(store.source, settings, scales, log.size.shape[1], store.seed)


def measure(log: Log, executor: Executor, *, foreign: bool = False) -> list[Findings]:
    """What the analysis finds in a log; of one that is `foreign` to the paper also what the paper does not ask."""
    groks = bool((log.grokking_step >= 0).any())
    analyses: list[Callable[[], Findings]] = [
        partial(dimension.analyse, log, grokking.window(log)),
        partial(local.analyse, log, grokking.window(log)),
        partial(tails.analyse, log),
        *(partial(excess.analyse, log, name) for name in log.nulls),
    ]
    if not np.isfinite(grokking.window(log)).all():
        analyses += [partial(excess.at_all_steps, log, name) for name in log.nulls]
    analyses += [partial(amplitude.analyse, log, name) for name in log.nulls]
    if groks:
        analyses[:0] = [partial(grokking.analyse, log)]
        analyses.append(partial(phases.analyse, log, every_epoch(log)))
    if foreign:
        analyses += [partial(module.analyse, log) for module in (transport, crackling, profiles, watched, one_run, support)]
    return [_known(found) for found in executor.map(lambda analyse: analyse(), analyses)]


def _known(found: Findings) -> Findings:
    """The findings without quantities that the log does not know, as those of a grokking window where no run groks."""
    estimates = {key: estimate for key, estimate in found.estimates.items() if not np.isnan(estimate.value)}
    return Findings(estimates, {key: named for key, named in found.readings.items() if key in estimates}, found.series)
