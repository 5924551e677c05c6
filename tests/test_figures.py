"""Figures as a journal asks for them: lettered, in fonts a printer takes, readable without colour."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tdu.config import NULLS
from tdu.results import figures, panels, store
from tdu.results.panels import style
from tdu.results.series import DimensionOverTime, NullOverTime
from tdu.results.series_of_logs import MeanProfiles, OneOfLog, Recorded, Watched

COMMITTED = Path(__file__).parent.parent / "docs" / "results.json"


@pytest.fixture(scope="module")
def results():
    """The study's, and what no study records beside D(t)."""
    found = store.load_results(COMMITTED)
    step = found.series_of(DimensionOverTime).epoch
    recorded = {"loss": Recorded(np.geomspace(1, 1e-3, step.size)), "gradient_norm": Recorded(np.cos(step))}
    place, duration = np.linspace(0.1, 0.9, 9), np.arange(4, 12)
    mean = 9 * duration[:, None] ** 0.4 * place * (1 - place)
    profiles = MeanProfiles(duration, place, mean, 0.05 * mean, 1.4, 0.8)
    one_run = OneOfLog(500.0, 0.0, 40.0, 120.0, step, {"epsilon, signs": Recorded(np.sin(step)), **recorded})
    return replace(found, series=(*found.series, Watched(step, recorded), one_run, profiles))


@pytest.fixture(autouse=True)
def _style():
    with mpl.rc_context(fname=figures.STYLE):
        yield


def letters_of(figure):
    return re.findall(r"^\((.)\) ", "\n".join(axes.get_title("left") for axes in figure.axes), re.M)


def letters_in(caption):
    """(a), (a, d) and (b–e), in the order of the alphabet."""
    found = set()
    for inside in re.findall(r"\(([a-h](?:[,–] ?[a-h])*)\)", caption):
        for part in inside.split(", "):
            found |= {chr(code) for code in range(ord(part[0]), ord(part[-1]) + 1)}
    return sorted(found)


def test_every_figure_has_what_draws_it():
    assert list(panels.PANELS) == list(figures.FIGURES)


def test_captions_and_what_can_be_drawn_are_known_without_matplotlib():
    """Other processes draw, and this one need not load it."""
    code = """if True:
        import sys
        from tdu.results import figures, report
        assert figures.caption("dimension").startswith("Fig. 1b. ") and figures.caption("dimension", False).startswith("(a) ")
        assert "at each field, with" in figures.caption("dimension", False, "field")
        assert not {"matplotlib", "tdu.results.panels"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_panel_has_its_letter_and_the_caption_names_it(name, results):
    figure = panels.PANELS[name](results)
    wanted = list("abcdefgh"[: len(figure.axes)])
    assert letters_of(figure) == wanted
    # how many columns a log has, a caption cannot know
    assert letters_in(figures.caption(name)) == (["a"] if name in ("watched", "one-run") else wanted)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_symbols_are_set_as_mathematics(name, results):
    """A symbol stands between dollar signs: outside are words, units and numbers."""
    figure = panels.PANELS[name](results)
    texts = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    assert any("$" in text for text in texts) or name == "gini"
    for text in texts:
        words = re.sub(r"\$[^$]*\$", "", text)
        assert not re.search(r"[αγτ⟨⟩≥]|(?<![\w(])[DNQRShpst](?![\w)])", words), text
        assert not re.search(r"_\{?(max|min|pre|post|synth)", text), f"{text}: a word in a subscript is upright"


def test_letters_are_italic_and_digits_and_words_upright():
    from matplotlib.mathtext import MathTextParser

    parsed = MathTextParser("path").parse(r"$P(S \geq s_{\mathrm{max}}) = 21$")
    slanted = {chr(code): "Oblique" in font.postscript_name for font, _, code, *_ in parsed.glyphs}
    assert {letter for letter, is_so in slanted.items() if is_so} == set("PSs")
    assert set("max21()=≥") <= set(slanted)


def test_logarithmic_axes_have_unlabelled_ticks_at_two_to_nine():
    figure = Figure()
    axes = figure.subplots()
    axes.plot([8, 4000], [1e-5, 1])
    style.log_scale(axes, "xy")
    axes.set(xlim=(10, 1000), ylim=(1e-5, 1))
    figure.draw_without_rendering()
    assert [float(x) for x in axes.get_xticks() if 10 <= x <= 1000] == [10, 100, 1000]
    minor = [x for x in axes.get_xticks(minor=True) if 10 <= x <= 1000]
    np.testing.assert_allclose(minor, [*range(20, 100, 10), *range(200, 1000, 100)])
    assert len([y for y in axes.get_yticks(minor=True) if 1e-5 <= y <= 1]) == 5 * 8
    assert {label.get_text() for label in axes.get_xticklabels(minor=True)} == {""}
    assert [label.get_text() for label in axes.get_xticklabels()][-3:-1] == ["100", "1000"]
    assert all("10^" in label.get_text() for label in axes.get_yticklabels())


#: What a reader without the middle-wave cones sees: linear RGB in and out (Machado, Oliveira, Fernandes 2009).
DEUTERANOPIA = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def seen(colour, cones):
    """CIE L*a*b*."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(cones @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("cones", [np.eye(3), DEUTERANOPIA], ids=["trichromat", "deuteranope"])
