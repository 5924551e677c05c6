"""Calls of the public functions and of the command line with whatever there is: what may come back, and what may not."""

import contextlib
import dataclasses
import io
import os
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import tdu
from tdu.cli import main

_EDGES = [0, 1, -1, 2, 3, 20, 1e-300, 5e-324, 1e308, 1.7976931348623157e308, 0.5, -0.0, 1e-20, 2**31, 2**63, -(2**63), 10**400]
_ODD = [
    None,
    True,
    "1",
    "ba",
    "",
    b"1",
    Fraction(1, 3),
    Decimal("0.5"),
    1j,
    np.float32(0.3),
    np.int8(3),
    np.nan,
    np.inf,
    -np.inf,
    (),
    {},
]
scalars = st.one_of(st.sampled_from(_EDGES), st.sampled_from(_ODD), st.floats(), st.integers(-3, 30))
#: Numbers of sites, of draws and the like: what is large on purpose is beyond what is ever made.
counts = st.one_of(st.integers(-3, 40), st.sampled_from([2**63, 10**400, 1.0, 0.5, None, True, "3", np.int64(7), np.nan]))
seeds = st.one_of(st.integers(0, 9), st.sampled_from([-1, 2**64, 2**64 - 1, 1.5, None, "1"]))
fractions = st.one_of(st.floats(0, 1), scalars)
_entries = st.one_of(
    st.floats(), st.floats(-1e3, 1e3), st.integers(-5, 5), st.sampled_from([1e308, -1e308, 5e-324, 10**400, None, "a"])
)


