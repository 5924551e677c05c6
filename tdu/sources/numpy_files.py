"""Tensors in .npy and .npz files."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from tdu import _archives
from tdu._inputs import opened
from tdu.errors import InputError
from tdu.files import read_array
from tdu.sources.tensors import Stored, floats
from tdu.types import Fields


def npy(path: Path) -> dict[str, Stored]:
    """The array of a .npy file, named by the file."""
    array, name = read_array(path), path.name.removesuffix(".npy")
    if not floats(path, name, array.dtype):
        return {}
    dtype: np.dtype[Any] = array.dtype.newbyteorder("=")
    return {name: Stored(array.shape, dtype, lambda: cast(Fields, read_array(path)))}


def npz(path: Path) -> dict[str, Stored]:
    """The arrays of a .npz file."""
    stored: dict[str, Stored] = {}
    with _opened(path) as archive:
        members = [name for name in archive.namelist() if name.endswith(".npy")]
        if not members:
            torch = any(name.endswith("/data.pkl") for name in archive.namelist())
            hint = "it is one of torch.save: call it .pt" if torch else "np.savez writes such files"
            raise InputError(f"{path} is a zip archive, but holds no NumPy arrays: {hint}")
        for member in members:
            shape, dtype = _archives.header(archive, member)
            name = member.removesuffix(".npy")
            if floats(path, name, dtype):
                stored[name] = Stored(shape, dtype.newbyteorder("="), partial(_member, path, member))
    return stored


def _member(path: Path, member: str) -> Fields:
    with _opened(path) as archive:
        return cast(Fields, _archives.array(archive, member))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with opened(path) as file, _archives.opened(file) as archive:
            yield archive
    except InputError:
        raise
    except Exception as error:  # damaged bytes can make a parser raise anything
        raise InputError(f"{path} is not a readable .npz file: {error}") from None
