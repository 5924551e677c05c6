"""Named tensors of a file, read one at a time; what every format gives."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tdu import _memory
from tdu.errors import InputError
from tdu.types import Fields, Layout

_SHOWN = 5  # names in a message


@dataclass(frozen=True, eq=False)
class Stored:
    """A tensor in a file: its shape, the precision that it is handed over in, and what reads it."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.floating]
    read: Callable[[], Fields]


@dataclass(frozen=True, eq=False)
class Tensors:
    """Named tensors of a `path`; each is read when it is asked for, and none is kept."""

    path: Path
    stored: Mapping[str, Stored]

    @classmethod
    def by_name(cls, path: Path, stored: Mapping[str, Stored]) -> "Tensors":
        """Tensors in order of their names, as the recorder has them too: formats differ in what order they keep."""
        return cls(path, dict(sorted(stored.items())))

    @property
    def layout(self) -> Layout:
        """Names and shapes."""
        return Layout.of({name: one.shape for name, one in self.stored.items()})

    def chosen(self, include: str | None = None, exclude: str | None = None) -> "Tensors":
        """Those in whose names `include` is found and `exclude` is not, regular expressions; a ValueError if none is left."""
        wanted, unwanted = _compiled(include, "include"), _compiled(exclude, "exclude")
        kept = {
            name: one
            for name, one in self.stored.items()
            if (wanted is None or wanted.search(name)) and not (unwanted is not None and unwanted.search(name))
        }
        if not kept:
            given = " and ".join(f"`{what}` {text}" for what, text in (("include", include), ("exclude", exclude)) if text)
            raise InputError(f"{self.path}: {given} leave none of its tensors, {named(self.stored)}")
        return Tensors(self.path, kept)

    def as_one(self) -> "Tensors":
        """The one array there is, as a field of whose tensors nothing is known."""
        (one,) = self.stored.values()
        return Tensors(self.path, {"": Stored((prod(one.shape),), one.dtype, one.read)})

    def field(self) -> Fields:
        """All of them in order as one field (N,), in the widest of their precisions."""
        n_sites, dtype = self.layout.n_sites, np.result_type(*(one.dtype for one in self.stored.values()))
        _memory.need(n_sites * dtype.itemsize, f"the field of {n_sites} sites in {self.path}", "probe it on a larger machine")
        field = np.empty(n_sites, dtype)
        at = 0
        for one in self.stored.values():
            size = prod(one.shape)
            field[at : at + size] = one.read().reshape(-1)
            at += size
        return field


def _compiled(pattern: str | None, name: str) -> "re.Pattern[str] | None":
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise InputError(f"`{name}` {pattern!r} is no regular expression: {error}") from None


def named(names: Iterable[str]) -> str:
    """Some of the names, for a message."""
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def widened(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """bfloat16, given by its bits, as float32, whose upper half it is."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


def floats(path: Path, name: str, dtype: np.dtype[np.generic]) -> bool:
    """Whether an array of a file holds floats; integers and truths are left out, and bytes of no type refused."""
    if dtype.kind == "V" and dtype.names is None:
        raise InputError(
            f"{path}: `{name}` has dtype {dtype.str}, bytes without a type, as NumPy writes bfloat16: "
            "save it as float32, or in a .safetensors"
        )
    if dtype.kind == "c":
        raise InputError(f"{path}: `{name}` is complex: save its real and its imaginary part")
    return dtype.kind == "f" and dtype.itemsize <= 8
