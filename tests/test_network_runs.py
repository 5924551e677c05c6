"""Networks under the probe: killed runs go on bit for bit, and what is kept is what was measured."""

import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest

import tdu
from tdu.avalanches import nulls
from tdu.avalanches.averaging import cosine
from tdu.avalanches.families import FAMILIES
from tdu.avalanches.protocol import PAPER
from tdu.avalanches.sources import probe_files
from tdu.avalanches.spectrum import OF_MATRICES, SPECTRAL_COLUMNS
from tdu.config import NULLS, TASKS, NetworkConfig
from tdu.errors import InputError
from tdu.files import read_fields
from tdu.logs.store import Store
from tdu.models import tasks
from tdu.models.networks import Transformer
from tdu.rng import Stage, derived_seed, generator
from tdu.training import network as training
from tdu.training.network import probe_of, task_of, train_network, with_fields
from tdu.types import Layout

SMALL = NetworkConfig(modulus=7, width=8, epochs=40, snapshot_every=4, learning_rate=1e-2, n_null_draws=2)


def same(one, other):
    assert np.array_equal(one.step, other.step)
    for group in ("columns", "nulls"):
        of_one, of_other = getattr(one, group), getattr(other, group)
        assert list(of_one) == list(of_other)
        for name, values in of_one.items():
            assert np.array_equal(values, of_other[name], equal_nan=True), name


def test_a_run_is_its_address():
    same(train_network(SMALL), train_network(SMALL))
    assert not np.array_equal(train_network(SMALL).columns["loss"], train_network(replace(SMALL, replicate=1)).columns["loss"])


@pytest.mark.parametrize("change", [{}, {"optimiser": "momentum"}, {"alpha_train": 0.3}, {"network": "mlp"}, {"window": 6}])
def test_a_run_cut_anywhere_goes_on_to_the_same_bits(tmp_path, monkeypatch, change):
    config = replace(SMALL, **change)
    whole = train_network(config)
    monkeypatch.setattr(training, "_SAVE_SECONDS", -1.0)  # a state after every update

    class CutError(Exception):
        pass

    for stop in (3, 4, 17):
        written = 0
        real = training.loop.save_state

        def save_and_stop(path, state, settings, real=real, stop=stop):
            nonlocal written
            real(path, state, settings)
            written += 1
            if written == stop:
                raise CutError

        with monkeypatch.context() as patch:
            patch.setattr(training.loop, "save_state", save_and_stop)
            with pytest.raises(CutError):
                train_network(config, tmp_path)
    same(train_network(config, tmp_path), whole)
    same(train_network(config, tmp_path), whole)  # finished: read back
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["log/s00008-r00.npz", "manifest.json", "state/s00008-r00.npz"]
    log = tdu.load(tmp_path)
    assert log.size[0, 0].tolist() == whole.size.tolist()
    assert np.array_equal(log.nulls["rewired"][:, 0, 0], whole.nulls["rewired"])


def test_spectra_of_a_network_are_those_of_the_mean_over_a_window_that_ends_at_a_snapshot(tmp_path):
    config = replace(SMALL, epochs=9, n_null_draws=0)
    train_network(replace(config, snapshot_every=1), tmp_path, save_gradients=True)
    fields = read_fields(tmp_path / "state" / "s00008-r00-gradients.npy")
    run, without = train_network(replace(config, window=6)), train_network(config)
    assert set(run.columns) - set(without.columns) == set(SPECTRAL_COLUMNS)
    same(replace(run, columns={name: run.columns[name] for name in without.columns}), without)
    assert run.step.tolist() == [0, 4, 8]
    assert np.isnan([run.columns[name][:2] for name in OF_MATRICES]).all()  # no six epochs before
    found = tdu.spectrum(fields[3:9].mean(axis=0, dtype=np.float64), run.layout).pooled
    assert [run.columns[name][2] for name in OF_MATRICES] == pytest.approx([found[name].value for name in OF_MATRICES])
    wanted = [np.nan, cosine(fields[3], fields[4]), cosine(fields[7], fields[8])]
    assert run.columns["cosine"] == pytest.approx(wanted, rel=1e-6, nan_ok=True)


