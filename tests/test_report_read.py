"""report.html as it is read: what is measured, contents, tables that sort; by keyboard, on a phone, in the dark, aloud."""

import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tdu.avalanches.nulls import MODELS
from tdu.config import LogConfig
from tdu.results import figures, report, store
from tdu.results.in_words import WORDS, alternative
from tdu.results.preamble import sentences
from tdu.results.published import label, with_interval
from tdu.results.series import DimensionOverTime, NullOverTime

ROOT = Path(__file__).parent.parent
STUDY = store.load_results(ROOT / "docs" / "results.json")
NASTY = '"><script>document.title = "run"</script>'
#: Enough of the study for every kind of section, with each verdict.
KEYS = (
    "dimension",
    "gamma",
    "dimension_r2",
    "dimension_late",
    "r2_min",
    "grokking_last",
    "gini_rise",
    "companion",
    "excess_permuted",
    "excess_blocks",
)
SOME = replace(
    STUDY,
    quantities={key: STUDY.quantities[key] for key in KEYS},
    pooled={key: STUDY.pooled[key] for key in KEYS},
    readings={key: STUDY.readings[key] for key in KEYS[:2]},
)
LOG = replace(
    SOME,
    config=LogConfig("gradients", {"graph": "ba", "nulls": ["permuted"], "note": NASTY}, (8, 16, 32), 4),
    scope=None,
    pooled={},
    quantities=SOME.quantities | {f"correlation_{NASTY}": replace(SOME.quantities["gamma"], note=NASTY)},
    readings={f"correlation_{NASTY}": {NASTY: SOME.quantities["gamma"]}},
    series=(STUDY.series_of(DimensionOverTime), *STUDY.all_of(NullOverTime)),
)  # fmt: skip
PAGES = {"study": SOME, "log": LOG}


@pytest.fixture(scope="module")
def html_of(tmp_path_factory):
    """The page of each of PAGES, with pictures that are soon drawn, as a file."""
    directory = tmp_path_factory.mktemp("pages")
    for name in figures.FIGURES:
        picture = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 3"><path d="M0 3L8 0" stroke="black"/></svg>'
        (directory / f"{name}.svg").write_text(picture)
    for name, results in PAGES.items():
        (directory / f"{name}.html").write_text(report.page(results, directory), encoding="utf-8")
    return {name: directory / f"{name}.html" for name in PAGES}