@st.composite
def arrays(draw):
    """Of any kind, shape and layout, more often such as are meant."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(scalars)
    if kind == 1:
        return draw(st.lists(_entries, max_size=12))
    shape = draw(st.sampled_from([(0,), (1,), (5,), (6,), (12,), (3, 4), (2, 3, 4), (0, 3), ()]))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    dtype = draw(st.sampled_from(["f8", "f8", "f8", "f4", "f2", ">f8", "i4", "u1", "?", "c16", "U3", "O", "M8[s]"]))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        array = np.asarray(rng.normal(size=shape)) * draw(st.sampled_from([1, 10, 1e300, 1e-300, 0]))
        array = np.asarray(array).astype(dtype) if dtype != "M8[s]" else np.asarray(array).astype("i8").astype(dtype)
    if kind == 2 and array.size and array.dtype.kind == "f":
        array.flat[0] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    return array[::-1] if kind == 3 and array.ndim else array


fields = st.one_of(arrays(), st.integers(0, 99).map(lambda n: np.random.default_rng(n).normal(size=6)))
graphs = st.one_of(st.sampled_from([tdu.ring(6), tdu.barabasi_albert(6), tdu.ring(5), tdu.Graph.from_edges(6, [])]), scalars)
edges = st.one_of(arrays(), st.lists(st.tuples(st.integers(-1, 7), st.integers(-1, 7)), max_size=6))
rows = st.lists(st.integers(-1, 6), max_size=8)
positive = st.one_of(arrays(), st.lists(st.integers(1, 60), min_size=1, max_size=20))
steps = st.one_of(st.integers(0, 20), counts)


#: What says in its documentation when it is nan.
_SAYS_SO = ("collapse_quality", "noise_scale")
#: Function, and strategies of its arguments by name.
CALLS = {
    "avalanche": (
        tdu.avalanche,
        {"gradient": fields, "graph": graphs, "alpha": fractions, "quantile": fractions, "threshold": st.none() | scalars}
        | {"max_steps": steps, "precision": st.sampled_from(["float64", "float64", "float32", "f2", None])},
    ),
    "Graph": (tdu.Graph, {"indptr": arrays() | rows.map(sorted), "indices": arrays() | rows}),
    "Graph.from_edges": (tdu.Graph.from_edges, {"n": counts, "edges": edges}),
    "barabasi_albert": (tdu.barabasi_albert, {"n": counts, "m": counts, "seed": seeds}),
    "ring": (tdu.ring, {"n": counts, "k": counts}),
    "small_world": (tdu.small_world, {"n": counts, "k": counts, "p": fractions, "seed": seeds}),
    "random_graph": (tdu.random_graph, {"n": counts, "mean_degree": scalars, "seed": seeds}),
    "scaling_exponent": (tdu.scaling_exponent, {"n": positive, "s": positive}),
    "ccdf": (tdu.ccdf, {"sizes": positive}),
    "fit_power_law": (tdu.fit_power_law, {"sizes": positive}),
    "collapse_quality": (tdu.collapse_quality, {"x": arrays(), "y": arrays(), "dy": arrays()}),
    "nulls.permuted": (tdu.nulls.permuted, {"gradient": fields, "rng": st.just(np.random.default_rng(0)) | scalars}),
    "nulls.signs": (tdu.nulls.signs, {"gradient": fields, "rng": st.just(np.random.default_rng(0))}),
    "nulls.gaussian": (tdu.nulls.gaussian, {"gradient": fields, "rng": st.just(np.random.default_rng(0))}),
    "train_xor": (
        tdu.train_xor,
        {"hidden": st.integers(-1, 6) | scalars, "seed": seeds, "epochs": st.integers(-1, 6), "alpha": fractions}
        | {"alpha_train": st.none() | fractions, "snapshot_every": st.integers(-1, 6) | scalars},
    ),
    "dimension_over_time": (tdu.dimension_over_time, {"log": positive, "sizes": arrays()}),
    "Probe": (
        tdu.Probe,
        {
            "graph": st.sampled_from(["ba", "ring", "nothing"]) | graphs,
            "alpha": fractions,
            "quantile": fractions,
            "draws": counts,
        }
        | {"max_steps": steps, "seed": seeds, "nulls": st.sampled_from([("permuted",), (), ("x",), "permuted", None, [1]])},
    ),
    "noise_scale": (tdu.noise_scale, {"small_square": scalars, "large_square": scalars, "small": counts, "large": counts}),
    "StudyConfig": (tdu.StudyConfig, {"hidden": arrays() | st.tuples(counts), "replicates": counts, "alpha": fractions}),
    "NetworkConfig": (tdu.NetworkConfig, {"width": counts, "modulus": counts, "learning_rate": scalars, "layer_norm": scalars}),
}


def called(name, arguments):
    """Call it: what is wrong with what came back, or None."""
    function, _ = CALLS[name]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = function(**arguments)
        except (ValueError, TypeError) as error:
            return None if isinstance(error, tdu.InputError) else f"{type(error).__name__}, no InputError: {error}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None if said or name in _SAYS_SO else _not_finite(found, name)


def _not_finite(value, name):
    if dataclasses.is_dataclass(value) and not isinstance(value, tdu.Graph | tdu.Probe | tdu.StudyConfig | tdu.NetworkConfig):
        if getattr(value, "status", None) or getattr(value, "note", None):  # which say why
            return None
        named = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
        return next((wrong for key, one in named.items() if (wrong := _not_finite(one, f"{name}.{key}"))), None)
    if isinstance(value, tuple):
        return next((wrong for one in value if (wrong := _not_finite(one, name))), None)
    array = np.asarray(value)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return f"{name} is {value}"
    return None


def fuzz(names, n_calls, number=0):
    """Call these functions so often, in all; what was wrong, with the arguments, each kind once; and the number of calls."""
    wrong, came_through = {}, [0]

    @seed(number)
    @settings(max_examples=n_calls, deadline=None, database=None, derandomize=False, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), st.fixed_dictionaries(CALLS[name][1]))))
    def once(call):
        name, arguments = call
        found = called(name, arguments)
        came_through[0] += 1
        if found is not None:
            wrong.setdefault((name, found[:40]), (found, arguments))

    once()
    return wrong, came_through[0]


_WORDS = [
    "",
    "-",
    "--",
    "x",
    "0",
    "-1",
    "1",
    "5",
    "0.5",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "9" * 30,
    "\0",
    "\x1b[31m",
    "é",
    "a b",
    "../x",
    "1,2",
    "5,8",
    "ba",
    "ring",
    "csv",
    "permuted",
    "{step}.npz",
]


@st.composite
def lines(draw, files=()):
    """A command with options of its own, and values of any kind; files that are there now and then."""
    name = draw(st.sampled_from(sorted(main.commands)))
    command = main.commands[name]
    words = [name]
    for _ in range(draw(st.integers(0, 4))):
        option = draw(st.sampled_from([one.opts[0] for one in command.params if one.param_type_name == "option"] or ["--x"]))
        words.append(option)
        if draw(st.integers(0, 4)):
            words.append(draw(st.sampled_from(_WORDS) | st.text(max_size=4)))
    for _ in range(draw(st.integers(0, 2))):
        words.append(draw(st.sampled_from([*_WORDS, *files])))
    return words


#: What makes a command take long, or write outside of where it runs, is not asked of it.
_QUICK = {
    "train": ["--dry-run"],
    "bench": ["--help"],
    "reproduce": ["--help"],
    "synth": ["--hidden", "5", "--replicates", "1", "--fields", "2"],
}
_QUICK |= {"grok": ["--modulus", "5", "--epochs", "3", "--width", "4", "--replicate", "0"], "run": ["--help"]}


def commanded(words):
    """Run a command in this process: what is wrong, or None."""
    words = [*words, *_QUICK.get(words[0], [])]
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said), warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            main(words)
        except SystemExit as end:
            code = end.code
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        else:
            return "no exit"
    lines = [line for line in said.getvalue().splitlines() if line.startswith("Error: ")]
    if code not in (0, 1, 2):
        return f"exit {code}"
    return None if code == 0 or len(lines) == 1 or not said.getvalue().strip() or code == 2 else f"{len(lines)} lines of error"


def fuzz_commands(directory, n_lines, number=0):
    """Run so many command lines in a directory that holds a field; what was wrong, with the line, each kind once."""
    wrong, came_through, before = {}, [0], os.getcwd()
    np.save(directory / "field.npy", np.linspace(-1, 1, 12))

    @seed(number)
    @settings(max_examples=n_lines, deadline=None, database=None, derandomize=False, suppress_health_check=list(HealthCheck))
    @given(lines(["field.npy", "field.npy", "missing.npy", "."]))
    def once(words):
        found = commanded(words)
        came_through[0] += 1
        if found is not None:
            wrong.setdefault((words[0], found[:40]), (found, words))

    os.chdir(directory)
    try:
        once()
    finally:
        os.chdir(before)
    return wrong, came_through[0]
