"""The site: what is public is in it, its links resolve, nothing in it comes from elsewhere, and what its pages tell to do works.

The built pages are those that `make site` left in docs/_build/html, before the tests in `make test`.
"""

import re
import shlex
from functools import cache
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
from tests.test_examples import METHODS, NULLS, PUBLIC

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


@pytest.mark.parametrize("kind", ["py:function", "py:class"])
def test_reference_pages_have_objects(pages, kind):
    assert len(inventory()[kind]) > 5


def test_every_public_name_and_method_is_in_the_reference(pages):
    documented = {name for kind, named in inventory().items() if kind.startswith("py:") for name in named}
    assert {f"tdu.{name}" for name in tdu.__all__} <= documented
    assert {f"tdu.nulls.{null.__name__}" for null in NULLS} <= documented
    owners = {one.__qualname__ for one in PUBLIC}
    assert {f"tdu.{method.__qualname__}" for method in METHODS if method.__qualname__.split(".")[0] in owners} <= documented


def test_every_example_is_on_the_page_of_the_reference(pages):
    text = (BUILT / "docs" / "reference" / "python.html").read_text()
    assert text.count("&gt;&gt;&gt;") >= len(PUBLIC) + len(METHODS)


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
    found = re.findall(r"^(<!-- not run: .+ -->\n)?```(\S*)\n(.*?)^```$", page.read_text(), re.M | re.S)
    return [(language, text, bool(why)) for why, language, text in found]


def log_of_quickstart():
    """The log RUN that the quickstart leaves behind."""
    cells = re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```$", (DOCS / "quickstart.md").read_text(), re.M | re.S)
    namespace = {}
    for cell in cells:
        exec(compile(cell, "quickstart.md", "exec"), namespace)
        if "tdu.load" in cell:
            return
    raise AssertionError("no cell of the quickstart makes a log")


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_what_a_how_to_page_tells_to_do_works(page, tmp_path, monkeypatch):
    """Python is run; of commands, those that fit and draw are read only, since other tests run them, for seconds each."""
    monkeypatch.chdir(tmp_path)
    namespace, text = {}, page.read_text()
    if '"RUN"' in text:
        log_of_quickstart()
    for language, block, exempt in blocks(page):
        if language == "python" and "subprocess" not in block:
            exec(compile(block, page.name, "exec"), namespace)
        elif language == "sh" and not exempt:
            for line in block.splitlines():
                program, name, *arguments = shlex.split(line)
                assert program == "tdu"
                main.commands[name].make_context(name, list(arguments))
                if name not in ("fit", "report"):
                    done = CliRunner().invoke(main, [name, *arguments])
                    assert done.exit_code == 0, done.output
