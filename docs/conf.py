"""The site: `make site` builds it from the pages as GitHub shows them. Nothing in it is loaded from another host.

The source directory is that of the repository, so that a link means the same on GitHub and here. What GitHub must not show, a
table of contents, stands in a comment that begins with ``<!-- site``.
"""

import os
import re
import shutil
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

project = "tdu"
author = "The tdu developers"
copyright = author
release = version = version_of("tdu-ofc")

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx_click"]
root_doc = "README"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/*/*.md",
    "docs/reference/*.rst",
    "bench/*.md",
    "experiments/README.md",
    "experiments/*/README.md",
]
exclude_patterns = [
    "**/*.template.md",
    "docs/_build",
    "docs/contents.md",
    "docs/package.md",
    # nothing of these is a page, and some are large
    ".*",
    "tests",
    "tdu",
    "mutants",
    "build",
    "dist",
    "results",
    "experiments/*/runs",
]

highlight_language = "none"
default_role = "py:obj"
smartquotes = False  # --workers has two hyphens

myst_heading_anchors = 3

# Notebooks are executed at every build, in an empty directory; `tdu` is the one that is installed beside Python.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

autodoc_typehints = "none"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"tdu {release}"
html_copy_source = False

_SITE_ONLY = re.compile(r"<!-- site\n(.*?)-->", re.DOTALL)
_LITERAL = re.compile(r"(``.*?``|`[^`]*`)")
_MARKUP = re.compile(r"([|*])")
_ITEM = re.compile(r"(\w[\w, ]*) : (\S.*)")


def _with_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    source[0] = _SITE_ONLY.sub(r"\1", source[0])


def _plain(app: Sphinx, what: object, *rest: object) -> None:
    """Bars and stars of docstrings and of help are what they look like, as in |g| and data/*.csv; those in code stay."""
    lines, in_example = rest[-1], False
    for number, line in enumerate(lines):
        in_example = line.lstrip().startswith(">>>") or (in_example and bool(line.strip()))
        if not in_example:
            parts = _LITERAL.split(line)
            parts[::2] = [_MARKUP.sub(r"\\\1", part) for part in parts[::2]]
            lines[number] = "".join(parts)


def _items(app: Sphinx, what: object, name: object, documented: object, options: object, lines: list[str]) -> None:
    """What stands behind the colon of `name : text` is text, where numpydoc expects a type and the text below."""
    found = [(line, _ITEM.fullmatch(line)) for line in lines]
    lines[:] = [part for line, item in found for part in ([item[1], f"    {item[2]}"] if item else [line])]


def _front_page(app: Sphinx, exception: Exception | None) -> None:
    if exception is None:
        shutil.copy(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Contents of the site only, and the front page under the name that a browser looks for."""
    app.connect("source-read", _with_contents)
    for change in (_plain, _items):
        app.connect("autodoc-process-docstring", change, priority=0)  # before numpydoc
    for part in ("description", "options"):
        app.connect(f"sphinx-click-process-{part}", _plain)
    app.connect("build-finished", _front_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
