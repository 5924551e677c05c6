"""Logs whose answers are known, and the definitions that the answers are held against: nothing here imports the analysis.

Intervals are resampled by `tdu.statistics.resampling`, which has tests of its own; what is resampled, by which formula, from
which seed and under which name is written here once more, so that a test says what a quantity *is*.
"""

from dataclasses import fields
from functools import cache
from itertools import product
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from scipy import stats

from tdu.avalanches.probe import Probe
from tdu.avalanches.run_probe import RunProbe
from tdu.logs.grokking import grokking_epochs
from tdu.logs.log import gather
from tdu.logs.store import load
from tdu.models import mlp
from tdu.rng import Stage, generator
from tdu.statistics.resampling import RunStatistic, bootstrap, estimate, interval
from tdu.training.ensembles import Ensemble
from tdu.training.xor import Trained
from tdu.types import Estimate, Log, Run

HIDDEN = (20, 50, 120, 500)
N_SITES = np.array([81, 201, 481, 2001])
#: Not 0, which every function takes if it is told no seed.
SEED = 7
NEVER = 999
#: Epochs (S, K) at which the runs of `study` grok. Scales' means are 60, 66, 110 and 130: the window begins and ends on a
#: snapshot. One run groks at once and has no snapshot before, one never groks and has none after.
GROKKED = np.array(
    [
        [0, 60, 60, 80, 100],
        [64, 66, 66, 68, 66],
        [100, 105, 110, 115, 120],
        [115, 125, 135, 145, NEVER],
    ]
)
WINDOW = (60.0, 130.0)


def log_of(size, grokked=None, epoch=None, gini=None, hidden=HIDDEN, seed=SEED, **columns):
    """A log of sizes (S, K, T) whose runs grok at epochs (S, K); what is not given is zeros."""
    epoch = np.arange(size.shape[-1]) if epoch is None else epoch
    grokked = np.zeros(size.shape[:2]) if grokked is None else grokked
    accuracy = np.where(np.arange(int(epoch[-1]) + 1) >= grokked[..., None], 1.0, 0.5)
    zeros = np.zeros(size.shape)
    others = ("duration", "extent", "peak", "threshold", "dissipated", "capped", "deviation_angle")
    return Log(
        scale=np.array(hidden),
        n_sites=np.array([4 * h + 1 for h in hidden]),
        step=np.asarray(epoch),
        columns={"size": np.asarray(size, float), **{name: np.asarray(columns.get(name, zeros), float) for name in others}},
        nulls={},
        curves={"loss": columns.get("loss", accuracy), "accuracy": accuracy, "gini": accuracy if gini is None else gini},
        grokking_step=grokking_epochs(accuracy),
        seed=seed,
    )


@cache
def recorded():
    """A log as a training loop of three widths leaves it: random gradients, nulls, profiles, a loss, memorised at step 10."""
    rng = np.random.default_rng(0)
    with TemporaryDirectory() as directory:
        for width, replicate in product((8, 16, 32), range(3)):
            with Probe(quantile=0.7, draws=2, profiles=True).record(directory, scale=width, replicate=replicate) as record:
                for step in range(20):
                    field = {"weight": rng.normal(size=(width, 10)), "bias": rng.normal(size=width)}
                    record(step, field, loss=np.exp(-step / 4), accuracy=min(1, step / 10))
        return load(directory)


def study(grokked=GROKKED, seed=SEED, rng_seed=0, pre=0.9, post=1.2, drift=0.0008, every=10, n_snapshots=25, scatter=0.1):
    """A study in which scale, run, epoch and phase all matter: D is `pre` before and `post` from a run's grokking epoch on,
    rises by `drift` an epoch besides, and runs and snapshots scatter.
    """
    rng = np.random.default_rng(rng_seed)
    epoch = every * np.arange(n_snapshots)
    shape = (*grokked.shape, n_snapshots)
    exponent = np.where(epoch >= grokked[..., None], post, pre) + drift * epoch
    noise = np.exp(scatter * rng.normal(size=(*grokked.shape, 1)) + 0.5 * scatter * rng.normal(size=shape))
    return log_of(
        np.round(20 * N_SITES[:, None, None] ** exponent * noise).astype(int),
        grokked,
        epoch,
        gini=0.4 + 0.2 * rng.random((*grokked.shape, int(epoch[-1]) + 1)),
        seed=seed,
        duration=rng.integers(1, rng.integers(4, 20, (*grokked.shape, 1)), shape),
        capped=rng.random(shape) < 0.2,
        deviation_angle=rng.uniform(0.2, 0.9, shape),
    )


def ensemble_of(config, planted):
    """Runs of a study whose gradients (T, N) and graphs are `planted(hidden, replicate)`."""
    runs = {}
    for hidden in config.hidden:
        for replicate in range(config.replicates):
            fields, graph = planted(hidden, replicate)
            step, nothing = np.arange(len(fields)), {"size": np.zeros(len(fields), int)}
            run = Run(hidden, replicate, mlp.layout(hidden), step, nothing, {}, {}, -1)
            probe = Probe(alpha=config.alpha, quantile=config.quantile, max_steps=config.max_steps, nulls=(), seed=config.seed)
            runs[hidden, replicate] = Trained(run, RunProbe(probe, graph, {}, run.layout), fields)
    return Ensemble(config, runs, gather(trained.run for trained in runs.values()))


