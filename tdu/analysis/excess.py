"""D against its nulls: the same snapshots of the same runs, through the same probe, with one thing destroyed."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from tdu.analysis.grokking import window
from tdu.analysis.phases import split_at_grokking
from tdu.avalanches.nulls import Null, prepared
from tdu.errors import InputError
from tdu.logs.log import gather
from tdu.results.series import NullOverTime
from tdu.rng import Stage, generator
from tdu.statistics.resampling import OfRuns, RunStatistic, bootstrap, estimate, interval
from tdu.statistics.sampling import mean_of_known, picked_means
from tdu.statistics.scaling import exponent_of_runs, per_run, sets_of_scales, slopes
from tdu.training.ensembles import Ensemble
from tdu.training.xor import Trained
from tdu.types import Band, Estimate, Findings, Floats, Integers, Log, SizeStatistic

N_PERMUTATIONS = 2000
_N_RESAMPLES = 2000  # percentiles of 95 % need no more; there are some sixty of these intervals
_BLOCK = 250  # permutations held in memory at a time
_HEADLINE = "D(t) after the window, mean"


def measure(ensemble: Ensemble, models: Sequence[Null], n_draws: int, executor: Executor) -> dict[str, Floats]:
    """Avalanche sizes (D, S, K, T) of each of the `models`, nulls or surrogates, of the snapshots of an ensemble, by name."""
    found = ensemble.measured(partial(_of_run, models, n_draws, ensemble.config.seed), executor)
    runs = (replace(ensemble.runs[address].run, nulls=sizes) for address, sizes in found.items())
    return dict(gather(runs).nulls)


def _of_run(models: Sequence[Null], n_draws: int, seed: int, trained: Trained) -> dict[str, Integers]:
    """Sizes (D, T) under every null of one run."""
    run, probe = trained.run, trained.probe
    draws = prepared(models, n_draws, run.layout, probe.graph, (seed, run.scale, run.replicate))
    return {name: probe.sizes_under(of_null, trained.fields, run.step) for name, of_null in draws.items()}


def analyse(log: Log, name: str, *, intervals: bool = True) -> Findings:
    """Excess of the exponents over one null, paired by run; the mean size after grokking is drawn and heads the readings.

    Sizes of a run under a null are the mean over its draws. That suits statistics that are means over runs, which the largest
    over runs is not: `run-peak` stands for the maxima. D(t) under the null is drawn, with its bands, and goes with the
    `intervals`.
    """
    sizes, seed = log.nulls[name], log.seed if intervals else None
    compared = _comparisons(log, sizes)
    readings = {reading: excess(*comparison, seed) for reading, comparison in compared.items()}
    unknown = Estimate(np.nan, np.nan, np.nan, "real − null", "no snapshot after the window")
    estimates = {f"excess_{name}": readings.pop(_HEADLINE, unknown)}
    if _HEADLINE in compared:
        real, null, exponent = compared[_HEADLINE]
        estimates[f"share_{name}"] = lost_share(real, null.mean(axis=0), exponent, seed)
    return Findings(estimates, {f"excess_{name}": readings}, (over_time(log, name, seed),) if intervals else ())


def at_all_steps(log: Log, name: str) -> Findings:
    """Excess of D(t) of the mean size over one null, averaged over all steps: where a log knows no grokking."""
    everything = np.flatnonzero(log.complete)
    real, null = _in_time(log.size, everything), _in_time(log.nulls[name], everything)
    return Findings(
        {
            f"excess_at_all_steps_{name}": excess(real, null, _mean_over_time(log), log.seed),
            f"share_at_all_steps_{name}": lost_share(real, null.mean(axis=0), _mean_over_time(log), log.seed),
        }
    )


def excess_inside(log: Log, name: str, inside: Integers, seed: int) -> tuple[Estimate, float]:
    """Excess of D(t) of the mean size over one null, averaged over the snapshots `inside`, and its p-value."""
    real, null = _in_time(log.size, inside), _in_time(log.nulls[name], inside)
    exponent = _mean_over_time(log)
    return excess(real, null, exponent, seed), permutation_p(real, null, exponent, seed)


def _in_time(size: npt.NDArray[np.number], inside: Integers) -> Floats:
    """Sizes (…, S, K, T) as (…, T, S, K), of the snapshots `inside`."""
    return np.moveaxis(size[..., inside].astype(np.float64), -1, -3)


def _mean_over_time(log: Log) -> RunStatistic:
    return exponent_of_runs(log.n_sites, SizeStatistic.MEAN).then(lambda of_time: of_time.mean(axis=-1))


def excess(real: Floats, null: Floats, exponent: OfRuns, seed: int | None = 0) -> Estimate:
    """`exponent` of the `real` values (…, S, K) minus that of the mean of the draws of `null` (draws, …, S, K).

    The interval resamples runs, each with its null: it is of the mean over runs like these. The p-value in the note is
    two-sided, by permutation over runs: under the null a run's real value is one more draw, and which of them is called real
    does not matter. It tests these runs, whose own scatter it does not count, and can be small where the interval holds 0.
    """
    both = np.stack([real, null.mean(axis=0)])
    found = estimate(both, _difference(exponent), "real − null", seed, n_resamples=_N_RESAMPLES)
    if seed is None:
        return found
    p = permutation_p(real, null, exponent, seed)
    return Estimate(found.value, found.low, found.high, found.statistic, f"p = {p:.4f} over {N_PERMUTATIONS} permutations")


def permutation_p(real: Floats, null: Floats, exponent: OfRuns, seed: int = 0, n: int = N_PERMUTATIONS) -> float:
    """Two-sided p-value that the real values are exchangeable, run by run, with the draws of the null.

    An InputError refuses statistics of the largest run: means over runs stand for the runs here.
    """
    if RunStatistic.of(exponent).depends_on == "maximum":
        raise InputError("the excess of the largest over runs has no p-value here: give `run-peak` or `mean`")
    pool = np.concatenate([real[None], null])  # (1 + draws, …, S, K)
    n_pool, (n_scales, n_runs) = len(pool), real.shape[-2:]
    rng, difference = generator(seed, Stage.PERMUTATION), _difference(exponent)
    observed = abs(float(difference(np.stack([real, null.mean(axis=0)])[None])[0]))
    rows = np.ascontiguousarray(np.moveaxis(pool.reshape(n_pool, -1, n_scales * n_runs), 1, -1)).reshape(
        n_pool * n_scales * n_runs, -1
    )
    places = np.arange(n_scales * n_runs).reshape(n_scales, n_runs).T[:, None]  # (K, 1, S)
    of_all = mean_of_known(pool.mean(axis=0))  # over draws and runs, (…, S)
    extreme = 0
    for start in range(0, n, _BLOCK):
        which = rng.integers(n_pool, size=(n_runs, min(_BLOCK, n - start), n_scales))
        chosen = picked_means(rows, which * (n_scales * n_runs) + places).reshape(-1, *of_all.shape)
        rest = (n_pool * of_all - chosen) / (n_pool - 1)
        both = np.stack([chosen, rest], axis=1)[..., None]  # (B, 2, …, S, 1)
        extreme += int((np.abs(difference(both)) >= observed * (1 - 1e-12)).sum())
    return (1 + extreme) / (1 + n)


def lost_share(real: Floats, null: Floats, exponent: OfRuns, seed: int | None = 0) -> Estimate:
    """Share (%) of the excess of the exponent over 1 that is lost under the null: (D − D_null) / (D − 1)."""

    def share(exponents: Floats) -> Floats:  # (B, real or null) → (B,)
        of_real, of_null = exponents[:, 0], exponents[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(100 * (of_real - of_null) / (of_real - 1))

    lost = RunStatistic.of(exponent).then(share)
    return estimate(np.stack([real, null]), lost, "share of D − 1, %", seed, n_resamples=_N_RESAMPLES)


def _difference(exponent: OfRuns) -> RunStatistic:
    """(B, 2, …, S, K) → (B, …): of the real sizes minus of the null's."""
    return RunStatistic.of(exponent).then(lambda found: found[:, 0] - found[:, 1])


