"""What a flat field is made of: the names and shapes of its tensors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tdu.errors import InputError

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Layout:
    """Names and shapes of the tensors that make up a flat field (N,), in order; the one name "" where nobody knows them."""

    tensors: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]]) -> "Layout":
        """The layout of tensors by name."""
        return cls(tuple((name, tuple(shape)) for name, shape in shapes.items()))

    @classmethod
    def unknown(cls, n_sites: int) -> "Layout":
        """The layout of a field of which nothing is known but its size."""
        return cls((("", (n_sites,)),))

    @property
    def sizes(self) -> tuple[int, ...] | None:
        """Entries of each tensor, None where they are not known."""
        return None if self.tensors[0][0] == "" else tuple(math.prod(shape) for _, shape in self.tensors)

    @property
    def n_sites(self) -> int:
        """N, the entries of all of them."""
        return self._ends[-1] if self.tensors else 0

    def views(self, field: npt.NDArray[Scalar]) -> dict[str, npt.NDArray[Scalar]]:
        """The tensors by name, as views into a flat `field` (N,)."""
        if field.ndim != 1:
            raise self._error(field)
        return {name: part.reshape(shape) for (name, shape), part in zip(self.tensors, self.columns(field), strict=True)}

    def columns(self, fields: npt.NDArray[Scalar]) -> list[npt.NDArray[Scalar]]:
        """The entries (…, n) of each tensor in `fields` (…, N), as views."""
        if fields.shape[-1:] != (self._ends[-1],):
            raise self._error(fields)
        return [fields[..., begin:end] for begin, end in zip([0, *self._ends], self._ends, strict=False)]

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(accumulate(math.prod(shape) for _, shape in self.tensors))

    def _error(self, field: npt.NDArray[Any]) -> InputError:
        return InputError(f"the field has shape {field.shape} but its layout {self.n_sites} entries")
