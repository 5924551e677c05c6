"""What is no file, files that promise more than they hold, nesting without end, and a disk that is full."""

import io
import json
import os
import resource
import socket
import zipfile
from contextlib import chdir, contextmanager

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu import _memory, config, files
from tdu.cli import main
from tdu.errors import InputError
from tdu.experiments.plan import read_plan
from tdu.files import read_csv, read_fields
from tdu.logs.store import Store
from tdu.results.store import load_results
from tdu.sources.formats import open_tensors
from tdu.sources.patterns import found
from tdu.terminal import visible
from tests.faults.kinds import KINDS

#: Every way in: the name of the file, and what reads it.
READERS = {
    "a.npy": read_fields,
    "b.npy": open_tensors,
    "a.npz": open_tensors,
    "a.safetensors": open_tensors,
    "a.pt": open_tensors,
    "a.safetensors.index.json": open_tensors,
    "experiment.toml": read_plan,
    "index.csv": lambda path: found(str(path)),
    "index.toml": lambda path: found(str(path)),
    "table.csv": read_csv,
    "results.json": load_results,
    "manifest.json": lambda path: Store.open(path.parent),
    "log/s00005-r00.npz": lambda path: Store(path.parent.parent, "network", {}).read(5, 0),
}
DEEP = 200_000


def _pipe(path):
    os.mkfifo(path)


def _socket(path):
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


NOT_FILES = {
    "a pipe": _pipe,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a directory": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("what", NOT_FILES)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_regular_file_is_refused_at_once(name, what, tmp_path):
    """A pipe would be waited for, and a device read without end."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    NOT_FILES[what](path)
    with pytest.raises(InputError, match=f"{path.name} cannot be read: it is {what}, not a regular file|is a folder without"):
        READERS[name](path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("experiment.toml", "a = " + "[" * DEEP),
        ("index.toml", "a = " + "[" * DEEP),
        ("results.json", "[" * DEEP),
        ("manifest.json", '{"a":' * DEEP),
        ("a.safetensors.index.json", "[" * DEEP),
        ("a.safetensors", b"\x00\x00\x01\x00\x00\x00\x00\x00" + b"[" * 65536),
    ],
)
def test_nesting_without_end_is_one_line(name, text, tmp_path):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=f"{name}.*(nested too deep|recursion)"):
        READERS[name](path)


@pytest.mark.parametrize("text", ['{"schema": 2, "a": NaN}', '{"schema": 2, "a": -Infinity}', '{"a": ' + "9" * 5000 + "}"])
def test_numbers_that_json_has_not_are_one_line(text, tmp_path):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(InputError, match=r"results\.json is no results"):
        load_results(tmp_path / "results.json")


@pytest.mark.filterwarnings("ignore:.*is read unverified")
@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.pop("provenance"),
        lambda value: value.update(provenance={}),
        lambda value: value.update(series=[]),
        lambda value: value["scope"].update(n_gini_runs=0),
        lambda value: value["config"].update(seed="<script>"),
        lambda value: value.update(config={"source": "x", "settings": {}, "scales": [1], "replicates": 1, "seed": "<b>"}),
        lambda value: value.update(quantities={"gamma": {}}),
    ],
)
def test_results_that_somebody_edited_are_one_line(change, tmp_path):
    path = KINDS["results"].write(tmp_path)
    value = json.loads(path.read_text())
    del value["sha256"]
    change(value)
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"results\.json is damaged"):
        load_results(path)


def test_lengths_that_do_not_fit_are_one_line_where_nobody_vouches_for_them(tmp_path):
    path = KINDS["results"].write(tmp_path)
    value = json.loads(path.read_text())
    del value["sha256"]
    value["series"]["dimension_over_time"]["mean"]["low"].pop()
    path.write_text(json.dumps(value))
    with pytest.warns(UserWarning, match="is read unverified"):
        done = CliRunner().invoke(main, ["figures", str(tmp_path)])
    assert done.exit_code == 1
    assert "results.json is damaged" in done.stderr
    assert done.stderr.count("\n") == 1


def archive(path, shape, written, method=zipfile.ZIP_DEFLATED, **level):
    """An archive with one array that says it is of a shape, and holds so many zeros."""
    with zipfile.ZipFile(path, "w", method, **level) as made, made.open("a.npy", "w", force_zip64=True) as member:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
        member.write(head.getvalue())
        for at in range(0, written, 1 << 20):
            member.write(bytes(8 * min(1 << 20, written - at)))
    return path


def test_an_array_that_unpacks_beyond_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = archive(tmp_path / "a.npz", (1 << 21,), 1 << 21, compresslevel=9)
    assert path.stat().st_size < 1 << 15
    monkeypatch.setattr(_memory, "_ANYWHERE", 0)
    monkeypatch.setattr(_memory, "available", lambda: 1 << 23)
    with pytest.raises(
        InputError, match=r"the field of 2097152 sites in .*a\.npz would take 0\.0156 GiB of memory, but 0\.0078"
    ):
        open_tensors(path).field()
    with pytest.raises(InputError, match=r"a\.npz.*would take 0\.0156 GiB"):
        open_tensors(path).stored["a"].read()
    with pytest.raises(InputError, match=r"a\.npz.*would take 0\.0156 GiB"):
        files.read_arrays(path, "run")


@pytest.mark.parametrize("shape", [(10**12,), (3,), (11,), (-1,), (10, 10**30)])
def test_a_header_that_does_not_fit_what_is_held_is_refused(shape, tmp_path):
    with pytest.raises(InputError, match=r"a\.npz is not a readable .npz file"):
        open_tensors(archive(tmp_path / "a.npz", shape, 10)).field()


def test_npy_and_safetensors_that_promise_more_than_they_hold_are_refused(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    (tmp_path / "a.npy").write_bytes(head.getvalue() + bytes(80))
    with pytest.raises(InputError, match=r"a\.npy is not a readable"):
        read_fields(tmp_path / "a.npy")
    header = json.dumps({"w": {"dtype": "F64", "shape": [10**12], "data_offsets": [0, 8 * 10**12]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(80))
    with pytest.raises(InputError, match=r"a\.safetensors: `w` of F64"):
        open_tensors(tmp_path / "a.safetensors")


def test_a_text_too_large_to_be_parsed_is_refused_by_its_size(tmp_path):
    with open(tmp_path / "experiment.toml", "wb") as file:
        file.truncate(1 << 40)  # holes take no disk
    with pytest.raises(InputError, match=r"experiment\.toml, of 1099511627776 bytes, would take"):
        read_plan(tmp_path / "experiment.toml")


PLANS = {
    "replicates = 100000000": "the log of 200000000 runs of 51 snapshots would take",
    "epochs = 1000000000": "the log of 12 runs of 100000001 snapshots would take",
    "n_null_draws = 1000000000": "would take",
    "max_steps = 1000000000": "`max_steps` 1000000000 would take 7.45 GiB of memory, but 4 are left: allow fewer steps",
}


@pytest.mark.parametrize("setting", PLANS)
def test_a_plan_beyond_memory_is_refused_before_anything_is_made(setting, tmp_path, monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: 1 << 32)
    path = tmp_path / "experiment.toml"
    path.write_text(f"question = 'nulls'\n[study]\nhidden = [20, 30]\n{setting}\n")
    with pytest.raises(InputError, match=rf"experiment\.toml: .*{PLANS[setting]}"):
        read_plan(path)


def test_scopes_and_other_studies_beyond_memory_are_refused(monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: 1 << 32)
    for made, settings in [
        (config.Scope, {"n_gini_runs": 10**9}),
        (config.SyntheticConfig, {"replicates": 10**8}),
        (config.GrokkingConfig, {"replicates": 10**8}),
        (tdu.Probe, {"draws": 10**9}),
        (tdu.Probe, {"max_steps": 10**9}),
    ]:
        with pytest.raises(InputError, match="would take"):
            made(**settings)
    with pytest.raises(InputError, match="`max_steps` 1000000000 would take"):
        tdu.avalanche(np.ones(6), tdu.ring(6), max_steps=10**9)


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ("n_gini_runs = 0", "`n_gini_runs` must be at least 1"),
        ("n_draws = 1.5", "`n_draws` must be an integer"),
        ("alphas = 'x'", "`alphas` must be a list"),
        ("quantiles = [1]", "`quantiles` must lie in"),
        ("figure_formats = ['exe']", "`figure_formats` must be one of"),
        ("example_hidden = 'x'", "`example_hidden` must be an integer"),
    ],
)
def test_a_scope_in_a_plan_is_checked(scope, message, tmp_path):
    (tmp_path / "experiment.toml").write_text(f"question = 'nulls'\n[scope]\n{scope}\n")
    with pytest.raises(InputError, match=rf"experiment\.toml: {message}"):
        read_plan(tmp_path / "experiment.toml")


def test_memory_that_is_left_is_known():
    left = _memory.available()
    assert 1 << 24 < left < 1 << 50
    _memory.need(left // 2, "half", "nothing")
    with pytest.raises(InputError, match=r"twice would take .* GiB of memory, but .* are left: take less"):
        _memory.need(2 * left, "twice", "take less")


@contextmanager
def files_of_at_most(n_bytes):
    """The system lets no file grow beyond (EFBIG), as a full disk would not (ENOSPC); Python ignores the signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "checksums of tables"])
