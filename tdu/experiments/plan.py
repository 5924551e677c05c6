"""From a plan to an answer: an experiment.toml is read, its question measured, its tables, figure and page written.

A folder ``experiments/<question>/`` holds ``experiment.toml`` and ``README.template.md``; `run` writes ``data/*.csv``, the
figure and ``README.md`` beside them. What stands in the README is rendered from the tables as they were written.
"""

from concurrent.futures import Executor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from tdu._inputs import toml_in
from tdu.config import QUICK_SCOPE, GrokkingConfig, LogConfig, Scope, StudyConfig
from tdu.errors import InputError
from tdu.executors import Workers, opened
from tdu.experiments.experiment import AnyExperiment, Experiment, LogExperiment, NetworkExperiment, Say
from tdu.files import atomic, read_tables, write_json, write_tables
from tdu.reproduce import fittable
from tdu.results import figures
from tdu.results.assemble import results_of
from tdu.results.pages import Source, render
from tdu.results.published import compare, label
from tdu.training.ensembles import compile_kernels
from tdu.types import Estimate, Findings, Quantity, Results

#: The questions by name; each is answered by the module of `tdu.experiments` that is called so, and holds its `EXPERIMENT`.
QUESTIONS = (
    "nulls",
    "recipes",
    "why-marginals",
    "robustness",
    "gini",
    "topology",
    "verdicts",
    "modadd",
    "char-lm",
    "imprint",
    "rate-width",
    "large-n",
    "arrangement",
    "precursor",
)


@dataclass(frozen=True)
class Plan:
    """What an experiment.toml asks for: the question, and the study and scope it is put to."""

    question: str
    config: StudyConfig | GrokkingConfig | LogConfig
    scope: Scope


def read_plan(path: Path, quick: bool = False) -> Plan:
    """The plan in an experiment.toml; settings it does not name are the paper's, or with `quick` those of a small study.

    Raises
    ------
    ValueError
        If the file cannot be read, or names a question, a table or a setting that does not exist.
    """
    written = toml_in(path, "plan in TOML")
    if unknown := set(written) - {"question", "study", "scope"}:
        raise InputError(f"{path} has `{min(unknown)}`, but an experiment has `question`, `study` and `scope`")
    if written.get("question") not in QUESTIONS:
        raise InputError(f"{path} asks {written.get('question')!r}, but the questions are {', '.join(QUESTIONS)}")
    experiment = experiment_of(written["question"])
    config = _overridden(experiment.study, written.get("study", {}), path)
    scope = _overridden(Scope(), written.get("scope", {}), path)
    if quick:
        config, scope = replace(config, **experiment.quick), QUICK_SCOPE
    try:
        return Plan(written["question"], fittable(config) if isinstance(config, StudyConfig) else config, scope)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _overridden(value: Any, settings: dict[str, Any], path: Path) -> Any:
    table = "scope" if isinstance(value, Scope) else "study"
    if not isinstance(settings, dict):
        raise InputError(f"{path}: `{table}` must be a table of settings, but it is {settings}")
    known = [item.name for item in fields(value)]
    for name in settings:
        if name not in known:
            raise InputError(f"{path} sets `{name}`, but a {type(value).__name__} has {', '.join(known)}")
    try:
        return replace(value, **{name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def described(path: Path, out: Path, quick: bool) -> list[dict[str, str]]:
    """What `run` would do, a row a setting of the study and its scope, and at last where it would write."""
    plan = read_plan(path, quick)
    tables = {"study": asdict(plan.config), "scope": asdict(plan.scope)}
    settings = {f"{table}.{name}": value for table, named in tables.items() for name, value in named.items()}
    said = {"question": plan.question, **settings, "written to": out}
    return [{"setting": name, "value": ",".join(map(str, v)) if isinstance(v, tuple) else str(v)} for name, v in said.items()]


def run(path: Path, out: Path, quick: bool, workers: Workers | int, say: Say) -> list[Path]:
    """Answer the question of the experiment.toml at `path` into the directory `out`; the paths written."""
    plan = read_plan(path, quick)
    experiment = experiment_of(plan.question)
    with opened(Workers.of(workers), partial(compile_kernels, StudyConfig())) as executor:
        results = results_of(
            plan.config, plan.scope, _measured(experiment, plan, executor, say, out / "runs", path.parent / "log")
        )
    tables = {"quantities": _quantities(results), **experiment.tables(results)}
    data = out / "data"
    written = write_tables(data, tables)
    settings = {"study": asdict(plan.config), "scope": asdict(plan.scope)}
    write_json(data / "provenance.json", {**settings, **results.provenance})
    drawn = figures.save(experiment.draw, results, out, "figure", ("png",))
    written += [data / "provenance.json", *drawn]
    template = path.with_name("README.template.md")
    if template.exists() and not (
        quick and isinstance(experiment, NetworkExperiment)
    ):  # its small study has other primes than the page quotes
        with atomic(out / "README.md") as file:
            file.write(render(template.read_text(encoding="utf-8"), {"": committed(out)}).encode())
        written.append(out / "README.md")
    return written


def _measured(experiment: AnyExperiment, plan: Plan, executor: Executor, say: Say, runs: Path, log: Path) -> list[Findings]:
    """What the experiment finds; networks are kept in the directory `runs`, and a log that is there already is in `log`."""
    if isinstance(experiment, Experiment) and isinstance(plan.config, StudyConfig):
        return experiment.measure(plan.config, plan.scope, executor, say)
    if isinstance(experiment, NetworkExperiment) and isinstance(plan.config, GrokkingConfig):
        return experiment.measure(plan.config, plan.scope, executor, say, runs)
    if isinstance(experiment, LogExperiment) and isinstance(plan.config, LogConfig):
        return experiment.measure(plan.config, executor, say, log)
    raise TypeError(f"{plan.question} is not asked of a {type(plan.config).__name__}")


def committed(folder: Path) -> Source:
    """What the tables in `folder`/data say, for pages that quote it."""
    tables = read_tables(folder / "data")
    quantities: dict[str, Quantity] = {}
    readings: dict[str, dict[str, Quantity]] = {}
    for row in tables["quantities"]:
        known = {name: float(row[name] or "nan") for name in ("value", "low", "high")}
        quantity = compare(Estimate(**known, statistic=row["statistic"], note=row["note"]), row["key"])
        if row["reading"]:
            readings.setdefault(row["key"], {})[row["reading"]] = quantity
        else:
            quantities[row["key"]] = quantity
    return Source(quantities, readings, tables)


def experiment_of(question: str) -> AnyExperiment:
    """The experiment that answers a question, loaded when asked for: each brings what it needs to draw."""
    module = import_module(f"tdu.experiments.{question.replace('-', '_')}")
    found: AnyExperiment = module.EXPERIMENT
    return found


def _quantities(results: Results) -> list[dict[str, object]]:
    """Every quantity and every reading, a row each."""
    named = [(key, "", quantity) for key, quantity in results.quantities.items()]
    named += [(key, reading, q) for key, readings in results.readings.items() for reading, q in readings.items()]
    return [
        {
            "key": key,
            "reading": reading,
            "quantity": label(key),
            "value": q.value,
            "low": q.low,
            "high": q.high,
            "statistic": q.statistic,
            "published": q.published_text,
            "verdict": q.verdict,
            "note": q.note,
        }
        for key, reading, q in named
    ]