def slope(n, s):
    """Least-squares slope of log s (…, S) on log n."""
    x = np.log(n) - np.log(n).mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = (np.log(s) * x).sum(axis=-1) / (x * x).sum()
    return np.where(np.isfinite(slopes), slopes, np.nan)


def r_squared(n, s):
    """Squared correlation of log s (…, S) with log n."""
    x, y = np.log(n) - np.log(n).mean(), np.log(s) - np.log(s).mean(axis=-1, keepdims=True)
    return (x * y).sum(axis=-1) ** 2 / ((x * x).sum() * (y * y).sum(axis=-1))


def known_mean(values, axis=-1):
    """Mean of what is not nan."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=axis) / known.sum(axis=axis)


def of_runs(size, statistic, inside=True):
    """(S, K): the mean of a run's sizes over its snapshots `inside`, or the largest."""
    chosen = np.where(inside, size, np.nan)
    return known_mean(chosen) if statistic == "mean" else np.fmax.reduce(chosen, axis=-1)


def of_scales(values, statistic):
    """(…, S): the largest over runs for `peak`, the mean for the other two."""
    return np.fmax.reduce(values, axis=-1) if statistic == "peak" else known_mean(values)


def exponent(n, statistic):
    """(…, S, K) → (…)."""
    return lambda values: slope(n, of_scales(values, statistic))


def resampled(values, function, words, note="", *, largest=False, seed=SEED, **settings):
    """The estimate that a `function` of the runs (…, S, K) should be, if `largest` one of the largest run of a scale."""
    return estimate(values, depending(function, largest), words, seed, note, **settings)


def depending(function, largest):
    """What resampling must know of a `function`: that it is of the largest run. One of their mean may as well be of each."""
    return RunStatistic(function, "maximum" if largest else "runs")


def exponent_of(n, values, statistic, note="", **settings):
    """The estimate that an exponent should be, with what its note says of the fit."""
    fit = stats.linregress(np.log(n), np.log(of_scales(values, statistic)))
    said = f"R² = {fit.rvalue**2:.3f}, standard error of the fit {fit.stderr:.3f}"
    return resampled(values, exponent(n, statistic), statistic, said + note, largest=statistic == "peak", **settings)


def in_time(size, inside=slice(None)):
    """(S, K, T) → (T, S, K), of the snapshots `inside`."""
    return np.moveaxis(np.asarray(size, float)[..., inside], -1, 0)


def time_mean(n, size, statistic, inside, **settings):
    """The estimate that the mean of D(t) over the snapshots `inside` should be."""
    values, of_time = in_time(size, inside), exponent(n, statistic)
    note = f"mean of D(t) over {len(values)} snapshots"
    return resampled(values, lambda v: of_time(v).mean(axis=-1), statistic, note, largest=statistic == "peak", **settings)


def band(values, function, *, largest=False, seed=SEED, n_resamples=10_000):
    """(low, high) of a function of runs (…, S, K)."""
    return interval(bootstrap(values, depending(function, largest), seed, n_resamples))


def reference_p(real, null, function, n=2000, seed=SEED):
    """How often exchanging runs' real values with their draws gives a difference as large as that found, which counts too."""
    pool = np.concatenate([real[None], null])
    n_pool, (n_scales, n_runs) = len(pool), real.shape[-2:]
    rng, extreme = generator(seed, Stage.PERMUTATION), 0
    observed = abs(function(real) - function(null.mean(axis=0)))
    for start in range(0, n, 250):
        which = np.moveaxis(rng.integers(n_pool, size=(n_runs, min(250, n - start), n_scales)), 0, -1)  # (B, S, K)
        which = which.reshape(len(which), 1, *(1,) * (real.ndim - 2), n_scales, n_runs)
        chosen = np.take_along_axis(pool[None], which, axis=1)[:, 0]
        rest = (pool.sum(axis=0) - chosen) / (n_pool - 1)
        extreme += (np.abs(function(chosen) - function(rest)) >= observed - 1e-12).sum()
    return (1 + extreme) / (1 + n)


def same(found, wanted, rel=1e-8):
    """Every number and every word of two estimates."""
    for name in ("value", "low", "high"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=rel, abs=1e-10, nan_ok=True), name
    assert found.statistic == wanted.statistic
    assert found.note == wanted.note


def all_same(found, wanted):
    """Estimates by name: the same names in the same order, and the same estimates."""
    assert list(found) == list(wanted)
    for name, one in wanted.items():
        assert isinstance(found[name], Estimate), name
        assert [item.name for item in fields(found[name])] == ["value", "low", "high", "statistic", "note"]
        same(found[name], one)


def unknown(statistic, note):
    """What could not be measured."""
    return Estimate(np.nan, np.nan, np.nan, statistic, note)
