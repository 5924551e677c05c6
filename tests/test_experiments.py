"""Every question is answered by one command, and what its page says is what its data hold."""

import csv
import itertools
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tdu.analysis.recipes import COMPARED, configurations, n_compatible, of_log, shape_of
from tdu.cli import main
from tdu.config import ACTIVATIONS, GROKKED, INITIALISATIONS, INPUTS, GrokkingConfig, StudyConfig
from tdu.experiments import modadd_runs
from tdu.experiments.experiment import settings_of
from tdu.experiments.plan import QUESTIONS, committed, experiment_of, read_plan
from tdu.files import read_csv, with_tuples
from tdu.logs.store import Store
from tdu.results.pages import Source, render
from tdu.results.published import compare
from tdu.types import Estimate

ROOT = Path(__file__).parent.parent
EXPERIMENTS = ROOT / "experiments"


def run(*arguments):
    """In this process: another one takes two seconds to begin."""
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def test_every_question_has_its_folder():
    assert sorted(path.parent.name for path in EXPERIMENTS.glob("*/experiment.toml")) == sorted(QUESTIONS)
    assert all(read_plan(EXPERIMENTS / question / "experiment.toml").question == question for question in QUESTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_tiny_setting_answers_from_nothing(question, tmp_path):
    done = run(EXPERIMENTS / question / "experiment.toml", "--quick", "--out", tmp_path)
    assert done.exit_code == 0, done.stderr
    if question in ("modadd", "precursor"):  # of other primes than the page quotes
        assert not (tmp_path / "README.md").exists()
    else:
        assert "{{" not in (tmp_path / "README.md").read_text()
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    made_of = json.loads((tmp_path / "data" / "provenance.json").read_text())["study"]
    assert made_of == json.loads(json.dumps(asdict(read_plan(EXPERIMENTS / question / "experiment.toml", quick=True).config)))
    assert made_of != json.loads((EXPERIMENTS / question / "data" / "provenance.json").read_text())["study"]
    names = {path.name for path in (tmp_path / "data").glob("*.csv")}
    assert names == {path.name for path in (EXPERIMENTS / question / "data").glob("*.csv")}
    for name in names:
        with open(tmp_path / "data" / name) as new, open(EXPERIMENTS / question / "data" / name) as old:
            rows = list(csv.DictReader(new))
            assert rows
            assert list(rows[0]) == next(csv.reader(old)), f"{name} has other columns than the committed one"
    known = [row["value"] for row in read_csv(tmp_path / "data" / "quantities.csv")]
    assert sum(value != "" for value in known) > len(known) / 2
    assert all(str(tmp_path / "data" / name) in done.stdout for name in names)
    if question == "modadd":  # small enough for a test, and it really groks
        runs = {row["what"]: row for row in read_csv(tmp_path / "data" / "runs.csv")}
        grokking = [row for name, row in runs.items() if name.startswith("grokking-19-shadow")]
        assert all(int(row["grokked"]) >= 1 and float(row["test accuracy then"]) < GROKKED for row in grokking)
        assert sum(int(row["grokked"]) for row in grokking) >= 4
        controls = [row for name, row in runs.items() if name.startswith(("few-data", "no-decay"))]
        assert controls
        assert all(row["grokked"] == "0" for row in controls)
        starts_are_shared_where_runs_are_paired(tmp_path / "runs", read_plan(EXPERIMENTS / question / "experiment.toml", True))


def starts_are_shared_where_runs_are_paired(runs, plan):
    """Runs that start together have one first row, to the last bit; others have not."""
    config, known = plan.config, modadd_runs.conditions(plan.config)
    first = {}
    for of in known:
        for run in Store.open(runs / of.name).runs():
            first[of.name, run.scale, run.replicate] = [
                {name: values[..., 0].tolist() for name, values in named.items()} for named in (run.columns, run.nulls)
            ]
    pairs = [(one, other) for one in known for other in known if modadd_runs.paired(config, one, other)]
    named = {tuple(sorted({one.name, other.name})) for one, other in pairs if one != other}
    wanted = ("grokking-19-inline", "grokking-19-shadow", "no-decay-19-shadow")
    assert named == {*itertools.combinations(wanted, 2), ("few-data-19-inline", "few-data-19-shadow")}
    for one, other in itertools.product(known, known):
        for width, k in itertools.product(config.widths, range(config.replicates)):
            rows = [first[of.name, width, k] for of in (one, other)]
            assert (rows[0] == rows[1]) == ((one, other) in pairs), (one, other)


def standard_study(question):
    """What a question is asked of: the paper's study, with more runs where its own six decide nothing, or one of its own."""
    if question == "modadd":
        return GrokkingConfig()
    if question in ("char-lm", "large-n", "arrangement", "precursor"):
        return experiment_of(question).study
    own = ("replicates", "hidden", "n_null_draws") if question == "rate-width" else ("replicates",)
    return replace(StudyConfig(), **settings_of(read_plan(EXPERIMENTS / question / "experiment.toml").config, *own))


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_committed_page_is_what_its_template_and_its_data_give(question):
    folder = EXPERIMENTS / question
    page = render((folder / "README.template.md").read_text(), {"": committed(folder)})
    assert page == (folder / "README.md").read_text(), f"`tdu run experiments/{question}/experiment.toml` renders it again"
    provenance = json.loads((folder / "data" / "provenance.json").read_text())
    planned = read_plan(folder / "experiment.toml").config
    measured = replace(planned, **with_tuples(provenance["study"]))
    if isinstance(planned, StudyConfig):  # a setting that came after the answer had its default
        measured = StudyConfig(**with_tuples(provenance["study"]))
    assert measured == planned, "the committed answer is of another setting"
    if question == "char-lm":  # settings are those of the training, which the analysis is only told
        planned = replace(planned, settings={})
    assert planned == standard_study(question)


def test_quick_does_not_replace_what_is_there():
    done = run(EXPERIMENTS / "gini" / "experiment.toml", "--quick")
    assert done.exit_code == 2
    assert "--quick needs --out" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question = 'tides'", "asks 'tides', but the questions are nulls, recipes"),
        ("[study]\nseed = 1", "asks None, but the questions are"),
        ("question = 'nulls'\n[study]\nsede = 1", "sets `sede`, but a StudyConfig has hidden, replicates"),
        ("question = 'nulls'\n[scopes]\nx = 1", "has `scopes`, but an experiment has `question`, `study` and `scope`"),
        ("question = ", "is no plan in TOML"),
        ("question = 'nulls'\n[study]\nhidden = [20]", "an exponent needs at least two"),
        ("question = 'nulls'\nstudy = 3", "`study` must be a table of settings, but it is 3"),
        ("question = 'char-lm'", "training.json does not exist: train.py makes it with the logs"),
    ],
)
def test_a_bad_plan_is_one_line(tmp_path, text, message):
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    done = CliRunner().invoke(main, ["run", str(path)])
    assert done.exit_code == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["experiment.toml"]


