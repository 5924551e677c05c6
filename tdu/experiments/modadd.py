"""Does D fall through 1 where a transformer groks modular addition, as the companion study says, and do its nulls?"""

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np

from tdu.analysis import alignment, divergence
from tdu.analysis.alignment import FIELDS, Aligned
from tdu.analysis.divergence import Groups
from tdu.config import NULLS, QUICK_GROKKING, GrokkingConfig, Scope
from tdu.experiments.experiment import NetworkExperiment, Say, Table, columns, settings_of, with_band
from tdu.experiments.modadd_figure import draw
from tdu.experiments.modadd_runs import (
    DELAYED,
    GROKKING,
    Comparison,
    Condition,
    comparisons,
    grokking_of,
    paired,
    train_all,
)
from tdu.experiments.modadd_series import (
    Apart,
    AroundGrokking,
    Bands,
    BesideControl,
    Crossing,
    OverEpochs,
    Parting,
    TrainingRuns,
)
from tdu.types import STATISTICS, Estimate, Findings, Floats, Integers, Quantity, Results, SizeStatistic

#: The statistics that stand side by side on the page: the mean size, and the largest over runs, which is the paper's s_max.
_SHOWN = (SizeStatistic.MEAN, SizeStatistic.LARGEST)


def measure(study: GrokkingConfig, _scope: Scope, executor: Executor, say: Say, runs: Path) -> list[Findings]:
    """Train every run, going on from what is in the directory `runs`, and compare."""
    found = train_all(study, executor, say, runs)
    say("intervals")
    jobs: list[Callable[[], Findings]] = []
    for condition, group in found.items():
        jobs.append(partial(_of_learning, study, condition.name, group))
        if condition.kind in (GROKKING, DELAYED):
            jobs.append(partial(_of_grokking, study, condition.name, group))
        else:
            jobs.append(partial(_of_control, study, condition, found))
    jobs += [partial(_of_difference, study, comparison, found) for comparison in comparisons(study)]
    training = {condition.name: group for condition, group in found.items()}
    return [Findings(series=(TrainingRuns(training),)), *executor.map(lambda job: job(), jobs)]


def _of_grokking(study: GrokkingConfig, name: str, runs: Aligned) -> Findings:
    """D around grokking of every field and statistic; the mean size of the real gradients heads."""
    window = study.window // study.snapshot_every
    offsets = np.arange(-2 * window, 2 * window + 1)
    estimates: dict[str, Estimate] = {}
    readings: dict[str, dict[str, Estimate]] = {}
    crossings = []
    for statistic in STATISTICS:
        for field in FIELDS:
            found = alignment.around(runs, field, statistic, window, study.seed)
            crossings.append(Crossing(name, field, statistic, found))
            for key, value in found.items():
                key = f"{key}_{name}"
                if (field, statistic) == ("real", SizeStatistic.MEAN):
                    estimates[key] = value
                else:
                    readings.setdefault(key, {})[f"{field}, {statistic}"] = value
    for null in NULLS:
        for part, inside in (("before", np.arange(-window, 0)), ("after", np.arange(window))):
            estimates[f"excess_{null}_{part}_{name}"] = alignment.excess_at_grokking(runs, null, inside, study.seed)
        estimates[f"excess_{null}_change_{name}"] = alignment.excess_of_change(runs, null, window, study.seed)
    over_time: Bands = {
        (field, statistic): alignment.over_offsets(runs, field, statistic, offsets, study.seed)
        for statistic in _SHOWN
        for field in FIELDS
    }
    return Findings(estimates, readings, (AroundGrokking(name, offsets * study.snapshot_every, over_time, crossings),))


def _of_learning(study: GrokkingConfig, name: str, runs: Aligned) -> Findings:
    """D(t) at absolute epochs, and its mean while the widths memorise, one after the other."""
    snapshots = alignment.memorising(runs)
    found = _levels(study, runs, {field: alignment.inside(runs, field, snapshots) for field in FIELDS})
    over_time: Bands = {
        (field, statistic): alignment.over_epochs(runs, field, statistic, study.seed)
        for statistic in _SHOWN
        for field in ("real", "permuted", "blocks")
    }
    key = f"memorising_{name}"
    return Findings({key: found.pop("real, mean")}, {key: found}, (OverEpochs(name, runs.epoch, over_time),))


