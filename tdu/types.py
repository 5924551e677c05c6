"""The values that travel along the chain: frozen, typed, and knowing nothing of who made them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tdu.errors import InputError
from tdu.findings import Estimate as Estimate
from tdu.findings import Findings as Findings
from tdu.findings import Quantity as Quantity
from tdu.findings import Results as Results
from tdu.findings import ScalingFit as ScalingFit
from tdu.findings import Verdict as Verdict
from tdu.layout import Layout as Layout
from tdu.layout import Scalar as Scalar
from tdu.series import Band as Band

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]
Begins = npt.NDArray[np.uint32] | npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
#: Of any precision, as a file or a network has them.
Fields = npt.NDArray[np.floating]
#: Counts, measures or truths of T snapshots.
Column = npt.NDArray[Any]

#: What of the K runs of a scale a statistic depends on: each of them, their mean, or the largest.
DependsOn = Literal["runs", "mean", "maximum"]


class SizeStatistic(StrEnum):
    """What "the maximum avalanche of a scale" means.

    The largest size of any snapshot of any run; the mean over runs of each run's largest; or no maximum at all but the mean.
    """

    LARGEST = "peak"
    LARGEST_OF_RUNS = "run-peak"
    MEAN = "mean"

    @classmethod
    def _missing_(cls, value: object) -> "SizeStatistic":
        raise InputError(f"`statistic` must be 'peak', 'run-peak' or 'mean', but it is {value!r}")

    @property
    def depends_on(self) -> DependsOn:
        """What of the runs' own values, each a mean or a largest over snapshots, exponents of it depend on."""
        return "maximum" if self is SizeStatistic.LARGEST else "mean"


STATISTICS: tuple[SizeStatistic, ...] = tuple(SizeStatistic)


@dataclass(frozen=True, eq=False)
class Avalanche:
    """One avalanche of a gradient field on a graph.

    Attributes
    ----------
    size : topplings in total.
    duration : steps with at least one toppling.
    extent : distinct sites that toppled.
    peak : most topplings in one step.
    profile : (duration,) int64, topplings per step.
    threshold : the |g| above which a site topples, fixed for the whole avalanche.
    dissipated : what isolated sites shed out of the system; Σ `gradient` + `dissipated` is the sum of the field before.
    capped : True if sites were still active after the last step allowed.
    transport : Σ |α g_i| over all topplings, what they gave away in all.
    gradient : (N,) the relaxed field, float64 unless another precision was asked for.

    Examples
    --------
    The first site topples, and then once more together with the last, which it has driven above the threshold:

    >>> found = tdu.avalanche([8.0, 0.0, 0.0, 2.0], tdu.ring(4, k=2), alpha=0.5, threshold=3.0)
    >>> found.profile.tolist(), found.size, found.duration, found.extent, found.peak, found.gradient.tolist()
    ([1, 2], 3, 2, 2, 2, [3.0, 3.0, 1.0, 3.0])
    """

    size: int
    duration: int
    extent: int
    peak: int
    profile: Integers
    threshold: float
    dissipated: float
    capped: bool
    transport: float
    gradient: Fields


@dataclass(frozen=True, eq=False)
class Run:
    """One run under the probe, whatever trained or read it: columns over its T snapshots.

    Attributes
    ----------
    scale, replicate : what the source names the scale by (hidden units, width), and which of the scale's runs this is.
    layout : of the probed fields; the run's N is `n_sites`.
    step : (T,) int64, ascending: epochs, or whatever the source counts in.
    columns : (T,) by name: the observables (`tdu.avalanches.observables`), and what else the source knows of a snapshot.
    nulls : (D, T) int64 by the null's name: the avalanche's size under each of D draws.
    curves : (E+1,) float64 by name, at every step 0 … E: for the XOR network `loss` (mean binary cross-entropy, nats),
        `accuracy` (share of patterns), `gini` (Gini coefficient of |θ|) and `size`; (0,) where one was not asked for.
    grokking_step : the step from which the run has generalised, −1 where it never does, or nobody knows.
    diverged_step : the step at which training left the finite numbers, and the run ends; −1 where it did not.

    Examples
    --------
    >>> run = tdu.train_xor(20, epochs=20)
    >>> run.scale, run.n_sites, run.step.tolist(), run.size.shape, run.loss.shape, run.grokking_epoch
    (20, 81, [0, 10, 20], (3,), (21,), None)
    """

    scale: int
    replicate: int
    layout: Layout
    step: Integers
    columns: Mapping[str, Column]
    nulls: Mapping[str, Integers]
    curves: Mapping[str, Floats]
    grokking_step: int
    diverged_step: int = -1

    def __getstate__(self) -> tuple[Any, ...]:
        """With its arrays as one record: sixteen pickles of arrays take a tenth as long as a small run."""
        groups = (self.columns, self.nulls, self.curves)
        arrays = (self.step, *(array for group in groups for array in group.values()))
        kind = _record_of(tuple([(array.dtype, array.shape) for array in arrays]))
        numbers = (self.scale, self.replicate, self.layout, self.grokking_step, self.diverged_step)
        return numbers, tuple(map(tuple, groups)), np.array(arrays, kind)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """The same run in another process; its arrays are views into the record."""
        (scale, replicate, layout, grokking_step, diverged_step), groups, record = state
        step, *of_groups = (record[name] for name in record.dtype.names)
        left = iter(of_groups)
        columns, nulls, curves = (dict(zip(names, left, strict=False)) for names in groups)
        self.__dict__.update(
            scale=scale, replicate=replicate, layout=layout, step=step, columns=columns, nulls=nulls, curves=curves,
            grokking_step=grokking_step, diverged_step=diverged_step,
        )  # fmt: skip

    @property
    def n_sites(self) -> int:
        """N."""
        return self.layout.n_sites

    @property
    def epoch(self) -> Integers:
        """(T,): the steps, which of training are epochs."""
        return self.step

    @property
    def grokking_epoch(self) -> int | None:
        """The epoch from which the run has generalised, None if it never does."""
        return None if self.grokking_step < 0 else self.grokking_step

    @property
    def size(self) -> Column:
        """(T,): topplings in total."""
        return self.columns["size"]

    @property
    def duration(self) -> Column:
        """(T,): steps with at least one toppling."""
        return self.columns["duration"]

    @property
    def loss(self) -> Column:
        """At every epoch, or where only snapshots are known, at these."""
        return self._curve("loss")

    @property
    def accuracy(self) -> Column:
        """As `loss`."""
        return self._curve("accuracy")

    @property
    def gini(self) -> Column:
        """As `loss`."""
        return self._curve("gini")

    def _curve(self, name: str) -> Column:
        return self.curves[name] if name in self.curves else self.columns[name]


