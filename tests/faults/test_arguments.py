"""What fuzzing found: arguments of other kinds, lists of nothing, numbers beyond memory, null bytes, and a full output."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu import _memory, files
from tdu.cli import main
from tdu.errors import InputError, InputTypeError

N, SIZES = [10, 20, 40], np.ones((3, 2, 2)) * np.array([[[10.0]], [[20.0]], [[40.0]]])
ALARM = tdu.Alarm("x", "rise", False, 0.5, 1, 1, 0.0, 0.0, 0.1, 9, 10, "…")
LAYOUT = tdu.types.Layout.of({"w": (2, 2)})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tdu.epsilon(None, "permuted"), "`log` must be a tdu.Log, but it is None"),
        (lambda: tdu.since_memorisation(3, "x"), "`log` must be a tdu.Log, but it is 3"),
        (lambda: tdu.watch({}, None), "`alarm` must be a tdu.Alarm, but it is {}"),
        (lambda: tdu.watch(ALARM, None), "`log` must be a tdu.Log"),
        (lambda: tdu.fit_alarm(3, "x", "rise"), "`controls` must be a list, but it is 3"),
        (lambda: tdu.fit_alarm([3], "x", "rise"), "`controls` must be a tdu.Log, but it is 3"),
        (lambda: tdu.save_alarm("alarm.json", 12), "`alarm` must be a tdu.Alarm, but it is 12"),
        (lambda: tdu.nulls.rewired(1.5), "`graph` must be a tdu.Graph, but it is 1.5"),
        (lambda: tdu.nulls.blocks([1.0, 2.0], np.random.default_rng(0), 2), "`sizes` must be a list of lengths, but it is 2"),
        (lambda: tdu.spectrum([1.0], None), "`layout` must be a tdu.Layout, but it is None"),
        (lambda: tdu.load(3), "`path` must be a path, but it is 3"),
        (lambda: tdu.load_alarm(b"x"), "`path` must be a path, but it is b'x'"),
        (lambda: tdu.noise_scale(None, 1, 2, 3), "`small_square` must be a real number, but it is None"),
        (lambda: tdu.dimension_over_time(N, SIZES, window=3), r"`window` must be \(first, last\), two steps, but it is 3"),
        (lambda: tdu.excess(N, SIZES[None], SIZES, window=(None, 3)), "`window` must be"),
        (lambda: tdu.linearity(N, SIZES, seed="1"), "`seed` must be an integer, but it is '1'"),
        (lambda: tdu.local_exponents(N, SIZES, width=2.0), "`width` must be an integer, but it is 2.0"),
        (lambda: tdu.bootstrap(SIZES[..., 0], np.mean, n_resamples=math.nan), "`n_resamples` must be an integer"),
        (lambda: tdu.matched(["a"], [1.0], [0], [[1.0]]), "`step` must hold real numbers"),
        (lambda: tdu.dimension_over_time(N, SIZES, step=[0, 1j]), "`step` must hold real numbers"),
    ],
)
def test_an_argument_of_another_kind_is_named(call, message):
    with pytest.raises(InputTypeError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tdu.linearity(N, np.empty((3, 3, 0))), r"`sizes` \(3, 3, 0\)"),
        (lambda: tdu.bootstrap(np.empty((2, 0)), np.mean), r"`values` has shape \(2, 0\).*one or more"),
        (lambda: tdu.bootstrap(SIZES[..., 0], np.mean, n_resamples=0), "`n_resamples` must be at least 1"),
        (lambda: tdu.bootstrap(SIZES[..., 0], np.mean, n_resamples=2**31), "`n_resamples` must be at most 1000000000"),
        (lambda: tdu.dimension_over_time(N, SIZES, step=[0, 0.5]), "`step` must hold whole numbers"),
        (lambda: tdu.dimension_over_time(N, SIZES, step=[0, 1e300]), "`step` must hold whole numbers"),
        (lambda: tdu.noise_scale(1e300, 1, 2, 3), "`small_square` must lie in"),
        (lambda: tdu.fit_power_law([1e308, 1e308, 1e16]), "`sizes` must be at most 2⁵³, but one is 1e\\+308"),
        (lambda: tdu.load("a\0b"), r"`path` has a null byte in it, which no path has: 'a\\x00b'"),
        (lambda: tdu.load_alarm("/proc/self/mem"), "/proc/self/mem cannot be read: "),
    ],
)
def test_a_number_or_a_name_that_cannot_be_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_steps_are_whole_numbers_of_any_type():
    wanted = tdu.dimension_over_time(N, SIZES, step=[0, 10]).step.tolist()
    assert tdu.dimension_over_time(N, SIZES, step=np.array([0.0, 10.0], np.float32)).step.tolist() == wanted == [0, 10]


def test_a_run_is_addressed_by_whole_numbers_of_any_type(tmp_path):
    with tdu.Probe("ring", nulls=()).record(tmp_path, scale=np.int64(5), replicate=np.int8(1), every=np.uint8(1)) as record:
        record(0, np.arange(6.0))
    assert tdu.load(tmp_path).scale.tolist() == [5]


@pytest.mark.parametrize("loss", [10**400, "low", np.array(["low"])])
def test_a_metric_that_is_no_float_is_named(loss, tmp_path):
    with tdu.Probe("ring", nulls=()).record(tmp_path, scale=5) as record:
        with pytest.raises(InputError, match="`loss`"):
            record(0, np.arange(6.0), loss=loss)
        record(1, np.arange(6.0), loss=1)


def test_sizes_that_no_power_law_fits_are_one_line(monkeypatch):
    import igraph

    def fails(*_, **__):
        raise igraph.InternalError("alpha must be greater than one")

    monkeypatch.setattr(igraph, "power_law_fit", fails)
    with pytest.raises(InputError, match="no power law fits `sizes`: alpha must be greater than one"):
        tdu.fit_power_law([1, 2, 3])


def test_a_noise_scale_beyond_the_floats_is_nan_as_it_says():
    assert math.isnan(tdu.noise_scale(2.0**960, 5e-324, 1, 10**9))
    assert tdu.noise_scale(2 + 60 / 10, 2 + 60 / 30, 10, 30) == pytest.approx(30)


@pytest.mark.parametrize(
    "call",
    [
        lambda: tdu.barabasi_albert(10**9),
        lambda: tdu.ring(10**9),
        lambda: tdu.small_world(10**9),
        lambda: tdu.random_graph(10**9),
        lambda: tdu.random_graph(10**5, 1e4),
        lambda: tdu.Graph.from_edges(10**9, []),
        lambda: tdu.spectrum(np.arange(4.0), LAYOUT, probes=10**9),
        lambda: tdu.bootstrap(SIZES[..., 0], np.mean, n_resamples=10**9),
    ],
)
def test_what_has_no_room_is_refused_before_it_is_made(call, monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: 1 << 30)
    with pytest.raises(InputError, match=r"would take .* GiB of memory, but 1 are left: take fewer"):
        call()


@pytest.mark.parametrize("n", [2**31, 2**40])
def test_more_sites_than_32_bits_number_are_refused(n):
    for family in (tdu.barabasi_albert, tdu.ring, tdu.small_world, lambda n: tdu.Graph.from_edges(n, [])):
        with pytest.raises(InputError, match=f"a graph of {n} sites is beyond the 32-bit site numbers"):
            family(n)


def test_the_room_of_a_graph_is_no_more_than_it_takes(monkeypatch):
    """A million sites take 32 MB of Barabási–Albert, and more of a list of edges; they are not refused what they can have."""
    monkeypatch.setattr(_memory, "_ANYWHERE", 0)
    monkeypatch.setattr(_memory, "available", lambda: 33 * 10**6)
    assert len(tdu.barabasi_albert(10**6)) == 10**6
    with pytest.raises(InputError, match="a graph of 1000000 sites would take"):
        tdu.random_graph(10**6)


def test_a_file_without_a_name_is_one_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"'\.' has no name that a file could have: name one"), files.atomic(Path("")):
        pass
    assert not list(tmp_path.iterdir())


def test_a_null_byte_on_the_command_line_is_wrong_usage():
    done = CliRunner().invoke(main, ["fit", "a\0b"])
    assert done.exit_code == 2
    assert done.stderr.count("Error: an argument has a null byte in it") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_an_answer_that_cannot_be_written_is_one_line():
    with open("/dev/full", "w") as full:
        said = subprocess.run([sys.executable, "-m", "tdu", "--version"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (said.returncode, said.stderr) == (1, b"Error: standard output: No space left on device\n")
