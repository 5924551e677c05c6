"""Calls of the public functions with whatever there is: what may come back, and what may not."""

import dataclasses
import signal
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import tdu
from tests.faults import values as of

_LONGEST = 60  # seconds that a call may take
_ALARM = tdu.Alarm("x", "rise", False, 0.5, 1, 1, 0.0, 0.0, 0.1, 9, 10, "…")
_OPTIMISERS = st.sampled_from(["adamw", "sgd", "x"])


class TooLongError(Exception):
    """A call did not come back."""


@contextmanager
def in_time():
    """Have what does not come back raise an error, once it is in Python again."""

    def end(*_):
        raise TooLongError(f"no end after {_LONGEST} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(_LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _recorded(settings, address, calls):
    """A run of a log, recorded."""
    with tempfile.TemporaryDirectory() as log:
        with tdu.Probe(**settings).record(log, **address) as record:
            for step, gradients, loss in calls:
                record(step, gradients, loss=loss)
        return tdu.load(log)


def _trained(config, save):
    with tempfile.TemporaryDirectory() as log:
        return tdu.train_network(tdu.NetworkConfig(**config), Path(log), save)


def _alarm_again(alarm):
    with tempfile.TemporaryDirectory() as folder:
        tdu.save_alarm(Path(folder) / "alarm.json", alarm)
        return tdu.load_alarm(Path(folder) / "alarm.json")


_RNG = st.just(np.random.default_rng(0)) | of.scalars
_OVER_TIME = {"log": of.logs | of.system_sizes, "sizes": st.none() | of.of_runs() | of.arrays(), "window": of.windows} | {
    "seed": st.none() | of.seeds,
    "step": st.none() | st.just([0, 5]) | of.arrays(),
    "from_grokking": st.booleans(),
}
#: Function, and strategies of its arguments by name.
CALLS = {
    "avalanche": (
        tdu.avalanche,
        {"gradient": of.fields, "graph": of.graphs, "alpha": of.fractions, "quantile": of.fractions}
        | {"threshold": st.none() | of.scalars, "max_steps": of.steps}
        | {"precision": st.sampled_from(["float64", "float64", "float32", "f2", None])},
    ),
    "Graph": (tdu.Graph, {"indptr": of.arrays() | of.rows.map(sorted), "indices": of.arrays() | of.rows}),
    "Graph.from_edges": (tdu.Graph.from_edges, {"n": of.counts, "edges": of.edges}),
    "barabasi_albert": (tdu.barabasi_albert, {"n": of.counts, "m": of.counts, "seed": of.seeds}),
    "ring": (tdu.ring, {"n": of.counts, "k": of.counts}),
    "small_world": (tdu.small_world, {"n": of.counts, "k": of.counts, "p": of.fractions, "seed": of.seeds}),
    "random_graph": (tdu.random_graph, {"n": of.counts, "mean_degree": of.scalars, "seed": of.seeds}),
    "scaling_exponent": (tdu.scaling_exponent, {"n": of.positive, "s": of.positive}),
    "ccdf": (tdu.ccdf, {"sizes": of.positive}),
    "fit_power_law": (tdu.fit_power_law, {"sizes": of.positive}),
    "collapse_quality": (tdu.collapse_quality, {"x": of.arrays(), "y": of.arrays(), "dy": of.arrays()}),
    "nulls.permuted": (tdu.nulls.permuted, {"gradient": of.fields, "rng": _RNG}),
    "nulls.signs": (tdu.nulls.signs, {"gradient": of.fields, "rng": _RNG}),
    "nulls.gaussian": (tdu.nulls.gaussian, {"gradient": of.fields, "rng": _RNG}),
    "nulls.blocks": (tdu.nulls.blocks, {"gradient": of.fields, "rng": _RNG, "sizes": st.none() | of.rows | of.scalars}),
    "nulls.rewired": (tdu.nulls.rewired, {"graph": of.graphs, "seed": of.seeds}),
    "train_xor": (
        tdu.train_xor,
        {"hidden": st.integers(-1, 6) | of.scalars, "seed": of.seeds, "epochs": st.integers(-1, 6), "alpha": of.fractions}
        | {"alpha_train": st.none() | of.fractions, "snapshot_every": st.integers(-1, 6) | of.scalars},
    ),
    "train_network": (
        _trained,
        {
            "config": st.fixed_dictionaries(
                {"width": st.sampled_from([4, 8]), "modulus": st.sampled_from([2, 3, 5]), "epochs": st.integers(-1, 3)},
                optional={"learning_rate": of.scalars, "alpha": of.fractions, "seed": of.seeds, "optimiser": _OPTIMISERS},
            ),
            "save": st.booleans(),
        },
    ),
    "Probe": (
        tdu.Probe,
        {"graph": st.sampled_from(["ba", "ring", "nothing"]) | of.graphs, "alpha": of.fractions, "quantile": of.fractions}
        | {"draws": of.counts, "max_steps": of.steps, "seed": of.seeds}
        | {"nulls": st.sampled_from([("permuted",), (), ("x",), "permuted", None, [1]])},
    ),
    "Probe.record": (
        _recorded,
        {
            "settings": st.fixed_dictionaries({}, optional={"draws": st.integers(0, 3), "alpha": of.fractions}),
            "address": st.fixed_dictionaries(
                {"scale": of.counts}, optional={"replicate": of.counts, "every": of.counts, "keep_gradients": st.booleans()}
            ),
            "calls": st.lists(
                st.tuples(
                    st.integers(0, 3) | of.scalars,
                    st.fixed_dictionaries({"w": of.fields | of.scalars}, optional={"b": of.arrays()}) | of.fields,
                    of.scalars,
                ),
                max_size=3,
            ),
        },
    ),
    "dimension_over_time": (
        tdu.dimension_over_time,
        _OVER_TIME | {"statistic": st.sampled_from(["mean", "peak", "x", 1])},
    ),
    "excess": (tdu.excess, _OVER_TIME | {"null": st.sampled_from(["permuted", "x"]) | of.of_runs(4) | of.arrays()}),
    "local_exponents": (tdu.local_exponents, _OVER_TIME | {"width": of.counts}),
    "linearity": (tdu.linearity, _OVER_TIME),
    "bootstrap": (
        tdu.bootstrap,
        {"values": of.logs | of.of_runs() | of.arrays(), "seed": of.seeds, "n_resamples": of.counts}
        | {"statistic": st.just(lambda drawn: drawn.mean(axis=(-2, -1)))},
    ),
    "epsilon": (tdu.epsilon, {"log": of.logs | of.scalars, "null": st.sampled_from(["permuted", "x", None])}),
    "matched": (
        tdu.matched,
        {"step": of.arrays() | st.just([0, 1]), "loss": of.arrays() | st.just([0.5, 0.1]), "loss_caliper": of.scalars}
        | {"control_step": of.arrays() | st.just([0, 1]), "control_loss": of.arrays() | st.just([[0.5, 0.1]])}
        | {"step_caliper": of.scalars},
    ),
    "spectrum": (
        tdu.spectrum,
        {"field": of.fields, "layout": of.layouts, "probes": of.counts, "seed": of.seeds},
    ),
    "fit_alarm": (
        tdu.fit_alarm,
        {"controls": st.lists(of.logs, max_size=2) | of.scalars, "column": st.sampled_from(["x", "size", "y", None])}
        | {"direction": st.sampled_from(["rise", "fall", "x", None]), "false_alarms": of.fractions, "of_log": st.booleans()}
        | {"in_a_row": of.counts, "baseline": of.counts},
    ),
    "watch": (tdu.watch, {"alarm": st.just(_ALARM) | of.scalars, "log": of.logs | of.scalars}),
    "since_memorisation": (
        tdu.since_memorisation,
        {"log": of.logs | of.scalars, "column": st.sampled_from(["x", "size", "y", None]), "baseline": of.counts},
    ),
    "save_alarm": (_alarm_again, {"alarm": st.just(_ALARM) | of.scalars}),
    "load": (tdu.load, {"path": of.names}),
    "load_alarm": (tdu.load_alarm, {"path": of.names}),
    "noise_scale": (
        tdu.noise_scale,
        {"small_square": of.scalars, "large_square": of.scalars, "small": of.counts, "large": of.counts},
    ),
    "StudyConfig": (
        tdu.StudyConfig,
        {"hidden": of.arrays() | st.tuples(of.counts), "replicates": of.counts, "alpha": of.fractions},
    ),
    "NetworkConfig": (
        tdu.NetworkConfig,
        {"width": of.counts, "modulus": of.counts, "learning_rate": of.scalars, "layer_norm": of.scalars},
    ),
}
#: What says in its documentation when it is nan.
_SAYS_SO = ("collapse_quality", "noise_scale", "since_memorisation", "scaling_exponent.stderr", "epsilon.value", "epsilon.z")
_SAYS_SO += ("dimension_over_time.low", "dimension_over_time.high", "linearity.deviation", "linearity.stderr", "linearity.p")
_SAYS_SO += ("linearity.exponent", "linearity.chi2", "local_exponents.low", "local_exponents.high", "excess.low", "excess.high")
_SAYS_SO += ("bootstrap.value", "bootstrap.low", "bootstrap.high", "spectrum.pooled", "spectrum.tensors")
_ARE_SETTINGS = (tdu.Graph, tdu.Probe, tdu.StudyConfig, tdu.NetworkConfig)


def called(name, arguments):
    """Call it: what is wrong with what came back, or None."""
    function, _ = CALLS[name]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            with in_time():
                found = function(**arguments)
        except (ValueError, TypeError) as error:
            return None if isinstance(error, tdu.InputError) else f"{type(error).__name__}, no InputError: {error}"
        except OSError as error:
            return None if error.filename else f"OSError without a name: {error}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None if said else _not_finite(found, name)


def _not_finite(value, name):
    if name in _SAYS_SO or isinstance(value, _ARE_SETTINGS):
        return None
    if dataclasses.is_dataclass(value):
        if getattr(value, "status", None) or getattr(value, "note", None):  # which say why
            return None
        named = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
        return next((wrong for key, one in named.items() if (wrong := _not_finite(one, f"{name}.{key}"))), None)
    if isinstance(value, tuple | dict):
        parts = value.values() if isinstance(value, dict) else value
        return next((wrong for one in parts if (wrong := _not_finite(one, name))), None)
    array = np.asarray(value)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return f"{name} is {value}"
    return None


def given_examples(n_examples, number, strategy):
    """As `hypothesis.given`, of so many examples that a number seeds; nothing is kept, and nothing made smaller."""
    quiet = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "phases": [Phase.generate]}

    def decorated(function):
        return seed(number)(settings(max_examples=n_examples, derandomize=False, **quiet)(given(strategy)(function)))

    return decorated


def fuzz(names, n_calls, number=0):
    """Call these functions so often, in all; what was wrong, with the arguments, each kind once; and the number of calls."""
    wrong, came_through = {}, [0]
    calls = st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), st.fixed_dictionaries(CALLS[name][1])))

    @given_examples(n_calls, number, calls)
    def once(call):
        name, arguments = call
        found = called(name, arguments)
        came_through[0] += 1
        if found is not None:
            wrong.setdefault((name, found[:40]), (found, arguments))

    once()
    return wrong, came_through[0]
