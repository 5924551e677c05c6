"""Any log is fitted: of networks as of XOR, ragged as logs are, beside the nulls that were probed with it."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tdu
from tdu import fitting
from tdu.avalanches.probe import SOURCE
from tdu.cli import main
from tdu.config import LogConfig, NetworkConfig
from tdu.logs.store import Store
from tdu.results import figures, panels, report
from tdu.results.assemble import table, with_value_inside
from tdu.results.series import DimensionOverTime
from tdu.results.store import load_results
from tdu.types import Estimate, Layout, Run

WIDTHS = (8, 16, 32, 64)
STEP = np.arange(0, 200, 10)


def planted(width, replicate, steps=STEP, grokking_step=-1, real=1.2, null=1.0):
    """A run whose sizes go with N^`real`, those of its null with N^`null`; runs and snapshots scatter."""
    rng, n_sites = np.random.default_rng([width, replicate]), 12 * width**2

    def sizes(exponent, shape):
        return np.round(30 * n_sites**exponent * np.exp(0.05 * rng.normal(size=shape))).astype(int)

    measures = {name: rng.uniform(0.2, 0.9, steps.size) for name in ("deviation_angle", "loss", "accuracy")}
    measures["capped"] = np.zeros(steps.size)
    columns = {"size": sizes(real, steps.size), "duration": rng.integers(3, 9, steps.size), **measures}
    nulls = {"permuted": sizes(null, (4, steps.size))}
    return Run(width, replicate, Layout.unknown(n_sites), steps, columns, nulls, {}, grokking_step)


def log_at(path, *runs, **settings):
    store = Store.begin(path, "network", {"seed": 3, "task": "addition", **settings})
    for run in runs:
        store.write(run)
    return path


def gradients_at(path, capped=0.0, there=tuple((w, k) for w in WIDTHS for k in range(3))):
    """A log of somebody's gradients, whose loss falls while D stays."""
    store = Store.begin(path, SOURCE, {"seed": 3, "graph": "ba"})
    for run in (planted(w, k) for w, k in there):
        falling = np.exp(-STEP / 50) * np.random.default_rng([run.scale, run.replicate]).uniform(0.9, 1.1, STEP.size)
        columns = {**run.columns, "loss": falling, "capped": np.full(STEP.size, capped)}
        store.write(replace(run, columns=columns))
    return path


def fit(path):
    with ThreadPoolExecutor(1) as executor:
        return fitting.fit(path, executor)


def test_planted_exponents_and_excess_come_back_of_a_log_without_grokking(tmp_path):
    results = fit(log_at(tmp_path, *(planted(w, k) for w in WIDTHS for k in range(4))))
    assert results.config == LogConfig("network", {"seed": 3, "task": "addition", "epochs": 190}, WIDTHS, 4, 3)
    found = results.quantities
    for key, planted_value in (("gamma", 1.2), ("dimension", 1.2), ("dimension_time_average", 1.2)):
        assert found[key].value == pytest.approx(planted_value, abs=0.02), key
        assert found[key].low < planted_value < found[key].high
        assert found[key].high - found[key].low < 0.1
        assert found[key].published_text == found[key].verdict == ""
    excess = found["excess_at_all_steps_permuted"]
    assert excess.value == pytest.approx(0.2, abs=0.01)
    assert 0 < excess.high - excess.low < 0.03
    assert found["share_at_all_steps_permuted"].value == pytest.approx(100, abs=5)
    assert not {"grokking_first", "dimension_early", "excess_permuted"} & set(found)
    over_time = results.series_of(DimensionOverTime)
    assert over_time.epoch.tolist() == STEP.tolist()
    np.testing.assert_allclose(over_time.bands["mean"].value, 1.2, atol=0.05)
    assert (over_time.bands["mean"].low < over_time.bands["mean"].high).all()


