"""Render the pages of this directory from their templates and the committed data: no number in them is typed by hand.

`make docs` runs the study, copies its results and figures here, and calls ``python docs/render.py``. `tdu.results.pages` says
what stands for a number in a template. package.md is README.md as a package index can show it, with no repository behind its
links.
"""

import re
from pathlib import Path

from tdu.experiments.plan import committed
from tdu.files import read_csv, read_tables
from tdu.results.pages import Source, render
from tdu.results.schema import tables
from tdu.results.store import load_results

HERE = Path(__file__).parent

_CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^<!--.*?-->$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"^\[?!\[.*\n\n(?:\*[^*]+\*\n\n)?", re.MULTILINE)
_RELATIVE_LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:)([^)\s]+)\)")


def sources() -> dict[str, Source]:
    """The study itself, and every experiment by its name."""
    results = load_results(HERE / "results.json")
    experiments = {path.parent.name: committed(path.parent) for path in HERE.parent.glob("experiments/*/experiment.toml")}
    of_study = Source(results.quantities, results.readings, pooled=results.pooled)
    torture = {name: read_csv(HERE.parent / "tests" / "torture" / f"{name}.csv") for name in ("record", "findings")}
    tortured = Source({}, tables=torture, texts=_of_torture(torture["record"]))
    counted = Source({}, tables=read_tables(HERE.parent / "tests" / "statistical"))
    schema = Source({}, tables=tables(results))
    made = {"coverage": counted, "torture": tortured, "schema": schema}
    return {"": of_study, "pooled": Source(results.pooled), **made, **experiments}


def _of_torture(record: list[dict[str, str]]) -> dict[str, str]:
    """What docs/reliability.md quotes: of each part of the attacks its cases and how many attacks it has; how long all took."""
    texts: dict[str, str] = {}
    for part in {row["part"] for row in record} - {""}:
        rows = [row for row in record if row["part"] == part]
        texts |= {part: f"{sum(int(row['cases']) for row in rows):,}", f"{part} in": str(len(rows))}
    for row in record:
        for name, words in (("ours", "files that tdu writes"), ("others", "files that others write"), ("all", "all of these")):
            if words in row["attack"]:
                texts |= {name: f"{int(row['cases']):,}", f"{name} result": row["result"]}
    return texts | {"minutes": texts["all result"].partition(",")[0]}


def package_page(readme: str) -> str:
    """README.md where nothing lies beside it: a link to a file is its text and the path, a picture goes with its caption."""
    parts = _CODE.split(_COMMENT.sub("", readme))
    parts[::2] = [_RELATIVE_LINK.sub(_in_words, _PICTURE.sub("", prose)) for prose in parts[::2]]
    return "".join(parts).rstrip() + "\n\nPaths on this page are those of the source distribution, which holds all of it.\n"


def _in_words(link: re.Match[str]) -> str:
    text, path = link[1], link[2]
    return f"`{path}`" if text == path else f"{text} (`{path}`)"


def pages() -> dict[Path, str]:
    """The package's page and every page that has a template, as they should be."""
    quoted = sources()
    templates = {
        path.with_name(path.name.replace(".template", "")): render(path.read_text(encoding="utf-8"), quoted)
        for path in sorted(HERE.glob("*.template.md"))
    }
    return templates | {HERE / "package.md": package_page((HERE.parent / "README.md").read_text(encoding="utf-8"))}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
