"""Tensors in .safetensors files: a header in JSON, and behind it the bytes, which are memory-mapped."""

import json
import os
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tdu._inputs import opened
from tdu.errors import InputError
from tdu.sources.tensors import Stored, widened
from tdu.types import Fields

#: Types of floats, and how their bytes are read; of others no tensor is a gradient.
_TYPES = {"F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8"}
_LONGEST_HEADER = 100_000_000  # bytes, as the format's own library has it


def tensors(path: Path) -> dict[str, Stored]:
    """The tensors of floats."""
    header, start, end = _header(path)
    stored = {}
    try:
        entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
        for name, entry in entries:
            dtype, shape, (low, high) = entry["dtype"], tuple(map(_count, entry["shape"])), map(_count, entry["data_offsets"])
            if dtype not in _TYPES:
                continue
            raw = np.dtype(_TYPES[dtype])
            if high - low != prod(shape) * raw.itemsize or start + high > end:
                raise InputError(
                    f"{path}: `{name}` of {dtype} {list(shape)} is said to be in bytes {low} to {high} of {end - start}: "
                    "the file is cut short or damaged"
                )
            kept_as = np.dtype(np.float32) if dtype == "BF16" else raw.newbyteorder("=")
            stored[name] = Stored(shape, kept_as, partial(_read, path, raw, shape, start + low))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a readable .safetensors file: its header is damaged ({error!r})") from None
    return stored


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _read(path: Path, raw: np.dtype[Any], shape: tuple[int, ...], offset: int) -> Fields:
    if prod(shape) == 0:
        return np.empty(shape, np.float32)
    mapped = np.memmap(path, raw, "r", offset, shape)
    return widened(mapped) if raw.kind == "u" else mapped


def _header(path: Path) -> tuple[dict[str, Any], int, int]:
    """The header, and where the bytes behind it begin and end."""
    with opened(path) as file:
        end = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if end < 8 or length > min(end - 8, _LONGEST_HEADER):
            raise InputError(
                f"{path} is not a readable .safetensors file: its {end} bytes do not hold the header they announce"
            )
        try:
            header = json.loads(file.read(length), object_pairs_hook=_each_once)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is not a readable .safetensors file: {error}") from None
    if not isinstance(header, dict):
        raise InputError(f"{path} is not a readable .safetensors file: its header is no object")
    return header, 8 + length, end


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found
