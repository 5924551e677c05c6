"""Matching of runs, the alarm that controls set, and what it says of others: planted runs whose answers are known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu.analysis.memorising import memorised_at
from tdu.cli import main
from tdu.errors import InputError
from tdu.files import write_json
from tdu.logs.log import gather
from tdu.logs.store import Store
from tdu.statistics.proportions import proportion
from tdu.types import Layout, Run

T = 30  # snapshots, ten steps apart


def planted(x, replicate=0, memorises=4, grokked=-1, scale=8):
    """A run that memorises at a snapshot, with a column x (T,)."""
    accuracy = np.where(np.arange(len(x)) >= memorises, 1.0, 0.5)
    columns = {"size": np.ones(len(x)), "accuracy": accuracy, "x": np.asarray(x, float), "test_accuracy": accuracy}
    return Run(scale, replicate, Layout.unknown(4), 10 * np.arange(len(x)), columns, {}, {}, grokked)


def stepped(height, at=12, length=T):
    """5, and from a snapshot on more by a height."""
    return np.where(np.arange(length) >= at, 5.0 + height, 5.0)


def controls(n=19):
    return gather(planted(stepped(0.1 * k), k) for k in range(n))


def test_changes_count_from_the_mean_of_the_first_snapshots_that_have_memorised():
    x = np.arange(10.0) ** 2
    found = tdu.since_memorisation(gather([planted(x)]), "x")[0, 0]
    assert np.isnan(found[:7]).all()
    np.testing.assert_allclose(found[7:], x[7:] - x[4:7].mean())
    of_log = tdu.since_memorisation(gather([planted(x)]), "x", of_log=True, baseline=2)[0, 0]
    np.testing.assert_allclose(of_log[6:], np.log(x[6:]) - np.log(x[4:6]).mean())
    assert memorised_at(gather([planted(x)])).tolist() == [[4]]
    assert np.isnan(tdu.since_memorisation(gather([planted(x, memorises=99)]), "x")).all()
    with pytest.raises(InputError, match="`column` is y, but the log has size, accuracy, x"):
        tdu.since_memorisation(gather([planted(x)]), "y")


def test_the_threshold_is_the_order_statistic_that_a_further_control_exceeds_as_rarely_as_asked():
    """Heights are 0, 0.1, … 1.8: of 20 equally probable ranks of a twentieth run one is above the largest of 19."""
    assert tdu.fit_alarm([controls()], "x", "rise", 0.05).threshold == pytest.approx(1.8)
    fifth = tdu.fit_alarm([controls()], "x", "rise", 0.2)
    assert fifth.threshold == pytest.approx(1.5)
    assert fifth.false_alarms == pytest.approx(3 / 19)
    assert (fifth.low, fifth.high) == pytest.approx((0.03383, 0.39578), abs=1e-4)  # Clopper and Pearson, as tables have it
    assert (fifth.n_controls, fifth.watched_steps) == (19, 220)
    assert tdu.fit_alarm([controls(20)], "x", "rise", 0.05).threshold == pytest.approx(1.9)  # of 21 ranks, not of 20
    few = tdu.fit_alarm([controls(5)], "x", "rise", 0.05)
    assert few.threshold == pytest.approx(0.4)  # the largest there is
    fell = tdu.fit_alarm([gather(planted(stepped(-0.1 * k), k) for k in range(19))], "x", "fall", 0.05)
    assert fell.threshold == pytest.approx(-1.8)
    split = [gather(planted(stepped(0.1 * k), k) for k in some) for some in (range(0, 19, 2), range(1, 19, 2))]
    assert tdu.fit_alarm(split, "x", "rise", 0.2).threshold == fifth.threshold
    assert tdu.fit_alarm(split, "x", "rise", 0.2).controls != fifth.controls


def test_further_controls_set_an_alarm_off_as_rarely_as_asked():
    rng = np.random.default_rng(0)
    off = []
    for _ in range(200):
        runs = [planted(np.cumsum(rng.normal(size=T)), k) for k in range(25)]
        alarm = tdu.fit_alarm([gather(runs[:19])], "x", "rise", 0.1)
        off += [one.alarm is not None for one in tdu.watch(alarm, gather(runs[19:]))]
    assert np.mean(off) == pytest.approx(0.1, abs=0.03)  # three standard errors, runs of one draw share a threshold


@pytest.mark.parametrize(("height", "when"), [(1.9, 140), (0.1 * 18, None), (1.7, None), (-5, None)])
def test_an_alarm_goes_off_at_the_third_snapshot_beyond_and_says_the_lead(height, when):
    alarm = tdu.fit_alarm([controls()], "x", "rise", 0.05)
    (found,) = tdu.watch(alarm, gather([planted(stepped(height), grokked=250)]))
    assert (found.alarm, found.grokking, found.memorised) == (when, 250, 40)
    assert found.lead == (None if when is None else 110)


def test_a_spike_of_two_snapshots_and_a_column_that_is_not_known_set_nothing_off():
    alarm = tdu.fit_alarm([controls()], "x", "rise", 0.05)
    spike = np.where(np.isin(np.arange(T), (12, 13)), 99.0, 5.0)
    gaps = np.where(np.arange(T) % 2, np.nan, stepped(2.0))
    found = tdu.watch(alarm, gather([planted(spike, 0), planted(gaps, 1), planted(stepped(9.0), 2, memorises=99)]))
    assert [one.alarm for one in found] == [None, 160, None]  # of every other snapshot the third is later
    assert found[2].memorised is None


def test_an_alarm_says_where_a_run_was_watched_for_longer_than_its_controls():
    alarm = tdu.fit_alarm([controls()], "x", "rise", 0.05)
    found = tdu.watch(alarm, gather([planted(stepped(2.0, at, 60), k) for k, at in enumerate((12, 45))]))
    assert [one.beyond for one in found] == [False, True]


def test_what_cannot_set_an_alarm_is_said():
    with pytest.raises(InputError, match="run 1 of scale 8 groks at step 70, but a control must not"):
        tdu.fit_alarm([gather([planted(stepped(0), 0), planted(stepped(0), 1, grokked=70)])], "x", "rise")
    with pytest.raises(InputError, match="no control has memorised and been watched for 6 snapshots since"):
        tdu.fit_alarm([gather([planted(stepped(0), memorises=25)])], "x", "rise")
    with pytest.raises(InputError, match="`direction` must be one of rise, fall, but it is up"):
        tdu.fit_alarm([controls()], "x", "up")
    with pytest.raises(InputError, match="no column `accuracy`"):
        tdu.watch(
            tdu.fit_alarm([controls()], "x", "rise"),
            replace(controls(), columns={"size": controls().size, "x": controls().size}),
        )


def test_an_alarm_is_read_back_and_one_that_was_changed_is_refused(tmp_path):
    path, alarm = tmp_path / "alarm.json", tdu.fit_alarm([controls()], "x", "rise")
    tdu.save_alarm(path, alarm)
    assert tdu.load_alarm(path) == alarm
    path.write_text(path.read_text().replace('"in_a_row": 3', '"in_a_row": 1'))
    with pytest.raises(InputError, match="is not the alarm of tdu that was written: its checksum differs"):
        tdu.load_alarm(path)
    write_json(path, {"schema": 1, "alarm": {"column": "x"}})
    with pytest.raises(InputError, match="is not an alarm of tdu: 'direction'"):
        tdu.load_alarm(path)
    path.write_text(json.dumps({"schema": 7}))
    with pytest.raises(InputError, match="has schema 7, but this version of tdu reads schema 1"):
        tdu.load_alarm(path)


def test_the_command_says_of_each_run_when_an_alarm_went_off(tmp_path):
    tdu.save_alarm(tmp_path / "alarm.json", tdu.fit_alarm([controls()], "x", "rise"))
    store = Store.begin(tmp_path / "log", "network", {"seed": 0})
    for run in (planted(stepped(2.0), 0, grokked=250), planted(stepped(0.5), 1)):
        store.write(run)
    arguments = ["fit", str(tmp_path / "log"), "--alarm", str(tmp_path / "alarm.json")]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["run"], row["alarm"], row["grokking"], row["lead"]) for row in rows] == [
        (0, 140, 250, 110),
        (1, None, None, None),
    ]
    table = CliRunner().invoke(main, arguments).stdout.splitlines()
    assert table[0].split("\t") == ["scale", "run", "memorised", "alarm", "grokking", "lead", "beyond"]
    assert len(table) == 3


def test_snapshots_are_matched_with_the_nearest_in_loss_and_step_within_the_calipers():
    step = [0, 10, 20, 30]
    loss = np.exp([0.0, -1.0, -2.0, -3.0])
    slower = np.exp([0.0, -0.5, -1.0, -1.5])  # as low only after twice the steps
    flat = np.full(4, 1.0)
    found = tdu.matched(step, loss, step, [slower, flat, np.full(4, np.nan)], loss_caliper=0.5, step_caliper=10)
    # by hand: at 10, log losses −0.5, −1, −1.5 at 10, 20, 30 are apart by 1, 0 + 1, so that the first of equals is taken
    assert found.tolist() == [[0, 1, 3, -1], [0, -1, -1, -1], [-1, -1, -1, -1]]
    wide = tdu.matched(step, loss, step, [slower], loss_caliper=0.5, step_caliper=1000)
    assert wide.tolist() == [[0, 2, 3, -1]]


def test_matching_with_itself_is_the_identity_and_losses_of_zero_match_nothing():
    loss = np.random.default_rng(0).lognormal(size=9)
    assert tdu.matched(np.arange(9), loss, np.arange(9), [loss]).tolist() == [list(range(9))]
    assert tdu.matched([0.0], [0.0], [0.0], [[0.0]]).tolist() == [[-1]]
    with pytest.raises(InputError, match=r"`loss` has shape \(2,\) but `step` \(1,\)"):
        tdu.matched([0], [1, 2], [0], [[1]])
    with pytest.raises(InputError, match=r"`control_loss` has shape \(1,\) but `control_step` \(1,\)"):
        tdu.matched([0], [1], [0], [1])
    with pytest.raises(InputError, match="`loss_caliper` must lie in"):
        tdu.matched([0], [1], [0], [[1]], loss_caliper=0)


def test_a_proportion_has_the_interval_of_clopper_and_pearson():
    from scipy.stats import binomtest

    for found, n in ((0, 5), (5, 5), (2, 7), (13, 40)):
        wanted = binomtest(found, n).proportion_ci(method="exact")
        assert (proportion(found, n).low, proportion(found, n).high) == pytest.approx((wanted.low, wanted.high))
    assert np.isnan(proportion(0, 0).value)