def _comparisons(log: Log, null: Floats) -> dict[str, tuple[Floats, Floats, RunStatistic]]:
    """Real values, values of the draws, and the exponent to compare, by reading."""
    first, last = window(log)
    before, after = (np.flatnonzero(inside & log.complete) for inside in (log.step < first, log.step > last))
    fit, over_window = exponent_of_runs(log.n_sites, SizeStatistic.MEAN), _mean_over_time(log)
    compared: dict[str, tuple[Floats, Floats, RunStatistic]] = {}
    for reading, inside in (("before", before), ("after", after)):
        if inside.size:
            compared[f"D(t) {reading} the window, mean"] = _in_time(log.size, inside), _in_time(null, inside), over_window
    if before.size and after.size:
        both = np.concatenate([before, after])
        rise = fit.then(lambda of_time: of_time[..., before.size :].mean(axis=-1) - of_time[..., : before.size].mean(axis=-1))
        compared["D(t) after minus before, mean"] = _in_time(log.size, both), _in_time(null, both), rise
    for statistic in (SizeStatistic.MEAN, SizeStatistic.LARGEST_OF_RUNS):
        exponents = exponent_of_runs(log.n_sites, statistic)
        compared["γ" if statistic is SizeStatistic.MEAN else "D, run-peak"] = (
            per_run(log.size, statistic),
            per_run(null, statistic),
            exponents,
        )
        for phase, inside_phase in split_at_grokking(log).items():
            name = phase.replace("dimension", "D")
            real = per_run(log.size, statistic, inside_phase)
            compared[f"{name}, {statistic}"] = real, per_run(null, statistic, inside_phase), exponents
    return compared


def over_time(log: Log, name: str, seed: int | None) -> NullOverTime:
    """D(t) of the mean size under a null, and of the real sizes minus it, with bands; nan where fewer than three scales run."""
    both = np.moveaxis(np.stack([log.size.astype(np.float64), log.nulls[name].mean(axis=0)]), -1, 1)  # (2, T, S, K)
    dimension, difference = (Band(*np.full((3, log.step.size), np.nan)) for _ in range(2))
    for scales, steps in sets_of_scales(both.sum(axis=0)):
        n, sizes = log.n_sites[scales], both[:, steps][:, :, scales]
        fit = exponent_of_runs(n, SizeStatistic.MEAN)
        value, dimension.value[steps] = (slopes(n, mean_of_known(of_one)) for of_one in sizes)
        difference.value[steps] = value - dimension.value[steps]
        dimension.low[steps], dimension.high[steps] = interval(bootstrap(sizes[1], fit, seed, _N_RESAMPLES))
        difference.low[steps], difference.high[steps] = interval(bootstrap(sizes, _difference(fit), seed, _N_RESAMPLES))
    return NullOverTime(name, log.step, dimension, difference)
