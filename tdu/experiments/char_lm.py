"""What does D(t) of a language model's gradients say beyond its nulls, and what does mini-batch noise do to it?"""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tdu._inputs import json_in
from tdu.analysis import over_time, support, watched
from tdu.analysis.over_time import Excess
from tdu.checksums import check_signed
from tdu.config import LogConfig
from tdu.errors import InputError
from tdu.experiments import char_lm_held_out
from tdu.experiments.char_lm_figure import draw
from tdu.experiments.char_lm_rook import ROOK, of_gradients
from tdu.experiments.char_lm_series import (
    ALL,
    LARGE,
    LOGS,
    MINI,
    NULLS,
    UNCAPPED,
    WINDOWS,
    Compared,
    Contrast,
    Contrasts,
    Correlation,
    Correlations,
    PerSite,
    Probed,
    Trained,
    inside,
)
from tdu.experiments.char_lm_tables import tables
from tdu.experiments.experiment import LogExperiment, Say
from tdu.logs.store import load
from tdu.results.assemble import as_one
from tdu.results.series_of_logs import Scales, Watched
from tdu.statistics import scaling
from tdu.statistics.resampling import RunStatistic, estimate
from tdu.statistics.sampling import mean_of_known, mean_of_runs
from tdu.types import Band, Estimate, Findings, Floats, Integers, Log, SizeStatistic

#: Losses of the large batch (nats a character) at which runs are compared too, each at its first snapshot there.
LOSSES = (3.0, 2.8, 2.6)
_N_RESAMPLES = 2000


def measure(config: LogConfig, executor: Executor, say: Say, folder: Path) -> list[Findings]:
    """The logs in `folder`, which the experiment's train.py made, and what of them differs."""
    made_of = training_of(config, folder / "training.json")
    logs = {name: selected(load(folder / name), config, folder / name) for name in (*LOGS, *ROOK.values())}
    on_rook = {name: logs.pop(rook) for name, rook in ROOK.items()}
    beside = beside_held_out(config, folder)
    say("intervals")
    jobs = [partial(of_log, name, log) for name, log in logs.items()]
    jobs += [
        partial(of_difference, "noise", MINI, LARGE, logs),
        partial(of_difference, "limit", MINI, UNCAPPED, logs),
        *(partial(of_losses, name, logs) for name in (MINI, LARGE)),
        partial(beside_training, logs),
        *(partial(of_gradients, name, log, logs[name]) for name, log in on_rook.items()),
    ]
    return [of_training(logs, made_of), *executor.map(lambda job: job(), jobs), beside]


def beside_held_out(config: LogConfig, folder: Path) -> Findings:
    """Spectra of the runs beside which a part of the text is held out."""
    training_of(config, folder / "held-out.json")
    asked = {name: config.settings[f"held_out_{name}"] for name in ("widths", "replicates", "alarms")}
    runs = replace(config, scales=tuple(asked["widths"]), replicates=asked["replicates"])
    logs = {kind: selected(load(folder / name), runs, folder / name) for kind, name in char_lm_held_out.HELD_OUT.items()}
    return char_lm_held_out.of_logs(logs, asked["alarms"], config.seed)


def training_of(config: LogConfig, path: Path) -> dict[str, str]:
    """What train.py says it trained on; an InputError if that is another text than the plan's, or nothing."""
    if not path.exists():
        raise InputError(f"{path} does not exist: train.py makes it with the logs")
    what = "description of a training"
    trained = {name: str(value) for name, value in check_signed(path, json_in(path, what), what).items()}
    if (found := trained.get("text_sha256")) != config.settings["text_sha256"]:
        raise InputError(f"{path} is of a text of sha256 {found}, but the plan of {config.settings['text_sha256']}")
    return trained


def selected(log: Log, config: LogConfig, path: Path) -> Log:
    """The runs that the plan asks for, all of which must be there, whole."""
    at = np.flatnonzero(np.isin(log.scale, config.scales))
    kept = {name: values[..., at, : config.replicates, :] for name, values in {**log.columns, **_under(log)}.items()}
    if at.size < len(config.scales) or log.size.shape[1] < config.replicates or np.isnan(kept["size"]).any():
        raise InputError(
            f"{path} does not have all of scales {', '.join(map(str, config.scales))} × {config.replicates} runs: "
            "train.py makes them"
        )
    return Log(
        scale=log.scale[at],
        n_sites=log.n_sites[at],
        step=log.step,
        columns={name: kept[name] for name in log.columns},
        nulls={name: kept[f"under {name}"] for name in log.nulls},
        curves={},
        grokking_step=log.grokking_step[at, : config.replicates],
        seed=config.seed,
    )


def _under(log: Log) -> dict[str, Floats]:
    return {f"under {name}": sizes for name, sizes in log.nulls.items()}


