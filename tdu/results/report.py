"""One self-contained page: verdicts, figures, every reading, configuration and provenance. It computes nothing."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tdu.config import GrokkingConfig, LogConfig
from tdu.files import atomic
from tdu.results import figures
from tdu.results.assemble import edge_table, local_table, scales_table
from tdu.results.command import commands, without_option
from tdu.results.in_words import WORDS, alternative
from tdu.results.markup import Part, Section, document, figure, table, text
from tdu.results.preamble import sentences
from tdu.results.published import departure, in_full, label, time_unit, where, with_interval
from tdu.results.series import Axis, Edge, Robustness
from tdu.types import Results

_TITLES = {"gradients": "recorded gradients", "network": "networks trained by tdu", "synthetic": "synthetic fields"}
_CLASSES = {"agrees": "yes", "does not agree": "no"}  # verdicts


def write(results: Results, directory: Path) -> Path:
    """Write ``report.html`` into `directory`, where `tdu.results.figures.draw` has left ``figures/``; the path written."""
    path = directory / "report.html"
    with atomic(path) as file:
        file.write(page(results, directory / "figures").encode())
    return path


def page(results: Results, drawn: Path) -> str:
    """The page as text, with the SVG figures of the directory `drawn` inside; it loads nothing from anywhere."""
    known = results.config
    of_paper = not isinstance(known, LogConfig)
    title = "Grokking as dimensional phase transition: what reproduces"
    if isinstance(known, LogConfig):
        title = f"Avalanches of {_TITLES.get(known.source, f'a log of source {known.source}')}"
    lead = (_sentences(results), _summary(results) if of_paper else _of_log(results))
    sections = [
        Section("scales", "Scales", () if of_paper else (_scales(results),)),
        Section(*(("verdicts", "Verdicts") if of_paper else ("quantities", "Quantities")), (_verdicts(results),)),
        Section("local-exponents", "Local exponents", tuple(_local_exponents(results))),
        Section("rate-and-width", "Rate and width", tuple(_edge(results))),
        Section("figures", "Figures", tuple(_figures(results, drawn))),
        Section("other-readings", "Other readings", tuple(_readings(results))),
        Section("other-settings", "Robustness", tuple(_robustness(results))),
        Section("configuration", "Configuration", (_configuration(results),)),
        Section("provenance", "Provenance", (_provenance(results),)),
        Section("how-to-regenerate", "How to regenerate", tuple(_how_to_regenerate(results))),
    ]
    return document(title, lead, [section for section in sections if section.content])


def _sentences(results: Results) -> str:
    """What is measured, before any verdict on it."""
    said = (f"<p><b>{text(subject)}</b> {text(rest)}</p>" for subject, rest in sentences(results))
    return f'<div class="measured">{"".join(said)}</div>'


def _configuration(results: Results) -> Part:
    """Every setting, those that the runs of a log share each in a row of its own."""
    known = asdict(results.config) | (asdict(results.scope) if results.scope else {})
    shared = known.pop("settings", {})
    return _pairs("configuration", "Every setting", known | shared)


def _provenance(results: Results) -> Part:
    known = {**results.provenance, **results.provenance["packages"], "packages": None}
    return _pairs("provenance", "What made these results", known)


def _how_to_regenerate(results: Results) -> Iterable[str]:
    if isinstance(results.config, GrokkingConfig):
        return
    lines = commands(results.config, results.scope)
    here = isinstance(results.config, LogConfig) and results.config.source == "gradients"
    where_to = "the directory of this log" if here else "a new directory"
    yield f"<p>In an environment where tdu is installed; RUN is {where_to}:</p>"
    yield f"<pre><code>{text(chr(10).join(lines))}</code></pre>"
    if other := without_option(results.scope):
        said = ", ".join(f"{name} = {value}" for name, value in other.items())
        yield f"<p>There is no option for {text(said)}: these are set where <code>tdu.config.Scope</code> is made.</p>"
    if results.scope is not None and not departure(results.config):
        yield "<p><code>make reproduce</code> in a clone of the repository does the same from nothing.</p>"


def _of_log(results: Results) -> str:
    config = results.config
    assert isinstance(config, LogConfig)
    scales = ", ".join(map(str, config.scales))
    what = "independent Gaussian fields" if config.source == "synthetic" else "the gradients"
    return (
        f"<p>Avalanches of {what} of {len(config.scales)} scales ({scales}), at most {config.replicates} runs each, "
        "measured by tdu. Nothing published stands beside them.</p>"
    )


def _scales(results: Results) -> Part:
    head, *rows = scales_table(results)
    return table("scales", "What stands behind each scale", head, rows)


def _local_exponents(results: Results) -> Iterable[Part | str]:
    """Beside any D: one slope over scales that do not lie on a line is no exponent."""
    if rows := local_table(results):
        yield table("local", "D of the mean size between neighbouring scales, and over windows of three", rows[0], rows[1:])


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
        f"by tdu. Of {len(verdicts)} published figures: {counts}. A figure agrees if our whole interval lies in "
        "the published range, widened by an equivalence margin where its note states one; it does not agree if the interval "
        "lies outside; else the interval cannot tell, and the half-width that could is given.</p>"
    ]
    if results.pooled and results.scope:
        lines.append(
            f"<p>Verdicts are of {results.scope.n_studies} pooled studies of successive seeds, with intervals over studies. "
            "One study is shown beside them: it is what the paper's design can resolve.</p>"
        )
    if other := departure(results.config):
        lines.append(f"<p><b>{text(other[0].upper() + other[1:])}:</b> read the verdicts accordingly.</p>")
    return "".join(lines)


def _verdicts(results: Results) -> Part:
    if isinstance(results.config, LogConfig):
        found = [(label(key, results.config), with_interval(q), q.statistic, q.note) for key, q in results.quantities.items()]
        head = ["quantity", "value [95 % interval]", "statistic", "note"]
        return table("quantities", "Every quantity that was found", head, found)
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
    return table("verdicts", "Published figures beside ours", head, rows, classes=_CLASSES)


def _edge(results: Results) -> Iterable[Part | str]:
    for found in results.all_of(Edge):
        head, *rows = edge_table(found)
        what = "the largest eigenvalue of the Gauss–Newton matrix of the loss at the start of a run, times η"
        yield f"<p>η·λ₀ is {what}.</p>"
        yield table("edge", "η·λ₀ at the start of the runs, and their loss after it", head, rows)
        if found.split:
            yield f"<p><b>{text(found.split)}.</b></p>"


def _figures(results: Results, drawn: Path) -> Iterable[Part]:
    of_paper, unit = not isinstance(results.config, LogConfig), time_unit(results.config)
    for name in figures.drawable(results):
        svg, caption = (drawn / f"{name}.svg").read_bytes(), figures.caption(name, of_paper, unit)
        yield figure(name, WORDS[name].title, svg, alternative(name, results), caption)


def _readings(results: Results) -> Iterable[Part | str]:
    of_paper = not isinstance(results.config, LogConfig)
    keys = [key for key in results.quantities if results.readings.get(key)]
    if keys:
        several = "Where the paper's wording allows several readings" if of_paper else "Other statistics of the same quantity"
        yield f"<p>{several}: each is computed; the first of each table is the one above.</p>"
    for key in keys:
        q = results.quantities[key]
        head, rows = ["reading", "ours" if of_paper else "value", "note"], []
        for name, one in {f"{q.statistic} (above)": q, **results.readings[key]}.items():
            rows.append([name, with_interval(one), one.note])
            if of_paper:
                rows[-1][2:2] = [one.published_text, in_full(one)]
        if of_paper:
            head[2:2] = ["published", "verdict"]
        yield table(f"readings-{key}", label(key, results.config), head, rows, kind="readings", classes=_CLASSES)


def _robustness(results: Results) -> Iterable[Part | str]:
    if not results.has(Robustness):
        return
    found = results.series_of(Robustness)
    yield "<p>Exponents at every setting of the probe, with 95 % intervals.</p>"
    symbols: tuple[tuple[Axis, str, str], ...] = (("alpha", "α", "diffusion strength"), ("quantile", "Q", "threshold level"))
    for axis, symbol, name in symbols:
        rows = [
            (
                f"{training}, {statistic}",
                *(f"{v:.3f} [{low:.3f}, {high:.3f}]" for v, low, high in zip(f.value, f.low, f.high, strict=True)),
            )
            for (of_axis, training, statistic), f in found.bands.items()
            if of_axis == axis
        ]
        head = ("training, statistic", *(f"{symbol} = {v:g}" for v in found.settings(axis)))
        yield table(f"robustness-{axis}", f"Exponents over the {name} {symbol}", head, rows, kind="robustness")


def _pairs(name: str, title: str, values: dict[str, object]) -> Part:
    known = {key: value for key, value in values.items() if value is not None}
    said = {key: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value) for key, value in known.items()}
    return table(name, title, ("setting", "value"), list(said.items()), kind="pairs")
