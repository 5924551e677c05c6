"""A log as one table: every number of every snapshot comes back, from CSV and Parquet, in whatever reads them."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu.avalanches.observables import OBSERVABLES, Avalanches, columns
from tdu.cli import main
from tdu.config import StudyConfig
from tdu.logs import export
from tdu.logs.store import Store
from tdu.training.ensembles import study_store
from tdu.training.xor import run_of_study
from tdu.types import Layout, Run


def apart(size, *drawn):
    """Cells of ε and z of a size beside those drawn; nothing for the z of a single draw."""
    null = np.log(drawn)
    epsilon = float(np.log(size) - null.mean())
    return f"{epsilon!r},{float(epsilon / null.std(ddof=1))!r}" if len(drawn) > 1 else f"{epsilon!r},"


#: What three runs that have little in common make: N ascends where the scales' names do not, and one has grokked.
TABLE = f"""\
scale,replicate,step,n,size,capped,threshold,loss,permuted_00,permuted_01,epsilon_permuted,z_permuted,signs_00,signs_01,epsilon_signs,z_signs,\
grokking_step
9,1,0,10,7,true,0.30000000000000004,,8,,{apart(7, 8)},,,,,
9,1,5,10,8,,0.1,,9,,{apart(8, 9)},,,,,
3,0,0,21,3,false,1e-300,0.5,4,5,{apart(3, 4, 5)},,,,,10
3,0,10,21,4,true,inf,,6,7,{apart(4, 6, 7)},,,,,10
3,2,10,21,5,,,0.25,,,,,2,4,{apart(5, 2, 4)},
"""
INTEGERS = ["scale", "replicate", "step", "n", "size", "permuted_00", "permuted_01", "signs_00", "signs_01", "grokking_step"]
AMPLITUDES = ["epsilon_permuted", "z_permuted", "epsilon_signs", "z_signs"]


def run_of(scale, replicate, n_sites, step, columns, nulls, grokking_step=-1, curves=None):
    named = {name: np.array(values) for name, values in columns.items()}
    drawn = {name: np.array(sizes) for name, sizes in nulls.items()}
    return Run(scale, replicate, Layout.unknown(n_sites), np.array(step), named, drawn, curves or {}, grokking_step)


@pytest.fixture
def ragged(tmp_path):
    """The log of which TABLE is the table: columns are typed, as of the XOR study, or floats, as of a run that grew."""
    store = Store.begin(tmp_path / "log", "gradients", {"draws": 2, "seed": 3})
    nan = np.nan
    first = {"threshold": [1e-300, np.inf], "capped": [False, True], "size": [3, 4], "loss": [0.5, nan]}
    store.write(run_of(3, 0, 21, [0, 10], first, {"permuted": [[4, 6], [5, 7]]}, 10, {"gini": np.zeros(11)}))
    store.write(run_of(3, 2, 21, [10], {"size": [5.0], "loss": [0.25]}, {"signs": [[2], [4]]}))
    typeless = {"capped": [1.0, nan], "threshold": [0.1 + 0.2, 0.1], "size": [7.0, 8.0]}
    store.write(run_of(9, 1, 10, [0, 5], typeless, {"permuted": [[8, 9]]}))
    return store.path


def cells(text, name):
    """A cell of TABLE as Python has it."""
    if text == "":
        return None
    return int(text) if name in INTEGERS else text == "true" if name == "capped" else float(text)


def planted():
    """TABLE by columns."""
    header, *rows = csv.reader(io.StringIO(TABLE))
    return {name: [cells(row[at], name) for row in rows] for at, name in enumerate(header)}


def tdu_export(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_a_row_a_snapshot_with_an_empty_cell_where_nothing_is_known(ragged):
    result = tdu_export(ragged)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == TABLE


def test_a_file_has_what_standard_output_would_have(ragged, tmp_path):
    out = tmp_path / "new" / "table.csv"
    result = tdu_export(ragged, "--format", "csv", "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}\n")
    assert out.read_bytes().decode() == TABLE
    assert [path.name for path in out.parent.iterdir()] == ["table.csv"]


def with_pandas(path):
    pandas = pytest.importorskip("pandas", reason="pandas is not here to read the table")
    frame = pandas.read_csv(path) if path.suffix == ".csv" else pandas.read_parquet(path)
    types = {name: str(kind) for name, kind in frame.dtypes.items()}
    return frame.astype(object).where(frame.notna(), None).to_dict("list"), types


def with_polars(path):
    polars = pytest.importorskip("polars", reason="Polars is not here to read the table")
    frame = polars.read_csv(path) if path.suffix == ".csv" else polars.read_parquet(path)
    return frame.to_dict(as_series=False), {name: str(kind).lower() for name, kind in frame.schema.items()}


def with_duckdb(path):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not here to read the table")
    connection = duckdb.connect()
    found = connection.sql(f"SELECT * FROM '{path}'")
    names = {"BIGINT": "int64", "DOUBLE": "float64", "BOOLEAN": "boolean"}
    types = {name: names[str(kind)] for name, kind in zip(found.columns, found.types, strict=True)}
    return dict(zip(found.columns, map(list, zip(*found.fetchall(), strict=True)), strict=True)), types


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("reader", [with_pandas, with_polars, with_duckdb])
def test_others_read_every_number_its_type_and_what_is_unknown(ragged, tmp_path, reader, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not here to write the table")
    out = tmp_path / f"table.{suffix}"
    assert tdu_export(ragged, "--out", out).exit_code == 0  # the name says the format
    found, types = reader(out)
    assert list(found) == list(planted())
    assert found == planted()
    known = {"capped": "boolean", "threshold": "float64", "loss": "float64"}
    known |= dict.fromkeys(AMPLITUDES, "float64")
    wanted = {name: known.get(name, "int64") for name in found}
    if reader is with_pandas:  # has no integers and truths beside unknown ones, unless it is asked to
        gaps = {name for name, values in found.items() if None in values}
        wanted |= {name: "object" if name == "capped" else "float64" for name in gaps}
    assert types == wanted


def test_parquet_says_types_settings_and_versions(ragged, tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not here to write the table")
    from pyarrow import parquet

    out = tmp_path / "table"
    assert tdu_export(ragged, "--format", "parquet", "--out", out).stdout == f"{out}\n"
    table = parquet.read_table(out)
    types = {field.name: field.type for field in table.schema}
    others = {"capped": pyarrow.bool_(), "threshold": pyarrow.float64(), "loss": pyarrow.float64()}
    assert types == dict.fromkeys(INTEGERS, pyarrow.int64()) | others | dict.fromkeys(AMPLITUDES, pyarrow.float64())
    assert table.to_pydict() == planted()
    said = json.loads(table.schema.metadata[b"tdu"])
    manifest = json.loads((ragged / "manifest.json").read_text())
    assert (said["source"], said["settings"]) == ("gradients", {"draws": 2, "seed": 3})
    assert said["log"] == manifest["provenance"]
    assert said["export"]["packages"] == manifest["provenance"]["packages"]


def test_a_file_that_cannot_be_written_whole_is_not_there(ragged, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not here to write the table")

    def fail(_, file):
        file.write(b"PAR1")
        raise OSError("no space left on the disk")

    monkeypatch.setattr(parquet, "write_table", fail)
    out = tmp_path / "out" / "table.parquet"
    result = tdu_export(ragged, "--out", out)
    assert (result.exit_code, result.stderr) == (1, f"Error: {out}: no space left on the disk\n")
    assert list(out.parent.iterdir()) == []


def test_parquet_without_pyarrow_says_what_to_install(ragged, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = tdu_export(ragged, "--out", tmp_path / "table.parquet")
    assert result.exit_code == 1
    assert result.stderr == "Error: Parquet needs pyarrow, which is not installed: pip install 'tdu-ofc[parquet]'\n"
    assert not (tmp_path / "table.parquet").exists()


def test_parquet_has_no_place_on_standard_output(ragged):
    result = tdu_export(ragged, "--format", "parquet")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: --format parquet needs --out, the file to write\n"


def test_a_log_that_is_not_whole_is_not_exported_in_part(tmp_path):
    store = Store.begin(tmp_path / "log", "xor", {"seed": 0}, ((3, 0), (3, 1)))
    store.write(run_of(3, 0, 10, [0], {"size": [3]}, {}))
    for path, words in ((store.path, "1 of the 2 runs in"), (tmp_path, "manifest.json does not exist")):
        result = tdu_export(path, "--out", tmp_path / "table.csv")
        assert (result.exit_code, result.stdout) == (1, "")
        assert words in result.stderr
    assert not (tmp_path / "table.csv").exists()


def study(path):
    config = StudyConfig(hidden=(8, 5), replicates=2, epochs=20, n_null_draws=2)
    store = study_store(path, config)
    for hidden, replicate in store.plan:
        store.write(run_of_study(config, hidden, replicate))


def network(path):
    for width, epochs in ((8, 20), (4, 30)):
        tdu.train_network(tdu.NetworkConfig(modulus=5, width=width, epochs=epochs, n_null_draws=2), path)


def gradients(path):
    rng = np.random.default_rng(0)
    for width, steps in ((20, 3), (9, 2)):
        with tdu.Probe(draws=2).record(path, scale=width) as record:
            for step in range(steps):
                named = {"w": rng.normal(size=(width, 4)), "b": rng.normal(size=width)}
                record(step, named, loss=0.1 * step, weights={"w": named["w"]})


@pytest.mark.parametrize("made", [study, network, gradients])
def test_the_table_of_any_log_has_the_numbers_of_its_grid(tmp_path, made):
    made(tmp_path)
    log = tdu.load(tmp_path)
    rows = list(csv.DictReader(io.StringIO(tdu_export(tmp_path).stdout)))
    known = np.argwhere(~np.isnan(log.size))
    assert len(rows) == len(known)
    names = ["scale", "replicate", "step", "n", *log.columns]
    drawn = [f"{name}_{draw:02}" for name, sizes in log.nulls.items() for draw in range(len(sizes))]
    beside = [f"{measure}_{name}" for name in log.nulls for measure in ("epsilon", "z")]
    assert set(rows[0]) == {*names, *drawn, *beside, "grokking_step"}
    assert list(rows[0])[:5] == ["scale", "replicate", "step", "n", "size"]
    for row, (s, k, t) in zip(rows, known, strict=True):
        where = [int(row[name]) for name in ("scale", "replicate", "step", "n")]
        assert where == [log.scale[s], k, log.step[t], log.n_sites[s]]
        assert row["grokking_step"] == ("" if log.grokking_step[s, k] < 0 else str(log.grokking_step[s, k]))
        assert row["capped"] == ("true" if log.columns["capped"][s, k, t] else "false")
        for name, values in log.columns.items():
            if name != "capped":
                value = values[s, k, t]
                assert row[name] == ("" if np.isnan(value) else row[name]), name
                assert np.isnan(value) or float(row[name]) == value, name  # to the last bit
                assert name not in export.COUNTS or row[name].isdecimal()
        for name, sizes in log.nulls.items():
            assert [row[f"{name}_{draw:02}"] for draw in range(2)] == [str(int(size)) for size in sizes[:, s, k, t]]


def test_counts_and_truths_are_those_of_the_observables():
    counts = {name: np.ones(2, np.int64) for name in ("size", "duration", "extent", "peak")}
    measures = {name: np.ones(2) for name in ("threshold", "dissipated", "transport", "deviation_angle")}
    found = columns(Avalanches(**counts, profile=np.ones((2, 3), np.int64), capped=np.zeros(2, bool), **measures))
    assert list(found) == list(OBSERVABLES)
    assert {name for name, values in found.items() if values.dtype.kind == "i"} == set(export.COUNTS)
    assert {name for name, values in found.items() if values.dtype.kind == "b"} == set(export.TRUTHS)


def test_a_metric_called_as_a_column_of_the_table_is_not_lost(tmp_path):
    store = Store.begin(tmp_path, "gradients", {"seed": 0})
    metrics = {"grokking_step": [1.5], "permuted_00": [2.5], "a,b": [3.5]}
    store.write(run_of(3, 0, 21, [0], {"size": [3.0], **metrics}, {"permuted": [[4]]}))
    header, row = csv.reader(io.StringIO(tdu_export(tmp_path).stdout))
    found = dict(zip(header, row, strict=True))
    assert found["column.grokking_step"] == "1.5"
    assert found["column.permuted_00"] == "2.5"
    assert found["a,b"] == "3.5"
    assert (found["permuted_00"], found["grokking_step"]) == ("4", "")


def test_draws_sort_by_their_numbers(tmp_path):
    store = Store.begin(tmp_path, "gradients", {"seed": 0})
    store.write(run_of(3, 0, 21, [0], {"size": [3]}, {"permuted": np.arange(101)[:, None]}))
    header = tdu_export(tmp_path).stdout.splitlines()[0].split(",")
    draws = [name for name in header if name.startswith("permuted")]
    assert draws[:2] == ["permuted_000", "permuted_001"]
    assert sorted(draws) == draws


def test_a_log_is_exported_while_it_grows(tmp_path):
    with tdu.Probe("ba", draws=1, nulls=("permuted",)).record(tmp_path, scale=20) as record:
        record(0, np.arange(20.0))
        record._run._write()  # as every twenty seconds
        assert len(tdu_export(tmp_path).stdout.splitlines()) == 2
        record(1, np.arange(20.0))
    assert len(tdu_export(tmp_path).stdout.splitlines()) == 3


@pytest.mark.slow
def test_a_reader_that_has_enough_hears_no_complaint(tmp_path):
    store = Store.begin(tmp_path, "gradients", {"seed": 0})
    for replicate in range(4):  # more than a pipe holds
        store.write(run_of(3, replicate, 21, range(20_000), {"size": np.arange(20_000)}, {}))
    command = f"{sys.executable} -W error -m tdu export {tmp_path} | head -n 2"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("scale,replicate,step,n,size,grokking_step\n3,0,0,21,0,\n", "")
