"""The recorder: what a training loop hands over is measured and logged as if each step's field had been given by itself."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu.avalanches import averaging, gauges, nulls
from tdu.avalanches.edges import EDGE_STATISTICS, edge_statistics
from tdu.avalanches.foreign import as_numpy
from tdu.avalanches.ranked import ranked
from tdu.avalanches.spectrum import SPECTRAL_COLUMNS
from tdu.avalanches.structure import rook
from tdu.cli import main
from tdu.logs import growing
from tdu.logs.store import Store
from tdu.rng import Stage, derived_seed, generator
from tdu.sources.formats import open_tensors
from tdu.types import Layout

SHAPES = {"first.bias": (6,), "first.weight": (6, 5), "last.weight": (1, 6)}
N = 42


def gradients(step):
    rng = np.random.default_rng(step)
    return {name: rng.standard_t(3, size=shape) for name, shape in SHAPES.items()}


def flat(step):
    return np.concatenate([tensor.ravel() for tensor in gradients(step).values()])


def record(path, steps=range(4), scale=6, replicate=0, probe=None, **how):
    with (probe or tdu.Probe(draws=3)).record(path, scale=scale, replicate=replicate, **how) as rec:
        for step in steps:
            rec(step, gradients(step), loss=1 / (1 + step))
    return Store.open(path).read(scale, replicate)


def test_a_row_is_the_avalanche_of_its_step_on_the_graph_of_the_run(tmp_path):
    run = record(tmp_path, replicate=2, probe=tdu.Probe("ba", draws=3, seed=7, alpha=0.2))
    graph = tdu.barabasi_albert(N, seed=derived_seed(7, Stage.GRAPH, 6, 2))
    assert run.layout == Layout.of(SHAPES)
    assert run.step.tolist() == [0, 1, 2, 3]
    for t, step in enumerate(run.step):
        found = tdu.avalanche(flat(step), graph, alpha=0.2)
        for name in ("size", "duration", "extent", "peak", "threshold", "dissipated", "capped"):
            assert run.columns[name][t] == getattr(found, name), name
        assert run.columns["gradient_norm"][t] == pytest.approx(np.linalg.norm(flat(step)), rel=1e-14)
        assert run.columns["loss"][t] == 1 / (1 + step)


def test_edge_statistics_of_the_field_that_is_measured_are_columns_where_asked_for(tmp_path):
    run = record(tmp_path, probe=tdu.Probe("rook", draws=3, seed=7, ranked=True, edges=True))
    graph = rook(run.layout, derived_seed(7, Stage.GRAPH, 6, 0))
    for t, step in enumerate(run.step):
        measured = ranked(flat(step), run.layout)
        assert {name: run.columns[name][t] for name in EDGE_STATISTICS} == edge_statistics(measured, graph)
        assert run.columns["size"][t] == tdu.avalanche(measured, graph).size
    assert not set(EDGE_STATISTICS) & set(record(tmp_path / "without", probe=tdu.Probe("rook")).columns)


@pytest.mark.parametrize(("window", "every"), [(1, 1), (1, 5), (3, 5), (3, 3), (4, 3), (7, 2)])
def test_spectra_are_of_the_mean_over_the_window_that_ends_at_a_snapshot(tmp_path, window, every):
    with tdu.Probe(draws=0, window=window).record(tmp_path, scale=6, every=every) as rec:
        due = [step for step in range(11) if rec.due(step)]
        for step in due:
            rec(step, gradients(step), loss=step)
    run = Store.open(tmp_path).read(6, 0)
    assert run.step.tolist() == list(range(0, 11, every))
    assert due == [step for step in range(11) if any(0 <= end - step < max(window, 2) for end in range(0, 99, every))]
    for t, end in enumerate(run.step.tolist()):
        found = {name: run.columns[name][t] for name in SPECTRAL_COLUMNS}
        wanted = dict.fromkeys(SPECTRAL_COLUMNS, np.nan)
        if end >= window - 1:
            mean = np.mean([flat(step) for step in range(end - window + 1, end + 1)], axis=0)
            wanted |= {name: one.value for name, one in tdu.spectrum(mean, run.layout).pooled.items()}
        if end:
            wanted["cosine"] = flat(end) @ flat(end - 1) / np.linalg.norm(flat(end)) / np.linalg.norm(flat(end - 1))
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True)


def test_ranks_in_bins_are_a_setting_of_the_log(tmp_path):
    with tdu.Probe(draws=0, window=1, ranks="binned").record(tmp_path, scale=6) as rec:
        rec(0, gradients(0))
    run = Store.open(tmp_path).read(6, 0)
    found = tdu.spectrum(flat(0), run.layout, ranks="binned").pooled
    assert {name: run.columns[name][0] for name in found} == {name: one.value for name, one in found.items()}
    assert Store.open(tmp_path).settings["ranks"] == "binned"
    assert "ranks" not in tdu.Probe(draws=0, window=1).settings


def test_spectra_of_a_window_with_a_gap_are_not_known(tmp_path):
    with tdu.Probe(draws=0, window=3).record(tmp_path, scale=6, every=4) as rec:
        for step in (0, 2, 3, 4, 6, 8, 10, 11):
            rec(step, gradients(step))
        with pytest.warns(UserWarning, match="step 12: `first.bias` is not finite"):
            rec(12, {**gradients(12), "first.bias": np.full(6, np.nan)})
    columns = Store.open(tmp_path).read(6, 0).columns
    assert np.isnan(columns["spectral"]).tolist() == [True, False, True]
    assert np.isnan(columns["cosine"]).tolist() == [True, False, True]


def test_spectra_of_a_moment_that_is_handed_in_are_its_own(tmp_path):
    with tdu.Probe(draws=0, window="moment").record(tmp_path, scale=6, every=2) as rec:
        for step in range(3):
            rec(step, gradients(step), moment=gradients(step + 100))
        rec(3, gradients(3), moment={"not": "looked at between snapshots"})
        message = "step 4: of `moment`, `first.bias` is not there"
        with pytest.raises(tdu.InputError, match=message):
            rec(4, gradients(4), moment={name: tensor for name, tensor in gradients(4).items() if name != "first.bias"})
        with pytest.raises(tdu.InputError, match="step 4: the probe's `window` is 'moment': give `moment` with every"):
            rec(4, gradients(4))
    run = Store.open(tmp_path).read(6, 0)
    for t, step in enumerate((0, 2)):
        found = tdu.spectrum(flat(step + 100), run.layout).pooled
        assert {name: run.columns[name][t] for name in found} == {name: one.value for name, one in found.items()}
    assert run.columns["cosine"][1] == pytest.approx(averaging.cosine(flat(1), flat(2)))
    assert Store.open(tmp_path).settings["window"] == "moment"
    with (
        tdu.Probe(draws=0, window=2).record(tmp_path / "other", scale=6) as rec,
        pytest.raises(tdu.InputError, match="step 0: the probe's `window` is 2: `moment` is for one of 'moment'"),
    ):
        rec(0, gradients(0), moment=gradients(0))


def test_profiles_are_recorded_step_by_step_where_they_are_asked_for(tmp_path):
    run = record(tmp_path / "asked", probe=tdu.Probe.paper(draws=3, max_steps=6, profiles=True))
    graph = tdu.barabasi_albert(N, seed=derived_seed(0, Stage.GRAPH, 6, 0))
    for t, step in enumerate(run.step):
        profile = tdu.avalanche(flat(step), graph, max_steps=6).profile.tolist()
        assert [run.columns[f"profile_{k:02d}"][t] for k in range(1, 7)] == profile + (6 - len(profile)) * [0]
    without = record(tmp_path / "not", probe=tdu.Probe.paper(draws=3, max_steps=6))
    assert set(run.columns) - set(without.columns) == {f"profile_{k:02d}" for k in range(1, 7)}
    assert not {"profiles", "precision"} & set(Store.open(tmp_path / "not").settings)  # as versions before wrote them
    with pytest.raises(ValueError, match="`profile_01` is a column of the recorder's own"):
        tdu.Probe().record(tmp_path / "metric", scale=6)(0, gradients(0), profile_01=3.0)


def test_the_order_in_which_tensors_are_given_does_not_matter(tmp_path):
    run = record(tmp_path)
    with tdu.Probe(draws=3).record(tmp_path, scale=6, replicate=1) as rec:
        rec(0, dict(reversed(gradients(0).items())))
    assert Store.open(tmp_path).read(6, 1).layout == run.layout == Layout.of(SHAPES)
    assert list(SHAPES) == sorted(SHAPES)


def test_one_arrangement_of_a_null_serves_every_step(tmp_path):
    run = record(tmp_path, probe=tdu.Probe.paper(draws=3, seed=1))
    graph = tdu.barabasi_albert(N, seed=derived_seed(1, Stage.GRAPH, 6, 0))
    rng = generator(1, Stage.NULL, 6, 0, nulls.MODELS["permuted"].stream)
    for draw in range(3):
        order = rng.permuted(np.arange(N))
        assert run.nulls["permuted"][draw].tolist() == [tdu.avalanche(flat(step)[order], graph).size for step in run.step]
    rng = generator(1, Stage.NULL, 6, 0, nulls.MODELS["blocks"].stream)
    for draw in range(3):
        order = np.concatenate([rng.permuted(part) for part in np.split(np.arange(N), [6, 36])])
        assert run.nulls["blocks"][draw].tolist() == [tdu.avalanche(flat(step)[order], graph).size for step in run.step]


def test_draws_that_would_fill_memory_are_made_again_to_the_same_bits(tmp_path, monkeypatch):
    every = tuple(nulls.MODELS)
    kept = record(tmp_path / "kept", probe=tdu.Probe(draws=3, nulls=every))
    monkeypatch.setattr(nulls, "_MOST_KEPT", 0)
    made_again = record(tmp_path / "again", probe=tdu.Probe(draws=3, nulls=every))
    assert {name: sizes.tolist() for name, sizes in kept.nulls.items()} == {
        name: sizes.tolist() for name, sizes in made_again.nulls.items()
    }
    assert len({sizes.tobytes() for sizes in kept.nulls.values()}) > 3


def test_a_cadence_passes_over_the_steps_between(tmp_path):
    assert record(tmp_path, range(9), every=4).step.tolist() == [0, 4, 8]
    with tdu.Probe(draws=3).record(tmp_path, scale=7, every=4) as rec:
        assert [step for step in range(9) if rec.due(step)] == [0, 4, 8]


def test_weights_and_metrics_become_columns(tmp_path):
    weights = {"w": np.diag([3.0, 4.0, 0.0]), "b": np.array([0.0, 12.0, 0.0]), "row": np.ones((1, 4))}
    with tdu.Probe("ba", draws=0).record(tmp_path, scale=1) as rec:
        rec(0, np.arange(1.0, 20.0), weights=weights, accuracy=np.float32(0.5), tokens=300)
        rec(1, np.arange(1.0, 20.0), loss=2.0)
    columns = Store.open(tmp_path).read(1, 0).columns
    theta = np.concatenate([w.ravel() for w in weights.values()])
    pairs = np.abs(np.abs(theta)[:, None] - np.abs(theta)).sum() / (2 * theta.size * np.abs(theta).sum())
    assert columns["weight_norm"][0] == pytest.approx(np.sqrt(9 + 16 + 144 + 4))
    assert columns["gini"][0] == pytest.approx(pairs)
    assert columns["effective_rank"][0] == pytest.approx((9 + 16) ** 2 / (81 + 256))  # one row cannot have rank 2
    assert columns["accuracy"].tolist()[0] == 0.5
    assert np.isnan(columns["accuracy"][1])
    assert np.isnan(columns["weight_norm"][1])
    assert columns["tokens"][0] == 300
    np.testing.assert_array_equal(columns["loss"], [np.nan, 2.0])


def test_effective_rank_counts_equal_directions():
    rng = np.random.default_rng(0)
    q, _ = np.linalg.qr(rng.normal(size=(40, 7)))
    assert gauges.effective_rank(q @ q.T) == pytest.approx(7)
    assert gauges.effective_rank(np.outer(rng.normal(size=5), rng.normal(size=90))) == pytest.approx(1)
    assert np.isnan(gauges.effective_rank(np.zeros((3, 3))))


@pytest.mark.parametrize("tail", [[0.95, 0.995, 1.0], [0.995, 0.98, 1.0], [0.1, 0.2, 0.3]])
def test_a_run_groks_where_test_accuracy_stays_above_99_percent(tmp_path, tail):
    with tdu.Probe("ba", draws=0).record(tmp_path, scale=1) as rec:
        for step, accuracy in zip((0, 10, 20), tail, strict=True):
            rec(step, flat(step), test_accuracy=accuracy)
    stays = [10, 20, -1][[[0.95, 0.995, 1.0], [0.995, 0.98, 1.0], [0.1, 0.2, 0.3]].index(tail)]
    assert Store.open(tmp_path).read(1, 0).grokking_step == stays


def test_gradients_are_kept_only_if_asked_for_and_probed_again_to_the_same_sizes(tmp_path):
    run = record(tmp_path / "log")
    assert not (tmp_path / "log" / "gradients").exists()
    record(tmp_path / "kept", keep_gradients=True)
    pattern = f"{tmp_path}/kept/gradients/s{{scale}}-r{{replicate}}/{{step}}.npz"
    result = CliRunner().invoke(main, ["probe", pattern, "--out", str(tmp_path / "again"), "--draws", "3"])
    assert result.exit_code == 0, result.output
    again = Store.open(tmp_path / "again").read(6, 0)
    assert again.layout == run.layout
    assert again.size.tolist() == run.size.tolist()
    assert again.nulls["blocks"].tolist() == run.nulls["blocks"].tolist()


@pytest.mark.parametrize("name", ["file", "allow_pickle", "args", "model/layer.0", "weight.npy", "μ"])
def test_gradients_are_kept_under_whatever_name(name, tmp_path):
    kept = {name: np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32), "last.bias": np.arange(6.0)}
    with tdu.Probe(draws=1).record(tmp_path, scale=6, keep_gradients=True) as rec:
        rec(0, kept)
    (file,) = tmp_path.glob("gradients/*/*.npz")
    stored = open_tensors(file).stored
    assert stored.keys() == kept.keys()
    for one, wanted in kept.items():
        assert stored[one].dtype == wanted.dtype
        np.testing.assert_array_equal(stored[one].read(), wanted)
    with np.load(file) as archive:
        np.testing.assert_array_equal(archive["last.bias"], kept["last.bias"])


def test_a_gradient_that_is_not_finite_is_left_out_with_a_word(tmp_path):
    with tdu.Probe(draws=1).record(tmp_path, scale=1) as rec:
        rec(0, gradients(0))
        bad = gradients(1)
        bad["first.bias"][2] = np.inf
        with pytest.warns(UserWarning, match=r"step 1: `first.bias` is not finite: this snapshot is left out"):
            rec(1, bad)
        rec(2, gradients(2))
    assert Store.open(tmp_path).read(1, 0).step.tolist() == [0, 2]


def test_what_was_recorded_survives_an_error_in_the_loop(tmp_path):
    def train():
        with tdu.Probe(draws=1).record(tmp_path, scale=1) as rec:
            rec(0, gradients(0))
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        train()
    assert Store.open(tmp_path).read(1, 0).step.tolist() == [0]


def test_the_log_can_be_read_while_it_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(growing, "_SAVE_SECONDS", -1.0)
    with tdu.Probe(draws=1).record(tmp_path, scale=1) as rec:
        for step in range(3):
            rec(step, gradients(step))
            assert tdu.load(tmp_path).step.tolist() == list(range(step + 1))


def test_a_run_is_gone_on_with_from_the_checkpoint_that_training_went_back_to(tmp_path):
    whole = record(tmp_path / "whole", range(8))
    record(tmp_path / "cut", range(6))
    with pytest.raises(ValueError, match=r"run 0 of scale 6, 6 snapshots up to step 5: `resume=True` goes on with it"):
        record(tmp_path / "cut", range(3, 8))
    resumed = record(tmp_path / "cut", range(3, 8), resume=True)
    assert resumed.step.tolist() == whole.step.tolist()
    assert {name: c.tolist() for name, c in resumed.columns.items()} == {name: c.tolist() for name, c in whole.columns.items()}
    assert resumed.nulls["blocks"].tolist() == whole.nulls["blocks"].tolist()


def test_a_run_that_is_resumed_and_adds_nothing_stays_as_it_was(tmp_path):
    before = record(tmp_path)
    with tdu.Probe(draws=3).record(tmp_path, scale=6, resume=True):
        pass
    assert Store.open(tmp_path).read(6, 0).step.tolist() == before.step.tolist()


def test_a_run_is_recorded_by_one_process_at_a_time(tmp_path):
    with tdu.Probe().record(tmp_path, scale=6) as rec:
        rec(0, gradients(0))
        code = f"import tdu; tdu.Probe().record({str(tmp_path)!r}, scale=6)"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another process is making run 0 of scale 6" in other.stderr


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"first.weight": (6, 5), "first.bias": (6,)}, "`last.weight` is not there, but was of shape"),
        (SHAPES | {"first.bias": (7,)}, r"`first.bias` is of shape \(7,\), but was of shape \(6,\)"),
        (SHAPES | {"more": (1,)}, r"`more` is of shape \(1,\), but was not there"),
    ],
)
def test_tensors_stay_the_same_over_a_run(tmp_path, second, message):
    with tdu.Probe(draws=0).record(tmp_path, scale=1) as rec:
        rec(0, gradients(0))
        with pytest.raises(ValueError, match=rf"step 1: .*{message}"):
            rec(1, {name: np.ones(shape) for name, shape in second.items()})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rec: rec(0, {"w": None}), "`w` is None, not a gradient: leave it out at every step"),
        (lambda rec: rec(0, {}), "`gradients` is empty"),
        (lambda rec: rec(0, {1: np.ones(9), "1": np.ones(9)}), "two names of `gradients` are the same as text"),
        (lambda rec: rec(0, {"w": np.array(["a"])}), "`w` must hold real numbers, but its dtype is <U1"),
        (lambda rec: rec(0, {"w": np.zeros(3, np.dtype("V2"))}), r"`w` must hold real numbers, but its dtype is \|V2"),
        (lambda rec: rec(0, {"w": np.ones(9)}, size=3), "`size` is a column of the recorder's own"),
        (lambda rec: rec(0, {"w": np.ones(9)}, moran=3), "`moran` is a column of the recorder's own"),
        (lambda rec: rec(0, {"w": np.ones(9)}, cosine=3), "`cosine` is a column of the recorder's own"),
        (lambda rec: rec(0, {"w": np.ones(9)}, loss=np.ones(2)), r"`loss` must be one number, but its shape is \(2,\)"),
        (lambda rec: [rec(step, {"w": np.arange(9.0)}) for step in (3, 3)], "step 3 does not come after 3, the last recorded"),
        (lambda rec: rec(-1, {"w": np.ones(9)}), "`step` must be at least 0"),
        (lambda rec: rec(0, np.ones(9)), "null `blocks` needs the names and shapes of the tensors"),
    ],
)
def test_what_cannot_be_recorded_is_named(tmp_path, call, message):
    with tdu.Probe.paper().record(tmp_path, scale=1) as rec, pytest.raises((ValueError, TypeError), match=message):
        call(rec)


@pytest.mark.parametrize("given", [[np.ones(2), np.ones(3)], object(), (p for p in ())])
def test_what_is_no_mapping_of_arrays_is_named(tmp_path, given):
    message = "must be a mapping of names to arrays"
    with tdu.Probe(draws=0).record(tmp_path, scale=1) as rec, pytest.raises(TypeError, match=message):
        rec(0, given)


def test_a_recorder_that_is_closed_records_no_more(tmp_path):
    with tdu.Probe(draws=0).record(tmp_path, scale=1) as rec:
        rec(0, gradients(0))
    with pytest.raises(ValueError, match="step 1: this recorder is closed; call it inside its `with` block"):
        rec(1, gradients(1))


def test_a_recorder_that_nobody_closes_keeps_its_run_at_exit(tmp_path):
    code = f"import numpy as np, tdu; tdu.Probe(draws=0, nulls=()).record({str(tmp_path)!r}, scale=6)(0, np.arange(9.0))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Store.open(tmp_path).read(6, 0).step.tolist() == [0]


def test_another_n_is_another_scale(tmp_path):
    record(tmp_path)
    message = r"scale 6 has N = 42 in run 0 of .*, but 9 in run 1: another N is another scale"
    with tdu.Probe(draws=3).record(tmp_path, scale=6, replicate=1) as rec, pytest.raises(ValueError, match=message):
        rec(0, {"w": np.ones((3, 3))})


def test_runs_of_another_probe_do_not_join_the_log(tmp_path):
    record(tmp_path)
    with pytest.raises(ValueError, match=r"alpha"):
        record(tmp_path, scale=7, probe=tdu.Probe(draws=3, alpha=0.25))


class Tensor:
    """What PyTorch's tensors can do, as far as it matters here: bfloat16 has no NumPy type, gradients must be detached."""

    layout = "torch.strided"

    def __init__(self, values, dtype="torch.float32", detached=False, on="cuda"):
        self.values, self.dtype, self.detached, self.on = np.asarray(values), dtype, detached, on

    def detach(self):
        return Tensor(self.values, self.dtype, True, self.on)

    def float(self):
        return Tensor(self.values.astype(np.float32), "torch.float32", self.detached, self.on)

    def cpu(self):
        return Tensor(self.values, self.dtype, self.detached, "cpu")

    def numpy(self):
        if self.on != "cpu" or not self.detached or self.dtype == "torch.bfloat16":
            raise TypeError("can't convert")
        return self.values


