"""The main job: the paper's study, stage by stage, from training to the table."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tdu import files
from tdu.analysis import concentration, control, dimension, excess, grokking, phases, pooled, robustness, shadow, tails
from tdu.avalanches.cascades import gather
from tdu.config import NULLS, POOLED_FRACTION, GrokkingConfig, Scope, StudyConfig
from tdu.results import figures, report
from tdu.results.published import PUBLISHED, compare, in_full, label, other_settings, with_interval
from tdu.results.store import save_results
from tdu.training import store
from tdu.training.ensembles import finish, train_all
from tdu.training.xor import checked
from tdu.types import Estimate, Findings, Log, Results, Run

#: Wraps the stream of finished runs of which `int` are to come: the place for a progress bar.
Watch = Callable[[Iterator[Run], int], Iterator[Run]]
#: Is told the name of the stage that begins.
Say = Callable[[str], None]


def _unwatched(runs: Iterator[Run], _total: int) -> Iterator[Run]:
    return runs


def _silent(_stage: str) -> None:
    pass


def train_study(path: Path, config: StudyConfig, workers: int, watch: Watch = _unwatched) -> None:
    """Train what the run directory at `path` misses of the study, on `workers` threads."""
    with store.RunDirectory.writing(path, checked(config)) as directory, ThreadPoolExecutor(workers) as executor:
        missing = directory.missing()
        for _run in watch(finish(directory, missing, executor), len(missing)):
            pass


def load_log(path: Path) -> tuple[StudyConfig, Log]:
    """The study at `path`, which is finished, and its cascade log."""
    directory = store.RunDirectory.open(path)
    try:
        fittable(directory.config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path / 'manifest.json'}: {error}") from None
    return directory.config, gather(directory.config, directory.runs())


def fittable(config: StudyConfig) -> StudyConfig:
    """`config`, checked to be a study whose exponents can be fitted: known before hours of training, not after."""
    checked(config)
    if len(config.hidden) < 2:
        raise ValueError(f"`hidden` names {len(config.hidden)} scale: an exponent needs at least two")
    for name in ("epochs", "alpha", "learning_rate", "max_steps"):
        if getattr(config, name) == 0:
            raise ValueError(f"`{name}` is 0: nothing would be left to measure")
    return config


def measure_log(config: StudyConfig, log: Log, executor: Executor) -> Results:
    """Every quantity that a cascade log can give, with its interval, beside the published one and the nulls of its runs."""
    nulls = excess.measure(config, Scope().n_null_draws, executor)
    analyses: list[Callable[[], Findings]] = [
        lambda: dimension.analyse(log, grokking.window(log)),
        lambda: phases.analyse(log),
        lambda: tails.analyse(log),
        *(partial(excess.analyse, log, nulls, name) for name in NULLS),
    ]
    return results_of(config, None, [grokking.analyse(log), *executor.map(lambda analyse: analyse(), analyses)])


def measure_study(config: StudyConfig, log: Log, scope: Scope, executor: Executor, say: Say = _silent) -> Results:
    """Every quantity of the paper: those of the log, and of the side studies that `scope` describes, which are run here.

    Side studies are not stored: they are addressed by the same seeds, so that a study gone on with gives the same bits. The
    quantities of further studies of the same design, of the seeds that follow, are pooled with those of this one.
    """
    say("snapshots at every epoch")
    dense = train_all(replace(config, snapshot_every=1), executor)
    results = results_of(config, scope, findings_of(config, log, scope, executor, say, dense))
    over_studies = measure_pooled(config, scope, executor, say)
    return replace(results, pooled={key: compare(over_studies[key], key) for key in results.quantities})


def measure_pooled(config: StudyConfig, scope: Scope, executor: Executor, say: Say = _silent) -> dict[str, Estimate]:
    """Every quantity over the studies of the seed of `config` and of those that follow, with intervals over studies."""
    less = {name: max(getattr(scope, name) // share, 1) for name, share in POOLED_FRACTION.items()}
    studies = []
    for further in range(scope.n_studies):
        say(f"pooled studies: {further + 1} of {scope.n_studies}")
        of_seed = replace(config, seed=config.seed + further)
        log = train_all(of_seed, executor)
        studies.append(as_one(findings_of(of_seed, log, replace(scope, **less), executor)))
    return pooled.analyse(studies, config.seed)


def findings_of(
    config: StudyConfig, log: Log, scope: Scope, executor: Executor, say: Say = _silent, dense: Log | None = None
) -> list[Findings]:
    """What the analysis finds in a log and the side studies of its seed; without `dense` snapshots, values alone."""
    intervals = dense is not None
    many = replace(config, hidden=(scope.example_hidden,), replicates=scope.n_gini_runs)
    say("synthetic control")
    synthetic = control.measure(config, scope, executor)
    say("shadow")
    in_shadow = train_all(replace(config, alpha_train=0.0), executor)
    say(f"{scope.n_gini_runs} runs of h = {scope.example_hidden}, in-line and shadow")
    inline_gini = train_all(many, executor, with_gini=True)
    shadow_gini = train_all(replace(many, alpha_train=0.0), executor, with_gini=True)
    say("robustness sweeps")
    sweeps = robustness.measure(config, log, scope, executor, with_shadow=intervals)
    say("null models")
    nulls = excess.measure(config, scope.n_null_draws, executor)
    say("exponents and intervals")
    window = grokking.window(log)
    companion = Estimate(
        np.nan, np.nan, np.nan, "not measured", "needs a test split, which XOR has not: see experiments/modadd"
    )
    analyses: list[Callable[..., Findings]] = [
        partial(grokking.analyse, log),
        partial(dimension.analyse, log, window),
        partial(shadow.analyse, log, in_shadow, window),
        partial(phases.analyse, log, dense, control.sizes_for_bootstrap(synthetic)),
        partial(tails.analyse, log),
        partial(control.analyse, config, synthetic),
        partial(robustness.analyse, config, log.n_sites, scope, sweeps, synthetic),
        partial(concentration.analyse, inline_gini, shadow_gini),
        *(partial(excess.analyse, log, nulls, name) for name in NULLS),
    ]
    found = executor.map(lambda analyse: analyse(intervals=intervals), analyses)
    return [grokking.one_run(inline_gini), *found, Findings(estimates={"companion": companion})]


def as_one(findings: list[Findings]) -> Findings:
    """All findings in one."""
    estimates: dict[str, Estimate] = {}
    readings: dict[str, dict[str, Estimate]] = {}
    series: dict[str, object] = {}
    for found in findings:
        estimates |= found.estimates
        series |= found.series
        for key, named in found.readings.items():
            readings.setdefault(key, {}).update(named)
    return Findings(estimates, readings, series)


def results_of(config: StudyConfig | GrokkingConfig, scope: Scope | None, findings: list[Findings]) -> Results:
    """All findings beside the published figures, quantities in the order of the published table."""
    found = as_one(findings)
    order = [key for key in PUBLISHED if key in found.estimates] + [key for key in found.estimates if key not in PUBLISHED]
    quantities = {key: compare(found.estimates[key], key) for key in order}
    readings = {key: {name: compare(e, key) for name, e in named.items()} for key, named in found.readings.items()}
    return Results(config, scope, files.provenance(), quantities, readings, found.series)


def reproduce(
    out: Path, config: StudyConfig, scope: Scope, workers: int, watch: Watch = _unwatched, say: Say = _silent
) -> Results:
    """The whole job in `out`: run directory, results.json, figures, report.html."""
    train_study(out, fittable(config), workers, watch)
    with ThreadPoolExecutor(workers) as executor:
        results = measure_study(*load_log(out), scope, executor, say)
    save_results(out / "results.json", results)
    say("figures and report")
    figures.draw(results, out / "figures", workers)
    report.write(results, out)
    return results


def table(results: Results) -> str:
    """The verdict table as text: of pooled studies where there are any, and beside them what one study can tell."""
    several = results.scope is not None and bool(results.pooled)
    head = ["quantity", "published", "ours [95 % interval]", "verdict"]
    if several and results.scope is not None:
        head[2:3] = [f"{results.scope.n_studies} studies [95 % interval]"]
        head += ["one study", "verdict"]
    rows = [tuple(head)]
    for key, q in results.quantities.items():
        measured = (results.pooled[key], q) if several else (q,)
        rows.append((label(key), q.published_text, *(cell for of in measured for cell in (with_interval(of), in_full(of)))))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if results.config.replicates == 1:
        lines.append("\none run a scale leaves no interval (nan): use --replicates 2 or more")
    if other := other_settings(results.config):
        lines.append(f"\nnot the paper's setting in {', '.join(other)}: read the verdicts accordingly")
    return "\n".join(lines)
