"""Which format a path has, by its suffix; folders of files, and files that name others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tdu._inputs import check_regular, json_in
from tdu.errors import InputError
from tdu.files import read_fields
from tdu.sources import numpy_files, safetensors, torch_files
from tdu.sources.tensors import Stored, Tensors
from tdu.types import Layout


def open_tensors(path: Path) -> Tensors:
    """The tensors at `path`, whose suffix says how they are stored.

    ``.npy``: one array, named by the file. ``.npz``: its members. ``.safetensors``: tensors of float16, bfloat16, float32 and
    float64. ``.pt``, ``.pth``, ``.bin``: those that `torch.save` wrote, alone or in dictionaries, names joined by dots.
    ``….index.json``: those of the shards that it names. A folder: those of all such files in it, called
    ``file.tensor`` if there are several files, or ``file`` for .npy.

    They are in order of their names, since formats keep no other. What is no tensor of floats is left out, and so are
    the states of optimisers; bfloat16 is handed
    over as float32, which is exact. Nothing of a file is executed, and a tensor is in memory only while it is asked for.

    Raises
    ------
    ValueError
        If there is nothing, or nothing that holds tensors of floats; the message names the path and what to do.
    """
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    reader = _reader(path)
    if reader is None:
        raise InputError(f"{path} is of no known format: {_known()}")
    check_regular(path)
    stored = reader(path)
    if not stored:
        raise InputError(f"{path} holds no tensor of floats")
    return Tensors.by_name(path, stored)


def fields_in(path: Path) -> npt.NDArray[np.generic]:
    """Fields (T, N): one or many of a .npy file; of any other the one that its tensors (`open_tensors`) make up together."""
    return read_fields(path) if path.suffix == ".npy" else open_tensors(path).field()[None]


def layout_in(path: Path, n_sites: int) -> Layout:
    """Which tensors a field of `n_sites` in a file is of; of a .npy nobody knows."""
    return Layout.unknown(n_sites) if path.suffix == ".npy" else open_tensors(path).layout


def _of_index(path: Path) -> dict[str, Stored]:
    """The tensors of the shards that an index names."""
    shards = _shards(path)
    opened = {file: open_tensors(path.parent / file).stored for file in dict.fromkeys(shards.values())}
    for name, file in shards.items():
        if name not in opened[file]:
            raise InputError(f"{path} says that `{name}` is in {file}, which does not have it as a tensor of floats")
    return {name: opened[file][name] for name, file in shards.items()}


def _shards(index: Path) -> dict[str, str]:
    """The file of each tensor, as an index has it."""
    try:
        shards = json_in(index, "index of shards")["weight_map"]
        if not all(isinstance(file, str) and Path(file).name == file for file in shards.values()):
            raise ValueError("`weight_map` must name files beside it")
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{index} is no index of shards: {error!r}") from None
    return dict(shards)


#: What reads files of a suffix.
FORMATS: dict[str, Callable[[Path], dict[str, Stored]]] = {
    ".npy": numpy_files.npy,
    ".npz": numpy_files.npz,
    ".safetensors": safetensors.tensors,
    ".pt": torch_files.tensors,
    ".pth": torch_files.tensors,
    ".bin": torch_files.tensors,
    ".safetensors.index.json": _of_index,
    ".bin.index.json": _of_index,
}


def _reader(path: Path) -> Callable[[Path], dict[str, Stored]] | None:
    return next((reader for suffix, reader in FORMATS.items() if path.name.endswith(suffix)), None)


def _known() -> str:
    return f"tensors are read from {', '.join(FORMATS)}, and folders of them"


def _of_folder(path: Path) -> Tensors:
    files = sorted(file for file in path.iterdir() if _reader(file) is not None and not file.name.startswith("."))
    shards = {shard for file in files if _reader(file) is _of_index for shard in _shards(file).values()}
    alone = [file for file in files if file.name not in shards]
    stored: dict[str, Stored] = {}
    comes_from: dict[str, Path] = {}
    for file in alone:
        stem = file.name.partition(".")[0]
        for name, one in open_tensors(file).stored.items():
            if file.suffix != ".npy" and (other := comes_from.setdefault(name, file)).suffix != file.suffix:
                raise InputError(
                    f"{path} has `{name}` in {other.name} and in {file.name}: name one of the files in the pattern"
                )
            stored[name if len(alone) == 1 or file.suffix == ".npy" else f"{stem}.{name}"] = one
    if not stored:
        raise InputError(f"{path} is a folder without tensors: {_known()}")
    return Tensors.by_name(path, stored)