def test_a_file_that_cannot_grow_is_named_and_nothing_half_is_left(kind, tmp_path):
    with files_of_at_most(30), pytest.raises(OSError, match="File too large") as raised:
        KINDS[kind].write(tmp_path)
    assert str(tmp_path) in str(raised.value.filename)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    assert [path.name for path in left if not path.name.endswith("gradients.npy.part")] == []


def test_no_byte_of_a_name_reaches_the_terminal_as_a_command(tmp_path):
    name = "e\x1b]0;owned\x07\x9b31m\u202e.npy"
    np.save(tmp_path / name, np.random.default_rng(0).normal(size=40))
    with chdir(tmp_path):
        table = CliRunner().invoke(main, ["probe", name])
        missing = CliRunner().invoke(main, ["probe", f"no{name}"])
    assert table.exit_code == 0
    assert r"e\x1b]0;owned\x07\x9b31m\u202e.npy" in table.stdout
    assert missing.exit_code == 1
    for text in (table.stdout, missing.stderr):
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert visible("D(t) – 10⁸ α\udcff") == r"D(t) – 10⁸ α\udcff"


def test_json_is_read_as_utf8_whatever_the_locale_says(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    files.write_json(path, {"schema": 2, "what": "Größe α"})
    assert "ß" in path.read_text(encoding="utf-8")  # not escaped: the encoding matters
    monkeypatch.setattr("locale.getpreferredencoding", lambda *_: "ascii")
    monkeypatch.setattr("locale.getencoding", lambda: "ascii")
    assert files.read_json(path, "test", 2) == {"schema": 2, "what": "Größe α"}