class Outline(HTMLParser):
    """The elements of a page, each with its attributes; and the text of the links in its contents."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def all(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]


def contrast(a, b):
    """Contrast ratio of two colours, as WCAG 2.2 defines it."""

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", PAGES)
def test_three_sentences_stand_before_the_first_verdict(html_of, name):
    before, _, _ = html_of[name].read_text().partition("<table")
    (block,) = re.findall(r'<div class="measured">(.*?)</div>', before, re.S)
    said = re.sub(r"<[^>]+>", " ", block)
    assert len(re.findall(r"[.!?](?:\s|$)", said)) == 3
    assert re.findall(r"<b>(.*?)</b>", block) == ["D", "Its statistic", "Its nulls"]
    assert not re.search(r"agree", before.partition('<div class="measured">')[0]), "no verdict comes before"


def test_the_sentences_name_the_runs_and_what_each_null_keeps():
    measured, statistic, nulls = (rest for _, rest in sentences(STUDY))
    assert "how heavy the tail of |g| is" in measured
    for words in (
        f"at most {STUDY.config.replicates},",
        f"{len(STUDY.config.hidden)} scales",
        f"{STUDY.scope.n_studies} studies",
    ):
        assert words in statistic
    assert [name for name in MODELS if f"{name} keeps {MODELS[name].keeps}" in nulls] == list(STUDY.config.nulls)
    assert "has written it into the weights" in nulls
    shadow = replace(STUDY, config=replace(STUDY.config, alpha_train=0.0), pooled={})
    assert "studies" not in sentences(shadow)[1][1]
    assert "weights;" not in sentences(shadow)[2][1].partition("(")[0]
    assert "has written" not in sentences(shadow)[2][1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"graph": "ba"}, "how heavy the tail of |g| is"),
        ({"graph": "rook", "ranked": True}, "D of a field without arrangement is 1"),
        ({"graph": "rook"}, "only nulls tell them apart"),
        ({"graph": "given"}, "only nulls tell them apart"),
    ],
)
def test_what_d_is_depends_on_what_the_probe_looks_at(settings, words):
    results = replace(LOG, config=LogConfig("gradients", settings, (8, 16), 1), series=())
    measured, statistic, nulls = (rest for _, rest in sentences(results))
    assert words in measured
    assert "of one run of each of 2 scales, it has no interval" in statistic
    assert "none was probed here" in nulls


@pytest.mark.parametrize("name", PAGES)
def test_contents_lead_to_every_section_figure_and_table(html_of, name):
    text = html_of[name].read_text()
    page, contents = Outline(text), Outline(text[text.index("<nav") : text.index("</nav>")])
    ids = Counter(element["id"] for _, element in page.elements if "id" in element)
    assert max(ids.values()) == 1
    assert not [one for one in ids if re.search(r"\s", one)]
    linked = {link["href"].removeprefix("#") for link in page.all("a")}
    assert linked <= set(ids)
    listed = {link["href"].removeprefix("#") for link in contents.all("a")}
    assert listed >= {one["id"] for one in Outline(text[text.index("<main") :]).all("h2")}
    assert listed >= {one["id"] for one in page.all("figure")}
    boxes = [one["id"] for one in page.all("div") if one.get("class") == "scroll"]
    assert len(boxes) == len(page.all("table")) == len(page.all("caption"))
    assert linked >= set(boxes)
    assert [tag for tag, _ in page.elements if re.fullmatch(r"h\d", tag)][:3] == ["h1", "h2", "h2"]


def test_cells_are_headed_by_columns_and_rows(html_of):
    page = Outline(html_of["study"].read_text())
    scopes = Counter(one["scope"] for one in page.all("th"))
    assert set(scopes) == {"col", "row"}
    assert scopes["row"] == len(page.all("tr")) - len(page.all("table")), "each row has its name"


def test_every_figure_says_in_words_and_numbers_what_it_shows(html_of):
    assert list(WORDS) == list(figures.FIGURES)
    said = {image["alt"] for image in Outline(html_of["study"].read_text()).all("img")}
    assert said == {alternative(name, SOME) for name in figures.drawable(SOME)}
    words = alternative("dimension", STUDY)
    for key in ("dimension", "dimension_late"):
        assert f"{label(key)}: {with_interval(STUDY.quantities[key])}" in words
    assert label("dimension_r2") not in words
    assert alternative("one-run", STUDY) == WORDS["one-run"].drawn


def test_text_has_the_contrast_that_wcag_asks_for_in_light_and_dark(html_of):
    blocks = re.findall(r":root \{(.*?)\}", html_of["study"].read_text(), re.S)
    light, dark = (dict(re.findall(r"--(\w+): (#\w+)", block)) for block in blocks)
    assert set(light) == set(dark)
    for colours in (light, dark):
        for text in ("text", "quiet", "link", "yes", "no"):
            assert contrast(colours[text], colours["page"]) > 4.5
        assert contrast(colours["text"], colours["shade"]) > 4.5
    assert contrast("#000", "#fff") == pytest.approx(21)


def test_no_text_of_a_log_becomes_markup(html_of):
    text = html_of["log"].read_text()
    assert NASTY not in text
    assert text.count("&lt;script&gt;document.title") >= 5, "setting, column, note, reading, contents"
    assert text.count("<script") == 1


@pytest.fixture
def opened(html_of, browser):
    """A page at a width in a theme."""

    def at(name, width=1280, theme="light", **context):
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=theme, **context)
        page.goto(html_of[name].as_uri())
        return page

    yield at
    for context in browser.contexts:
        context.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "width", "theme"),
    [("study", 390, "light"), ("log", 390, "dark"), ("log", 1280, "light"), ("study", 1280, "dark")],
)
def test_axe_finds_no_violation(opened, name, width, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra `browser`").Axe()
    page = opened(name, width, theme)
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[theme]
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 30


@pytest.mark.slow
def test_columns_sort_by_value_by_the_keyboard_and_back(opened):
    page = opened("study")
    head = page.locator(".verdicts th[scope=col]").nth(2)

    def rows():
        return page.locator(".verdicts tbody th").all_inner_texts()

    of = {label(key): value for key, value in SOME.pooled.items()}
    known = [name for name in of if not math.isnan(of[name].value)]
    missing = [name for name in of if name not in known]
    assert missing
    assert rows() == list(of)
    for order, reverse in (("ascending", False), ("descending", True)):
        head.get_by_role("button").focus()
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == order
        assert rows() == [*sorted(known, key=lambda name: of[name].value, reverse=reverse), *missing]
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") is None
    assert rows() == list(of), "the third time, as it was"
    verdict = page.locator(".verdicts th[scope=col]").nth(3)
    head.get_by_role("button").click()
    verdict.get_by_role("button").click()
    assert (head.get_attribute("aria-sort"), verdict.get_attribute("aria-sort")) == (None, "ascending")
    said = page.locator(".verdicts td:nth-child(4)").all_inner_texts()
    assert said == sorted(said, key=lambda words: (words == "", words))


@pytest.mark.slow
def test_without_script_the_page_is_whole(opened):
    page = opened("study", java_script_enabled=False)
    assert page.locator("button").count() == 0
    assert page.locator(".verdicts tbody th").all_inner_texts() == [label(key) for key in SOME.quantities]
    assert page.locator(".verdicts th[scope=col]").first.inner_text() == "quantity"


@pytest.mark.slow
def test_the_keyboard_skips_the_contents_and_moves_a_wide_table(opened):
    page = opened("study", 390)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "report"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "table-verdicts"
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    assert page.locator(".verdicts tbody th").first.bounding_box()["x"] >= 0, "the name of a row stays in sight"


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_only_tables_move_sideways(opened, name):
    page = opened(name, 390)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wider = page.evaluate("[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.id)")
    assert ("table-verdicts" in wider) == (name == "study")
    least = page.evaluate(
        "Math.min(...[...document.querySelectorAll('p, td, th')].map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert least > 12


@pytest.mark.slow
def test_a_script_that_is_not_the_pages_own_does_not_run(html_of, opened):
    injected = html_of["study"].with_name("injected.html")
    injected.write_text(html_of["study"].read_text().replace("</main>", f"{NASTY}</main>"))
    page = opened("study")
    page.goto(injected.as_uri())
    assert page.title() != "run"
    assert page.locator("th button").count() > 0, "the page's own runs"