def of_log(name: str, log: Log) -> Findings:
    """D(t) of one log and of its nulls, what it exceeds them by, and what stands behind it."""
    fields = {"real": log.size, **{null: _mean(log, null) for null in NULLS}}
    excesses = {null: {window: over_time.excess(log, null, window=WINDOWS[window]) for window in WINDOWS} for null in NULLS}
    bands = {
        field: scaling.dimension_over_time(log.with_size(sizes), SizeStatistic.MEAN, log.seed)
        for field, sizes in fields.items()
    }
    differences = {null: _over_steps(one[ALL]) for null, one in excesses.items()}
    per_site = {
        field: {window: _mean_size(sizes[..., inside(log, window)]) / log.n_sites for window in WINDOWS}
        for field, sizes in fields.items()
    }
    found = [
        Findings(series=(Probed(name, log.step, bands, differences), PerSite(name, log.n_sites, per_site))),
        levels(name, log, fields),
        *(excess_over(name, null, of_windows) for null, of_windows in excesses.items()),
        straightness(name, log),
    ]
    if name == UNCAPPED:  # a control, whose rows would say again what those of the first log do: a table of its own compares
        found = [replace(one, series=tuple(s for s in one.series if not isinstance(s, Contrasts))) for one in found]
    return as_one(found)


def _over_steps(found: Excess) -> Band:
    return Band(found.value, found.low, found.high)


def _mean_size(sizes: Floats) -> Floats:
    """(S, K, T) → (S,)."""
    return np.asarray(sizes.mean(axis=(1, 2)))


def levels(name: str, log: Log, fields: Mapping[str, Floats]) -> Findings:
    """The mean of D(t) over each window, that of the fields under nulls, and that of the largest size over runs."""
    of_windows = {window: combination(log, [(1, log.size)], window) for window in WINDOWS}
    rows = [Contrast(name, window, level, None) for window, level in of_windows.items()]
    readings = {
        **{window: level for window, level in of_windows.items() if window != ALL},
        **{null: combination(log, [(1, fields[null])], ALL) for null in NULLS},
        "peak": scaling.window_dimension(log, SizeStatistic.LARGEST, log.complete, log.seed),
    }
    key = f"dimension_{name}"
    return Findings({key: of_windows[ALL]}, {key: readings}, (Contrasts("levels", rows),))


def excess_over(name: str, null: str, of_windows: Mapping[str, Excess]) -> Findings:
    """The mean excess of D(t) over a null in each window, with its p-value."""
    rows = [Contrast(f"{name} − {null}", window, one.window, one.p) for window, one in of_windows.items()]
    readings = {window: one.window for window, one in of_windows.items() if window != ALL}
    key = f"beyond_{null}_{name}"
    return Findings({key: of_windows[ALL].window}, {key: readings}, (Contrasts("excesses", rows),))


def straightness(name: str, log: Log) -> Findings:
    """How far the scales lie on one line: the poorest R², D without each of them, and the share of avalanches cut short."""
    estimates = {
        f"r2_min_{name}": scaling.least_r2_over_time(log, SizeStatistic.MEAN, log.seed),
        f"capped_{name}": estimate(100 * mean_of_known(log.columns["capped"]), mean_of_runs, "share of snapshots, %", log.seed),
    }
    rows = [without_scale(name, log, left_out) for left_out in range(log.n_sites.size)]
    return Findings(estimates, series=(Contrasts("without", rows),))


def without_scale(name: str, log: Log, left_out: int) -> Contrast:
    """D(t) of the last window without one scale: how far the scales lie on one line."""
    window, kept = list(WINDOWS)[-1], np.delete(np.arange(log.n_sites.size), left_out)
    rest = replace(log, n_sites=log.n_sites[kept], columns={"size": log.size[kept]})
    return Contrast(f"{name} without N = {log.n_sites[left_out]}", window, combination(rest, [(1, rest.size)], window), None)


def of_difference(key: str, one: str, other: str, logs: Mapping[str, Log]) -> Findings:
    """D(t) of `one` log minus that of the `other`, run by run at the same steps, and likewise of what they exceed nulls by."""
    log, against = logs[one], logs[other]
    paired = replace(log, nulls={other: against.size[None]})
    found = {window: over_time.excess(paired, other, window=WINDOWS[window]) for window in WINDOWS}
    said = f"{one} − {other}"
    means = {window: replace(series.window, statistic=said, note="") for window, series in found.items()}
    contrasts = [Contrast(said, window, series, found[window].p) for window, series in means.items()]
    estimates = {key: means.pop(ALL)}
    readings = {key: means}
    for null in NULLS:
        signed = [(1, log.size), (-1, _mean(log, null)), (-1, against.size), (1, _mean(against, null))]
        beyond = {window: combination(log, signed, window) for window in WINDOWS}
        contrasts += [Contrast(f"({one} − {null}) − ({other} − {null})", w, series, None) for w, series in beyond.items()]
        estimates[f"{key}_beyond_{null}"] = beyond.pop(ALL)
        readings[f"{key}_beyond_{null}"] = beyond
    compared = Compared(one, other, log.step, _over_steps(found[ALL]))
    return Findings(estimates, readings, (compared, Contrasts(key, contrasts)))


