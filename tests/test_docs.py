"""The documentation says what the program does."""

import re
from pathlib import Path

import pytest

import tdu
from tdu.cli import main
from tdu.config import StudyConfig
from tdu.store import load_results

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


@pytest.fixture(scope="module")
def render():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("render", ROOT / "docs" / "render.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_what_their_templates_and_the_committed_data_give(render):
    pages = render.pages()
    assert {path.name for path in pages} == {"reproduction.md", "what-d-measures.md", "modadd.md", "package.md"}
    for path, page in pages.items():
        assert page == path.read_text(), "`python docs/render.py` renders it again"
        assert "{{" not in page


def test_the_package_page_has_links_to_the_world_only(render):
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


def test_the_committed_results_are_of_the_papers_setting():
    assert load_results(ROOT / "docs" / "results.json").config == StudyConfig()


def test_versions_agree():
    setup = re.search(r"^version = (\S+)", (ROOT / "setup.cfg").read_text(), re.M)[1]
    assert f"version: {setup}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {setup}" in (ROOT / "CHANGELOG.md").read_text()


def test_what_modadd_says_in_words_is_what_its_data_say():
    from tdu.experiments import committed

    source = committed(ROOT / "experiments" / "modadd")
    page = (ROOT / "docs" / "modadd.md").read_text()
    assert "| no: it stays above 1 |" in page
    for condition in ("grokking-59-shadow", "grokking-59-inline", "grokking-47-shadow", "delayed-59-shadow"):
        assert source.quantities[f"dimension_early_{condition}"].low > 1
        assert source.quantities[f"dimension_late_{condition}"].low > 1
        assert source.readings[f"dimension_late_{condition}"]["permuted, mean"].low > 1
    assert all(source.quantities[f"level_{kind}-59-shadow"].low > 1 for kind in ("few-data", "no-decay"))
    for row in source.tables["runs"]:
        if row["what"].startswith("grokking"):
            assert row["memorised"] == row["runs"], row["what"]
            assert int(row["grokked"]) >= int(row["runs"]) - 1, row["what"]
            assert float(row["epoch of training accuracy 1"]) < 0.7 * float(row["grokking epoch"]), row["what"]
            assert float(row["test accuracy then"]) > 0.75, row["what"]
        elif row["what"].startswith("delayed"):
            assert row["memorised"] == row["runs"], row["what"]
            assert float(row["test accuracy then"]) < 0.5, row["what"]
            assert float(row["earliest"]) - float(row["epoch of training accuracy 1"]) > 300, row["what"]
            assert row["grokked"] == row["runs"], row["what"]
        elif row["what"].startswith("few-data"):
            assert row["grokked"] == "0", row["what"]
    late = [row for row in source.tables["runs"] if row["what"].startswith("grokking") and row["grokked"] != row["runs"]]
    assert len(late) == 2, "modadd.md says that two runs of the grokking conditions end below"
    assert sum(int(row["grokked"]) for row in source.tables["runs"] if row["what"].startswith("no-decay")) == 2
    assert source.quantities["memorising_delayed-59-shadow"].low > 1
    for grokking, control in (("grokking-59-shadow", "few-data-59-shadow"), ("grokking-59-inline", "few-data-59-inline")):
        assert source.quantities[f"memorising_{grokking}"].value < source.quantities[f"memorising_{control}"].low
