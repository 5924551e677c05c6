"""HTML of one self-contained page: sections with contents, tables that sort, figures inside.

Every text that comes in is escaped, and the page forbids itself to load or run anything but what it has.
"""

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """A table or a figure: its `anchor`, the `title` that the contents have, and its `html`."""

    anchor: str
    title: str
    html: str


@dataclass(frozen=True)
class Section:
    """What stands under a heading: parts, and paragraphs as HTML."""

    anchor: str
    title: str
    content: Sequence[Part | str]


def document(title: str, lead: Iterable[str], sections: Sequence[Section]) -> str:
    """The page under `title`: the `lead` as paragraphs of HTML, then the `sections`. It loads nothing, and may not."""
    css, script = (_HERE.joinpath(f"report.{suffix}").read_text(encoding="utf-8") for suffix in ("css", "js"))
    policy = f"default-src 'none'; img-src data:; style-src {_hash(css)}; script-src {_hash(script)}"
    body = [*lead, *(_of_section(section) for section in sections)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>tdu: {text(title)}</title>\n<style>{css}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#report">Skip to the report</a>\n'
        f"<header><h1>{text(title)}</h1></header>\n{_contents(sections)}\n"
        '<main id="report" tabindex="-1">\n' + "\n".join(body) + f"\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def table(
    name: str,
    title: str,
    head: Iterable[str],
    rows: Iterable[Sequence[str]],
    *,
    kind: str = "",
    classes: dict[str, str] | None = None,
) -> Part:
    """A table called `title`, whose rows begin with their names, in a box of its own that scrolls where it is too wide.

    `name` makes its anchor and, unless there is a `kind`, its class; cells that say what `classes` names are of that class.
    """

    def cell(said: str) -> str:
        style = f' class="{classes[said]}"' if classes and said in classes else ""
        return f"<td{style}>{text(said)}</td>"

    anchor = f"table-{quote(name, safe='')}"
    titles = "".join(f'<th scope="col">{text(column)}</th>' for column in head)
    lines = "".join(f'<tr><th scope="row">{text(row[0])}</th>{"".join(map(cell, row[1:]))}</tr>\n' for row in rows)
    caption = f'<caption id="{anchor}-title"><span>{_self_link(anchor, title)}</span></caption>'
    content = f"{caption}\n<thead><tr>{titles}</tr></thead>\n<tbody>{lines}</tbody>"
    box = f'<div class="scroll" id="{anchor}" role="region" aria-labelledby="{anchor}-title" tabindex="0">'
    return Part(anchor, title, f'{box}<table class="{kind or name}">{content}</table></div>')


def figure(name: str, title: str, svg: bytes, alternative: str, caption: str) -> Part:
    """A figure that opens larger, with what it shows in words as the `alternative` of the image."""
    data = base64.b64encode(svg).decode()
    # a checkbox, so that a figure opens larger without script: by a tap on its label or by the keyboard
    opened = f'<input type="checkbox" id="larger-{name}" aria-label="{text(title)}: larger">'
    image = f'<label for="larger-{name}"><img alt="{text(alternative)}" src="data:image/svg+xml;base64,{data}"></label>'
    said = f"<figcaption><b>{_self_link(name, title)}.</b> {text(caption)}</figcaption>"
    return Part(name, title, f'<figure id="{name}">{opened}{image}{said}</figure>')


def text(value: str) -> str:
    """`value` as text of HTML, or of an attribute in quotes."""
    return html.escape(value, quote=True)


def _contents(sections: Iterable[Section]) -> str:
    items = (f"<li>{_link(section.anchor, section.title)}{_parts(section)}</li>" for section in sections)
    return f'<nav aria-labelledby="contents"><h2 id="contents">Contents</h2><ul>{"".join(items)}</ul></nav>'


def _parts(section: Section) -> str:
    """Links to the parts of a section, folded, where it has several."""
    links = [f"<li>{_link(part.anchor, part.title)}</li>" for part in section.content if isinstance(part, Part)]
    return f"<details><summary>all {len(links)}</summary><ul>{''.join(links)}</ul></details>" if len(links) > 1 else ""


def _of_section(section: Section) -> str:
    content = (part.html if isinstance(part, Part) else part for part in section.content)
    return "\n".join((f'<h2 id="{section.anchor}">{_self_link(section.anchor, section.title)}</h2>', *content))


def _link(anchor: str, title: str) -> str:
    return f'<a href="#{anchor}">{text(title)}</a>'


def _self_link(anchor: str, title: str) -> str:
    """A title that is a link to where it stands, to be copied."""
    return f'<a class="here" href="#{anchor}">{text(title)}</a>'


def _hash(content: str) -> str:
    """What a content security policy calls this one inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