def _levels(study: GrokkingConfig, runs: Aligned, values: dict[str, Floats]) -> dict[str, Estimate]:
    """Mean of D(t) over the snapshots of `values` (W, S, K) of each field, by field and statistic."""
    return {
        f"{field}, {statistic}": alignment.level(of_field, runs.n_sites, statistic, study.seed)
        for statistic in _SHOWN
        for field, of_field in values.items()
    }


def _without_grokking(control: Aligned, field: str) -> Floats:
    """(W, S, K): sizes at all snapshots after memorisation of the runs of a control that do not grok, nan for the others."""
    memorised = int(np.where(control.memorised >= 0, control.memorised, 0).max())
    values = alignment.inside(control, field, np.arange(memorised, control.epoch.size))
    return np.where(control.grokking < 0, values, np.nan)


def _of_control(study: GrokkingConfig, condition: Condition, found: dict[Condition, Aligned]) -> Findings:
    """How high D stays in runs that do not grok, and when the others part from them."""
    name, control, grokked = condition.name, found[condition], found[grokking_of(condition)]
    epoch_of = np.where(grokked.grokking >= 0, grokked.grokking, grokked.epoch.size - 1)
    levels = _levels(study, control, {field: _without_grokking(control, field) for field in FIELDS})
    estimates, partings = {f"level_{name}": levels.pop("real, mean")}, []
    before = grokked.epoch <= grokked.epoch[epoch_of].mean()
    pairs = paired(study, grokking_of(condition), condition)
    for field in ("real", "permuted", "blocks"):
        a, b = (np.moveaxis(runs.of(field), -1, 0)[before] for runs in (grokked, control))
        groups = Groups(control.n_sites, a, b, pairs)
        lead = divergence.lead_time(groups, grokked.epoch[before], grokked.epoch[epoch_of], study.seed)
        false = divergence.false_alarm_rate(groups, study.seed)
        partings.append(Parting(field, lead, false))
        if field == "real":
            estimates |= {f"lead_{name}": lead, f"false_alarms_{name}": false}
    a, b = (np.moveaxis(runs.size, -1, 0) for runs in (grokked, control))
    groups = Groups(control.n_sites, a, b, pairs)
    beside = BesideControl(name, pairs, grokked.epoch, groups.difference, groups.error, partings)
    return Findings(estimates, {f"level_{name}": levels}, (beside,))


def _of_difference(study: GrokkingConfig, comparison: Comparison, shown: dict[Condition, Aligned]) -> Findings:
    """One of `comparisons`, with its interval; the mean size of the real gradients heads."""
    one, other = shown[comparison.one], shown[comparison.other]
    pairs = paired(study, comparison.one, comparison.other)
    found = {}
    for statistic in _SHOWN:
        for field in ("real", "permuted", "blocks"):
            a, b = _compared(study, comparison.part, one, other, field, statistic)
            key = f"{field}, {statistic}"
            found[key] = alignment.apart(a, b, one.n_sites, statistic, study.seed, paired=pairs)
    series = Apart(comparison.name, pairs, dict(found))
    return Findings({comparison.name: found.pop("real, mean")}, {comparison.name: found}, (series,))


def _compared(
    study: GrokkingConfig, part: str, one: Aligned, other: Aligned, field: str, statistic: SizeStatistic
) -> tuple[Floats, Floats]:
    """Sizes (W, S, K) of the one group and (V, S, K) of the other in a part of training.

    ``memorising``: each while its own widths memorise. ``before`` and ``after`` grokking: each in its own window. ``level``:
    the one after its grokking, the other wherever it has memorised and does not grok.
    """
    if part == "memorising":
        a, b = (alignment.inside(runs, field, alignment.memorising(runs)) for runs in (one, other))
        return a, b
    window = study.window // study.snapshot_every
    early, late = alignment.sizes_around(one, field, statistic, window)
    if part == "level":
        return late, _without_grokking(other, field)
    before, after = alignment.sizes_around(other, field, statistic, window)
    return (early, before) if part == "before" else (late, after)


