"""`tdu.figures`: what is drawn is what was measured, in the user's style, and the report draws by the same functions."""

import warnings
from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import tdu
import tdu.figures
from tdu.analysis import dimension, excess, one_run, profiles, tails, watched
from tdu.config import LogConfig
from tdu.errors import InputError
from tdu.results import panels
from tdu.types import Results
from tests.planted import recorded, study

#: Each figure function of a log, called as shortly as it can be.
SHORTLY = {
    "collapse": tdu.figures.collapse,
    "column": lambda log, ax=None, **line: tdu.figures.column(log, "loss", ax, **line),
    "dimension": tdu.figures.dimension,
    "epsilon": lambda log, ax=None, **line: tdu.figures.epsilon(log, "signs", ax, **line),
    "excess": lambda log, ax=None, **line: tdu.figures.excess(log, "signs", ax, **line),
    "nulls": tdu.figures.nulls,
    "one_run": lambda log, ax=None, **line: tdu.figures.one_run(log, "epsilon, blocks", ax, **line),
    "power_laws": tdu.figures.power_laws,
    "profiles": tdu.figures.profiles,
    "scaling": tdu.figures.scaling,
    "tails": tdu.figures.tails,
}


@pytest.fixture(scope="module")
def log():
    return recorded()


@pytest.fixture
def ax():
    return Figure().subplots()


def lines(axes):
    """What the lines of some axes go through, but for marks at one place."""
    return [np.array(line.get_xydata()) for line in axes.lines if np.ptp(np.asarray(line.get_xdata(), float)) > 0]


def drawn(axes, values):
    """Whether one of the lines has these heights."""
    return any(line.shape[0] == len(values) and np.allclose(line[:, 1], values, equal_nan=True) for line in lines(axes))


def bands(axes):
    return [one.get_paths()[0].vertices for one in axes.collections]


@pytest.fixture(scope="module")
def results(log):
    """What the report draws of the log."""
    config = LogConfig("recorder", {}, tuple(log.scale.tolist()), 3)
    found = [dimension.analyse(log, (np.nan, np.nan)), tails.analyse(log), watched.analyse(log), one_run.analyse(log)]
    found.append(profiles.analyse(log))
    of_nulls = [excess.over_time(log, name, log.seed) for name in log.nulls]
    return Results(config, None, {}, {}, {}, (*(one for part in found for one in part.series), *of_nulls))


@pytest.mark.parametrize(
    ("panel", "place", "functions"),
    [
        ("dimension", 0, [lambda log, ax: tdu.figures.dimension(log, ax, statistic="peak"), tdu.figures.dimension]),
        ("nulls", 0, [tdu.figures.nulls]),
        ("nulls", 1, [lambda log, ax: tdu.figures.excess(log, "blocks", ax)]),
        ("scaling", 0, [tdu.figures.tails]),
        ("scaling", 1, [lambda log, ax: tdu.figures.scaling(log, ax, statistic="peak"), tdu.figures.scaling]),
        ("scaling", 3, [tdu.figures.collapse]),
        ("power-law", 0, [tdu.figures.power_laws]),
        ("profiles", 0, [lambda log, ax: tdu.figures.profiles(log, ax, exponent=1)]),
        ("profiles", 1, [tdu.figures.profiles]),
        ("watched", 1, [lambda log, ax: tdu.figures.column(log, "loss", ax)]),
        ("one-run", 0, [lambda log, ax: tdu.figures.one_run(log, "loss", ax)]),
    ],
)
def test_a_panel_of_the_report_is_drawn_by_the_function_of_the_same_thing(log, results, panel, place, functions, ax):
    of_report = panels.PANELS[panel](results).axes[place]
    for function in functions:
        assert function(log, ax) is ax
    ours, theirs = lines(ax), lines(of_report)
    if panel == "watched":  # over all runs of a log the report has no room for an interval
        ours = ours[:1]
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other)
    assert len(ax.collections) >= len(of_report.collections)
    assert ax.get_xscale() == of_report.get_xscale()
    assert ax.get_yscale() == of_report.get_yscale()


def test_the_line_and_the_edges_of_the_band_are_the_exponents_and_their_interval(log, ax):
    axes, found = tdu.figures.dimension(log, ax), tdu.dimension_over_time(log)
    assert all(drawn(axes, values) for values in (found.value, found.low, found.high))
    exceeding = tdu.excess(log, "blocks")
    axes = tdu.figures.excess(log, "blocks", Figure().subplots())
    assert all(drawn(axes, values) for values in (exceeding.value, exceeding.low, exceeding.high))


def test_an_interval_of_a_column_is_of_runs_and_leaves_out_what_is_not_known(log, ax):
    norm = log.columns["gradient_norm"].copy()
    norm[:, :, 7], norm[0, 1, 12:], norm[1, :, 15] = np.nan, np.nan, np.nan  # a step that none has, one run, and one scale
    axes = tdu.figures.column(replace(log, columns={**log.columns, "gradient_norm": norm}), "gradient_norm", ax)
    known = np.delete(np.arange(20), 7)
    value, low, high = lines(axes)[0][:, 1], *(line[known, 1] for line in lines(axes)[1:])
    np.testing.assert_allclose(value, np.nanmean(norm[:, :, known], axis=(0, 1)))
    # Student's half-width of the mean of so many runs: percentiles of resamples of two scatter about it
    n = (~np.isnan(norm[:, :, known])).sum(axis=1)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = np.sqrt(np.nansum(n * np.nanvar(norm[:, :, known], axis=1, ddof=1), axis=0)) / n.sum(axis=0)
    assert 1.5 < np.median((high - low) / 2 / error) < 4
    assert ((high - low) / 2 / error < 6).all()
    assert ((low < value) & (value < high)).all()


