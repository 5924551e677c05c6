"""What is measured where nobody says it: the protocol where tensors are known, what the paper does where they are not."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu.avalanches.edges import EDGE_STATISTICS, edge_statistics
from tdu.avalanches.protocol import OF_ARRAYS, PAPER, PROTOCOL, UNKNOWN, chosen
from tdu.avalanches.ranked import ranked
from tdu.avalanches.structure import rook
from tdu.cli import main
from tdu.logs.store import Store
from tdu.types import Layout

LAYOUT = Layout.of({"bias": (6,), "weight": (6, 5)})
VECTORS = Layout.of({"bias": (6,), "column": (6, 1)})
NAMED = {"ranked": True, "edges": True, "nulls": ("blocks", "signs")}


def gradients(step):
    rng = np.random.default_rng(step)
    return {name: rng.standard_t(3, size=shape) for name, shape in LAYOUT.tensors}


def flat(step):
    return np.concatenate([tensor.ravel() for tensor in gradients(step).values()])


def record(path, probe, given=gradients, scale=6, replicate=0):
    with probe.record(path, scale=scale, replicate=replicate) as rec:
        for step in range(3):
            rec(step, given(step))
    return Store.open(path)


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def same(one, other):
    assert one.settings == other.settings
    first, second = (tdu.load(store.path) for store in (one, other))
    for name, values in (first.columns | first.nulls).items():
        np.testing.assert_array_equal(values, (second.columns | second.nulls)[name], err_msg=name)
    assert (first.columns.keys(), first.nulls.keys()) == (second.columns.keys(), second.nulls.keys())


@pytest.fixture
def pattern(tmp_path):
    (tmp_path / "grads").mkdir()
    for step in range(3):
        np.savez(tmp_path / f"grads/6-0-{step}.npz", **gradients(step))
    return str(tmp_path / "grads/{scale}-{replicate}-{step}.npz")


@pytest.mark.parametrize(
    ("layouts", "said", "wanted"),
    [
        ([LAYOUT], {}, PROTOCOL),
        ([LAYOUT, VECTORS], {}, OF_ARRAYS),
        ([Layout.unknown(36)], {}, OF_ARRAYS),
        ([LAYOUT], {"graph": "ba"}, PAPER),
        ([VECTORS], {"graph": "rook"}, ("rook", False, False, PAPER.nulls)),
        ([LAYOUT], {"nulls": ("permuted",)}, ("rook", True, True, ("permuted",))),
        ([LAYOUT], {"nulls": (), "ranked": False}, ("rook", False, True, ())),
        ([LAYOUT], {"graph": "units", **NAMED}, ("units", True, True, ("blocks", "signs"))),
        ([VECTORS], {"edges": True}, ("ba", False, True, OF_ARRAYS.nulls)),
    ],
)
def test_what_is_said_is_done_and_the_rest_follows_the_layout_or_the_graph_that_is_named(layouts, said, wanted):
    assert chosen(layouts, **said) == (type(PAPER)(*wanted) if isinstance(wanted, tuple) else wanted)
    settled = tdu.Probe(**said).settled(*layouts)
    assert settled.choices == chosen(layouts, **said)
    assert settled.settled(VECTORS) == settled


def test_the_protocol_is_that_of_the_page():
    assert (PROTOCOL.graph, PROTOCOL.ranked, PROTOCOL.edges, PROTOCOL.nulls) == ("rook", True, True, ("blocks", "signs"))
    assert tdu.Probe.paper() == tdu.Probe("ba") == tdu.Probe("ba", nulls=("permuted", "blocks"), ranked=False, edges=False)
    assert tdu.Probe.paper(nulls=("signs",), seed=3, graph="ring") == tdu.Probe("ring", nulls=("signs",), seed=3)


def test_tensors_are_recorded_and_read_from_files_by_the_protocol(tmp_path, pattern):
    wanted = record(tmp_path / "named", tdu.Probe("rook", draws=2, **NAMED))
    assert wanted.settings["graph"] == "rook"
    assert set(EDGE_STATISTICS) < set(tdu.load(tmp_path / "named").columns)
    same(record(tmp_path / "loop", tdu.Probe(draws=2)), wanted)
    assert run("probe", pattern, "--out", tmp_path / "files", "--draws", 2).stderr.count("\n") == 1
    same(Store.open(tmp_path / "files"), wanted)


def test_the_papers_way_is_a_word(tmp_path, pattern):
    wanted = record(tmp_path / "named", tdu.Probe("ba", draws=2))
    assert wanted.settings["nulls"] == ["permuted", "blocks"]
    assert not {"ranked", "edges"} & set(wanted.settings), "as versions before wrote it"
    same(record(tmp_path / "loop", tdu.Probe.paper(draws=2)), wanted)
    for number, options in enumerate((["--paper"], ["--graph", "ba"], ["--paper", "--no-ranked"])):
        run("probe", pattern, "--out", tmp_path / f"files{number}", "--draws", 2, *options)
        same(Store.open(tmp_path / f"files{number}"), wanted)
    run("probe", pattern, "--out", tmp_path / "ring", "--draws", 2, "--paper", "--graph", "ring", "--edges")
    same(Store.open(tmp_path / "ring"), record(tmp_path / "ring-loop", tdu.Probe("ring", draws=2, edges=True)))


def test_a_lone_array_is_measured_as_it_is_on_the_papers_graph_and_that_is_said(tmp_path):
    probe = tdu.Probe(draws=2)
    with pytest.warns(UserWarning, match="^no matrix is known in the field: .* on the graph `ba`; give tensors") as said:
        found = record(tmp_path / "lone", probe, flat)
    assert len(said) == 1
    named = tdu.Probe("ba", draws=2, nulls=("permuted", "signs"))
    same(found, record(tmp_path / "named", named, flat))
    with pytest.warns(UserWarning, match="no matrix is known"):
        record(tmp_path / "lone", probe, flat, replicate=1)
    assert tdu.load(tmp_path / "lone").size.shape == (1, 2, 3)


def test_files_of_lone_arrays_are_the_log_of_the_arrays(tmp_path):
    for step in range(3):
        np.save(tmp_path / f"6-{step}.npy", flat(step).reshape(6, 6))
    result = run("probe", tmp_path / "{scale}-{step}.npy", "--out", tmp_path / "files", "--draws", 2)
    assert result.stderr == f"found 1 scale (N = 36), 1 run, 3 snapshots\n{UNKNOWN}\n"
    named = tdu.Probe("ba", draws=2, nulls=("permuted", "signs"))
    same(Store.open(tmp_path / "files"), record(tmp_path / "loop", named, flat))


def test_a_log_goes_on_with_its_own_settings_alone_and_the_message_names_them(tmp_path, pattern):
    record(tmp_path, tdu.Probe("ba", draws=2))
    with pytest.raises(tdu.InputError) as refused:
        record(tmp_path, tdu.Probe(draws=2), replicate=1)
    differ = "graph = ba there, rook here; nulls = permuted,blocks there, blocks,signs here; ranked = not set there, True here"
    wanted = f"another study ({differ}; edges = not set there, True here): choose another directory, or give the settings"
    assert wanted in str(refused.value)
    result = run("probe", pattern, "--out", tmp_path, "--draws", 2, code=1)
    differ = "--no-ranked there, --ranked here; --no-edges there, --edges here; --graph ba there, --graph rook here; "
    nulls = "--null permuted --null blocks there, --null blocks --null signs here"
    assert f"({differ}{nulls}): give the options that are there, or another --out" in result.stderr
    before = tdu.load(tmp_path).size.tolist()
    run("probe", pattern, "--out", tmp_path, "--draws", 2, "--paper")
    record(tmp_path, tdu.Probe.paper(draws=2), replicate=1)
    assert tdu.load(tmp_path).size[:, :1].tolist() == before


def test_a_log_of_lone_arrays_takes_no_tensors_and_the_reverse(tmp_path):
    record(tmp_path / "tensors", tdu.Probe(draws=2))
    with pytest.raises(tdu.InputError, match=r"step 0: .* another study \(graph = rook there, ba here"):
        record(tmp_path / "tensors", tdu.Probe(draws=2), flat, replicate=1)
    record(tmp_path / "lone", tdu.Probe("ba", draws=2, nulls=("permuted", "signs")), flat)
    with pytest.raises(tdu.InputError, match=r"step 0: .* another study \(graph = ba there, rook here"):
        record(tmp_path / "lone", tdu.Probe(draws=2), replicate=1)


def test_files_alone_are_measured_by_the_protocol_where_all_have_tensors(tmp_path, pattern):
    named, lone = tmp_path / "grads/6-0-0.npz", tmp_path / "lone.npy"
    np.save(lone, flat(1))
    row = json.loads(run("probe", named, "--seed", 4, "--json").stdout)
    measured, graph = ranked(flat(0), LAYOUT), rook(LAYOUT, 4)
    assert (row["size"], row["threshold"]) == ((found := tdu.avalanche(measured, graph)).size, found.threshold)
    assert {name: row[name] for name in EDGE_STATISTICS} == edge_statistics(measured, graph)
    both = run("probe", named, lone, "--json")
    assert [json.loads(line)["size"] for line in both.stdout.splitlines()] == [
        tdu.avalanche(flat(step), tdu.barabasi_albert(36)).size for step in range(2)
    ]
    assert both.stderr == f"{UNKNOWN}\n"
    assert "moran" not in both.stdout
    assert run("probe", lone, "--graph", "ba").stderr == run("probe", named).stderr == ""


def test_a_threshold_is_one_of_the_field_as_it_is(tmp_path, pattern):
    named = tmp_path / "grads/6-0-0.npz"
    row = json.loads(run("probe", named, "--threshold", 0.8, "--json").stdout)
    assert row["size"] == tdu.avalanche(flat(0), rook(LAYOUT, 0), threshold=0.8).size
    row = json.loads(run("probe", named, "--threshold", 0.8, "--ranked", "--json").stdout)
    assert row["size"] == tdu.avalanche(ranked(flat(0), LAYOUT), rook(LAYOUT, 0), threshold=0.8).size


def test_nulls_of_a_file_alone_are_those_of_the_field_that_is_measured(tmp_path, pattern):
    named = tmp_path / "grads/6-0-0.npz"
    row = json.loads(run("nulls", named, "--draws", 9, "--json").stdout)
    assert row["size"] == tdu.avalanche(ranked(flat(0), LAYOUT), rook(LAYOUT, 0)).size
    assert {"blocks", "signs"} < set(row)
    assert "permuted" not in row
    result = run("nulls", named, "--paper", "--draws", 9, "--null", "blocks", "--json")
    assert json.loads(result.stdout)["size"] == tdu.avalanche(flat(0), tdu.barabasi_albert(36)).size
    np.save(tmp_path / "lone.npy", flat(0))
    lone = run("nulls", tmp_path / "lone.npy", "--draws", 9, "--json")
    assert {"permuted", "signs"} < set(json.loads(lone.stdout))
    assert lone.stderr == f"{UNKNOWN}\n"