def test_nulls_have_other_hues_than_real_gradients_and_lines_of_their_own(cones):
    styles = style.null_styles([*NULLS, "one", "another", "a third"])
    assert (
        list(styles)[:5] == list(style.null_styles(reversed(NULLS))) == ["permuted", "blocks", "signs", "rewired", "gaussian"]
    )
    real, *nulls = (seen(styles[name].colour if name in styles else "C0", cones) for name in ("real", *NULLS))
    for null in nulls:
        assert np.hypot(*(real - null)[1:]) > 30, "the difference in hue and chroma, lightness aside"
    assert len({str(styles[name].dashes) for name in NULLS}) == len(NULLS)
    assert len({(one.colour, str(one.dashes)) for one in styles.values()}) == len(styles) == len(NULLS) + 3


def test_each_excess_has_its_band_in_a_panel_of_its_own(results):
    figure = panels.PANELS["nulls"](results)
    for axes, name in zip(figure.axes[1:], [name for name in style.null_styles(NULLS) if name != "gaussian"], strict=True):
        (null,) = (one for one in results.all_of(NullOverTime) if one.null == name)
        assert axes.get_title("left").endswith(name)
        drawn = {tuple(line.get_ydata()) for line in axes.lines}
        assert {tuple(part) for part in (null.excess.value, null.excess.low, null.excess.high)} <= drawn
        assert len(drawn) == 4, "zero, the excess and the two edges of its band"
    assert len({axes.get_ylim() for axes in figure.axes[1:]}) == 1


def without_published(results):
    """The same study as if nothing had been published on it, and without when it grokked."""
    quantities = {
        key: replace(q, published=None, published_error=None, published_text="", verdict="")
        for key, q in results.quantities.items()
        if not key.startswith("grokking")
    }
    return replace(results, quantities=quantities)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_what_nobody_published_is_drawn_without_published_lines(name, results):
    figure = panels.PANELS[name](without_published(results))
    texts = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    assert letters_of(figure) == list("abcdefgh"[: len(figure.axes)])
    assert not any("published" in text or "window" in text for text in texts)


@pytest.mark.parametrize("names", [["signs"], ["gaussian"], ["permuted", "units", "gaussian"], [*NULLS, "units", "rook"]])
def test_whatever_nulls_there_are_are_drawn(names, results):
    planted = results.series_of(NullOverTime)
    series = tuple(one for one in results.series if not isinstance(one, NullOverTime))
    bare = replace(results, series=series)
    assert "nulls" not in figures.drawable(bare)
    some = replace(results, series=(*series, *(replace(planted, null=name) for name in names)))
    assert "nulls" in figures.drawable(some)
    figure = panels.PANELS["nulls"](some)
    titles = [axes.get_title("left").split(") ")[1] for axes in figure.axes]
    exceeded = [name for name in style.null_styles(names) if name != "gaussian"] or names
    assert titles == ["real and null", *(f"real − {name}" for name in exceeded)]
    assert letters_of(figure) == list("abcdefgh"[: len(figure.axes)])
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"real", *names, "grokking window"}
