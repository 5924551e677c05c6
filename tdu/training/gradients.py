"""The gradients of a training's snapshots, (T, N), in a .npy file with its checksum, that a killed training goes on with."""

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tdu._inputs import say_unverified
from tdu.checksums import seal
from tdu.errors import InputError
from tdu.files import TEMPORARY, named
from tdu.models.layers import Array
from tdu.training.loop import State


@contextmanager
def kept(whole: Path, shape: tuple[int, int], dtype: np.dtype[Any], state: State) -> Iterator[Callable[[Array], None]]:
    """What writes the gradient of the next snapshot into a file that is called `whole` once all of `shape` are there.

    `state.gradients` is the digest of what is written, with which a training goes on: rows that are not those it left are an
    `InputError`. Rows are written, not mapped: a full disk is an error then, and no signal.
    """
    part, complete = whole.with_name(whole.name + TEMPORARY), len(state.rows) == shape[0]
    if state.rows and not complete and whole.exists():  # killed before the state was kept that knows of all of them
        os.replace(whole, part)
    there = whole if complete and whole.exists() else part
    head, row_bytes = _header(shape, dtype), shape[1] * dtype.itemsize
    digest = hashlib.sha256(head)
    if state.rows:
        with _opened(there, "rb", len(state.rows)) as before:
            before.seek(len(head))
            for _ in state.rows:
                digest.update(before.read(row_bytes))
        if not state.gradients:
            say_unverified(there)
        elif digest.hexdigest() != state.gradients:
            raise InputError(
                f"{there} does not hold the gradients of the {len(state.rows)} snapshots before: choose another directory"
            )
    if there is whole:
        yield _no_further
        return
    part.parent.mkdir(parents=True, exist_ok=True)
    with named(part), _opened(part, "r+b" if state.rows else "wb", len(state.rows)) as file:
        if not state.rows:
            file.write(head)
        file.seek(len(head) + len(state.rows) * row_bytes)

        def keep(gradient: Array) -> None:
            row = np.ascontiguousarray(gradient, dtype).tobytes()
            file.write(row)
            file.flush()
            digest.update(row)
            state.gradients = digest.hexdigest()

        yield keep
        file.write(seal(digest.hexdigest()))
        file.truncate()
    os.replace(part, whole)


def _header(shape: tuple[int, int], dtype: np.dtype[Any]) -> bytes:
    head = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, described)
    return head.getvalue()


def _opened(path: Path, mode: str, n_rows: int) -> Any:
    try:
        return open(path, mode)
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist, but {n_rows} snapshots were trained whose gradients were in it: choose another directory"
        ) from None


def _no_further(_gradient: Array) -> None:
    raise AssertionError("a training whose gradients are all there has no further snapshot")