def test_where_runs_grok_the_windows_are_those_of_any_study(tmp_path):
    runs = [planted(w, k, grokking_step=100 if w < 64 else 110) for w in WIDTHS for k in range(3)]
    found = fit(log_at(tmp_path, *runs)).quantities
    assert (found["grokking_first"].value, found["grokking_last"].value) == (100, 110)
    assert found["excess_permuted"].value == pytest.approx(0.2, abs=0.01)
    assert found["dimension_late"].value == pytest.approx(1.2, abs=0.03)
    assert not [key for key in found if "all_steps" in key]


def test_missing_runs_and_steps_leave_gaps_and_no_other_values(tmp_path):
    whole = [planted(w, k) for w in WIDTHS for k in range(3)]
    ragged = [*(run for run in whole if (run.scale, run.replicate) != (16, 2)), planted(16, 5, steps=STEP[5:])]
    ragged = [r if r.scale != 64 else replace(r, step=r.step[:10], columns={n: c[:10] for n, c in r.columns.items()},
                                              nulls={n: s[:, :10] for n, s in r.nulls.items()}) for r in ragged]  # fmt: skip
    results = fit(log_at(tmp_path, *ragged))
    over_time = results.series_of(DimensionOverTime)
    left = {w: [run.columns["size"][-1] for run in ragged if run.scale == w and run.step[-1] == STEP[-1]] for w in WIDTHS[:3]}
    of_three = np.polyfit(np.log([12 * w**2 for w in left]), np.log([np.mean(sizes) for sizes in left.values()]), 1)[0]
    assert over_time.bands["mean"].value[-1] == pytest.approx(of_three)
    assert np.isfinite(over_time.bands["mean"].low).all()
    assert results.quantities["dimension_time_average"].note == "mean of D(t) over 10 snapshots"
    assert results.quantities["gamma"].value == pytest.approx(1.2, abs=0.03)
    assert results.quantities["excess_at_all_steps_permuted"].value == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("missing", [{(16, 3)}, {(8, 0), (64, 1)}, {(32, k) for k in (1, 2, 3)}])
def test_whichever_runs_are_missing_the_others_are_fitted(tmp_path, missing):
    there = [(w, k) for w in WIDTHS for k in range(4) if (w, k) not in missing]
    results = fit(gradients_at(tmp_path, there=there))
    assert results.quantities["gamma"].value == pytest.approx(1.2, abs=0.03)
    collapse = results.quantities["collapse_exponent"]
    assert collapse.value == pytest.approx(1.2, abs=0.05)
    assert np.isnan(collapse.low) == (len(missing) == 3)  # a scale of one run has no scatter to resample
    assert np.isnan(results.quantities["duration_exponent"].low) == (len(missing) == 3)


def test_two_scales_at_a_step_are_a_gap(tmp_path):
    runs = [planted(w, k, steps=STEP if w < 32 else STEP[:8]) for w in WIDTHS for k in range(2)]
    over_time = fit(log_at(tmp_path, *runs)).series_of(DimensionOverTime).bands["mean"]
    assert np.isfinite(over_time.value).tolist() == [True] * 8 + [False] * 12


def test_a_log_of_gradients_says_what_stands_behind_and_what_goes_with_d(tmp_path):
    results = fit(gradients_at(tmp_path))
    found = results.quantities
    assert {"duration_exponent", "rate_exponent", "intensive_rate_exponent", "rate_closure", "half_width"} <= set(found)
    assert found["rate_exponent"].value == pytest.approx(1.2, abs=0.02)
    assert "excess_at_all_steps_permuted" in found
    assert list(results.readings["correlation_loss"]) == ["of D(t) under permuted"]
    lines = table(results).splitlines()
    assert lines[0].split() == ["scale", "N", "runs", "snapshots", "stopped", "at", "the", "last", "step", "allowed", "(%)"]
    assert [line.split() for line in lines[1:5]] == [[str(w), str(12 * w**2), "3", "60", "0"] for w in WIDTHS]
    assert any(line.startswith("rank correlation of D(t) with loss ") for line in lines)
    assert any(line.startswith("half-width of D(t), mean over training ") and "[–]" in line for line in lines)