class Sharded(Tensor):
    def detach(self):
        return self

    def full_tensor(self):
        return Tensor(np.concatenate([self.values, self.values]), detached=True)


class OnlyDlpack:
    def __init__(self, values):
        self.values = np.asarray(values)

    def __dlpack__(self, **how):
        return self.values.__dlpack__(**how)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class OnGpu(OnlyDlpack):
    __cuda_array_interface__ = {}  # noqa: RUF012

    def get(self):
        return self.values

    def __array__(self, *_args, **_how):
        raise TypeError("implicit conversion is not allowed")


@pytest.mark.parametrize(
    ("value", "expected", "dtype"),
    [
        (Tensor([1.0, 2.5]), [1, 2.5], np.float64),
        (Tensor([1.0, 2.5], "torch.bfloat16"), [1, 2.5], np.float32),
        (Sharded([1.0, 2.5]), [1, 2.5, 1, 2.5], np.float64),
        (OnlyDlpack([1.0, 2.5]), [1, 2.5], np.float64),
        (OnGpu(np.float32([1.0, 2.5])), [1, 2.5], np.float32),
        ([1, 2], [1, 2], np.int64),
    ],
)
def test_arrays_of_other_libraries_are_brought_over_by_what_they_can_do(value, expected, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array = as_numpy(value)
    assert array.tolist() == expected
    assert array.dtype == dtype
