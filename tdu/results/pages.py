"""Pages of prose whose numbers come from data: template and measurements in, Markdown out.

In a template, ``{{key}}`` is a quantity with its interval, ``{{key:published}}`` the published figure, ``{{key:verdict}}`` the
verdict in words, ``{{key:note}}`` its own note, ``{{key|reading}}`` the value under another reading. ``{{table}}`` is the
verdict table, of pooled studies with a single one beside them if there are any, ``{{table:name}}`` a whole table of the data,
and ``{{name[row].column}}`` one cell of it, the row by its first entry; ``{{name}}`` of a text is the text. Where a page has
several sources, ``source/`` stands before any of these.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tdu.results.published import in_full, label, own_note, where, with_interval
from tdu.types import Quantity

Row = Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """What a page can quote: quantities by key, their readings, quantities of pooled studies, tables and texts by name."""

    quantities: Mapping[str, Quantity]
    readings: Mapping[str, Mapping[str, Quantity]] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    pooled: Mapping[str, Quantity] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


def render(template: str, sources: Mapping[str, Source]) -> str:
    """The page, from sources by name; the name of the only or main source is empty. A KeyError names what is not there."""

    def fill(match: re.Match[str]) -> str:
        source, _, rest = match[1].partition("/")
        return _quoted(rest, sources[source]) if source in sources and rest else _quoted(match[1], sources[""])

    return re.sub(r"\{\{(.+?)\}\}", fill, template)


def _quoted(what: str, source: Source) -> str:
    if what in source.texts:
        return source.texts[what]
    if what == "table":
        return _verdicts(source)
    if what.startswith("table:"):
        return _markdown([dict(row) for row in source.tables[what.removeprefix("table:")]])
    if cell := re.fullmatch(r"([\w-]+)\[(.+)\]\.(.+)", what):
        rows = {next(iter(row.values())): row for row in source.tables[cell[1]]}
        return _short(rows[cell[2]][cell[3]])
    if ":" in what:
        key, aspect = what.split(":")
        quantity = source.quantities[key]
        return {"published": quantity.published_text, "verdict": in_full(quantity), "note": own_note(quantity)}[aspect]
    key, _, reading = what.partition("|")
    return with_interval(source.readings[key][reading] if reading else source.quantities[key])


def _verdicts(source: Source) -> str:
    rows = []
    for key, one in source.quantities.items():
        row = {"quantity": label(key), "published": one.published_text, "where": where(key)}
        if source.pooled:
            pooled = source.pooled[key]
            row |= {"pooled studies [95 % interval]": with_interval(pooled), "verdict": in_full(pooled)}
        row |= {"one study": with_interval(one), "its verdict" if source.pooled else "verdict": in_full(one)}
        rows.append(row)
    return _markdown(rows)


def _markdown(rows: list[dict[str, str]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([_short(cell) for cell in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _short(cell: str) -> str:
    """A fraction to three decimals; anything else as it is."""
    return f"{float(cell):.3f}" if re.fullmatch(r"-?\d+\.\d{4,}", cell) else cell
