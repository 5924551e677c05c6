"""The examples in docstrings print what they say, and what a user calls first has one."""

import doctest
import importlib
import pathlib
import pkgutil
from tempfile import TemporaryDirectory

import numpy as np
import pytest

import tdu
from tdu.statistics.resampling import bootstrap, estimate, interval

SHOWN = [
    tdu.barabasi_albert, tdu.ring, tdu.small_world, tdu.random_graph, tdu.Graph.from_edges, tdu.avalanche, tdu.train_xor,
    tdu.Probe, tdu.scaling_exponent, tdu.ccdf, tdu.fit_power_law, tdu.collapse_quality, bootstrap, interval, estimate,
    tdu.nulls.gaussian, tdu.nulls.permuted, tdu.nulls.signs, tdu.nulls.blocks, tdu.nulls.rewired, tdu.train_network, tdu.load,
    tdu.dimension_over_time, tdu.excess, tdu.bootstrap, tdu.Probe.record, tdu.noise_scale,
]  # fmt: skip

GLOBALS = {"tdu": tdu, "np": np, "pathlib": pathlib, "TemporaryDirectory": TemporaryDirectory}


def test_every_example_prints_what_it_says():
    finder, runner, said = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(verbose=False), []
    for info in pkgutil.walk_packages(tdu.__path__, "tdu."):
        if info.name != "tdu.__main__":
            for found in finder.find(importlib.import_module(info.name), info.name, globs=dict(GLOBALS)):
                runner.run(found, out=said.append)
    assert not said, "".join(said)
    assert runner.tries >= len(SHOWN)


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.__qualname__)
def test_what_a_user_calls_first_has_an_example(shown):
    assert ">>> " in shown.__doc__