def test_epsilon_is_that_of_each_scale_with_the_interval_of_its_runs(log, ax):
    axes, found = tdu.figures.epsilon(log, "blocks", ax), tdu.epsilon(log, "blocks").value
    of_scales = np.array([line[:, 1] for line in lines(axes)[1:]]).reshape(3, 3, -1)  # without the one at 0
    for s, (value, low, high) in enumerate(of_scales):
        np.testing.assert_allclose(value, found[s].mean(axis=0))
        alone = np.where(np.arange(3)[:, None, None] == s, found, np.nan)  # the interval of these runs among no others
        of_column = tdu.figures.column(replace(log, columns={**log.columns, "x": alone}), "x", Figure().subplots())
        _, lower, upper = (line[:, 1] for line in lines(of_column))
        np.testing.assert_allclose(high - low, upper - lower, rtol=0.15)


@pytest.mark.parametrize("name", SHORTLY)
def test_every_figure_is_drawn_on_new_axes_with_what_it_shows_on_both(log, name):
    before = set(plt.get_fignums())
    axes = SHORTLY[name](log)
    (made,) = set(plt.get_fignums()) - before
    assert plt.figure(made) is axes.figure
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    plt.close(made)


@pytest.mark.parametrize("name", SHORTLY)
def test_keywords_arrive_at_what_is_drawn(log, name, ax):
    axes = SHORTLY[name](log, ax, color="#123456", linewidth=7)
    styled = [line for line in axes.lines if line.get_linewidth() == 7]
    if name == "power_laws":
        assert to_rgba(axes.lines[0].get_color()) == to_rgba("#123456")
    else:
        assert {to_rgba(line.get_color()) for line in styled} == {to_rgba("#123456")}


def test_styles_are_the_users_but_inside_that_of_the_report(log):
    with mpl.rc_context({"lines.linewidth": 5.0, "axes.prop_cycle": mpl.cycler(color=["#010203", "#040506"])}):
        axes = tdu.figures.dimension(log, Figure().subplots())
        axes = tdu.figures.dimension(log, axes, statistic="peak")
        thick = [line for line in axes.lines if line.get_linewidth() == 5]
        assert [line.get_color() for line in thick] == ["#010203", "#040506"]
        assert mpl.rcParams["lines.linewidth"] == 5
        with tdu.figures.style():
            axes = tdu.figures.dimension(log, Figure().subplots())
            assert (axes.lines[0].get_linewidth(), axes.lines[0].get_color()) == (1.2, "#0072B2")
        assert mpl.rcParams["lines.linewidth"] == 5


def test_a_study_groks_where_its_runs_do(ax):
    planted = study()
    tdu.figures.grokking(planted, ax)
    epoch = np.where(planted.grokking_step < 0, np.nan, planted.grokking_step)
    assert drawn(ax, np.nanmean(epoch, axis=1))
    run = tdu.train_xor(20, epochs=200)
    axes = tdu.figures.training(run, Figure().subplots())
    assert drawn(axes, run.accuracy)
    assert drawn(axes, run.loss)
    assert axes.lines[-1].get_xdata()[0] == run.grokking_epoch


def test_steps_are_counted_from_grokking_where_that_is_asked_for(ax):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps at which few scales have a run
        axes = tdu.figures.dimension(study(), ax, from_grokking=True)
    assert axes.get_xlabel() == "steps from grokking"
    assert axes.lines[0].get_xdata().min() < 0


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda log: tdu.figures.dimension("RUN"), "`log` is of type str: give what `tdu.load` makes"),
        (lambda log: tdu.figures.training(log), "`run` is of type Log: give what `tdu.train_xor` makes"),
        (lambda log: tdu.figures.excess(log, "rewired"), "no null `rewired`, but blocks, signs"),
        (lambda log: tdu.figures.nulls(replace(log, nulls={})), "no nulls: probe its runs with some"),
        (lambda log: tdu.figures.column(log, "lost"), "no column `lost`, but loss, accuracy"),
        (lambda log: tdu.figures.one_run(log, "lost"), "no column `lost`"),
        (lambda log: tdu.figures.one_run(log, "loss", scale=7), "`scale` is 7, but the log has 8, 16, 32"),
        (lambda log: tdu.figures.one_run(log, "loss", scale=8, run=3), "`run` is 3, but scale 8 has 0, 1, 2"),
        (tdu.figures.grokking, "no run of the log groks"),
        (lambda log: tdu.figures.scaling(log, statistic="most"), "`statistic` must be"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_a_figure_is_made(log, draw, said):
    with pytest.raises(InputError, match=said):
        draw(log)
    assert not plt.get_fignums()


def test_profiles_need_a_log_that_has_them(log):
    bare = replace(log, columns={name: values for name, values in log.columns.items() if "profile" not in name})
    with pytest.raises(InputError, match="no mean profiles"):
        tdu.figures.profiles(bare)
