"""The checksums that go with everything tdu writes and reads again, each within what it is of; all are SHA-256.

- JSON (manifest.json, results.json, provenance.json): ``sha256`` beside the other entries, of all these as JSON with keys in
  order and no spaces. Spaces and the order of entries may change, a number may not.
- Arrays with a description (.npz of runs and of training states): the member ``sha256``, of description, names, types, shapes
  and entries.
- One array alone (.npy of saved gradients): a second array behind it, the digest as text, of all bytes before it. NumPy reads
  the first, and knows that further arrays may follow.
- Tables (.csv in a folder): ``SHA256SUMS`` in that folder, which ``sha256sum -c`` reads too.
- Tensors of one snapshot (.npz of `keep_gradients` and `tdu synth --save-fields`): the archive's own CRC-32.

What has no checksum is read with a warning that says so.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tdu._inputs import content, opened, say_unverified
from tdu.errors import InputError

KEY = "sha256"
SUMS = "SHA256SUMS"
_CHUNK = 1 << 22


def signed(value: Mapping[str, Any]) -> dict[str, Any]:
    """`value` as JSON gives it back, with its digest.

    >>> from tdu.checksums import signed
    >>> sorted(signed({"schema": 2}))
    ['schema', 'sha256']
    """
    plain: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    plain.pop(KEY, None)
    return {**plain, KEY: _of_json(plain)}


def check_signed(path: Path, value: dict[str, Any], what: str) -> dict[str, Any]:
    """What was read from `path`, without its digest; an `InputError` if it is not what was written."""
    rest = {name: entry for name, entry in value.items() if name != KEY}
    if KEY not in value:
        say_unverified(path)
    elif value[KEY] != _of_json(rest):
        raise InputError(
            f"{path} is not the {what} that was written: its checksum differs (without its `{KEY}` it is read unverified)"
        )
    return rest


def _of_json(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def of_arrays(arrays: Mapping[str, npt.NDArray[Any]], description: str) -> str:
    """Digest of arrays and their description."""
    digest = hashlib.sha256(description.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def seal(digest: str) -> bytes:
    """What stands behind an array to seal it: one more, of the digest of all before."""
    behind = io.BytesIO()
    np.save(behind, np.array(digest.encode()))
    return behind.getvalue()


_SEAL_BYTES = len(seal("0" * 64))
_SEAL_BEGINS = seal("0" * 64)[:-64]


def check_sealed(path: Path) -> bool:
    """Whether a .npy file has a seal, which is checked; an `InputError` if the file is not what was written."""
    with opened(path) as file:
        left = os.fstat(file.fileno()).st_size - _SEAL_BYTES
        if left <= 0:
            return False
        file.seek(left)
        behind = file.read(_SEAL_BYTES)
        if not behind.startswith(_SEAL_BEGINS):
            return False
        file.seek(0)
        digest = hashlib.sha256()
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    if behind != seal(digest.hexdigest()):
        raise InputError(f"{path} is not the array that was written: its checksum differs")
    return True


def sums(contents: Mapping[str, bytes]) -> bytes:
    """A line for each file, as ``sha256sum`` has it."""
    return "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in sorted(contents.items())).encode()


def check_sums(folder: Path, names: Iterable[str]) -> None:
    """Check files of a folder against its ``SHA256SUMS``; an `InputError` names the first that is not as it was written."""
    try:
        listed = content(folder / SUMS)
    except FileNotFoundError:
        say_unverified(folder)
        return
    known = set(listed.splitlines())
    for name in names:
        if sums({name: content(folder / name)}).strip() not in known:
            raise InputError(
                f"{folder / name} is not the table that was written: its checksum is not in {folder / SUMS} "
                f"(`cd {folder}; sha256sum *.csv > {SUMS}` trusts it as it is)"
            )
