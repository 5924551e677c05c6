"""Arrays in .npz archives, taken out only if the member holds what its header promises, and memory has room."""

import os
import zipfile
from math import prod
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tdu import _memory

_END = 22  # bytes of the record at the end of an archive, before its comment
_MANY = 0xFFFF  # what the record says where there are more members


def opened(file: IO[bytes]) -> zipfile.ZipFile:
    """The archive in a file, with as many members as it announces, each called in the directory as where it begins.

    Otherwise a member whose entry is swallowed by a damaged one, or that is no longer called .npy, would be missing unnoticed.
    """
    archive = zipfile.ZipFile(file)
    file.seek(-_END - len(archive.comment), os.SEEK_END)
    announced = int.from_bytes(file.read(_END)[10:12], "little")
    if announced not in (len(archive.namelist()), _MANY):
        raise zipfile.BadZipFile(f"{announced} members are announced, but {len(archive.namelist())} found")
    for member in archive.infolist():
        with archive.open(member):
            pass
    return archive


def header(archive: zipfile.ZipFile, member: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array in a member; a ValueError if the member is longer or shorter than these say."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        begins = file.tell()
    announced, held = begins + prod(shape) * dtype.itemsize, archive.getinfo(member).file_size
    if announced != held and not dtype.hasobject:  # objects are no numbers, and nobody reads them
        raise ValueError(f"`{member}` of {held} bytes announces {announced}")
    return shape, dtype


def array(archive: zipfile.ZipFile, member: str) -> npt.NDArray[Any]:
    """The array in a member, whose checksum the archive compares: NumPy stops at the last entry, before that."""
    header(archive, member)
    check_room(archive, member)
    with archive.open(member) as file:
        found: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        file.read()
    return found


def check_room(archive: zipfile.ZipFile, member: str, times: int = 1) -> None:
    """Raise an `InputError` if a member, unpacked and `times` as large as it is then, has no room in memory."""
    n_bytes = archive.getinfo(member).file_size
    _memory.need(times * n_bytes, f"`{member}` of {archive.filename}, {n_bytes} bytes unpacked,", "probe on a larger machine")
