"""Observables: what is recorded of every avalanche. One is added here, and then recorded of every source's runs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from tdu.types import Integers

#: Of T snapshots an array (T,), of a single one a number, which in a training loop costs a fifth of what an array of one does.
Numbers = Any


class Avalanches(NamedTuple):
    """The avalanches of T snapshots, or of a single one, as `tdu.types.Avalanche` says.

    `profile` is (T, max_steps), zeros behind the last step; `deviation_angle` (T,) is the angle between the field before and
    after, in radians. Of a single snapshot `profile` is (max_steps,), and the others are numbers.
    """

    size: Numbers
    duration: Numbers
    extent: Numbers
    peak: Numbers
    profile: Integers
    threshold: Numbers
    dissipated: Numbers
    capped: Numbers
    transport: Numbers
    deviation_angle: Numbers


@dataclass(frozen=True)
class Observable:
    """A number of every avalanche: `measure` gives (T,) for T of them. `scales`: whether it has an exponent over N."""

    name: str
    label: str
    unit: str
    scales: bool
    measure: Callable[[Avalanches], Numbers]


def branching_ratio(found: Avalanches) -> Numbers:
    """(T,): topplings that follow a toppling one step later, Σ n_{k+1} / Σ n_k over the steps k that have a next; nan for none.

    A step is one that is allowed: with none left, as where an avalanche is capped, its last has no next.
    """
    steps = found.profile.T
    first, last = (steps[0], steps[-1]) if len(steps) else (0, 0)
    return _ratio(found.size - first, found.size - last)


def transport(found: Avalanches) -> Numbers:
    """(T,): what all topplings gave away, Σ |α g|, in thresholds, so that fields of any size compare; nan at threshold 0."""
    return _ratio(found.transport, found.threshold)


def efficiency(found: Avalanches) -> Numbers:
    """(T,): what a toppling gives away on average, transport / size; nan where nothing topples."""
    return _ratio(transport(found), found.size)


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    if isinstance(below, np.ndarray):
        return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
    return above / below if below > 0 else math.nan


#: By name, in the order of columns.
OBSERVABLES: dict[str, Observable] = {
    one.name: one
    for one in (
        Observable("size", "topplings in total", "topplings", True, attrgetter("size")),
        Observable("duration", "steps with a toppling", "steps", True, attrgetter("duration")),
        Observable("extent", "sites that toppled", "sites", True, attrgetter("extent")),
        Observable("peak", "most topplings in one step", "topplings", True, attrgetter("peak")),
        Observable("threshold", "|g| above which a site topples", "as g", False, attrgetter("threshold")),
        Observable("dissipated", "Σ g that isolated sites shed", "as g", False, attrgetter("dissipated")),
        Observable("capped", "stopped at the last step allowed", "yes or no", False, attrgetter("capped")),
        Observable("deviation_angle", "angle to the relaxed field", "radians", False, attrgetter("deviation_angle")),
        Observable("branching_ratio", "topplings that follow one", "topplings", False, branching_ratio),
        Observable("transport", "Σ |α g| over all topplings", "thresholds", True, transport),
        Observable("efficiency", "|α g| of a toppling, on average", "thresholds", False, efficiency),
    )
}


#: What columns of topplings in the first step, the second, … are called by: profile_01, profile_02, ….
PROFILE = "profile_"


def profile_column(step: int) -> str:
    """The column of topplings in a step, the first being 1."""
    return f"{PROFILE}{step:02d}"


def columns(found: Avalanches, *, profiles: bool = False) -> dict[str, Numbers]:
    """Every observable (T,) of T avalanches, or a number of a single one, by name; and topplings step by step if asked."""
    named = {name: one.measure(found) for name, one in OBSERVABLES.items()}
    steps = range(found.profile.shape[-1]) if profiles else ()
    return named | {profile_column(step + 1): found.profile[..., step] for step in steps}
