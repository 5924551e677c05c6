"""The site: what is public is in it, its links resolve, nothing in it comes from elsewhere, and what how-tos tell to do works.

The built pages are those that `make site` left in docs/_build/html, before the tests in `make test`.
"""

import re
import shlex
import shutil
from contextlib import chdir
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import numpy as np
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

import tdu
from tdu.avalanches.edges import EDGE_STATISTICS
from tdu.avalanches.recorder import _TAKEN
from tdu.cli import main
from tests.test_examples import FIGURES, METHODS, NULLS, PUBLIC

ROOT = Path(__file__).parent.parent
DOCS, BUILT = ROOT / "docs", ROOT / "docs" / "_build" / "html"
HOW_TO = sorted((DOCS / "how-to").glob("*.md"))
#: Elements that a page loads something by, and the attribute that says what.
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "srcset", "video": "src", "object": "data"}


class Page(HTMLParser):
    """What a page links to, what it loads, and the names that links may end with."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.names = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.names |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if found.get(LOADS.get(tag, "")):
            self.loads.append(found[LOADS[tag]])


@pytest.fixture(scope="module")
def pages():
    """Every built page, by its path."""
    pytest.importorskip("sphinx")
    if not (BUILT / "index.html").exists():
        pytest.skip("`make site` builds the pages first")
    return {path: Page(path.read_text()) for path in BUILT.rglob("*.html")}


def inventory():
    """The names that the reference has, by their kind."""
    from sphinx.util.inventory import InventoryFile

    items = InventoryFile.loads((BUILT / "objects.inv").read_bytes(), uri="").data
    return {kind: set(named) for kind, named in items.items()}


def test_every_link_and_anchor_of_the_site_resolves(pages):
    assert len(pages) > 30
    broken, n_links = set(), 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link == "#":
                continue
            n_links += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            named = pages[target].names if target in pages else set()
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in named):
                broken.add((str(path.relative_to(BUILT)), link))
    assert not broken
    assert n_links > 1000


def test_nothing_is_loaded_from_another_host(pages):
    loaded = {link for page in pages.values() for link in page.loads}
    assert len(loaded) > 5
    assert not {link for link in loaded if urlsplit(link).scheme not in ("", "data") or link.startswith("//")}
    for style in BUILT.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style.read_text()), style.name


def test_every_public_name_and_method_is_in_the_reference(pages):
    documented = {name for kind, named in inventory().items() if kind.startswith("py:") for name in named}
    assert {f"tdu.{name}" for name in tdu.__all__} <= documented
    assert {f"tdu.nulls.{null.__name__}" for null in NULLS} <= documented
    assert {f"tdu.figures.{drawn.__name__}" for drawn in FIGURES} <= documented
    owners = {one.__qualname__ for one in PUBLIC}
    assert {f"tdu.{method.__qualname__}" for method in METHODS if method.__qualname__.split(".")[0] in owners} <= documented


def test_every_example_is_on_the_page_of_the_reference(pages):
    text = (BUILT / "docs" / "reference" / "python.html").read_text()
    assert text.count("&gt;&gt;&gt;") >= len(PUBLIC) + len(METHODS) + len(FIGURES)


def options_of(command):
    return [option for one in command.params if isinstance(one, click.Option) for option in (*one.opts, *one.secondary_opts)]


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_is_in_the_reference(pages, name):
    documented = {one.replace(" ", "-") for one in inventory()["std:cmdoption"]}
    wanted = {f"tdu-{name}.{option}" for option in options_of(main.commands[name])}
    assert wanted <= documented
    assert f"tdu-{name}" in pages[BUILT / "docs" / "reference" / "commands.html"].names


def blocks(page):
    """Language and text of the blocks of a page, and whether a comment before one says why it is not run."""
    found = re.findall(r"^(<!-- not run: .+ -->\n)?```(\S*)[^\n]*\n(.*?)^```$", page.read_text(), re.M | re.S)
    return [(language, text, bool(why)) for why, language, text in found]


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """A directory with the log RUN that the quickstart leaves behind."""
    directory = tmp_path_factory.mktemp("quickstart")
    cells = re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```$", (DOCS / "quickstart.md").read_text(), re.M | re.S)
    training, recording = cells[:2]
    with chdir(directory):
        exec(compile(training + recording, "quickstart.md", "exec"), {})
    return directory


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_what_a_how_to_page_tells_to_do_works(page, quickstart, tmp_path, monkeypatch):
    """Python is run; of commands, those that fit and draw are read only, since other tests run them, for seconds each."""
    shutil.copytree(quickstart / "RUN", tmp_path / "RUN")
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for language, block, exempt in blocks(page):
        if language == "python" and "subprocess" not in block:
            exec(compile(block, page.name, "exec"), namespace)
        elif language == "sh" and not exempt:
            for line in block.splitlines():
                program, name, *arguments = shlex.split(line)
                assert program == "tdu"
                main.commands[name].make_context(name, list(arguments), parent=main.make_context("tdu", [name]))
                if name not in ("fit", "report"):
                    done = CliRunner().invoke(main, [name, *arguments])
                    assert done.exit_code == 0, done.output


def test_every_other_block_of_python_is_executed_at_the_build_or_by_a_test_of_its_own():
    elsewhere = {"own-runs.md": "test_own_runs", "at-scale.md": "test_at_scale"}
    for page in DOCS.rglob("*.md"):
        generated = page.name == "package.md"  # README.md, whose block another test runs
        if any(language == "python" for language, _, _ in blocks(page)) and page not in HOW_TO and not generated:
            assert (ROOT / "tests" / f"{elsewhere[page.name]}.py").exists(), page.name


def test_a_notebook_says_that_it_is_one():
    for page in DOCS.rglob("*.md"):
        if "{code-cell}" in (text := page.read_text()):
            assert text.startswith("---\nfile_format: mystnb\n"), page.name


@pytest.mark.torch
def test_the_tutorial_of_pytorch_runs_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    page = DOCS / "tutorials" / "pytorch.md"
    namespace = {}
    for _, text, _ in (block for block in blocks(page) if block[0] == "{code-cell}"):
        exec(compile(text, page.name, "exec"), namespace)
    assert namespace["HAS_TORCH"]
    assert tdu.load("RUN").n_sites.tolist() == [10 * width + 1 for width in (16, 32, 64, 128)]


def test_every_column_that_a_log_can_have_is_on_its_page(tmp_path):
    page = (DOCS / "log-and-results.md").read_text()
    weights = {"w": np.ones((4, 5))}
    with tdu.Probe("rook", edges=True, profiles=True, draws=1).record(tmp_path, scale=4) as record:
        record(0, {"w": np.random.default_rng(0).normal(size=(4, 5))}, weights=weights, loss=1.0, test_accuracy=0.5)
    columns = set(tdu.load(tmp_path).columns)
    assert columns > {*EDGE_STATISTICS, "gradient_norm", "effective_rank", "profile_01"}
    unsaid = {name for name in columns | set(_TAKEN) if f"`{name}`" not in page}
    assert {name for name in unsaid if not name.startswith("profile_")} <= {"step", "n", "scale", "replicate"}


def test_every_experiment_is_listed_under_the_question_that_it_asks():
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", (ROOT / "experiments" / "README.md").read_text(), re.M)
    pages = sorted((ROOT / "experiments").glob("*/README.md"))
    titles = [re.search(r"^# (.+)$", page.read_text(), re.M)[1] for page in pages]
    assert listed == [(title, f"{page.parent.name}/README.md") for title, page in zip(titles, pages, strict=True)]


@pytest.mark.parametrize(("typed", "completed"), [("pro", "probe"), ("do", "doctor")])
def test_commands_complete_as_the_page_of_the_command_line_says(typed, completed):
    found = ShellComplete(main, {}, "tdu", "_TDU_COMPLETE").get_completions([], typed)
    assert [one.value for one in found] == [completed]


def test_options_and_their_choices_complete():
    complete = ShellComplete(main, {}, "tdu", "_TDU_COMPLETE").get_completions
    assert [one.value for one in complete(["probe"], "--diff")] == ["--difference"]
    assert [one.value for one in complete(["export", "--format"], "p")] == ["parquet"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_that_turns_completion_on_gives_a_script(shell, monkeypatch):
    assert f"_TDU_COMPLETE={shell}_source tdu" in (DOCS / "command-line.md").read_text()
    monkeypatch.setenv("_TDU_COMPLETE", f"{shell}_source")
    if shell == "bash":
        monkeypatch.setattr("click.shell_completion.BashComplete._check_version", staticmethod(lambda: None))
    done = CliRunner().invoke(main, [], prog_name="tdu")
    assert "_TDU_COMPLETE" in done.stdout
    assert done.exit_code == 0


@pytest.mark.parametrize("arguments", [["-h"], ["train", "-h"], ["export", "nothing"], ["no-command"]])
def test_nothing_is_printed_in_colour_whatever_the_terminal(arguments):
    done = CliRunner().invoke(main, arguments, color=True)
    assert "\x1b" not in done.output
