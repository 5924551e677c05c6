"""An alarm: a threshold on the change of a column since memorisation, set by runs that do not grok, and then frozen."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from tdu import _check
from tdu.analysis.memorising import BASELINE, memorised_at, since_memorisation
from tdu.errors import InputError
from tdu.files import provenance, read_json, write_json
from tdu.statistics.proportions import proportion
from tdu.types import Floats, Log

#: Which way a column changes that sets the alarm off, and the sign that makes it a rise.
DIRECTIONS = {"rise": 1.0, "fall": -1.0}
#: Snapshots one after the other beyond the threshold that set it off: training has spikes of one.
IN_A_ROW = 3
_SCHEMA, _WHAT = 1, "alarm of tdu"


@dataclass(frozen=True)
class Alarm:
    """A frozen threshold, and what it was set from.

    Attributes
    ----------
    column, direction, of_log : what is watched, the change that counts (``rise`` or ``fall``), and whether it is that of the
        column's natural logarithm.
    threshold : of the change since memorisation; beyond it in the `direction`, `in_a_row` snapshots long, the alarm goes off.
    baseline : snapshots from memorisation on whose mean the column changes from.
    false_alarms, low, high : share of the controls that set it off all the same, with its Clopper–Pearson interval.
    n_controls : runs that have memorised and set the threshold.
    watched_steps : for which the one of them that was watched least was watched; a run watched longer has more chances.
    controls : SHA-256 of what was measured of them.

    Examples
    --------
    >>> tdu.Alarm("spectral", "fall", False, -0.5, 3, 3, 0.0, 0.0, 0.128, 27, 1000, "…").threshold
    -0.5
    """

    column: str
    direction: str
    of_log: bool
    threshold: float
    in_a_row: int
    baseline: int
    false_alarms: float
    low: float
    high: float
    n_controls: int
    watched_steps: int
    controls: str


@dataclass(frozen=True)
class Watched:
    """What an alarm says of one run, the `run`-th of its scale: steps, None where it has not memorised, set it off, or grokked.

    `lead` is from the alarm to grokking; `beyond` says that it went off later after memorisation than any control was watched.
    """

    scale: int
    run: int
    memorised: int | None
    alarm: int | None
    grokking: int | None
    lead: int | None
    beyond: bool


def fit_alarm(
    controls: Sequence[Log],
    column: str,
    direction: str,
    false_alarms: float = 0.05,
    *,
    of_log: bool = False,
    in_a_row: int = IN_A_ROW,
    baseline: int = BASELINE,
) -> Alarm:
    """The threshold that of runs which do not grok at most a share of `false_alarms` go beyond.

    Parameters
    ----------
    controls : logs of runs that memorise and do not generalise: few data, no decay, shuffled labels. Runs among them that never
        memorise are left out.
    column : of the logs, as ``spectral`` or ``moran``.
    direction : ``rise`` or ``fall``; to be known before, as from other runs.
    false_alarms : the probability f that a further control like them goes beyond. Of n controls, the threshold is the
        ⌈(1 − f)(n + 1)⌉-th smallest of their largest changes; the largest, and 1/(n + 1) the probability, where n is too small.
    of_log, in_a_row, baseline : as in `Alarm`.

    Raises
    ------
    ValueError
        If a control groks, none memorises, a log has no such column, or a setting is out of range.

    Examples
    --------
    >>> from tdu.logs.log import gather
    >>> def run(k):  # its x rises by k / 10 since memorisation
    ...     x = np.where(np.arange(10) < 4, 0, 0.1 * k)
    ...     columns = {"size": x, "accuracy": np.ones(10), "x": x}
    ...     return tdu.Run(8, k, tdu.types.Layout.unknown(4), 10 * np.arange(10), columns, {}, {}, -1)
    >>> alarm = tdu.fit_alarm([gather(run(k) for k in range(19))], "x", "rise")
    >>> round(alarm.threshold, 3), alarm.false_alarms, alarm.n_controls
    (1.8, 0.0, 19)
    """
    _check.choice(direction, "direction", tuple(DIRECTIONS))
    _check.real(false_alarms, "false_alarms", 0, 1)
    _check.integer(in_a_row, "in_a_row", 1)
    _check.integer(baseline, "baseline", 1)
    _check.listed(controls, "controls", lambda log: _check.kind(log, "controls", Log))
    extremes, watched = [], []
    for log in controls:
        if grokked := np.argwhere(log.grokking_step >= 0).tolist():
            s, k = grokked[0]
            raise InputError(
                f"run {k} of scale {log.scale[s]} groks at step {log.grokking_step[s, k]}, but a control must not: leave it out"
            )
        changes = DIRECTIONS[direction] * since_memorisation(log, column, of_log=of_log, baseline=baseline)
        for change in changes.reshape(-1, log.step.size):
            lasting = _lasting(change, in_a_row)
            if lasting.size:
                extremes.append(float(lasting.max()))
                known = log.step[~np.isnan(change)]
                watched.append(int(known[-1] - known[0]))
    if not extremes:
        raise InputError(f"no control has memorised and been watched for {baseline + in_a_row} snapshots since: train longer")
    n = len(extremes)
    threshold = sorted(extremes)[min(math.ceil((1 - false_alarms) * (n + 1) - 1e-9), n) - 1]
    found = proportion(sum(extreme > threshold for extreme in extremes), n)
    digest = hashlib.sha256("".join(log.digest for log in controls).encode()).hexdigest()
    of_controls = (found.value, found.low, found.high, n, min(watched), digest)
    return Alarm(column, direction, of_log, DIRECTIONS[direction] * threshold, in_a_row, baseline, *of_controls)


def watch(alarm: Alarm, log: Log) -> list[Watched]:
    """What the alarm says of every run of a log: whether and when it went off, and how long before grokking.

    Raises
    ------
    ValueError
        If the log has no such column, or no training accuracy.

    Examples
    --------
    >>> from tdu.logs.log import gather
    >>> alarm = tdu.Alarm("x", "rise", False, 1.8, 3, 3, 0.0, 0.0, 0.18, 19, 50, "…")
    >>> x = np.array([0, 0, 0, 0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0])
    >>> columns = {"size": x, "accuracy": np.ones(10), "x": x}
    >>> run = tdu.Run(8, 0, tdu.types.Layout.unknown(4), 10 * np.arange(10), columns, {}, {}, 90)
    >>> tdu.watch(alarm, gather([run]))
    [Watched(scale=8, run=0, memorised=0, alarm=70, grokking=90, lead=20, beyond=False)]
    """
    _check.kind(alarm, "alarm", Alarm)
    sign = DIRECTIONS[alarm.direction]
    changes = sign * since_memorisation(log, alarm.column, of_log=alarm.of_log, baseline=alarm.baseline)
    memorised = memorised_at(log)
    found = []
    for s, k in np.argwhere((~np.isnan(log.size)).any(axis=-1)):
        known = np.flatnonzero(~np.isnan(changes[s, k]))
        off = np.flatnonzero(_lasting(changes[s, k], alarm.in_a_row) > sign * alarm.threshold)
        at = int(log.step[known[off[0] + alarm.in_a_row - 1]]) if off.size else None
        grokking = int(log.grokking_step[s, k]) if log.grokking_step[s, k] >= 0 else None
        found.append(
            Watched(
                scale=int(log.scale[s]),
                run=int(k),
                memorised=int(log.step[memorised[s, k]]) if memorised[s, k] >= 0 else None,
                alarm=at,
                grokking=grokking,
                lead=None if at is None or grokking is None else grokking - at,
                beyond=at is not None and at - int(log.step[known[0]]) > alarm.watched_steps,
            )
        )
    return found


def _lasting(change: Floats, in_a_row: int) -> Floats:
    """What each so many known changes (T,) in a row all reach."""
    known = change[~np.isnan(change)]
    if known.size < in_a_row:
        return known[:0]
    return np.asarray(np.lib.stride_tricks.sliding_window_view(known, in_a_row).min(axis=-1))


def save_alarm(path: Path | str, alarm: Alarm) -> None:
    """Write an alarm as JSON with its checksum and what made it, to be kept beside the log that set it.

    Examples
    --------
    >>> alarm = tdu.Alarm("spectral", "fall", False, -0.5, 3, 3, 0.0, 0.0, 0.1, 27, 1000, "…")
    >>> with TemporaryDirectory() as run:
    ...     tdu.save_alarm(pathlib.Path(run) / "alarm.json", alarm)
    ...     tdu.load_alarm(pathlib.Path(run) / "alarm.json") == alarm
    True
    """
    _check.kind(alarm, "alarm", Alarm)
    write_json(_check.path(path, "path"), {"schema": _SCHEMA, "alarm": asdict(alarm), "provenance": provenance()})


def load_alarm(path: Path | str) -> Alarm:
    """The alarm that `save_alarm` wrote.

    Raises
    ------
    ValueError
        If the file is none, one of another version, or one that was changed since.

    Examples
    --------
    >>> with TemporaryDirectory() as run:
    ...     tdu.save_alarm(f"{run}/alarm.json", tdu.Alarm("x", "rise", False, 1.8, 3, 3, 0.0, 0.0, 0.18, 19, 50, "…"))
    ...     tdu.load_alarm(f"{run}/alarm.json").column
    'x'
    """
    read = read_json(_check.path(path, "path"), _WHAT, _SCHEMA)
    try:
        return Alarm(**{item.name: read["alarm"][item.name] for item in fields(Alarm)})
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is not an {_WHAT}: {error}") from None