def test_a_page_quotes_quantities_readings_tables_and_cells_and_nothing_that_is_not_there():
    found = compare(Estimate(1.1534, 1.12, 1.19, "mean", "a note"), "gamma")
    source = Source({"gamma": found}, {"gamma": {"other": found}}, {"rows": [{"name": "a", "n": "1"}, {"name": "b", "n": "2"}]})
    page = render("{{gamma}} {{gamma:verdict}} {{gamma:note}} {{x/gamma|other}} {{rows[b].n}}", {"": source, "x": source})
    assert page.startswith("1.153 [1.120, 1.190] agrees a note")
    assert "a note" in page
    assert page.endswith("2")
    assert render("{{table:rows}}", {"": source}) == "| name | n |\n| --- | --- |\n| a | 1 |\n| b | 2 |"
    for missing in ("{{delta}}", "{{gamma|no}}", "{{rows[c].n}}", "{{table:none}}", "{{y/gamma}}"):
        with pytest.raises(KeyError):
            render(missing, {"": source})


def test_the_sweep_holds_every_recipe_once():
    configs = configurations(StudyConfig())
    assert len(set(configs)) == len(configs) == 60
    named = {(c.activation, c.initialisation, c.inputs, c.alpha_train) for c in configs}
    assert named == {(a, i, p, t) for a in ACTIVATIONS for i in INITIALISATIONS for p in INPUTS for t in (0.3, 0.0)}


@pytest.mark.parametrize(
    ("rise", "early", "late", "shape"),
    [
        ((0.2, 0.1, 0.3), (0.9, 0.8, 0.99), (1.1, 1.05, 1.15), "rises through 1"),
        ((0.2, 0.1, 0.3), (0.9, 0.8, 0.99), (1.1, 0.95, 1.15), "rises"),
        ((0.2, 0.1, 0.3), (0.95, 0.8, 1.02), (1.1, 1.05, 1.15), "rises"),
        ((0.2, 0.1, 0.3), (1.05, 0.9, 1.1), (1.25, 1.15, 1.3), "rises"),
        ((-0.2, -0.3, -0.1), (1.1, 1.01, 1.2), (0.9, 0.85, 0.95), "falls through 1"),
        ((-0.2, -0.3, -0.1), (1.1, 0.99, 1.2), (0.9, 0.85, 0.95), "falls"),
        ((-0.2, -0.3, -0.1), (1.1, 1.01, 1.2), (0.95, 0.85, 1.02), "falls"),
        ((-0.2, -0.3, -0.1), (0.9, 0.8, 1.2), (0.7, 0.65, 0.75), "falls"),
        ((0.1, -0.1, 0.3), (0.9, 0.8, 1.0), (1.1, 1.05, 1.15), "undecided"),
        ((np.nan,) * 3, (np.nan,) * 3, (np.nan,) * 3, "a scale never groks"),
    ],
)
def test_what_a_curve_does_in_words(rise, early, late, shape):
    found = {name: Estimate(*v, "") for name, v in (("rise", rise), ("dimension_early", early), ("dimension_late", late))}
    assert shape_of(found) == shape


def test_figures_of_a_recipe_are_those_of_the_analysis():
    from concurrent.futures import ThreadPoolExecutor

    from tdu.analysis import dimension, grokking
    from tdu.training.ensembles import train_all

    with ThreadPoolExecutor(2) as executor:
        log = train_all(StudyConfig(hidden=(20, 30, 50), replicates=3, epochs=200), executor, gini=True)
    found = of_log(log)
    wanted = dimension.analyse(log, grokking.window(log))
    for key in ("dimension", "gamma", "deviation_angle", "steps_mean"):
        assert found[key].value == pytest.approx(wanted.estimates[key].value)
    early, late = (wanted.readings[f"dimension_{when}"]["mean"].value for when in ("early", "late"))
    assert found["rise"].value == pytest.approx(late - early)
    assert found["distance"].value == pytest.approx(np.sqrt(((early - 0.9) ** 2 + (late - 1.2) ** 2) / 2))
    assert 0 <= n_compatible(found) <= len(COMPARED)
    gini = (log.curves["gini"].max(axis=-1) / log.curves["gini"][..., 0] - 1).mean() * 100
    assert found["gini_rise"].value == pytest.approx(gini)
