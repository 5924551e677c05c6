"""The documentation says what the program does."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tdu
from tdu.cli import main
from tdu.config import StudyConfig
from tdu.experiments.plan import committed
from tdu.results.published import MARGIN, PUBLISHED, compare
from tdu.results.store import load_results
from tdu.types import Estimate
from tests.pages import render

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_python_of_the_readme_runs(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.S)
    exec(compile(block, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) >= 3


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_is_in_the_readme_and_explains_itself(command):
    assert f"tdu {command}" in README
    assert len(main.commands[command].help) > 20
    for parameter in main.commands[command].params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"--{parameter.name} of {command} has no help"


def test_links_and_pictures_are_there():
    for page in [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "experiments").rglob("*.md"),
        *(ROOT / "bench").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_theory_names_functions_that_exist():
    from importlib import import_module

    names = re.findall(r"`(tdu\.[a-z_.]+)`", (ROOT / "docs" / "theory.md").read_text())
    assert len(names) > 10
    for name in names:
        if hasattr(tdu, name.removeprefix("tdu.")):
            continue
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name


def test_pages_are_what_their_templates_and_the_committed_data_give():
    pages = render.pages()
    named = {
        "reproduction.md",
        "reliability.md",
        "torture.md",
        "what-d-measures.md",
        "theory.md",
        "modadd.md",
        "precursor.md",
        "log-and-results.md",
        "package.md",
    }
    assert {path.name for path in pages} == named
    for path, page in pages.items():
        assert page == path.read_text(), "`python docs/render.py` renders it again"
        assert "{{" not in page


def sections(template):
    """Headings of a page with the text below each."""
    parts = re.split(r"^## (.+)$", (ROOT / "docs" / template).read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_quotes_the_pool_of_every_row_that_it_discusses_those_that_disagree_first():
    results = load_results(ROOT / "docs" / "results.json")
    wanted = {"What does not agree": "does not agree", "What cannot be told": "cannot tell", "What agrees": "agrees"}
    of_page = sections("reproduction.template.md")
    assert list(of_page)[:3] == list(wanted)
    quoted, singly = set(), set()
    for heading, text in of_page.items():
        pooled = set(re.findall(r"\{\{pooled/(\w+)\}\}", text))
        singly |= set(re.findall(r"\{\{(\w+)[|:}]", text))
        if heading in wanted:
            for key in pooled - {"gini_at_grokking"}:
                assert results.pooled[key].verdict == wanted[heading], (heading, key)
        quoted |= pooled
    assert singly <= quoted, "rows of one study whose pool is not quoted"
    published = {key for key, q in results.quantities.items() if q.published_text and q.verdict != "not measured"}
    assert published - quoted == {"phases_apart"}, "every published row is discussed"


def test_the_equivalence_margin_is_the_scatter_between_studies():
    pooled = load_results(ROOT / "docs" / "results.json").pooled
    exponents = [q for key, q in pooled.items() if key in PUBLISHED and PUBLISHED[key].margin == MARGIN]
    spread = [float(re.search(r"standard deviation ([\d.]+)", q.note)[1]) for q in exponents]
    assert len(spread) == 7
    assert sum(spread) / len(spread) == pytest.approx(MARGIN, abs=0.01)


def test_the_package_page_has_links_to_the_world_only():
    readme = """Read [the theory](docs/theory.md), [docs/a.md](docs/a.md#here) and [the paper](https://example.org/a).

![A picture](docs/a.png)

*Its caption: with
two lines.*

```python
curves[0](docs)
```

*This stays.*
"""
    page = """Read the theory (`docs/theory.md`), docs/a.md (`docs/a.md#here`) and [the paper](https://example.org/a).

```python
curves[0](docs)
```

*This stays.*

Paths on this page are those of the source distribution, which holds all of it.
"""
    assert render.package_page(readme) == page
    ours = re.sub(r"^```.*?^```$", "", (ROOT / "docs" / "package.md").read_text(), flags=re.M | re.S)
    assert len(ours.split()) > 200
    assert all("://" in target for target in re.findall(r"\]\(([^)]*)\)", ours))
    assert not re.search(r"<(img|a|picture|source)\b|^\[[^\]]+\]:", ours, re.M), "links in other spellings"


def test_what_the_page_says_of_verdicts_without_margins_is_so(monkeypatch):
    pooled = load_results(ROOT / "docs" / "results.json").pooled
    without = {key: replace(published, margin=0.0) for key, published in PUBLISHED.items() if published.margin}
    monkeypatch.setattr("tdu.results.published.PUBLISHED", without)
    found = {
        key: compare(Estimate(q.value, q.low, q.high, q.statistic), key).verdict for key, q in pooled.items() if key in without
    }
    changed = {key: verdict for key, verdict in found.items() if verdict != pooled[key].verdict}
    untold = ("dimension", "dimension_early", "dimension_late", "dimension_pre")
    broken = ("dimension_post", "phase_separation", "grokking_first", "grokking_last")
    assert changed == dict.fromkeys(untold, "cannot tell") | dict.fromkeys(broken, "does not agree")


def test_the_committed_results_are_of_the_papers_setting():
    assert load_results(ROOT / "docs" / "results.json").config == StudyConfig()


def test_versions_agree():
    setup = re.search(r"^version = (\S+)", (ROOT / "setup.cfg").read_text(), re.M)[1]
    assert f"version: {setup}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {setup}" in (ROOT / "CHANGELOG.md").read_text()


def side(low, high, of, below, between, above):
    """The word for an interval beside the value `of`."""
    if np.isnan(low):
        return "no interval"
    return above if low > of else below if high < of else between


def test_words_in_the_tables_of_modadd_are_those_of_its_intervals():
    source = committed(ROOT / "experiments" / "modadd")

    def beside_one(q):
        return side(q.low, q.high, 1, "below 1", "not to be told from 1", "above 1")

    def found(key, reading):
        return source.quantities[key] if reading == "real, mean" else source.readings[key][reading]

    def column(row, name):
        return Estimate(*(float(row[f"{name}{end}"] or "nan") for end in ("", " low", " high")), "")

    for row in source.tables["levels"]:
        key, reading = row["what"].split(", ", 1)
        assert row["words"] == beside_one(found(key, reading)), row["what"]
    for row in source.tables["differences"]:
        key, reading = row["what"].split(", ", 1)
        q = found(key, reading)
        assert row["words"] == side(q.low, q.high, 0, "lower", "not to be told apart", "higher"), row["what"]
        kind, _, control = key.split("_", 1)[1].partition("_minus_")
        assert row["runs"] == ("not paired" if "few-data" in control else "paired"), row["what"]
        part = key.split("_")[0]
        if part == "memorising":
            values = [found(f"memorising_{name}", reading).value for name in (kind, control)]
        else:
            late, level = f"dimension_late_{kind}", f"level_{control}"
            window = {"before": f"dimension_early_{kind}", "after": late, "level": late}[part]
            other = level if part == "level" else window.replace(kind, control)
            values = [found(window, reading).value, found(other, reading).value]
        assert q.value == pytest.approx(values[0] - values[1], abs=1e-4, nan_ok=True), row["what"]
    for row in source.tables["crossings"]:
        condition, reading = row["what"].split(", ", 1)
        early, late, rise = (found(f"{name}_{condition}", reading) for name in ("dimension_early", "dimension_late", "rise"))
        assert [row["before lies"], row["after lies"]] == [beside_one(early), beside_one(late)], row["what"]
        words = side(rise.low, rise.high, 0, "falls", "undecided", "rises")
        sides = {"falls": ("above 1", "below 1"), "rises": ("below 1", "above 1")}
        through = (beside_one(early), beside_one(late)) == sides.get(words)
        assert row["words"] == (f"{words} through 1" if through else words), row["what"]
    for row in source.tables["partings"]:
        assert row["runs"] == ("paired" if row["what"].startswith("no-decay") else "not paired")
        leads = "an alarm that leads" if column(row, "lead").low > 0 else "an alarm whose lead is not to be told from 0"
        assert row["words"] == ("no alarm" if row["alarm"] == "no alarm" else leads)


def test_what_modadd_says_in_words_is_what_its_data_say():
    source = committed(ROOT / "experiments" / "modadd")
    pages = [(ROOT / "docs" / "modadd.md").read_text(), (ROOT / "experiments" / "modadd" / "README.md").read_text()]
    quantities, readings = source.quantities, source.readings
    runs = {row["what"]: row for row in source.tables["runs"]}
    crossings = {row["what"]: row["words"] for row in source.tables["crossings"]}
    assert "no: of neither does it fall through 1" in pages[0]
    assert "it lies above 1 on both sides" in pages[1]
    for condition in ("grokking-59-shadow", "grokking-59-inline", "grokking-47-shadow", "delayed-59-shadow"):
        for key in (f"dimension_early_{condition}", f"dimension_late_{condition}"):
            if condition == "delayed-59-shadow":  # spikes of the loss before grokking: 1 lies within, and the pages say so
                assert quantities[key].low < 1 < quantities[key].high
                assert "D(t) of the mean size there is not to be told from 1" in pages[0]
                continue
            assert quantities[key].low > 1
            assert readings[key]["permuted, mean"].low > 1
            assert readings[key]["blocks, mean"].low > 1
        for statistic in ("mean", "peak"):
            assert crossings[f"{condition}, real, {statistic}"] != "falls through 1"
        assert not crossings[f"{condition}, real, mean"].startswith("falls")  # "falls in none of the four conditions"
        assert readings[f"dimension_early_{condition}"]["gaussian, mean"].value == pytest.approx(1, abs=0.01)
    assert all(quantities[f"level_{kind}-59-shadow"].low > 1 for kind in ("few-data", "no-decay"))
    for name, row in runs.items():
        sooner = float(row["epoch of training accuracy 1"])
        assert row["memorised"] == row["runs"], name
        if name.startswith("grokking"):
            assert int(row["grokked"]) >= int(row["runs"]) - 1, name
            assert sooner < 0.7 * float(row["grokking epoch"]), name
            assert float(row["test accuracy then"]) > 0.75, name
        elif name.startswith("delayed"):
            assert float(row["test accuracy then"]) < 0.5, name
            assert float(row["earliest"]) - sooner > 300, name
            assert row["grokked"] == row["runs"], name
            # "memorise sooner than either" those that will grok or those with few data
            for other in ("grokking-59-shadow", "grokking-59-inline", "few-data-59-shadow", "few-data-59-inline"):
                assert sooner < float(runs[name.replace("delayed-59-shadow", other)]["epoch of training accuracy 1"]), name
        elif name.startswith("few-data"):
            assert row["grokked"] == "0", name
    late = [row for name, row in runs.items() if name.startswith("grokking") and row["grokked"] != row["runs"]]
    assert len(late) == 2, "modadd.md says that two runs of the grokking conditions end below"
    assert sum(int(row["grokked"]) for name, row in runs.items() if name.startswith("no-decay")) == 2
    # "the estimates of D(t) are lowest for runs that will grok"
    memorising = {key: q.value for key, q in quantities.items() if key.startswith("memorising_") and "_minus_" not in key}
    of_59 = sorted((key for key in memorising if "-59-" in key), key=memorising.__getitem__)
    assert set(of_59[:2]) == {"memorising_grokking-59-shadow", "memorising_grokking-59-inline"}
