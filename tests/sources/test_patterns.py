"""Which file is which snapshot, by pattern or index, and what is said where none is."""

import math

import pytest

from tdu.errors import InputError
from tdu.sources.patterns import Snapshot, found


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def addresses(here):
    return [(one.scale, one.replicate, one.step) for one in here.snapshots]


def test_a_pattern_finds_the_snapshots_in_order(tmp_path):
    touch(tmp_path, "w16-s1/0010.npy", "w16-s0/0100.npy", "w16-s0/0020.npy", "w8-s0/0.npy", "w8-s0/last.npy", "w8-sx/0.npy")
    here = found(str(tmp_path / "w{scale}-s{replicate}/{step}.npy"))
    assert addresses(here) == [(8, 0, 0), (16, 0, 20), (16, 0, 100), (16, 1, 10)]
    assert here.snapshots[1] == Snapshot(16, 0, 20, tmp_path / "w16-s0/0020.npy")


def test_a_field_that_is_there_twice_agrees_with_itself_and_folders_are_found(tmp_path):
    touch(tmp_path, "8/step8_1/g.npy", "8/step9_1/g.npy", "16/step16_3/g.npy")
    assert addresses(found(str(tmp_path / "{scale}/step{scale}_{step}"))) == [(8, 0, 1), (16, 0, 3)]


def test_wildcards_are_those_of_the_shell(tmp_path):
    touch(tmp_path, "a/b/w4/run-x/7.npy", "w4/run-y/8.npy", "w4/z/9.npy")
    assert addresses(found(f"{tmp_path}/**/w{{scale}}/run-*/{{step}}.npy")) == [(4, 0, 7), (4, 0, 8)]
    assert addresses(found(f"{tmp_path}/w{{scale}}/?/{{step}}.npy")) == [(4, 0, 9)]


def test_brackets_in_a_path_are_no_wildcards(tmp_path):
    touch(tmp_path, "runs [1]/w4/7.npy")
    assert addresses(found(f"{tmp_path}/runs [1]/w{{scale}}/{{step}}.npy")) == [(4, 0, 7)]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("g/{scale}.npy", r"does not name \{step\}: a log has runs of several scales"),
        ("g/x.npy", r"does not name \{scale\} and \{step\}"),
        ("g/{scale}/{epoch}.npy", "has 'epoch' in braces: they hold scale, replicate or step"),
        ("g/{scale}/{step}}.npy", "has '}' in braces"),
        ("g/w{scale}/{step}.npz", r"nothing matches .*: .*g holds 12, w8"),
        ("h/{scale}/{step}.npy", r"nothing matches .*h/\{scale\}/\{step\}.npy: .*h does not exist; .* holds g"),
        (
            "g/{scale}/{step}.npy",
            r"step 1 of run 0 of scale 12 is both .*12/001.npy and .*12/1.npy: name what tells them apart",
        ),
    ],
)
def test_a_pattern_that_does_not_do_is_named(tmp_path, pattern, message):
    touch(tmp_path, "g/12/1.npy", "g/12/001.npy", "g/w8/x.npy")
    with pytest.raises(InputError, match=message):
        found(str(tmp_path / pattern))


def test_a_table_names_paths_and_carries_metrics(tmp_path):
    touch(tmp_path, "a.npy", "b.npy", "c.npy")
    (tmp_path / "index.csv").write_text(
        "path,scale,replicate,step,loss,test_accuracy,grokking_step\na.npy,8,1,0,2.5,0.1,10\nb.npy,8,1,10,1.5,,10\nc.npy,4,0,0,,0.2,\n"
    )
    here = found(str(tmp_path / "index.csv"))
    assert addresses(here) == [(4, 0, 0), (8, 1, 0), (8, 1, 10)]
    assert here.snapshots[1].metrics == {"loss": 2.5, "test_accuracy": 0.1}
    assert here.snapshots[2].metrics["loss"] == 1.5
    assert math.isnan(here.snapshots[2].metrics["test_accuracy"])
    assert here.grokking_steps == {(8, 1): 10}


