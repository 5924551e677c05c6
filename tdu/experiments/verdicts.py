"""Which verdicts on the published figures stand whatever the seed?"""

from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tdu.config import Scope, StudyConfig
from tdu.experiments.experiment import Experiment, Say, Table
from tdu.reproduce import findings_of, material_of, measure_pooled
from tdu.results.assemble import as_one
from tdu.results.published import in_full, label, with_interval
from tdu.training.ensembles import train_all
from tdu.types import Estimate, Findings, Quantity, Results, Verdict

_AGAIN = "as many again"
_OPPOSITE = {"agrees", "does not agree"}
#: In the order of their colours.
_WORDS: dict[Verdict, str] = {"agrees": "C2", "cannot tell": "0.85", "does not agree": "C1"}


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """Pooled studies, as many again of other seeds, and each of the first by itself as a single study."""
    estimates = measure_pooled(config, scope, executor, say)
    again = measure_pooled(replace(config, seed=config.seed + scope.n_studies), scope, executor, say)
    readings = {key: {_AGAIN: again[key]} for key in estimates}
    for further in range(scope.n_studies):
        say(f"single studies: {further + 1} of {scope.n_studies}")
        for key, found in _single(replace(config, seed=config.seed + further), scope, executor).items():
            readings[key][f"study of seed {config.seed + further}"] = found
    return [Findings(estimates, readings)]


def _single(config: StudyConfig, scope: Scope, executor: Executor) -> dict[str, Estimate]:
    log = train_all(config, executor, every_epoch=True, nulls=True)
    return as_one(findings_of(config, material_of(config, log, scope, executor), scope, executor)).estimates


def _decided(results: Results) -> list[str]:
    return [key for key, q in results.quantities.items() if q.published_text and q.verdict != "not measured"]


def _singles(results: Results, key: str) -> list[Quantity]:
    return [q for name, q in results.readings[key].items() if name != _AGAIN]


def tables(results: Results) -> dict[str, Table]:
    """One row per published figure: both pools, and how many single studies say what; and how many verdicts change."""
    rows: Table = []
    for key in _decided(results):
        q, again = results.quantities[key], results.readings[key][_AGAIN]
        said = [one.verdict for one in _singles(results, key)]
        rows.append(
            {
                "quantity": label(key),
                "published": q.published_text,
                "pooled": with_interval(q),
                "verdict": in_full(q),
                _AGAIN: with_interval(again),
                "its verdict": in_full(again),
                **{f"single: {word}": said.count(word) for word in _WORDS},
            }
        )
    return {"verdicts": rows, "changes": _changes(results)}


def _changes(results: Results) -> Table:
    keys = _decided(results)
    pooled = [(results.quantities[key].verdict, results.readings[key][_AGAIN].verdict) for key in keys]
    singles = [{one.verdict for one in _singles(results, key)} for key in keys]
    told = [[one.verdict for one in _singles(results, key)].count("cannot tell") for key in keys]
    n_studies = len(_singles(results, keys[0]))
    return [
        {"what": "rows", "number": len(keys)},
        {"what": "rows whose verdict differs between the two pools", "number": sum(a != b for a, b in pooled)},
        {"what": "rows on which the pools contradict each other", "number": sum(set(pair) == _OPPOSITE for pair in pooled)},
        {"what": "rows whose verdict differs among single studies", "number": sum(len(said) > 1 for said in singles)},
        {"what": "rows on which single studies contradict each other", "number": sum(said >= _OPPOSITE for said in singles)},
        {"what": "rows the pool cannot tell", "number": sum(a == "cannot tell" for a, _ in pooled)},
        {"what": "rows a single study cannot tell, mean over studies", "number": round(sum(told) / n_studies, 1)},
    ]


def draw(results: Results) -> Figure:
    """Verdicts of both pools and of every single study, one row per published figure."""
    keys = _decided(results)
    words = list(_WORDS)
    columns = [[results.quantities[key], results.readings[key][_AGAIN], *_singles(results, key)] for key in keys]
    image = np.array([[words.index(q.verdict) for q in row] for row in columns], float)
    figure = Figure(figsize=(7.0, 0.17 * len(keys) + 1.3))
    axes = figure.subplots()
    axes.imshow(image, cmap=ListedColormap(list(_WORDS.values())), vmin=-0.5, vmax=2.5, aspect="auto")
    seeds = [name.removeprefix("study of seed ") for name in results.readings[keys[0]] if name != _AGAIN]
    axes.set_xticks(range(2 + len(seeds)), ["pool", "again", *seeds])
    axes.set_yticks(range(len(keys)), [label(key) for key in keys])
    axes.axvline(1.5, color="1", linewidth=4)
    axes.set(xlabel="two pools of studies, and single studies by their seed")
    axes.set_xticks(np.arange(image.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(keys) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="1", linewidth=1)
    axes.tick_params(which="both", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    handles = [Patch(color=colour, label=word) for word, colour in _WORDS.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


EXPERIMENT = Experiment(measure, tables, draw)