def tables(results: Results) -> dict[str, Table]:
    """What the runs did, D around grokking, D(t) aligned at it, when groups part, and by how much they differ."""
    around, controls = results.all_of(AroundGrokking), results.all_of(BesideControl)
    return {
        "runs": [row for name, runs in results.series_of(TrainingRuns).runs.items() for row in _table_of_runs(name, runs)],
        "crossings": [
            {
                "what": f"{row.condition}, {row.field}, {row.statistic}",
                **_with_ends(row.found["dimension_early"], "before"),
                **_with_ends(row.found["dimension_late"], "after"),
                **_with_ends(row.found["rise"], "change"),
                "before lies": alignment.beside_one(row.found["dimension_early"]),
                "after lies": alignment.beside_one(row.found["dimension_late"]),
                "words": alignment.crossing(row.found),
            }
            for one in around
            for row in one.crossings
        ],
        "levels": [
            {"what": f"{key}, {reading}", **_with_ends(level, "level"), "words": alignment.beside_one(level)}
            for key, headline in results.quantities.items()
            if key.startswith(("memorising_", "level_")) and "_minus_" not in key
            for reading, level in {"real, mean": headline, **results.readings[key]}.items()
        ],
        "partings": [
            {
                "what": f"{one.control}, {row.field}",
                "runs": "paired" if one.paired else "not paired",
                "alarm": row.lead.note,
                **_with_ends(row.lead, "lead"),
                **_with_ends(row.false_alarms, "false alarms (%)"),
                "words": divergence.in_words(row.lead),
            }
            for one in controls
            for row in one.partings
        ],
        "differences": [
            {
                "what": f"{one.comparison}, {key}",
                "runs": "paired" if one.paired else "not paired",
                **_with_ends(difference, "difference"),
                "words": alignment.higher_or_lower(difference),
            }
            for one in results.all_of(Apart)
            for key, difference in one.differences.items()
        ],
        "dimension": [
            row for one in around for row in _table_over(one.condition, one.bands, one.offset, "epochs from grokking")
        ],
        "epochs": [
            row for one in results.all_of(OverEpochs) for row in _table_over(one.condition, one.bands, one.epoch, "epoch")
        ],
    }


def _with_ends(found: Estimate | Quantity, name: str) -> dict[str, object]:
    return {name: found.value, f"{name} low": found.low, f"{name} high": found.high}


def _table_of_runs(name: str, runs: Aligned) -> Table:
    epoch = runs.epoch.astype(float)
    return [
        {
            "what": f"{name}, N = {n}",
            "runs": len(grokking),
            "memorised": int((memorised >= 0).sum()),
            "epoch of training accuracy 1": epoch[memorised[memorised >= 0]].mean() if (memorised >= 0).any() else np.nan,
            "test accuracy then": np.mean([t[m] for t, m in zip(test, memorised, strict=True) if m >= 0] or [np.nan]),
            "grokked": int((grokking >= 0).sum()),
            "grokking epoch": epoch[grokking[grokking >= 0]].mean() if (grokking >= 0).any() else np.nan,
            "earliest": epoch[grokking[grokking >= 0]].min() if (grokking >= 0).any() else np.nan,
            "latest": epoch[grokking[grokking >= 0]].max() if (grokking >= 0).any() else np.nan,
            "least test accuracy at the end": test[:, -1].min(),
        }
        for n, memorised, grokking, test in zip(runs.n_sites, runs.memorised, runs.grokking, runs.test_accuracy, strict=True)
    ]


def _table_over(name: str, bands: Bands, at: Integers, label: str) -> Table:
    rows: Table = []
    for (field, statistic), found in bands.items():
        named = {"condition": name, "field": field, "statistic": statistic}
        rows += columns(**{key: [value] * len(at) for key, value in named.items()}, **{label: at}, **with_band(found))
    return rows


_QUICK = settings_of(
    QUICK_GROKKING,
    "widths",
    "moduli",
    "replicates",
    "epochs",
    "delayed_epochs",
    "train_fraction",
    "learning_rate",
    "weight_decay",
    "n_null_draws",
)
EXPERIMENT = NetworkExperiment(measure, tables, draw, GrokkingConfig(), _QUICK)