def test_an_index_in_toml_has_a_pattern_and_what_belongs_to_it(tmp_path):
    touch(tmp_path, "g/8/0.npy", "g/8/10.npy", "g/4/0.npy")
    (tmp_path / "metrics.csv").write_text("scale,step,loss\n8,10,1.5\n8,0,2.5\n8,20,0.5\n")
    (tmp_path / "index.toml").write_text(
        'pattern = "g/{scale}/{step}.npy"\nmetrics = "metrics.csv"\n[grokking_steps]\n8 = 10\n4 = [20, -1]\n'
    )
    here = found(str(tmp_path / "index.toml"))
    assert [(one.scale, one.step, dict(one.metrics)) for one in here.snapshots] == [
        (4, 0, {}), (8, 0, {"loss": 2.5}), (8, 10, {"loss": 1.5}),
    ]  # fmt: skip
    assert here.grokking_steps == {(8, 0): 10, (4, 0): 20, (4, 1): -1}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("i.csv", "path,scale\na.npy,8\n", "has no column `step`, but path, scale"),
        ("i.csv", "path,scale,step\n", "has no rows"),
        ("i.csv", "path,scale,step\na.npy,8,x\n", "line 2: `step` must be a whole number, but it is 'x'"),
        ("i.csv", "path,scale,step\na.npy,8,-1\n", "line 2: `step` must be a whole number, but it is '-1'"),
        ("i.csv", "path,scale,step,loss\na.npy,8,1,low\n", "line 2: `loss` must be a number, but it is 'low'"),
        ("i.csv", "path,scale,step\na.npy,8\n", "line 2 has not the columns of the first line"),
        ("i.csv", "path,scale,step\na.npy,8,1,9\n", "line 2 has not the columns of the first line"),
        ("i.csv", "path,scale,step\ngone.npy,8,1\n", "names .*gone.npy, which does not exist"),
        (
            "i.csv",
            "path,scale,step,grokking_step\na.npy,8,1,5\na.npy,8,2,6\n",
            "line 3: run 0 of scale 8 groks at 6, and before at 5",
        ),
        ("i.csv", "path,scale,step\na.npy,8,1\na.npy,8,1\n", "step 1 of run 0 of scale 8 is both"),
        ("i.toml", "pattern = 3", r"has no `pattern`, a text that names \{scale\}"),
        ("i.toml", "=", "is no index in TOML"),
        (
            "i.toml",
            'pattern = "{scale}/{step}"\nglob = 1',
            "has `glob`: an index has `pattern`, `metrics` and `grokking_steps`",
        ),
        ("i.toml", 'pattern = "{scale}-{step}.npy"\ngrokking_steps = 5', "not a scale and its step"),
        ("i.toml", 'pattern = "{scale}-{step}.npy"\n[grokking_steps]\n8 = "x"', "`grokking_steps` has 8 = x, not a scale"),
        (
            "i.toml",
            'pattern = "{scale}-{step}.npy"\nmetrics = "m.csv"',
            "m.csv has no row of a snapshot that the pattern finds",
        ),
        ("gone.toml", None, "gone.toml does not exist"),
        ("gone.csv", None, "gone.csv does not exist"),
    ],
)
def test_an_index_that_does_not_do_is_named(tmp_path, name, text, message):
    touch(tmp_path, "a.npy", "8-1.npy")
    (tmp_path / "m.csv").write_text("scale,step,loss\n9,1,2\n")
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        found(str(tmp_path / name))


def test_metrics_of_one_step_twice_are_named(tmp_path):
    touch(tmp_path, "8-1.npy")
    (tmp_path / "m.csv").write_text("scale,step,loss\n8,1,2\n8,1,3\n")
    (tmp_path / "i.toml").write_text('pattern = "{scale}-{step}.npy"\nmetrics = "m.csv"')
    with pytest.raises(InputError, match=r"m.csv, line 3: step 1 of run 0 of scale 8 is there twice"):
        found(str(tmp_path / "i.toml"))
