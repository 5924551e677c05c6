"""The main job: the paper's study, stage by stage, from training to the table."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from tdu.analysis import concentration, control, dimension, edge, excess, grokking, phases, pooled, robustness, shadow, tails
from tdu.config import POOLED_FRACTION, POOLED_NULL_DRAWS, Scope, StudyConfig
from tdu.errors import InputError
from tdu.executors import Address, Workers, opened, share
from tdu.logs.filling import filled
from tdu.logs.log import every_epoch, first_runs
from tdu.logs.store import Store
from tdu.results import figures, report
from tdu.results.assemble import as_one, results_of
from tdu.results.published import compare
from tdu.results.store import save_results
from tdu.training.ensembles import Ensemble, addresses, compile_kernels, study_store, train_all, train_with_fields
from tdu.training.finishing import finish
from tdu.training.planning import Cost, costs, schedules
from tdu.training.sweeps import Sweeps, sweep
from tdu.training.xor import probe_of
from tdu.types import Estimate, Findings, Log, Results

#: Wraps the stream of (scale, replicate) of finished runs, of which `int` are to come: the place for a progress bar.
Watch = Callable[[Iterator[Address], int], Iterator[Address]]
#: Is told the name of the stage that begins.
Say = Callable[[str], None]


def _unwatched(made: Iterator[Address], _total: int) -> Iterator[Address]:
    return made


def _silent(_stage: str) -> None:
    pass


def train_study(
    path: Path,
    config: StudyConfig,
    workers: Workers | int,
    watch: Watch = _unwatched,
    *,
    part: tuple[int, int] | None = None,
) -> Store:
    """Train what the log at `path` misses of the study, on so many threads or on other `workers`.

    Any number of processes may do so at once. Without a `part` the log is complete in the end: runs that other processes are
    making are waited for, and made here if these die. With `part` (K, M), the K-th of M shares of the study is made, as far as
    nobody else has made it or is at it.
    """
    probe_of(config, 0)  # an unknown null is an error before anything is written
    store = study_store(path, config)
    with opened(Workers.of(workers), partial(compile_kernels, config)) as executor:

        def make(missing: list[Address]) -> Iterator[Address]:
            return finish(store, config, missing, executor)

        missing = store.missing()
        if part is not None:
            missing = sorted(set(missing) & set(share(store.plan, part)))
        for _address in watch(filled(store, make, missing, wait=part is None), len(missing)):
            pass
    return store


def planned(
    path: Path, config: StudyConfig, workers: int, part: tuple[int, int] | None = None
) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """What `train_study` would still have to do: a row a scale, and one for so many workers and for those of two clusters."""
    probe_of(config, 0)
    begun = (path / "manifest.json").exists()
    missing = study_store(path, config).missing() if begun else addresses(config)
    wanted = set(missing) & set(share(addresses(config), part)) if part else missing
    found = list(costs(config, wanted))
    of_scales: list[dict[str, float]] = [
        {
            "scale": cost.scale,
            "n": cost.n_sites,
            "runs": cost.runs,
            "seconds_a_run": cost.seconds,
            "core_hours": cost.runs * cost.seconds / 3600,
            "disk_gib": cost.runs * cost.disk / 2**30,
            "memory_gib": cost.memory / 2**30,
        }
        for cost in found
    ]
    total = {name: sum(row[name] for row in of_scales) for name in ("runs", "core_hours", "disk_gib")}
    return of_scales, schedules(found, workers, **total)


def planned_stages(path: Path, config: StudyConfig, scope: Scope) -> Iterator[dict[str, float | str]]:
    """What `reproduce` would still have to train, a row a stage, and all of it; statistics and figures come on top."""
    total: dict[str, float] = {"runs": 0, "core_hours": 0}
    for name, parts in _trained(path, fittable(config), scope):
        found = [cost for part in parts for cost in part]
        of_stage = {"runs": sum(one.runs for one in found), "core_hours": sum(one.runs * one.seconds for one in found) / 3600}
        yield {"stage": name, **of_stage}
        total = {key: total[key] + value for key, value in of_stage.items()}
    yield {"stage": "all", **total}


def _trained(path: Path, config: StudyConfig, scope: Scope) -> Iterator[tuple[str, list[list[Cost]]]]:
    """The stages that train, each with the costs of the studies it makes."""
    begun = (path / "manifest.json").exists()
    missing = study_store(path, config).missing() if begun else addresses(config)
    bare, less = replace(config, n_null_draws=0), _pooled_scope(scope)
    others = {(a, config.quantile) for a in scope.alphas} | {(config.alpha, q) for q in scope.quantiles}
    n_others = len(others - {(config.alpha, config.quantile)})

    def costs_of(one: StudyConfig, times: int = 1) -> list[Cost]:
        return [replace(cost, runs=times * cost.runs) for cost in costs(one, addresses(one))]

    def of_side_studies(scope: Scope, times: int) -> list[list[Cost]]:
        example = replace(bare, hidden=(scope.example_hidden,), replicates=scope.n_gini_runs)
        kinds = ((in_shadow, 1), (example, 1), (replace(example, alpha_train=0.0), 1), (bare, n_others))
        return [costs_of(one, times * number) for one, number in kinds]

    in_shadow = replace(bare, alpha_train=0.0)
    yield "study", [list(costs(config, missing))]
    yield "side studies", of_side_studies(scope, 1)
    if further := scope.n_studies - 1:
        pooled_study = replace(config, n_null_draws=_pooled_draws(config))
        yield "pooled studies", [costs_of(pooled_study, further), *of_side_studies(less, further)]


def fittable(config: StudyConfig) -> StudyConfig:
    """`config`, checked to be a study whose exponents can be fitted: known before hours of training, not after."""
    probe_of(config, 0)  # the names of the nulls
    if len(config.hidden) < 2:
        raise InputError(f"`hidden` names {len(config.hidden)} scale: an exponent needs at least two")
    for name in ("epochs", "alpha", "learning_rate", "max_steps"):
        if getattr(config, name) == 0:
            raise InputError(f"`{name}` is 0: nothing would be left to measure")
    return config


@dataclass(frozen=True, eq=False)
class Material:
    """All that the findings of one study come from: its log, and the side studies of its seed."""

    log: Log
    synthetic: control.Control
    shadow: Ensemble
    inline_gini: Log
    shadow_gini: Log
    sweeps: Sweeps


def material_of(
    config: StudyConfig, log: Log, scope: Scope, executor: Executor, say: Say = _silent, *, intervals: bool = True
) -> Material:
    """The side studies that `scope` describes, run beside the `log` of a study; without `intervals` no sweeps in shadow.

    They are not stored: they are addressed by the same seeds, so that a study gone on with gives the same bits.
    """
    many = replace(config, hidden=(scope.example_hidden,), replicates=scope.n_gini_runs)
    say("synthetic control")
    synthetic = control.measure(config, scope, executor)
    say("shadow")
    in_shadow = train_with_fields(replace(config, alpha_train=0.0), executor)
    say(f"{scope.n_gini_runs} runs of h = {scope.example_hidden}, in-line and shadow")
    inline_gini = train_all(many, executor, gini=True)
    shadow_gini = train_all(replace(many, alpha_train=0.0), executor, gini=True)
    say("robustness sweeps")
    sweeps = sweep(config, log, scope, executor, in_shadow if intervals else None)
    return Material(log, synthetic, in_shadow, inline_gini, shadow_gini, sweeps)


def measure_study(config: StudyConfig, log: Log, scope: Scope, executor: Executor, say: Say = _silent) -> Results:
    """Every quantity of the paper: those of the log, and of the side studies that `scope` describes, which are run here.

    The quantities of further studies of the same design, of the seeds that follow, are pooled with those of this one.
    """
    material = material_of(config, log, scope, executor, say)
    results = measure_alone(config, material, scope, executor, say)
    return beside_pooled(results, measure_pooled(config, scope, executor, say, own=material))


def measure_alone(config: StudyConfig, material: Material, scope: Scope, executor: Executor, say: Say = _silent) -> Results:
    """As `measure_study`, of this one study alone."""
    say("exponents and intervals")
    results = results_of(config, scope, findings_of(config, material, scope, executor))
    return replace(results, provenance={**results.provenance, "log": material.log.digest})


def beside_pooled(results: Results, over_studies: Mapping[str, Estimate]) -> Results:
    """Results of one study with the quantities of many beside them."""
    return replace(results, pooled={key: compare(over_studies[key], key) for key in results.quantities})


def measure_pooled(
    config: StudyConfig, scope: Scope, executor: Executor, say: Say = _silent, *, own: Material | None = None
) -> dict[str, Estimate]:
    """Every quantity over the studies of the seed of `config` and of those that follow, with intervals over studies.

    The first is that of `config` itself: of its `own` material, where that is there, it takes as much as of the others is made.
    """
    less, n_draws = _pooled_scope(scope), _pooled_draws(config)
    studies = []
    for further in range(scope.n_studies):
        say(f"pooled studies: {further + 1} of {scope.n_studies}")
        one = replace(config, seed=config.seed + further, n_null_draws=n_draws)
        if own is not None and further == 0:
            material = replace(
                own,
                log=replace(own.log, nulls={name: sizes[:n_draws] for name, sizes in own.log.nulls.items()}),
                synthetic=control.measure(one, less, executor),
                inline_gini=first_runs(own.inline_gini, less.n_gini_runs),
                shadow_gini=first_runs(own.shadow_gini, less.n_gini_runs),
            )
        else:
            material = material_of(one, train_all(one, executor, nulls=True), less, executor, intervals=False)
        studies.append(as_one(findings_of(one, material, less, executor, intervals=False)))
    return pooled.analyse(studies, config.seed)


def _pooled_scope(scope: Scope) -> Scope:
    return replace(scope, **{name: max(getattr(scope, name) // share, 1) for name, share in POOLED_FRACTION.items()})


def _pooled_draws(config: StudyConfig) -> int:
    return max(config.n_null_draws // POOLED_NULL_DRAWS, 1)


def findings_of(
    config: StudyConfig, material: Material, scope: Scope, executor: Executor, *, intervals: bool = True
) -> list[Findings]:
    """What the analysis finds in the material of a study; without `intervals`, values alone."""
    log, synthetic = material.log, material.synthetic
    window = grokking.window(log)
    sharp = edge.measure(config, executor)
    companion = Estimate(
        np.nan, np.nan, np.nan, "not measured", "needs a test split, which XOR has not: see experiments/modadd"
    )
    dense = every_epoch(log) if intervals else None
    analyses: list[Callable[..., Findings]] = [
        partial(grokking.analyse, log),
        partial(dimension.analyse, log, window),
        partial(shadow.analyse, log, material.shadow.log, window),
        partial(phases.analyse, log, dense, control.sizes_for_bootstrap(synthetic)),
        partial(edge.analyse, log, sharp),
        partial(tails.analyse, log),
        partial(control.analyse, config, synthetic),
        partial(robustness.analyse, config, log.n_sites, scope, material.sweeps, synthetic),
        partial(concentration.analyse, material.inline_gini, material.shadow_gini),
        *(partial(excess.analyse, log, name) for name in log.nulls),
    ]
    found = executor.map(lambda analyse: analyse(intervals=intervals), analyses)
    return [grokking.one_run(material.inline_gini), *found, Findings(estimates={"companion": companion})]


def reproduce(
    out: Path, config: StudyConfig, scope: Scope, workers: Workers | int, watch: Watch = _unwatched, say: Say = _silent
) -> Results:
    """The whole job in `out`: run directory, results.json, figures, report.html."""
    log = train_study(out, fittable(config), workers, watch).log()
    number = Workers.of(workers).number
    with opened(Workers.of(workers), partial(compile_kernels, config)) as executor, ThreadPoolExecutor(1) as aside:
        material = material_of(config, log, scope, executor, say)
        alone = measure_alone(config, material, scope, executor, say)
        draw = partial(figures.draw, alone, out / "figures", number)
        drawing = aside.submit(draw) if number > 1 else None  # by processes of their own, while further studies are measured
        results = beside_pooled(alone, measure_pooled(config, scope, executor, say, own=material))
        save_results(out / "results.json", results)
        say("figures and report")
        drawing.result() if drawing else draw()
    report.write(results, out)
    return results
