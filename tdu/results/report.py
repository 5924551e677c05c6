"""One self-contained page: verdicts, figures, every reading, configuration and provenance. It computes nothing."""

import base64
import html
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tdu.config import GRAPHS, STRUCTURAL_GRAPHS, GrokkingConfig, LogConfig
from tdu.files import atomic
from tdu.results import figures
from tdu.results.assemble import edge_table, local_table, scales_table
from tdu.results.command import commands, without_option
from tdu.results.published import departure, in_full, label, time_unit, where, with_interval
from tdu.results.series import Axis, Edge, Robustness
from tdu.types import Results

_CSS = Path(__file__).with_name("report.css")
_TITLES = {"gradients": "recorded gradients", "synthetic": "synthetic fields"}
_CLASS = {"agrees": "yes", "does not agree": "no"}


def write(results: Results, directory: Path) -> Path:
    """Write ``report.html`` into `directory`, where `tdu.results.figures.draw` has left ``figures/``; the path written."""
    path = directory / "report.html"
    with atomic(path) as file:
        file.write(page(results, directory / "figures").encode())
    return path


def page(results: Results, drawn: Path) -> str:
    """The page as text, with the SVG figures of the directory `drawn` inside; it loads nothing from anywhere."""
    known, css = results.config, _CSS.read_text(encoding="utf-8")
    of_paper = not isinstance(known, LogConfig)
    title = "Grokking as dimensional phase transition: what reproduces"
    if isinstance(known, LogConfig):
        title = f"Avalanches of {_TITLES.get(known.source, f'a log of source {known.source}')}"
    where_open = "Where the paper's wording allows several readings" if of_paper else "Other statistics of the same quantity"
    body = [
        f"<h1>{_text(title)}</h1>",
        _summary(results) if of_paper else _of_log(results),
        *([] if of_paper else ["<h2>Scales</h2>", _scales(results)]),
        f"<h2>{'Verdicts' if of_paper else 'Quantities'}</h2>",
        _verdicts(results),
        *_local_exponents(results),
        *_edge(results),
        "<h2>Figures</h2>",
        *(_figure(name, drawn, figures.caption(name, of_paper, time_unit(known))) for name in figures.drawable(results)),
        "<h2>Other readings</h2>",
        f"<p>{where_open}: each is computed; the first of each block is the one above.</p>",
        *(_readings(results, key) for key in results.quantities if results.readings.get(key)),
        *_robustness(results),
        "<h2>Configuration</h2>",
        _configuration(results),
        "<h2>Provenance</h2>",
        _pairs({**results.provenance, **results.provenance["packages"], "packages": None}),
        "<h2>How to regenerate</h2>",
        *_how_to_regenerate(results),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>tdu: {_text(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _configuration(results: Results) -> str:
    """Every setting, those that the runs of a log share each in a row of its own."""
    known = asdict(results.config) | (asdict(results.scope) if results.scope else {})
    shared = known.pop("settings", {})
    return _pairs(known | shared)


def _how_to_regenerate(results: Results) -> Iterable[str]:
    if isinstance(results.config, GrokkingConfig):
        return
    lines = commands(results.config, results.scope)
    here = isinstance(results.config, LogConfig) and results.config.source == "gradients"
    where_to = "the directory of this log" if here else "a new directory"
    yield f"<p>In an environment where tdu is installed; RUN is {where_to}:</p>"
    yield f"<pre><code>{_text(chr(10).join(lines))}</code></pre>"
    if other := without_option(results.scope):
        said = ", ".join(f"{name} = {value}" for name, value in other.items())
        yield f"<p>There is no option for {_text(said)}: these are set where <code>tdu.config.Scope</code> is made.</p>"
    if results.scope is not None and not departure(results.config):
        yield "<p><code>make reproduce</code> in a clone of the repository does the same from nothing.</p>"


#: What an exponent is one of, for whoever reads the first paragraph alone; docs/what-d-measures.md shows it.
_OF_TAILS = (
    "What D measures: the slope, over network sizes, of how heavy the tail of |g| is above the threshold. The graph knows "
    "nothing of parameters, so that D ≠ 1 is no sign of how the gradient is arranged over them."
)
_OF_PAPER = f"{_OF_TAILS} What D exceeds null models by where the relaxed field trains, the probe has written into the weights."
_OF_RANKS = (
    "Magnitudes are by rank, the same distribution at every size: D of a field without arrangement is 1. What arrangement adds "
    "is ε of each null, with an exponent only where it grows with the size."
)


def _of_log(results: Results) -> str:
    config = results.config
    assert isinstance(config, LogConfig)
    scales = ", ".join(map(str, config.scales))
    what = "independent Gaussian fields" if config.source == "synthetic" else "the gradients"
    ordinary = config.settings.get("graph", GRAPHS[0]) in set(GRAPHS) - set(STRUCTURAL_GRAPHS)
    measures = _OF_RANKS if config.settings.get("ranked") else _OF_TAILS if ordinary else ""
    return (
        f"<p>Avalanches of {what} of {len(config.scales)} scales ({scales}), at most {config.replicates} runs each, "
        f"measured by tdu. Intervals are 95 % by resampling runs. Nothing published stands beside them. {measures}</p>"
    )


def _scales(results: Results) -> str:
    head, *rows = scales_table(results)
    return _table("scales", head, rows)


def _local_exponents(results: Results) -> Iterable[str]:
    """Beside any D: one slope over scales that do not lie on a line is no exponent."""
    if rows := local_table(results):
        yield "<h2>Local exponents</h2><p>Mean size, between neighbouring scales and over windows of three.</p>"
        yield _table("local", rows[0], rows[1:])


def _summary(results: Results) -> str:
    decided = results.pooled or results.quantities
    verdicts = [q.verdict for q in decided.values() if q.published_text]
    words = {
        "agrees": "agree",
        "does not agree": "do not agree",
        "cannot tell": "cannot be told",
        "not measured": "not measured",
    }
    counts = ", ".join(f"{verdicts.count(one)} {many}" for one, many in words.items() if one in verdicts)
    lines = [
        "<p>P. Wang, <i>Grokking as Dimensional Phase Transition in Neural Networks</i>, arXiv:2604.04655, measured again "
        f"by tdu. {_OF_PAPER} Of {len(verdicts)} published figures: {counts}. A figure agrees if our whole interval lies in "
        "the published range, widened by an equivalence margin where its note states one; it does not agree if the interval "
        "lies outside; else the interval cannot tell, and the half-width that could is given.</p>"
    ]
    if results.pooled and results.scope:
        lines.append(
            f"<p>Verdicts are of {results.scope.n_studies} pooled studies of successive seeds, with intervals over studies. "
            "One study is shown beside them: it is what the paper's design can resolve.</p>"
        )
    if other := departure(results.config):
        lines.append(f"<p><b>{_text(other[0].upper() + other[1:])}:</b> read the verdicts accordingly.</p>")
    return "".join(lines)


def _verdicts(results: Results) -> str:
    if isinstance(results.config, LogConfig):
        found = [(label(key, results.config), with_interval(q), q.statistic, q.note) for key, q in results.quantities.items()]
        return _table("quantities", ("quantity", "value [95 % interval]", "statistic", "note"), found)
    several = bool(results.pooled)
    head = ["quantity", "published", "ours [95 % interval]", "verdict", "where", "statistic", "note"]
    if several and results.scope:
        head[2] = f"{results.scope.n_studies} studies [95 % interval]"
        head[4:4] = ["one study [95 % interval]", "its verdict"]
    rows = []
    for key, q in results.quantities.items():
        measured = (results.pooled[key], q) if several else (q,)
        cells = [cell for one in measured for cell in (with_interval(one), in_full(one))]
        rows.append((label(key), q.published_text, *cells, where(key), q.statistic, q.note))
    return _table("verdicts", head, rows, verdict_columns=(3, 5) if several else (3,))


def _edge(results: Results) -> Iterable[str]:
    for found in results.all_of(Edge):
        head, *rows = edge_table(found)
        what = "the largest eigenvalue of the Gauss–Newton matrix of the loss at the start of a run, times η"
        yield f"<h2>Rate and width</h2><p>η·λ₀ is {what}.</p>"
        yield _table("edge", head, rows)
        if found.split:
            yield f"<p><b>{_text(found.split[0].upper() + found.split[1:])}.</b></p>"


def _readings(results: Results, key: str) -> str:
    named = {f"{results.quantities[key].statistic} (above)": results.quantities[key], **results.readings[key]}
    if isinstance(results.config, LogConfig):
        found = [(name, with_interval(q), q.note) for name, q in named.items()]
        return f"<h3>{_text(label(key, results.config))}</h3>" + _table("readings", ("reading", "value", "note"), found)
    rows = [(name, with_interval(q), q.published_text, in_full(q), q.note) for name, q in named.items()]
    return f"<h3>{_text(label(key))}</h3>" + _table("readings", ("reading", "ours", "published", "verdict", "note"), rows, (3,))


def _robustness(results: Results) -> Iterable[str]:
    if not results.has(Robustness):
        return
    found = results.series_of(Robustness)
    yield "<h2>Robustness</h2><p>Exponents at every setting of the probe, with 95 % intervals.</p>"
    symbols: tuple[tuple[Axis, str], ...] = (("alpha", "α"), ("quantile", "Q"))
    for axis, symbol in symbols:
        rows = [
            (
                f"{training}, {statistic}",
                *(f"{v:.3f} [{low:.3f}, {high:.3f}]" for v, low, high in zip(f.value, f.low, f.high, strict=True)),
            )
            for (of_axis, training, statistic), f in found.bands.items()
            if of_axis == axis
        ]
        yield _table("robustness", ("training, statistic", *(f"{symbol} = {v:g}" for v in found.settings(axis))), rows)


def _figure(name: str, drawn: Path, caption: str) -> str:
    data = base64.b64encode((drawn / f"{name}.svg").read_bytes()).decode()
    caption = _text(caption)
    # a checkbox, so that a figure opens larger without script: by a tap on its label or by the keyboard
    opened = f'<input type="checkbox" id="larger-{name}" aria-label="Figure {name}: larger">'
    image = f'<label for="larger-{name}"><img alt="{caption}" src="data:image/svg+xml;base64,{data}"></label>'
    return f'<figure id="{name}">{opened}{image}<figcaption>{caption}</figcaption></figure>'


def _table(name: str, head: Iterable[str], rows: Iterable[Iterable[str]], verdict_columns: tuple[int, ...] = ()) -> str:
    def cell(text: str, column: int) -> str:
        style = f' class="{_CLASS[text]}"' if column in verdict_columns and text in _CLASS else ""
        return f"<td{style}>{_text(text)}</td>"

    titles = "".join(f"<th>{_text(title)}</th>" for title in head)
    lines = "".join("<tr>" + "".join(cell(text, column) for column, text in enumerate(row)) + "</tr>\n" for row in rows)
    content = f"<thead><tr>{titles}</tr></thead>\n<tbody>{lines}</tbody>"
    return f'<div class="scroll"><table class="{name}">{content}</table></div>'


def _pairs(values: dict[str, object]) -> str:
    known = {name: value for name, value in values.items() if value is not None}
    said = {name: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value) for name, value in known.items()}
    return _table("pairs", ("setting", "value"), said.items())


def _text(value: str) -> str:
    return html.escape(value, quote=True)