@lru_cache
def _record_of(kinds: tuple[tuple[np.dtype[Any], tuple[int, ...]], ...]) -> np.dtype[Any]:
    """The data type of a record of arrays of these types and shapes, in this order."""
    return np.dtype([(str(number), *kind) for number, kind in enumerate(kinds)], align=True)


@dataclass(frozen=True, eq=False)
class Log:
    """Runs of S scales, up to K a scale, on the T steps that any of them has: what all analysis starts from, whatever made it.

    Attributes
    ----------
    scale, n_sites : (S,) int64, what the source names its scales by (hidden units, width), and the system sizes N; N ascends.
    step : (T,) int64, ascending: epochs, or whatever the source counts in.
    columns : (S, K, T) float64 by name: the observables of the avalanche (`size`, `duration`, …), and what else the source
        knows of a snapshot. nan where a run is missing or has no snapshot at a step.
    nulls : (D, S, K, T) float64 by the null's name: the avalanche's size under each of D draws.
    curves : (S, K, E+1) float64 by name, at every step 0 … E; empty where the source records snapshots only.
    grokking_step : (S, K) int64, the step from which a run has generalised; −1 where it never does, or nobody knows.
    seed : of what is resampled in the analysis.

    Examples
    --------
    >>> from tdu.logs.log import gather
    >>> log = gather(tdu.train_xor(hidden, epochs=20) for hidden in (20, 30, 50))
    >>> log  # doctest: +ELLIPSIS
    <Log of 3 scales, 3 runs, 3 steps
      N: 81, 121, 201 (scale 20, 30, 50)
      runs of each: 1, 1, 1
      steps: 0 … 20
      columns: size, duration, extent, ...
      nulls: none>
    >>> log.size.shape, log.columns["duration"].shape
    ((3, 1, 3), (3, 1, 3))
    """

    scale: Integers
    n_sites: Integers
    step: Integers
    columns: Mapping[str, Floats]
    nulls: Mapping[str, Floats]
    curves: Mapping[str, Floats]
    grokking_step: Integers
    seed: int = 0

    def __repr__(self) -> str:
        """What is in it, as the arrays themselves would fill pages."""
        runs = (~np.isnan(self.size)).any(axis=-1).sum(axis=1)
        n_sites, scale, runs_of_each = (", ".join(map(str, values)) for values in (self.n_sites, self.scale, runs))
        nulls = ", ".join(f"{name} × {len(sizes)}" for name, sizes in self.nulls.items())
        lines = (
            f"Log of {len(self.scale)} scales, {runs.sum()} runs, {self.step.size} steps",
            f"N: {n_sites} (scale {scale})",
            f"runs of each: {runs_of_each}",
            f"steps: {self.step[0]} … {self.step[-1]}" if self.step.size else "steps: none",
            f"columns: {', '.join(self.columns)}",
            f"nulls: {nulls or 'none'}",
        )
        return "<" + "\n  ".join(lines) + ">"

    @property
    def size(self) -> Floats:
        """(S, K, T): topplings in total."""
        return self.columns["size"]

    @property
    def complete(self) -> Booleans:
        """(T,): the steps at which every scale has a run; at the others an exponent would be of other scales."""
        return np.asarray((~np.isnan(self.size)).any(axis=1).all(axis=0))

    @property
    def digest(self) -> str:
        """SHA-256 of all that was measured: two logs that share it are equal to the last bit, whatever machines made them."""
        found = hashlib.sha256()
        single = {"scale": self.scale, "n_sites": self.n_sites, "step": self.step, "grokking_step": self.grokking_step}
        for kind, arrays in (("", single), ("column", self.columns), ("null", self.nulls), ("curve", self.curves)):
            for name in sorted(arrays):
                values = np.where(np.isnan(arrays[name]), np.nan, arrays[name]).astype("<f8")  # nan of one kind
                found.update(f"{kind} {name} {values.shape}".encode() + values.tobytes())
        return found.hexdigest()

    def with_size(self, size: npt.NDArray[np.number]) -> "Log":
        """The same runs with other sizes (S, K, T), as of another probe.

        Examples
        --------
        D of avalanches twice as large at every N is the same:

        >>> from tdu.logs.log import gather
        >>> log = gather(tdu.train_xor(hidden, epochs=20) for hidden in (20, 30, 50))
        >>> doubled = log.with_size(2 * log.size)
        >>> bool(np.allclose(tdu.dimension_over_time(doubled).value, tdu.dimension_over_time(log).value))
        True
        """
        return replace(self, columns={**self.columns, "size": np.asarray(size, np.float64)})
