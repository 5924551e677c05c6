"""The whole study again with other seeds: what scatter between studies six seeds a scale leave."""

from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from tdu.analysis.grokking import window
from tdu.analysis.phases import split_at_grokking
from tdu.config import Scope, StudyConfig
from tdu.ensembles import train_all
from tdu.scaling import over_runs, over_time, per_run, slope_and_r2
from tdu.types import CascadeLog, Estimate, Findings, Statistic


def measure(config: StudyConfig, scope: Scope, executor: Executor) -> list[CascadeLog]:
    """Further studies like `config`, of the seeds that follow its own."""
    return [train_all(replace(config, seed=config.seed + again), executor) for again in range(1, scope.n_repeats + 1)]


def analyse(logs: list[CascadeLog]) -> Findings:
    """Readings of the exponents as means over the studies, with t intervals; the scatter between studies is in the note."""
    if len(logs) < 2:
        return Findings()
    values = [_exponents(log) for log in logs]
    readings = {}
    for key in values[0]:
        of_studies = np.array([value[key] for value in values])
        known = of_studies[np.isfinite(of_studies)]
        if known.size > 1:
            spread = known.std(ddof=1)
            half = stdtrit(known.size - 1, 0.975) * spread / np.sqrt(known.size)
            note = f"standard deviation between studies {spread:.3f}"
            estimate = Estimate(known.mean(), known.mean() - half, known.mean() + half, "mean over studies", note)
            readings[key] = {f"{known.size} further studies, other seeds": estimate}
    return Findings(readings=readings)


def _exponents(log: CascadeLog) -> dict[str, float]:
    """The exponents of one study, without intervals."""

    def fitted(statistic: Statistic, inside: npt.ArrayLike = True) -> float:
        sizes = over_runs(per_run(log.size, statistic, inside), statistic)
        return float(slope_and_r2(log.n_sites, sizes)[0])

    first, last = window(log)
    of_time = slope_and_r2(log.n_sites, over_runs(over_time(log), "peak"))[0]
    epochs = {"dimension_early": log.epoch < first, "dimension_late": log.epoch > last}
    return {
        "dimension": fitted("peak"),
        "gamma": fitted("mean"),
        **{key: float(of_time[inside].mean()) if inside.any() else np.nan for key, inside in epochs.items()},
        **{key: fitted("peak", inside) for key, inside in split_at_grokking(log).items()},
    }