def test_recorded_gradients_are_told_in_steps_and_the_excess_first(tmp_path):
    store = Store.begin(tmp_path, SOURCE, {"seed": 3, "graph": "ba", "nulls": ["permuted", "blocks"]})
    for run in (planted(w, k, grokking_step=100 + w) for w in WIDTHS for k in range(3)):
        store.write(replace(run, nulls={**run.nulls, "blocks": run.nulls["permuted"][::-1]}))
    results = fit(tmp_path)
    found = list(results.quantities)
    assert found[:3] == ["excess_permuted", "excess_blocks", "dimension"]
    assert [key for key in found if key.startswith("phase")] == ["phase_separation"], "what is above 0 is said once"
    assert results.quantities["grokking_first"].value == 108
    (legend,) = panels.PANELS["dimension"](results).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "grokking window",
        "largest over runs",
        "mean over runs",
        "all steps, largest",
    ]
    figures.draw(results, tmp_path / "figures")
    page = report.page(results, tmp_path / "figures")
    for said in (table(results), re.sub(r'src="[^"]*"', "", page)):
        assert "epoch" not in said
        for words in ("D, all steps (s_max)", "R² of D(t), least over steps", "grokking step, earliest scale"):
            assert words in said
        assert "duration of an avalanche, mean (steps)" in said
    assert '<tr><th scope="row">nulls</th><td>permuted, blocks</td></tr>' in page
    assert '<tr><th scope="row">last_step</th><td>190</td></tr>' in page


def test_a_network_of_ours_is_told_in_epochs(tmp_path):
    results = fit(log_at(tmp_path, *(planted(w, k) for w in WIDTHS for k in range(3))))
    assert next(iter(results.quantities)) == "excess_at_all_steps_permuted"
    assert any(line.startswith("D, all epochs (s_max) ") for line in table(results).splitlines())


def test_a_step_limit_that_bends_is_a_warning(tmp_path):
    with pytest.warns(UserWarning, match=r"3\.0 % of the avalanches at N = 768 are stopped .* exponents are bent"):
        fit(gradients_at(tmp_path, capped=0.03))


def test_scales_without_a_step_in_common_are_named(tmp_path):
    runs = [planted(w, k, steps=STEP + w) for w in WIDTHS for k in range(2)]
    with pytest.raises(tdu.InputError, match="has no step at which every scale has a run: record all runs at the same steps"):
        fit(log_at(tmp_path, *runs))


def test_one_scale_is_no_log_to_fit(tmp_path):
    with pytest.raises(
        tdu.InputError, match="has runs of N = 768 only: an exponent needs three scales, since any two lie on a line"
    ):
        fit(log_at(tmp_path, planted(8, 0)))


@pytest.mark.slow
def test_networks_of_several_widths_are_trained_fitted_and_reported_from_the_command_line(tmp_path, capsys):
    out = str(tmp_path / "log")
    for width in ("4", "8", "12"):
        for replicate in ("0", "1"):
            arguments = ["--modulus", "7", "--width", width, "--replicate", replicate, "--epochs", "40", "--n-null-draws", "2"]
            with pytest.raises(SystemExit) as end:
                main(["grok", "--out", out, *arguments])
            assert end.value.code == 0
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["fit", out, "--json"])
    fitted = json.loads(capsys.readouterr().out)
    log = tdu.load(out)
    wanted = np.polyfit(np.log(log.n_sites), np.log(log.size.mean(axis=(1, 2))), 1)[0]
    assert fitted["quantities"]["gamma"]["value"] == pytest.approx(wanted)
    assert set(log.nulls) == set(NetworkConfig().nulls)
    with pytest.raises(SystemExit) as end:
        main(["report", out])
    assert end.value.code == 0
    page = (tmp_path / "log" / "report.html").read_text()
    assert "tdu grok --out RUN --width 12 --replicate 1 --modulus 7 --n-null-draws 2 --epochs 40" in page
    assert "excess of D(t) over permuted, all steps" in page
    assert '<figure id="dimension">' in page
    assert '<figure id="nulls">' in page
    assert "published" not in page.replace("Nothing published stands beside them", "")
    assert "Fig." not in page
    assert load_results(tmp_path / "log" / "results.json").config.scales == (4, 8, 12)


