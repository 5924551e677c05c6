"""Render reproduction.md from its template and the committed results: no number in it is typed by hand.

`make docs` runs the study, copies its results and figures here, and calls ``python docs/render.py``.

In the template, ``{{key}}`` is our value with its interval, ``{{key:published}}`` the published figure, ``{{key:verdict}}`` the
verdict in words, ``{{key|reading}}`` the value under another reading, ``{{table}}`` the verdict table.
"""

import re
from pathlib import Path

from tdu.published import label, verdict, where, with_interval
from tdu.store import load_results
from tdu.types import Results

HERE = Path(__file__).parent


def render(template: str, results: Results) -> str:
    """The page; a KeyError names what the results do not hold."""

    def fill(match: re.Match[str]) -> str:
        what = match[1]
        if what == "table":
            return _table(results)
        if ":" in what:
            key, aspect = what.split(":")
            quantity = results.quantities[key]
            return {"published": quantity.published_text, "verdict": verdict(quantity), "note": quantity.note}[aspect]
        key, _, reading = what.partition("|")
        return with_interval(results.readings[key][reading] if reading else results.quantities[key])

    return re.sub(r"\{\{(.+?)\}\}", fill, template)


def _table(results: Results) -> str:
    lines = ["| quantity | ours [95 % interval] | published | where | verdict |", "| --- | --- | --- | --- | --- |"]
    for key, q in results.quantities.items():
        cells = (label(key), with_interval(q), q.published_text, where(key), verdict(q))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    page = render((HERE / "reproduction.template.md").read_text(), load_results(HERE / "results.json"))
    (HERE / "reproduction.md").write_text(page)
