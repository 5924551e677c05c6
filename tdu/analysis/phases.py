"""Before and after grokking, each run split at its own epoch; and each scale left out in turn (Fig. 3)."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tdu.analysis.grokking import epochs_of_runs
from tdu.results.series import Bootstrap, Histogram, LeaveOneOut
from tdu.statistics.resampling import bootstrap, estimate, interval
from tdu.statistics.scaling import exponent_estimate, exponent_of_runs, per_run, without_each_scale
from tdu.types import STATISTICS, Band, Estimate, Findings, Floats, Log, SizeStatistic

_BINS = 80


def analyse(log: Log, dense: Log | None = None, synthetic: Floats | None = None, *, intervals: bool = True) -> Findings:
    """D_pre and D_post of a `log`, and of the same runs with `dense` snapshots, beside D of the `synthetic` sizes (S, K).

    The three statistics, and the two densities of snapshots, are readings of the same words; the largest over the log's own
    snapshots is drawn. A run without snapshots in a phase takes no part in it.
    """
    seed, n_sites = log.seed if intervals else None, log.n_sites
    phases = split_at_grokking(log)
    sources = [("every snapshot", log, phases)] + ([("every epoch", dense, split_at_grokking(dense))] if dense else [])
    estimates: dict[str, Estimate] = {}
    readings: dict[str, dict[str, Estimate]] = {"dimension_pre": {}, "dimension_post": {}, "phase_separation": {}}
    for snapshots, source, split in sources:
        for key, inside in split.items():
            counts = inside.sum(axis=-1)
            note = f"{counts.mean():.1f} snapshots a run; {(counts == 0).sum()} of {counts.size} runs have none"
            for statistic in STATISTICS:
                found = exponent_estimate(n_sites, per_run(source.size, statistic, inside), statistic, seed)
                readings[key][f"{statistic}, {snapshots}"] = replace(found, note=f"{found.note}; {note}")
        for statistic in STATISTICS:
            separation = _separation(n_sites, source.size, split, statistic, seed)
            readings["phase_separation"][f"{statistic}, {snapshots}"] = separation
    for key, named in readings.items():
        estimates[key] = named.pop("peak, every snapshot")
    estimates["phases_apart"] = estimates["phase_separation"]
    samples, left_out = {}, {}
    cases: list[tuple[str, Floats, SizeStatistic]] = [
        *((key, per_run(log.size, SizeStatistic.LARGEST, inside), SizeStatistic.LARGEST) for key, inside in phases.items()),
        *((("dimension_synthetic", synthetic, SizeStatistic.MEAN),) if synthetic is not None else ()),
    ]
    for key, values, statistic in cases:
        samples[key] = bootstrap(values, exponent_of_runs(n_sites, statistic), seed)
        shortened = without_each_scale(n_sites, statistic)
        low, high = interval(bootstrap(values, shortened, seed))
        left_out[key] = Band(shortened(values), low, high)
    estimates["leave_one_out_gap"] = _least_gap(n_sites, phases, log.size, seed)
    return Findings(
        estimates,
        readings,
        series=(
            Bootstrap({key: _histogram(values) for key, values in samples.items()}),
            LeaveOneOut(n_sites, left_out),
        ),
    )


def split_at_grokking(log: Log) -> dict[str, npt.NDArray[np.bool_]]:
    """Which snapshots (S, K, T) come before, and which from, the run's own grokking epoch; an ungrokked run is all before."""
    after = log.step >= epochs_of_runs(log)[..., None]
    return {"dimension_pre": ~after, "dimension_post": after}


def _separation(
    n_sites: npt.NDArray[np.int64],
    size: Floats,
    phases: dict[str, npt.NDArray[np.bool_]],
    statistic: SizeStatistic,
    seed: int | None,
) -> Estimate:
    """D_post − D_pre, both phases of a run resampled together."""
    both = np.stack([per_run(size, statistic, inside) for inside in phases.values()])
    change = exponent_of_runs(n_sites, statistic).then(lambda of_phases: np.diff(of_phases, axis=-1)[..., 0])
    return estimate(both, change, statistic, seed)


def _least_gap(
    n_sites: npt.NDArray[np.int64], phases: dict[str, npt.NDArray[np.bool_]], size: Floats, seed: int | None
) -> Estimate:
    """Least D_post − D_pre that leaving any one scale out of both can give: above 0, the phases stay apart."""
    both = np.stack([per_run(size, SizeStatistic.LARGEST, inside) for inside in phases.values()])

    def gap(exponents: Floats) -> Floats:  # (…, phase, scale left out) → (…)
        return np.asarray(exponents[..., 1, :].min(axis=-1) - exponents[..., 0, :].max(axis=-1))

    return estimate(both, without_each_scale(n_sites, SizeStatistic.LARGEST).then(gap), SizeStatistic.LARGEST, seed)


def _histogram(samples: Floats) -> Histogram:
    known = samples[np.isfinite(samples)]
    if known.size == 0 or np.ptp(known) < 1e-9:  # no spread, no density
        return Histogram(np.zeros(0), np.zeros(1))
    density, edges = np.histogram(known, bins=_BINS, density=True)
    return Histogram(density, edges)
