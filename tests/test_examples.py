"""The examples in docstrings print what they say, and everything public has one."""

import doctest
import importlib
import inspect
import pathlib
import pkgutil
import re
from tempfile import TemporaryDirectory
from types import FunctionType

import matplotlib.pyplot as plt
import numpy as np
import pytest

import tdu
import tdu.figures
from tdu.avalanches.recorder import Recorder
from tdu.statistics.resampling import bootstrap, estimate, interval
from tests.pages import ROOT
from tests.planted import recorded

REFERENCE = (ROOT / "docs" / "reference" / "python.rst").read_text()
PUBLIC = [value for name in tdu.__all__ if callable(value := getattr(tdu, name))]
#: What the classes among them are made by, and what they do; a property says in a word what it is.
METHODS = [
    getattr(one, name)
    for one in [*PUBLIC, Recorder]
    if inspect.isclass(one)
    for name, kind in vars(one).items()
    if (not name.startswith("_") or name == "__call__") and isinstance(kind, FunctionType | classmethod)
]
#: Of `tdu.nulls`, what takes a field or a graph and gives another; the rest serves the probe.
NULLS = [tdu.nulls.gaussian, tdu.nulls.permuted, tdu.nulls.signs, tdu.nulls.blocks, tdu.nulls.rewired]
FIGURES = [getattr(tdu.figures, name) for name in tdu.figures.__all__]
SHOWN = [*PUBLIC, Recorder, *METHODS, *NULLS, *FIGURES, bootstrap, interval, estimate]

GLOBALS = {"tdu": tdu, "np": np, "pathlib": pathlib, "TemporaryDirectory": TemporaryDirectory}


def test_every_example_prints_what_it_says(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    finder, runner, said = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(verbose=False), []
    for info in pkgutil.walk_packages(tdu.__path__, "tdu."):
        if info.name != "tdu.__main__":
            for found in finder.find(importlib.import_module(info.name), info.name, globs={**GLOBALS, "log": recorded()}):
                runner.run(found, out=said.append)
    plt.close("all")
    assert not said, "".join(said)
    assert runner.tries >= len(SHOWN)


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.__qualname__)
def test_what_is_public_has_an_example(shown):
    assert ">>> " in shown.__doc__


def test_methods_of_public_classes_are_found():
    assert {"from_edges", "of_rows", "with_size", "of_run", "record", "due"} <= {method.__name__ for method in METHODS}


def test_every_public_name_has_its_place_in_the_reference():
    named = [f"tdu.{name}" for name in tdu.__all__ if name != "__version__"]
    named += [f"tdu.nulls.{null.__name__}" for null in NULLS] + [f"tdu.figures.{name}" for name in tdu.figures.__all__]
    assert not [name for name in named if not re.search(rf":: {re.escape(name)}$", REFERENCE, re.M)]