def of_losses(name: str, logs: Mapping[str, Log]) -> Findings:
    """D of one log, and its excess over each null, with every run at its first snapshot of a loss, for those all runs come to.

    At one step the widths are not equally far: a wide model learns faster. At one loss they are.
    """
    loss = logs[LARGE].columns["loss"]
    reached = [level for level in LOSSES if (loss <= level).any(axis=-1).all()]
    rows = []
    for level in reached:
        log = at(logs[name], (loss <= level).argmax(axis=-1))
        window = f"loss {level}"
        found = scaling.window_dimension(log, SizeStatistic.MEAN, log.complete, log.seed)
        rows.append(Contrast(name, window, replace(found, note=""), None))
        for null in NULLS:
            excess = over_time.excess(log, null)
            rows.append(Contrast(f"{name} − {null}", window, excess.window, excess.p))
    return Findings(series=(Contrasts("losses", rows),))


def at(log: Log, snapshot: Integers) -> Log:
    """The log of one snapshot of each run (S, K)."""
    size, *draws = (
        np.take_along_axis(sizes, snapshot[..., None], axis=-1)
        for sizes in (log.size, *(d for n in NULLS for d in log.nulls[n]))
    )
    drawn = dict(zip(NULLS, np.array_split(np.array(draws), len(NULLS)), strict=True))
    return replace(log, step=np.zeros(1, np.int64), columns={"size": size}, nulls=drawn)


def combination(log: Log, signed: list[tuple[int, Floats]], window: str) -> Estimate:
    """Σ sign · D over fields' sizes (S, K, T), averaged over a window; runs are resampled with all of their fields."""
    signs = np.array([sign for sign, _ in signed])
    values = np.stack([scaling.over_time(log.with_size(sizes))[inside(log, window)] for _, sizes in signed])

    def combined(exponents: Floats) -> Floats:  # (B, fields, steps) → (B,)
        return np.asarray(exponents.mean(axis=-1) @ signs)

    exponent = scaling.exponent_of_runs(log.n_sites, SizeStatistic.MEAN)
    words = "mean of D(t)" if len(signed) == 1 else "difference of means of D(t)"
    return estimate(values, RunStatistic.of(exponent).then(combined), words, log.seed, n_resamples=_N_RESAMPLES)


def _mean(log: Log, null: str) -> Floats:
    return np.asarray(log.nulls[null].mean(axis=0))


def of_training(logs: Mapping[str, Log], made_of: dict[str, str]) -> Findings:
    """Loss and noise scale of every width over the steps, and the share of avalanches that the step limit cuts short."""
    large = logs[LARGE]
    noise = np.nan_to_num(large.columns["noise_scale"], nan=np.inf)  # nan is more noise than a batch can tell
    windows = {window: np.median(noise[..., inside(large, window)], axis=(1, 2)) for window in WINDOWS}
    scales = {name: support.analyse(log).series_of(Scales) for name, log in logs.items()}
    return Findings(
        series=(
            Trained(
                width=large.scale,
                n_sites=large.n_sites,
                runs=scales[LARGE].runs,
                step=large.step,
                loss=large.columns["loss"].mean(axis=1),
                noise_scale=np.median(noise, axis=1),
                noise_in_windows=windows,
                capped={name: found.capped for name, found in scales.items()},
                made_of=made_of,
            ),
        )
    )


def beside_training(logs: Mapping[str, Log]) -> Findings:
    """Rank correlations of D(t), real and under nulls, with what was recorded beside it."""
    rows = []
    estimates: dict[str, Estimate] = {}
    for name in (MINI, LARGE):
        found = watched.analyse(logs[name])
        for column in found.series_of(Watched).columns:
            key = f"correlation_{column}"
            estimates[f"{key}_{name}"] = found.estimates[key]
            under = {null: found.readings[key][f"of D(t) under {null}"] for null in NULLS}
            rows.append(Correlation(f"{name}, {column}", {"real": found.estimates[key], **under}))
    return Findings(estimates, series=(Correlations(rows),))


EXPERIMENT = LogExperiment(
    measure, tables, draw, LogConfig("gradients", {}, (8, 16, 28, 48, 88), 4), {"scales": (8, 16, 28), "replicates": 2}
)