def estimates(low, high):
    return st.floats(low, high).flatmap(lambda v: st.tuples(st.just(v), st.floats(low, high), st.floats(0, high - low)))


@given(estimates(-100, 100))
def test_an_interval_that_does_not_hold_its_value_is_none_and_says_so(drawn):
    value, low, width = drawn
    before = Estimate(value, low, low + width, "mean", "a note")
    found = with_value_inside(before)
    if low <= value <= low + width:
        assert found == before
    elif np.isnan(found.low):
        assert np.isnan(found.high)
        assert found.note.startswith("a note; no interval: resampling shifts the value")
    else:  # by rounding alone
        assert min(found.low, found.high - width, low) == pytest.approx(low, abs=1e-6)
        assert found.low <= value <= found.high
    assert (found.value, found.statistic) == (value, "mean")
    assert with_value_inside(replace(before, low=np.nan, high=np.nan)).note == "a note"


def test_intervals_of_runs_that_do_not_scatter_hold_their_value_to_the_last_bit():
    found = with_value_inside(Estimate(1.2, np.nextafter(1.2, 2), np.nextafter(1.2, 2), "mean"))
    assert (found.low, found.high, found.note) == (1.2, np.nextafter(1.2, 2), "")


def test_profiles_in_a_log_are_collapsed_and_drawn(tmp_path):
    store = Store.begin(tmp_path, SOURCE, {"seed": 3, "graph": "ba"})
    steps, t = np.arange(0, 600, 10), np.arange(20)[:, None]
    for width in WIDTHS[:3]:
        run, rng = planted(width, 0, steps), np.random.default_rng(width)
        duration = rng.integers(4, 10, steps.size)
        u = (t + 0.5) / duration
        profile = np.where(u < 1, 90 * width * duration**0.5 * u * (1 - u), 0.0)
        profile = np.round(profile * np.exp(0.1 * rng.normal(size=profile.shape)))
        named = {f"profile_{k:02d}": topplings for k, topplings in enumerate(profile, start=1)}
        columns = {**run.columns, "duration": duration, "size": profile.sum(axis=0).astype(int), **named}
        store.write(replace(run, columns=columns))
    results = fit(tmp_path)
    found = results.quantities["profile_exponent"]
    assert found.value == pytest.approx(1.5, abs=0.05)
    assert np.isnan(found.low)  # one run a scale
    assert re.search(rf"1/σνz, of the collapse of mean profiles +{found.value:.3g} \[–\]", table(results))
    assert "profiles" in figures.drawable(results)


@pytest.mark.slow
@settings(max_examples=3)
@given(st.integers(0, 2**32), st.sampled_from([2, 3]), st.sampled_from([0.05, 0.5, 1.5]), st.booleans())
def test_every_row_of_few_runs_holds_its_value_or_has_no_interval(seed, n_runs, scatter, grok):
    rng, steps = np.random.default_rng(seed), STEP[:6]
    with TemporaryDirectory() as path:
        runs = []
        for width in WIDTHS[:3]:
            for k in range(n_runs):
                run, scattered = planted(width, k, steps, int(rng.choice(steps)) if grok else -1), rng.normal(size=steps.size)
                size = np.ceil(run.columns["size"] * np.exp(scatter * (scattered + rng.normal()))).astype(int)
                runs.append(replace(run, columns={**run.columns, "size": size}))
        results = fit(log_at(Path(path), *runs))
    rows = [*results.quantities.items(), *((key, q) for key, named in results.readings.items() for q in named.values())]
    for key, q in rows:
        assert (np.isnan(q.low) and np.isnan(q.high)) or q.low <= q.value <= q.high, key
        assert not np.isnan(q.low) or q.note, key
    assert sum(not np.isnan(q.low) for _, q in rows) > len(rows) / 3  # most have one
