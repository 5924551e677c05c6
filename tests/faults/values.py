"""Whatever there is, as hypothesis draws it: numbers, arrays, graphs, logs and names that functions are called with."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

import tdu
from tdu.logs.log import gather

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
counts = st.one_of(
    st.integers(-3, 40), st.sampled_from([2**31, 2**40, 2**63, 10**400, 1.0, 0.5, None, True, "3", np.int64(7), np.nan])
)
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


def _run(scale, replicate):
    rng = np.random.default_rng([scale, replicate])
    columns = {"size": rng.integers(1, 40, 6).astype(float), "accuracy": np.ones(6), "x": rng.normal(size=6)}
    drawn = {"permuted": rng.integers(1, 40, (3, 6)).astype(float)}
    layout = tdu.types.Layout.of({"w": (scale, 3), "b": (scale,)})
    return tdu.Run(scale, replicate, layout, 10 * np.arange(6), columns, drawn, {}, 20 * replicate - 20)


logs = st.sampled_from([gather(_run(scale, k) for scale in scales for k in range(2)) for scales in ((4, 6, 9), (4, 6), (5,))])
#: System sizes, and what runs of three scales measured; seldom anything else.
system_sizes = st.one_of(st.just([10, 20, 40]), st.just([10, 20, 40]), positive)


@st.composite
def of_runs(draw, ndim=3):
    """Sizes (S, K, T), and (D, S, K, T), of three scales: of few runs and steps, with something wrong now and then."""
    shape = (2, 3, draw(st.integers(0, 3)), draw(st.integers(0, 3)))[-ndim:]
    found = np.random.default_rng(draw(st.integers(0, 9))).integers(1, 50, shape).astype(float)
    if found.size and draw(st.booleans()):
        found.flat[draw(st.integers(0, found.size - 1))] = draw(st.sampled_from([np.nan, 0, -1, np.inf, 1e308, 5e-324]))
    return found


windows = st.one_of(st.none(), st.tuples(st.integers(-5, 30), st.integers(-5, 60)), scalars)
layouts = st.sampled_from([tdu.types.Layout.of({"w": (2, 2), "b": (2,)}), tdu.types.Layout.unknown(6)])
names = st.sampled_from(
    ["", ".", "nothing", "a\0b", "/dev/null", "/dev/zero", "/proc/self/mem", "x" * 5000, 3, None, b"x", 1.5]
)
