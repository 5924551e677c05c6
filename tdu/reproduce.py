"""The main job: the paper's study, stage by stage, from training to the table."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tdu import figures, files, report, store
from tdu.analysis import concentration, control, dimension, excess, grokking, phases, repeats, robustness, shadow, tails
from tdu.cascades import gather
from tdu.config import NULLS, GrokkingConfig, Scope, StudyConfig
from tdu.ensembles import finish, train_all
from tdu.models.xor import checked
from tdu.published import PUBLISHED, compare, label, other_settings, verdict, with_interval
from tdu.types import CascadeLog, Estimate, Findings, Quantity, Results, Run

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


def load_log(path: Path) -> CascadeLog:
    """The cascade log of the finished study at `path`."""
    directory = store.RunDirectory.open(path)
    try:
        fittable(directory.config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path / 'manifest.json'}: {error}") from None
    return gather(directory.config, directory.runs())


def fittable(config: StudyConfig) -> StudyConfig:
    """`config`, checked to be a study whose exponents can be fitted: known before hours of training, not after."""
    checked(config)
    if len(config.hidden) < 2:
        raise ValueError(f"`hidden` names {len(config.hidden)} scale: an exponent needs at least two")
    for name in ("epochs", "alpha", "learning_rate", "max_steps"):
        if getattr(config, name) == 0:
            raise ValueError(f"`{name}` is 0: nothing would be left to measure")
    return config


def measure_log(log: CascadeLog, executor: Executor) -> Results:
    """Every quantity that a cascade log can give, with its interval, beside the published one and the nulls of its runs."""
    nulls = excess.measure(log.config, Scope().n_null_draws, executor)
    analyses: list[Callable[[], Findings]] = [
        lambda: dimension.analyse(log, grokking.window(log)),
        lambda: phases.analyse(log),
        lambda: tails.analyse(log),
        *(partial(excess.analyse, log, nulls, name) for name in NULLS),
    ]
    return results_of(log.config, None, [grokking.analyse(log), *executor.map(lambda analyse: analyse(), analyses)])


def measure_study(log: CascadeLog, scope: Scope, executor: Executor, say: Say = _silent) -> Results:
    """Every quantity of the paper: those of the log, and of the side studies that `scope` describes, which are run here.

    Side studies are not stored: they are addressed by the same seeds, so that a study gone on with gives the same bits.
    """
    config = log.config
    many = replace(config, hidden=(scope.example_hidden,), replicates=scope.n_gini_runs)
    say("synthetic control")
    synthetic = control.measure(config, scope, executor)
    say("shadow, and snapshots at every epoch")
    in_shadow = train_all(replace(config, alpha_train=0.0), executor)
    dense = train_all(replace(config, snapshot_every=1), executor)
    say(f"{scope.n_gini_runs} runs of h = {scope.example_hidden}, in-line and shadow")
    inline_gini = train_all(many, executor, with_gini=True)
    shadow_gini = train_all(replace(many, alpha_train=0.0), executor, with_gini=True)
    say("robustness sweeps")
    sweeps = robustness.measure(log, scope, executor)
    say("the study again, with other seeds")
    again = repeats.measure(config, scope, executor)
    say("null models")
    nulls = excess.measure(config, scope.n_null_draws, executor)
    say("exponents and intervals")
    when = grokking.analyse(log)
    window = grokking.window(log)
    companion = Estimate(
        np.nan, np.nan, np.nan, "not measured", "needs a test split, which XOR has not: see experiments/modadd"
    )
    analyses: list[Callable[[], Findings]] = [
        lambda: grokking.one_run(inline_gini),
        lambda: dimension.analyse(log, window),
        lambda: shadow.analyse(log, in_shadow, window),
        lambda: phases.analyse(log, dense, control.sizes_for_bootstrap(synthetic)),
        lambda: tails.analyse(log),
        lambda: control.analyse(config, synthetic),
        lambda: robustness.analyse(config, log.n_sites, scope, sweeps, synthetic),
        lambda: concentration.analyse(inline_gini, shadow_gini),
        lambda: repeats.analyse(again),
        *(partial(excess.analyse, log, nulls, name) for name in NULLS),
    ]
    findings = list(executor.map(lambda analyse: analyse(), analyses))
    return results_of(config, scope, [when, *findings, Findings(estimates={"companion": companion})])


def results_of(config: StudyConfig | GrokkingConfig, scope: Scope | None, findings: list[Findings]) -> Results:
    """All findings as one, quantities in the order of the published table."""
    estimates: dict[str, Estimate] = {}
    readings: dict[str, dict[str, Quantity]] = {}
    series: dict[str, object] = {}
    for found in findings:
        estimates |= found.estimates
        series |= found.series
        for key, named in found.readings.items():
            readings.setdefault(key, {}).update({name: compare(value, key) for name, value in named.items()})
    order = [key for key in PUBLISHED if key in estimates] + [key for key in estimates if key not in PUBLISHED]
    return Results(config, scope, files.provenance(), {key: compare(estimates[key], key) for key in order}, readings, series)


def reproduce(
    out: Path, config: StudyConfig, scope: Scope, workers: int, watch: Watch = _unwatched, say: Say = _silent
) -> Results:
    """The whole job in `out`: run directory, results.json, figures, report.html."""
    train_study(out, fittable(config), workers, watch)
    with ThreadPoolExecutor(workers) as executor:
        results = measure_study(load_log(out), scope, executor, say)
    store.save_results(out / "results.json", results)
    say("figures and report")
    figures.draw(results, out / "figures", workers)
    report.write(results, out)
    return results


def table(results: Results) -> str:
    """The verdict table as text: quantity, ours with its 95 % interval, published, agrees or not."""
    rows = [("quantity", "ours [95 % interval]", "published", "")]
    rows += [(label(key), with_interval(q), q.published_text, verdict(q)) for key, q in results.quantities.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if results.config.replicates == 1:
        lines.append("\none run a scale leaves no interval (nan) and no verdict: use --replicates 2 or more")
    if other := other_settings(results.config):
        lines.append(f"\nnot the paper's setting in {', '.join(other)}: read the verdicts accordingly")
    return "\n".join(lines)
