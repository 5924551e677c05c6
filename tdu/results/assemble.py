"""All findings in one: beside the published figures, and as a table."""

import math
from collections.abc import Iterable
from dataclasses import replace

from tdu import files
from tdu.config import GrokkingConfig, LogConfig, Scope, StudyConfig
from tdu.results.published import PUBLISHED, beside_nothing, compare, departure, in_full, label, with_interval
from tdu.results.series import Edge
from tdu.results.series_of_logs import LocalSlopes, Scales
from tdu.series import Series
from tdu.types import Estimate, Findings, Quantity, Results

#: What asks whether a figure agrees that stands in the table before it.
_VERDICTS_ALONE = ("phases_apart",)
_ROUNDING = 1e-9
_SHIFTED = "no interval: resampling shifts the value out of it, as it does where runs are few"
_PHASES = {"all": "all steps", "early": "before grokking", "late": "after grokking"}


def as_one(findings: Iterable[Findings]) -> Findings:
    """All findings in one."""
    estimates: dict[str, Estimate] = {}
    readings: dict[str, dict[str, Estimate]] = {}
    series: list[Series] = []
    for found in findings:
        estimates |= found.estimates
        series += found.series
        for key, named in found.readings.items():
            readings.setdefault(key, {}).update(named)
    return Findings(estimates, readings, tuple(series))


def results_of(config: StudyConfig | GrokkingConfig | LogConfig, scope: Scope | None, findings: Iterable[Findings]) -> Results:
    """All findings as results: in the order of the published table, and of any other log, the excess over its nulls first.

    Those of the paper's study stand beside the published figures; another log is not asked what is a verdict on them alone.
    """
    found = as_one(findings)
    order = [key for key in PUBLISHED if key in found.estimates] + [key for key in found.estimates if key not in PUBLISHED]
    if isinstance(config, LogConfig):
        order = sorted((key for key in order if key not in _VERDICTS_ALONE), key=lambda key: not key.startswith("excess_"))

    def stated(estimate: Estimate, key: str) -> Quantity:
        estimate = with_value_inside(estimate)
        return beside_nothing(estimate) if isinstance(config, LogConfig) else compare(estimate, key)

    quantities = {key: stated(found.estimates[key], key) for key in order}
    readings = {key: {name: stated(e, key) for name, e in named.items()} for key, named in found.readings.items()}
    return Results(config, scope, files.provenance(), quantities, readings, found.series)


def with_value_inside(estimate: Estimate) -> Estimate:
    """The estimate, without its interval where that does not hold the value, and a word of why.

    Of two runs a resample has one, and its maxima, its range and what bends with the mean are others than those of both: an
    interval beside its value would be one of something else. By rounding alone, as where nothing scatters, it is widened.
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    if math.isnan(low) or math.isnan(high) or low <= value <= high:
        return estimate
    slack = _ROUNDING * max(1.0, abs(value))
    if low - slack <= value <= high + slack:
        return replace(estimate, low=min(low, value), high=max(high, value))
    note = "; ".join(said for said in (estimate.note, _SHIFTED) if said)
    return replace(estimate, low=math.nan, high=math.nan, note=note)


def table(results: Results) -> str:
    """The verdict table as text: of pooled studies where there are any, and beside them what one study can tell."""
    if isinstance(results.config, LogConfig):
        found: list[tuple[str, ...]] = [("quantity", "value [95 % interval]", "statistic", "note")]
        found += [(label(key, results.config), with_interval(q), q.statistic, q.note) for key, q in results.quantities.items()]
        return "\n".join([*_aligned(scales_table(results)), "", *_aligned(found), *_local_lines(results)])
    several = results.scope is not None and bool(results.pooled)
    head = ["quantity", "published", "ours [95 % interval]", "verdict"]
    if several and results.scope is not None:
        head[2:3] = [f"{results.scope.n_studies} studies [95 % interval]"]
        head += ["one study", "verdict"]
    rows: list[tuple[str, ...]] = [tuple(head)]
    for key, q in results.quantities.items():
        measured = (results.pooled[key], q) if several else (q,)
        rows.append((label(key), q.published_text, *(cell for one in measured for cell in (with_interval(one), in_full(one)))))
    lines = [*_aligned(rows), *_local_lines(results)]
    for edge in results.all_of(Edge):
        lines += ["", *_aligned(edge_table(edge)), *([f"\n{edge.split}"] if edge.split else [])]
    if results.config.replicates == 1:
        lines.append("\none run a scale leaves no interval (–): use --replicates 2 or more")
    if other := departure(results.config):
        lines.append(f"\n{other}: read the verdicts accordingly")
    return "\n".join(lines)


def scales_table(results: Results) -> list[tuple[str, ...]]:
    """What stands behind the exponents of a log, one row per scale under a heading."""
    rows: list[tuple[str, ...]] = [("scale", "N", "runs", "snapshots", "stopped at the last step allowed (%)")]
    for found in results.all_of(Scales):
        counts = zip(found.scale, found.n_sites, found.runs, found.snapshots, strict=True)
        rows += [(*map(str, row), f"{capped:.3g}") for row, capped in zip(counts, found.capped, strict=True)]
    return rows


def local_table(results: Results) -> list[tuple[str, ...]]:
    """Exponents between neighbouring scales and over windows of them, one row per window under a heading; empty without any."""
    found = list(results.all_of(LocalSlopes))
    if not found:
        return []
    rows: list[tuple[str, ...]] = [("D from N", "to N", *(_PHASES[phase] for phase in found[0].bands))]
    for slopes in found:
        for w, ends in enumerate(zip(slopes.first, slopes.last, strict=True)):
            bands = slopes.bands.values()
            rows.append((*map(str, ends), *(f"{b.value[w]:.2f} [{b.low[w]:.2f}, {b.high[w]:.2f}]" for b in bands)))
    return rows


def _local_lines(results: Results) -> list[str]:
    rows = local_table(results)
    return ["", *_aligned(rows)] if rows else []


def edge_table(found: Edge) -> list[tuple[str, ...]]:
    """How sharp the loss is at the start of each scale's runs, and by how much it then grows, under a heading."""
    rows: list[tuple[str, ...]] = [
        ("scale", "N", "η·λ₀ at the start", "of runs", "largest loss / first", "runs whose loss grows")
    ]
    for scale, n, sharp, over in zip(found.scale, found.n_sites, found.sharpness, found.overshoot, strict=True):
        span = f"{sharp.min():.2f} – {sharp.max():.2f}"
        grown = f"{(over > 1).sum()} of {over.size}"
        rows.append((str(scale), str(n), f"{sharp.mean():.2f}", span, f"{over.mean():.2f}", grown))
    return rows


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as lines, columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
