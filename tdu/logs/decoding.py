"""From the arrays of a file to a run: what is read is checked before anything is made of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tdu.errors import InputError
from tdu.files import SCHEMA
from tdu.types import Column, Layout, Run

#: Groups of arrays in a run's file, and the number of their dimensions.
_GROUPS = {"column": 1, "null": 2, "curve": 1}


def decoded(arrays: Mapping[str, Column], described: Mapping[str, Any]) -> Run:
    """A run from its file's content, whose types and shapes are checked against each other."""
    if described["schema"] != SCHEMA:
        raise InputError(f"has schema {described['schema']}, but this version of tdu reads schema {SCHEMA}")
    step = arrays["step"]
    if step.dtype != np.int64 or step.ndim != 1 or (np.diff(step) <= 0).any():
        raise InputError(f"`step` must be ascending int64 (T,), but is {step.dtype} {step.shape}")
    groups: dict[str, dict[str, Column]] = {group: {} for group in _GROUPS}
    for name, values in arrays.items():
        if name == "step":
            continue
        group, _, rest = name.partition(".")
        fits = values.ndim == _GROUPS[group] and (group == "curve" or values.shape[-1] == step.size)
        if not fits or values.dtype.kind not in ("i" if group == "null" else "iufb"):
            raise InputError(f"`{name}` is {values.dtype} {values.shape} beside {step.size} steps")
        groups[group][rest] = values
    layout = Layout(tuple((str(name), tuple(int(n) for n in shape)) for name, shape in described["layout"]))
    numbers = {name: int(described[name]) for name in ("scale", "replicate", "grokking_step")}
    numbers["diverged_step"] = int(described.get("diverged_step", -1))  # which older files do not know
    return Run(**numbers, layout=layout, step=step, columns=groups["column"], nulls=groups["null"], curves=groups["curve"])
