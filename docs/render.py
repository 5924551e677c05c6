"""Render the pages of this directory from their templates and the committed data: no number in them is typed by hand.

`make docs` runs the study, copies its results and figures here, and calls ``python docs/render.py``. `tdu.pages` says what
stands for a number in a template.
"""

from pathlib import Path

from tdu.experiments import committed
from tdu.files import read_csv
from tdu.pages import Source, render
from tdu.store import load_results

HERE = Path(__file__).parent
#: Experiments whose committed data are older than their pages' templates, and what they wait for. Their pages stay as they are.
AWAITED = {
    "modadd": "its runs, two hours on two cores, have to be made again: `tdu run experiments/modadd/experiment.toml` compares "
    "pairs and shows the peak, which the committed data lack"
}


def sources() -> dict[str, Source]:
    """The study itself, and every experiment by its name."""
    results = load_results(HERE / "results.json")
    experiments = {path.parent.name: committed(path.parent) for path in HERE.parent.glob("experiments/*/experiment.toml")}
    of_study = Source(results.quantities, results.pooled, results.readings)
    counted = Source({}, tables={"coverage": read_csv(HERE.parent / "tests" / "statistical" / "coverage.csv")})
    return {"": of_study, "pooled": Source(results.pooled), "coverage": counted, **experiments}


def pages() -> dict[Path, str]:
    """Every page that has a template, as it should be."""
    quoted = sources()
    return {
        path.with_name(path.name.replace(".template", "")): render(path.read_text(), quoted)
        for path in sorted(HERE.glob("*.template.md"))
        if path.name.removesuffix(".template.md") not in AWAITED
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
