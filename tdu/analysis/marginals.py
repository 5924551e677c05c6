"""Why D is what it is: the distribution of |g| alone, its tail above the threshold, and how both change with N."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tdu.analysis.grokking import window
from tdu.analysis.phases import split_at_grokking
from tdu.avalanches.surrogates import moment_ratio
from tdu.series import Series
from tdu.statistics.scaling import mean_exponent
from tdu.training.ensembles import Ensemble
from tdu.training.xor import Trained
from tdu.types import Estimate, Findings, Floats, Integers, Log, SizeStatistic

#: Where the tail is drawn, in thresholds.
TAIL_GRID = np.geomspace(1.0, 30.0, 60)
PHASES = ("before", "at", "after")


@dataclass(frozen=True, eq=False)
class Marginals:
    """Of every snapshot: `isolated` (S, K, T) topplings without any share received, `moment_ratio` (S, K, T) of the field.

    `tail` (S, K, T, X) is the share of sites with |g|/τ ≥ each entry of `TAIL_GRID`; nan where τ is 0.
    """

    isolated: Floats
    moment_ratio: Floats
    tail: Floats


@dataclass(frozen=True, eq=False)
class Tails(Series):
    """Share of sites (S, X) with |g|/τ ≥ each entry of `TAIL_GRID`, by phase."""

    key = "tail"
    hidden: Integers
    phases: dict[str, Floats]


@dataclass(frozen=True, eq=False)
class MomentRatios(Series):
    """Moment ratio of the magnitudes of each scale (S,), by phase."""

    key = "moment_ratio"
    hidden: Integers
    phases: dict[str, Floats]


@dataclass(frozen=True, eq=False)
class SizeShare(Series):
    """⟨s⟩/N after the window: of each run (S, K), and of each scale (S,) by field, `real` or a null."""

    key = "size_share"
    hidden: Integers
    n_sites: Integers
    runs: Floats
    fields: dict[str, Floats]


def measure(ensemble: Ensemble, executor: Executor) -> Marginals:
    """Look at the magnitudes of the snapshots of an ensemble."""
    rows = ensemble.measured(_of_run, executor).values()
    shape = (len(ensemble.config.hidden), ensemble.config.replicates)
    columns = (np.array(column) for column in zip(*rows, strict=True))
    return Marginals(*(column.reshape(*shape, *column.shape[1:]) for column in columns))


def _of_run(trained: Trained) -> tuple[Floats, Floats, Floats]:
    fields, probe = trained.fields, trained.probe.probe
    magnitudes = np.abs(fields)
    threshold = np.quantile(magnitudes, probe.quantile, axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = magnitudes / threshold
    ranked = np.sort(relative, axis=-1)
    tail = np.array([1 - np.searchsorted(row, TAIL_GRID) / row.size for row in ranked])
    known = threshold[:, 0] > 0
    isolated = isolated_size(relative, probe.alpha, probe.max_steps)
    return isolated, moment_ratio(fields), np.where(known[:, None], tail, np.nan)


def isolated_size(relative: Floats, alpha: float, max_steps: int) -> Floats:
    """Topplings (…) of fields of |g|/τ (…, N) whose sites receive nothing: the least k with (1 − α)^k |g|/τ ≤ 1, summed.

    Each toppling leaves 1 − α of a site's field, so that a site above the threshold topples ⌈ln(|g|/τ) / −ln(1 − α)⌉ times.
    """
    with np.errstate(divide="ignore"):
        steps = np.ceil(np.log(relative) / -np.log1p(-alpha))
    return np.asarray(np.clip(steps, 0, max_steps).sum(axis=-1))


def analyse(log: Log, marginals: Marginals) -> Findings:
    """D(t) of topplings without diffusion, the moment ratio's own scaling, and the tail of |g|/τ around grokking."""
    first, last = window(log)

    def scaling(values: Floats, inside: npt.NDArray[np.bool_]) -> Estimate:
        return mean_exponent(log.n_sites, np.moveaxis(values[..., inside], -1, 0), SizeStatistic.MEAN, log.seed)

    of_what = {"dimension_isolated": marginals.isolated, "moment_ratio_exponent": marginals.moment_ratio}
    n_small = max(len(log.n_sites) - 2, 2)
    smaller = np.moveaxis(log.size[:n_small, :, log.step > last].astype(np.float64), -1, 0)
    without_largest = mean_exponent(log.n_sites[:n_small], smaller, SizeStatistic.MEAN, log.seed)
    return Findings(
        estimates={key: scaling(values, log.step > last) for key, values in of_what.items()},
        readings={
            **{key: {"before the window": scaling(values, log.step < first)} for key, values in of_what.items()},
            "dimension_late": {"mean, without the two largest scales": without_largest},
        },
        series=(
            Tails(log.scale, {phase: _phase_mean(marginals.tail, inside) for phase, inside in _phases(log).items()}),
            MomentRatios(
                log.scale, {phase: _phase_mean(marginals.moment_ratio, inside) for phase, inside in _phases(log).items()}
            ),
        ),
    )


def size_share(log: Log) -> Findings:
    """Topplings per site after the window, ⟨s⟩/N, of each scale: flat where D = 1; also of the log's nulls."""
    late = log.step > window(log)[1]

    def share(size: npt.NDArray[np.number]) -> Floats:
        with np.errstate(invalid="ignore"):
            return np.asarray(size[..., late].sum(axis=-1) / late.sum() / log.n_sites[:, None])

    real = share(log.size)  # (S, K)
    of_nulls = {name: share(size).mean(axis=(0, 2)) for name, size in log.nulls.items()}
    return Findings(series=(SizeShare(log.scale, log.n_sites, real, {"real": real.mean(axis=-1), **of_nulls}),))


def _phases(log: Log) -> dict[str, npt.NDArray[np.bool_]]:
    """Snapshots (S, K, T) before a run's grokking epoch, the first from then on, and all later ones."""
    split = split_at_grokking(log)
    after = split["dimension_post"]
    at = after & (np.cumsum(after, axis=-1) == 1)
    return dict(zip(PHASES, (split["dimension_pre"], at, after & ~at), strict=True))


def _phase_mean(values: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
    """Mean over the runs and snapshots `inside` (S, K, T) of `values` (S, K, T, …), (S, …); nan where there are none."""
    known = inside & ~np.isnan(values.reshape(*inside.shape, -1)).any(axis=-1)
    weights = known.reshape(*known.shape, *(1,) * (values.ndim - 3))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(weights, values, 0).sum(axis=(1, 2)) / weights.sum(axis=(1, 2)))
