"""report.html as a reader meets it: in a real browser, offline."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tdu.results import figures, report, store
from tdu.results.in_words import WORDS
from tdu.results.published import in_full, label, with_interval
from tdu.results.series import DimensionOverTime, PowerLaws

pytestmark = pytest.mark.slow  # every figure is drawn

COMMITTED = Path(__file__).parent.parent / "docs" / "results.json"

#: What the browser sees.
PROBE = """() => {
  const box = e => { const b = e.getBoundingClientRect(); return [b.width, b.height]; };
  return {
    images: [...document.images].map(i => [i.closest("figure").id, i.complete && i.naturalWidth > 0, ...box(i)]),
    rows: [...document.querySelectorAll("table.verdicts tbody tr")].map(r => [...r.cells].map(c => c.innerText)),
    headings: [...document.querySelectorAll("main h2")].map(h => h.innerText),
    overflow: document.documentElement.scrollWidth - window.innerWidth,
    opening: [...document.querySelectorAll("figure")].map(f => {
      const [box, label, image] = ["input", "label", "img"].map(name => f.querySelector(name));
      f.scrollIntoView();
      const middle = () => document.elementFromPoint(innerWidth / 2, innerHeight / 2);
      const look = () => ({width: image.getBoundingClientRect().width, over: middle() === label || middle() === image,
        y: scrollY, wider: document.documentElement.scrollWidth - innerWidth, reach: label.scrollWidth,
        inside: label.clientWidth - 16, hint: getComputedStyle(label, "::after").content});
      box.focus();
      const outline = getComputedStyle(label).outlineStyle;
      const closed = look(); image.click(); const open = look(); box.click(); const again = look();
      return {name: box.getAttribute("aria-label"), tab: box.tabIndex, outline, closed, open, again};
    }),
  };
}"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    directory = tmp_path_factory.mktemp("report")
    results = store.load_results(COMMITTED)
    looked_at = replace(results, scope=replace(results.scope, figure_formats=("pdf", "svg")))
    figures.draw(looked_at, directory / "figures", 2)
    report.write(results, directory)
    return directory, results


@pytest.fixture(scope="module")
def seen_at(drawn, browser):
    """What is seen at a width, and all that the page then asks for."""

    @cache
    def seen(width):
        page = browser.new_page(viewport={"width": width, "height": 900})
        loaded = []
        page.on("request", lambda request: loaded.append(request.url))
        page.goto((drawn[0] / "report.html").as_uri())
        found = page.evaluate(PROBE)
        page.close()
        return found | {"loaded": [url for url in loaded if not url.startswith("data:")]}

    return seen


@pytest.mark.parametrize("width", [1280, 390])
def test_table_and_every_figure_are_on_the_page(drawn, seen_at, width):
    directory, results = drawn
    seen = seen_at(width)
    assert [image[0] for image in seen["images"]] == figures.drawable(drawn[1])
    for name, loaded, wide, high in seen["images"]:
        assert loaded, f"{name} did not load"
        assert wide > min(300, 0.8 * width)
        assert high > 100
    assert [row[0] for row in seen["rows"]] == [label(key) for key in results.quantities]
    assert [row[2] for row in seen["rows"]] == [with_interval(quantity) for quantity in results.pooled.values()]
    assert [row[3] for row in seen["rows"]] == [in_full(quantity) for quantity in results.pooled.values()]
    assert [row[4] for row in seen["rows"]] == [with_interval(quantity) for quantity in results.quantities.values()]
    assert {"agrees", "does not agree"} <= {row[3] for row in seen["rows"]}
    assert seen["headings"][0] == "Verdicts"
    assert {"Figures", "Configuration", "Provenance", "How to regenerate"} <= set(seen["headings"])
    assert seen["overflow"] <= 0, "the page must not be wider than the window"
    assert seen["loaded"] == [(directory / "report.html").as_uri()]


@pytest.mark.parametrize("width", [1280, 390])
def test_a_figure_opens_larger_and_closes_again(drawn, seen_at, width):
    for one, name in zip(seen_at(width)["opening"], figures.drawable(drawn[1]), strict=True):
        small, large = one["closed"], one["open"]
        assert one["again"] == small, f"{name} is as it was, at the same place of the page"
        inside = large["inside"]  # of the window, without scrollbars
        assert inside > width - 50
        assert large["width"] == (max(min(inside, 768), 672) if name == "dimension" else max(inside, 1024)), name
        assert large["width"] > 1.35 * small["width"]
        assert large["over"], f"{name} does not lie over the page"
        assert large["reach"] >= large["width"] - 1, f"{name} cannot be moved about"
        assert large["y"] == small["y"]
        assert large["wider"] <= 0, "the page must not be wider than the window"
        assert (small["hint"], large["hint"]) == ("none" if width > 960 else '"larger"', '"close"')
        assert one["name"] == f"{WORDS[name].title}: larger"
        assert (one["tab"], one["outline"]) == (0, "solid"), "the keyboard reaches it, and it shows"


def test_fonts_in_pdf_are_true_type(drawn):
    """Type 3, matplotlib's own choice, is refused by publishers and cannot be searched or edited."""
    written = sorted((drawn[0] / "figures").glob("*.pdf"))
    assert len(written) == len(figures.drawable(drawn[1]))
    for path in written:
        content = path.read_bytes()
        assert set(re.findall(rb"/Subtype /(Type\d|TrueType|CIDFontType\d)", content)) == {b"Type0", b"CIDFontType2"}, path.name
        assert b"/FontFile2" in content, f"{path.name} carries no font"


def test_the_page_asks_for_nothing_from_anywhere(drawn):
    text = (drawn[0] / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text)
    assert re.findall(r"<(?:script|style|link|iframe|object)[^>]*>", text) == ["<style>", "<script>"]
    assert "@import" not in text


def test_text_is_escaped_and_figures_that_cannot_be_drawn_are_left_out(drawn):
    directory, results = drawn
    quantity = replace(next(iter(results.quantities.values())), note="<b>&")
    bare = replace(results, quantities={"dimension": quantity}, readings={}, series=())
    text = report.page(bare, directory / "figures")
    assert "&lt;b&gt;&amp;" in text
    assert "how heavy the tail of |g| is" in text.partition("</p>")[0], "what the paper's numbers measure comes first"
    assert "<figure" not in text


def test_results_come_back_as_they_went(drawn, tmp_path):
    _, results = drawn
    store.save_results(tmp_path / "results.json", results)
    assert json.loads((tmp_path / "results.json").read_text()) == json.loads(COMMITTED.read_text())


def test_figures_are_the_same_bytes_for_the_same_results_and_any_number_of_workers(drawn, tmp_path):
    _, results = drawn
    some = replace(results, series=tuple(results.series_of(kind) for kind in (PowerLaws, DimensionOverTime)))
    one, two = ({p.name: p.read_bytes() for p in figures.draw(some, tmp_path / str(n), n)} for n in (1, 2))
    assert sorted(one) == sorted(f"{n}.{s}" for n in ("dimension", "power-law") for s in ("pdf", "png", "svg"))
    assert one == two