@pytest.mark.slow
def test_a_killed_command_goes_on_to_the_same_bits(tmp_path):
    arguments = ["--modulus", "13", "--width", "16", "--epochs", "1500", "--save-gradients", "--snapshot-every", "50"]
    command = [
        sys.executable,
        "-c",
        "import tdu.training.network as m; m._SAVE_SECONDS = 0.05; from tdu.cli import main; main()",
    ]
    running = subprocess.Popen([*command, "grok", "--out", str(tmp_path / "killed"), *arguments])
    state = tmp_path / "killed" / "state" / "s00016-r00.npz"
    deadline = time.monotonic() + 60
    while not state.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    for out in ("killed", "whole"):
        done = subprocess.run([*command, "grok", "--out", str(tmp_path / out), *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    for name in ("log/s00016-r00.npz", "state/s00016-r00-gradients.npy"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("task", TASKS)
def test_shuffled_labels_are_a_permutation_of_the_same_examples_with_the_same_split(task):
    """Every task has the control: the same inputs train and test, and each answer is there as often as before."""
    config = NetworkConfig(task=task, modulus=11, n_bits=6)
    plain, shuffled = (task_of(replace(config, shuffled_labels=asked)) for asked in (False, True))
    for name in ("tokens", "train", "test", "n_tokens", "n_classes"):
        assert np.array_equal(getattr(plain, name), getattr(shuffled, name)), name
    assert not np.array_equal(plain.answers, shuffled.answers)
    assert np.array_equal(np.sort(plain.answers), np.sort(shuffled.answers))
    assert np.array_equal(task_of(replace(config, shuffled_labels=True)).answers, shuffled.answers), "permuted once"
    assert not np.array_equal(task_of(replace(config, shuffled_labels=True, replicate=1)).answers, shuffled.answers)


def test_shuffled_labels_are_learnt_by_heart_from_the_same_start_and_logged_apart(tmp_path):
    plain = train_network(SMALL, tmp_path / "plain")
    shuffled = train_network(replace(SMALL, shuffled_labels=True), tmp_path / "shuffled")
    assert not np.array_equal(plain.columns["loss"], shuffled.columns["loss"])
    assert plain.layout == shuffled.layout
    assert "shuffled_labels" not in Store.open(tmp_path / "plain").settings  # as in logs from before it could be asked for
    assert Store.open(tmp_path / "shuffled").settings["shuffled_labels"]
    with pytest.raises(InputError, match="shuffled_labels = not set there, True here"):
        train_network(replace(SMALL, shuffled_labels=True), tmp_path / "plain")


def test_longer_training_goes_on_from_shorter(tmp_path):
    train_network(replace(SMALL, epochs=21), tmp_path)
    same(train_network(SMALL, tmp_path), train_network(SMALL))
    averaged = replace(SMALL, window=6)
    train_network(replace(averaged, epochs=20), tmp_path / "averaged")  # in the middle of a window
    same(train_network(averaged, tmp_path / "averaged"), train_network(averaged))
    with pytest.raises(ValueError, match="is of a run of 40 `epochs` already, not 30"):
        train_network(replace(SMALL, epochs=30), tmp_path)


def test_gradients_on_disk_are_what_was_probed(tmp_path):
    run = train_network(SMALL, tmp_path, save_gradients=True)
    fields = read_fields(tmp_path / "state" / "s00008-r00-gradients.npy")
    assert fields.shape == (11, run.n_sites)
    assert fields.dtype == np.float32
    again, handed_on = with_fields(SMALL)
    same(again, run)
    assert np.array_equal(handed_on, fields)
    assert handed_on.dtype == fields.dtype
    graph = probe_of(SMALL).of_run(run.layout, 8, 0).graph
    assert [tdu.avalanche(field, graph).size for field in fields] == run.columns["size"].tolist()
    assert len(list(probe_files([tmp_path / "state" / "s00008-r00-gradients.npy"], PAPER, 0))) == 11
    with pytest.raises(ValueError, match="with `save_gradients` True, not False: give those settings, or another"):
        train_network(SMALL, tmp_path)
    with pytest.raises(ValueError, match="`save_gradients` needs a `directory`"):
        train_network(SMALL, save_gradients=True)


@pytest.mark.parametrize("change", [{"learning_rate": 0.02}, {"seed": 1}, {"n_null_draws": 1}, {"layer_norm": True}])
def test_a_directory_of_other_settings_is_refused_and_left_alone(tmp_path, change):
    train_network(SMALL, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    ((name, value),) = change.items()
    with pytest.raises(ValueError, match=f"holds another study .{name} = {getattr(SMALL, name)} there, {value} here.: choose"):
        train_network(replace(SMALL, **change), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_other_widths_and_replicates_add_their_runs_to_the_log(tmp_path):
    for change in ({}, {"replicate": 1}, {"width": 12}, {"width": 4, "epochs": 20}):
        train_network(replace(SMALL, **change), tmp_path)
    log = tdu.load(tmp_path)
    assert log.scale.tolist() == [4, 8, 12]
    assert log.step.tolist() == list(range(0, 41, 4))
    assert np.isfinite(log.size).all(axis=-1).tolist() == [[False, False], [True, True], [True, False]]
    assert log.size[1, 1].tolist() == train_network(replace(SMALL, replicate=1)).size.tolist()
    assert log.nulls["signs"].shape == (2, 3, 2, 11)
    assert {"loss", "accuracy", "test_accuracy", "size", "deviation_angle"} <= set(log.columns)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and nothing", None])
def test_a_damaged_state_is_one_clear_error(tmp_path, damage):
    train_network(SMALL, tmp_path)
    path = tmp_path / "state" / "s00008-r00.npz"
    if damage is None:
        np.savez(path, theta=np.zeros(3))
    else:
        path.write_bytes(damage)
    with pytest.raises(ValueError, match=r"s00008-r00\.npz is not a"):
        train_network(SMALL, tmp_path)


def test_a_flipped_bit_of_the_parameters_is_noticed_before_training_goes_on(tmp_path):
    train_network(replace(SMALL, epochs=21), tmp_path)
    path = tmp_path / "state" / "s00008-r00.npz"
    content = path.read_bytes()
    at = content.index(b"theta.npy") + 400  # well inside the array
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(ValueError, match=r"s00008-r00\.npz is not .*training state"):
        train_network(SMALL, tmp_path)


def test_nulls_are_those_of_the_snapshot():
    field = np.random.default_rng(0).standard_t(2, 60)
    layout = Layout.of({"a": (4, 5), "b": (30,), "c": (10,)})
    probe = probe_of(SMALL).of_run(layout, 8, 0)
    sizes = probe.null_sizes(field[None], np.array([3]))
    assert list(sizes) == list(NULLS)
    for name, null in nulls.MODELS.items():
        rng = generator(0, Stage.NULL, 8, 0, null.stream)
        for draw in range(2 if name in NULLS else 0):
            drawn = null.prepare(layout, probe.graph, rng)
            wanted = tdu.avalanche(drawn.apply(field[None], np.array([3]))[0], drawn.graph).size
            assert sizes[name].tolist()[draw] == [wanted]
    assert not np.array_equal(*sizes["permuted"])


def test_in_line_training_is_given_the_relaxed_field_and_the_probe_sees_the_raw_one():
    shadow, in_line = train_network(SMALL), train_network(replace(SMALL, alpha_train=0.3))
    assert in_line.columns["size"][0] == shadow.columns["size"][0]
    assert in_line.columns["loss"][0] == shadow.columns["loss"][0]
    assert not np.array_equal(in_line.columns["loss"][1:], shadow.columns["loss"][1:])
    field = np.random.default_rng(0).normal(size=50).astype(np.float32)
    probe = probe_of(replace(SMALL, n_null_draws=0)).of_run(Layout.unknown(50), 8, 0)
    relaxed = probe.relaxed(field, 0.4)
    assert relaxed.dtype == np.float32
    assert np.array_equal(relaxed, tdu.avalanche(field, probe.graph, alpha=0.4).gradient.astype(np.float32))


@pytest.mark.parametrize("alpha_train", [0.3, 0.0], ids=["in-line", "shadow"])
@pytest.mark.parametrize(("measured_on", "backwards"), [("fresh", False), ("own", True), ("fresh", True), ("rook", True)])
def test_a_field_is_measured_on_the_graph_and_in_the_order_asked_for(tmp_path, alpha_train, measured_on, backwards):
    order = "reversed" if backwards else "layer"
    config = replace(SMALL, alpha_train=alpha_train, site_order=order, measured_on=measured_on, epochs=12)
    run = train_network(config, tmp_path, save_gradients=True)
    fields = read_fields(tmp_path / "state" / "s00008-r00-gradients.npy")
    stage = Stage.GRAPH if measured_on == "own" else Stage.MEASURING_GRAPH
    family = FAMILIES["rook" if measured_on == "rook" else "ba"]
    graph = family(run.layout, derived_seed(0, stage, 8, 0))
    as_placed = [field[::-1] if backwards and measured_on != "rook" else field for field in fields]
    assert run.size.tolist() == [tdu.avalanche(field, graph).size for field in as_placed]
    on_own = train_network(replace(config, measured_on="own"))
    assert np.array_equal(run.columns["loss"], on_own.columns["loss"])  # another graph measures, and does not train
    assert np.array_equal(run.nulls["permuted"], on_own.nulls["permuted"]) == (measured_on == "own")
    assert Store.open(tmp_path).settings.get("measured_on", "own") == measured_on


def test_in_line_training_in_reversed_order_is_given_the_field_that_was_relaxed_so():
    config = replace(
        SMALL, alpha_train=0.3, site_order="reversed", optimiser="sgd", weight_decay=0.0, epochs=1, snapshot_every=1
    )
    task = tasks.modular("addition", 7, 0.8, generator(0, Stage.SPLIT, 8, 0))
    network = Transformer(task, 8)
    theta = network.initial(generator(0, Stage.PARAMETERS, 8, 0), "float32")
    gradient = network.loss_and_gradient(theta, task.train)[2]
    graph = tdu.barabasi_albert(theta.size, seed=derived_seed(0, Stage.GRAPH, 8, 0))
    relaxed = tdu.avalanche(gradient[::-1], graph).gradient[::-1]
    assert not np.array_equal(relaxed, tdu.avalanche(gradient, graph).gradient)
    after = (theta - config.learning_rate * relaxed).astype(np.float32)
    assert train_network(config).columns["loss"][1] == pytest.approx(network.loss_and_gradient(after, task.train)[0], rel=1e-6)


def test_where_parameters_sit_is_written_only_where_it_is_asked_for(tmp_path):
    """Logs from before it could be go on."""
    known = training.network_store(SMALL, tmp_path / "before").settings
    assert not {"site_order", "measured_on"} & set(known)
    asked = training.network_store(replace(SMALL, site_order="reversed", measured_on="fresh"), tmp_path / "asked").settings
    assert asked == known | {"site_order": "reversed", "measured_on": "fresh"}
    for change in ({"site_order": "units"}, {"measured_on": "units"}):
        with pytest.raises(ValueError, match="must be one of"):
            replace(SMALL, **change)


def test_grokking_is_the_first_snapshot_from_which_test_accuracy_stays_above_99_percent(monkeypatch):
    for accuracy, epoch in [
        ([0.5] * 11, None),
        ([0.5] * 10 + [1.0], 40),
        ([0.5, 1.0, 0.99] + [0.995] * 8, 12),
        ([1.0] * 11, 0),
        ([0.99] + [1.0] * 9 + [0.99], None),
    ]:
        seen = iter(accuracy)
        with monkeypatch.context() as planted:
            planted.setattr(training.loop, "accuracy_of", lambda *_, seen=seen: next(seen))
            assert train_network(replace(SMALL, n_null_draws=0)).grokking_epoch == epoch


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 6}, "`width` 6 cannot be shared by 4 heads"),
        ({"task": "power"}, "`task` must be one of addition"),
        ({"network": "rnn"}, "`network` must be one of transformer, mlp, but it is rnn"),
        ({"precision": "float16"}, "`precision` must be one of float32, float64"),
        ({"snapshot_every": 0}, "`snapshot_every` must be at least 1"),
        ({"alpha_train": 2}, r"`alpha_train` must lie in \[0, 1\], but it is 2"),
        ({"train_fraction": 0}, "leaves none to train on"),
        ({"learning_rate": float("nan")}, "`learning_rate` must lie in"),
        ({"optimiser": "sgd", "learning_rate": 1e6, "weight_decay": 0.0, "epochs": 400}, "diverged at epoch"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_bad_settings_are_one_line_and_leave_nothing(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        train_network(replace(SMALL, **change), tmp_path / "new")
    assert not list(tmp_path.rglob("*.part"))


def test_one_thread_of_blas_for_the_same_bits(monkeypatch):
    from threadpoolctl import threadpool_info

    seen = []
    real = training.loop.train

    def looking(*arguments):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return real(*arguments)

    monkeypatch.setattr(training.loop, "train", looking)
    train_network(replace(SMALL, epochs=1))
    assert seen
    assert set(seen) == {1}


def test_settings_name_themselves_in_the_command_line():
    from tdu.cli import main

    named = {parameter.name for parameter in main.commands["grok"].params}
    assert set(asdict(NetworkConfig())) <= named


def test_single_precision_gives_the_avalanches_of_double(tmp_path):
    """Of a trained network's gradient at the same parameters, well above rounding: the loss is far from 10⁻⁷."""
    config = replace(SMALL, modulus=11, width=16, epochs=60, n_null_draws=0)
    assert 1e-4 < train_network(config, tmp_path).columns["loss"][-1] < 1
    theta = np.load(tmp_path / "state" / "s00016-r00.npz")["theta"]
    task = tasks.modular("addition", 11, 0.8, generator(0, Stage.SPLIT, 16, 0))
    network = Transformer(task, 16)
    graph = tdu.barabasi_albert(theta.size)
    single, double = (network.loss_and_gradient(theta.astype(kind), task.train)[2] for kind in ("float32", "float64"))
    assert tdu.avalanche(single, graph).size == pytest.approx(tdu.avalanche(double, graph).size, rel=1e-3)
