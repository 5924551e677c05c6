"""What stands behind the exponents of a log: scales, runs, avalanches cut short, and what more runs would resolve."""

import math

import numpy as np

from tdu.results.series_of_logs import Scales
from tdu.statistics.resampling import estimate
from tdu.statistics.sampling import mean_of_known, mean_of_runs
from tdu.statistics.scaling import window_dimension
from tdu.types import Estimate, Findings, Log, SizeStatistic

#: Half-width that a study should resolve: half of what D is published to change by, and a sixth of it.
WANTED = 0.05
#: Share of avalanches (%) at a scale from which the step limit may bend D: heavy tails are cut at 3–12 %, at large N first.
BENDING = 1.0


def analyse(log: Log) -> Findings:
    """The scales, and the half-width of the mean of D(t), with what it would take to bring it to ± 0.05."""
    scales = scales_of(log)
    of_runs = 100 * mean_of_known(log.columns["capped"][-1:])
    words = f"share at N = {log.n_sites[-1]}, %"
    largest = estimate(of_runs, mean_of_runs, words, log.seed, bent(scales), within=(0, 100))
    return Findings({"capped_at_largest": largest, "half_width": _resolution(log)}, series=(scales,))


def scales_of(log: Log) -> Scales:
    """Runs, snapshots and the share of avalanches that were stopped, of each scale."""
    known = ~np.isnan(log.size)
    capped = 100 * mean_of_known(log.columns["capped"].reshape(len(log.scale), -1))
    return Scales(log.scale, log.n_sites, known.any(axis=-1).sum(axis=1), known.sum(axis=(1, 2)), capped)


def bent(scales: Scales) -> str:
    """A warning where avalanches are stopped at the last step allowed; empty where hardly any is."""
    worst = int(np.argmax(scales.capped))
    if scales.capped[worst] <= BENDING:
        return ""
    return (
        f"{scales.capped[worst]:.1f} % of the avalanches at N = {scales.n_sites[worst]} are stopped at the last step allowed: "
        "exponents are bent, probe with more (`--max-steps`, `tdu.Probe(max_steps=…)`)"
    )


def _resolution(log: Log) -> Estimate:
    """Half-width of the interval of the mean of D(t), and what would make it `WANTED`.

    It falls with the root of the number of runs, and with the range of log N, as the error of a slope does.
    """
    found = window_dimension(log, SizeStatistic.MEAN, log.step >= log.step[0], log.seed)
    half = (found.high - found.low) / 2
    runs = mean_of_known((~np.isnan(log.size)).any(axis=-1).sum(axis=1).astype(np.float64))
    decades = math.log10(log.n_sites[-1] / log.n_sites[0])
    note = f"{runs:.3g} runs a scale over {decades:.2f} decades of N"
    if half <= WANTED:
        note += f": enough for ± {WANTED}"
    elif math.isnan(half):
        note += ": a scale of one run has no scatter, and leaves no interval"
    else:
        more = math.ceil(float(runs) * (half / WANTED) ** 2)
        note += f"; ± {WANTED} needs about {more} runs a scale, or {decades * half / WANTED:.1f} decades"
    return Estimate(half, math.nan, math.nan, "of the mean of D(t), mean size", note)
