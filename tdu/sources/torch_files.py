"""Tensors that `torch.save` wrote, without PyTorch and without executing anything.

Such a file is a zip archive of a pickle and the bytes of the tensors. The pickle is a program; the interpreter here knows the
instructions that build dictionaries, lists, numbers and text, and of functions those by which PyTorch rebuilds a tensor.
Whatever else the program wants to call is refused by its name.
"""

import pickletools
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tdu import _archives
from tdu._inputs import opened
from tdu.errors import InputError
from tdu.sources.tensors import Stored, widened
from tdu.types import Fields

#: How the bytes of a type of floats are read; tensors of other types are left out.
_TYPES = {"Half": "<f2", "BFloat16": "<u2", "Float": "<f4", "Double": "<f8"}
_OTHERS = ("Long", "Int", "Short", "Char", "Byte", "Bool")
_DTYPES = {"float16": "Half", "bfloat16": "BFloat16", "float32": "Float", "float64": "Double"}
_MOST_NODES = 1_000_000  # of nested dictionaries, which a small file can make endless
_MOST_REPEATED = 1 << 28  # entries of a tensor that repeats its storage, as a sum's gradient does


@dataclass(frozen=True)
class _Global:
    """Something that the pickle names: a function that rebuilds a tensor, or a type of storage."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """Bytes of an archive: their type (None if it is only said with the tensor), and how many entries they are."""

    kind: str | None
    key: str
    entries: int


@dataclass(frozen=True)
class _Tensor:
    """A view into a storage, as a tensor is."""

    storage: _Storage
    kind: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


_ADMITTED = {
    "collections OrderedDict": _Global("dict"),
    "torch._utils _rebuild_tensor_v2": _Global("tensor"),
    "torch._utils _rebuild_tensor_v3": _Global("tensor_v3"),
    "torch._utils _rebuild_parameter": _Global("parameter"),
    "torch.storage UntypedStorage": _Global("storage"),
    "torch UntypedStorage": _Global("storage"),
    **{f"torch {kind}Storage": _Global(kind) for kind in (*_TYPES, *_OTHERS)},
    **{f"torch {dtype}": _Global(kind) for dtype, kind in _DTYPES.items()},
}
_CONSTANTS = (
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "SHORT_BINSTRING",
    "BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
)  # fmt: skip
_MARK = object()
#: Keys of the state dict of an optimiser, whose tensors are left out.
_OF_OPTIMISERS = {"state", "param_groups"}
_DEEPEST = 50  # dictionaries within each other
_UNPICKLED = 64  # bytes that one of a pickle becomes, at most about
_LOCAL_HEADER = 30  # bytes of a zip archive before a member's name


def tensors(path: Path) -> dict[str, Stored]:
    """The tensors of floats; nested names are joined by dots."""
    try:
        with opened(path) as file, _archives.opened(file) as archive:
            prefix = _prefix(path, archive)
            _archives.check_room(archive, f"{prefix}/data.pkl", _UNPICKLED)
            content = _Interpreter(path).run(archive.read(f"{prefix}/data.pkl"))
            order = f"{prefix}/byteorder"
            if order in archive.namelist() and archive.open(order).read(16).strip() != b"little":
                raise InputError(f"{path} was written on a machine of another byte order: save it again on this one")
            found: dict[str, _Tensor] = {}
            _flatten(path, content, "", found, [0])
            places = {info.filename: info for info in archive.infolist()}
            return {
                name or path.name.partition(".")[0]: _stored(path, tensor, places, f"{prefix}/data/{tensor.storage.key}")
                for name, tensor in found.items()
                if tensor.kind in _TYPES
            }
    except InputError:
        raise
    except zipfile.BadZipFile:
        raise InputError(
            f"{path} is not a file of torch.save since version 1.6: load it with PyTorch, and save it again"
        ) from None
    except Exception as error:  # damaged bytes can make a parser raise anything
        raise InputError(f"{path} is not a readable file of torch.save: {error}") from None


def _prefix(path: Path, archive: zipfile.ZipFile) -> str:
    for name in archive.namelist():
        if name.endswith("/data.pkl"):
            return name.removesuffix("/data.pkl")
    numpy = any(name.endswith(".npy") for name in archive.namelist())
    hint = "it is one of NumPy: call it .npz" if numpy else "it has no data.pkl"
    raise InputError(f"{path} is a zip archive, but not one of torch.save: {hint}")


class _Interpreter:
    """The instructions of a pickle that tensors in dictionaries need, by the name that `pickletools` has for them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        """What the program leaves."""
        for opcode, argument, _ in pickletools.genops(program):
            if opcode.name == "STOP":
                return self.stack[-1]
            self._do(opcode.name, argument)
        raise InputError(f"{self.path} is cut short")

    def _do(self, instruction: str, argument: Any) -> None:
        stack, memo = self.stack, self.memo
        match instruction:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                stack.append(_MARK)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[instruction])
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[instruction]())
            case "TUPLE" | "LIST":
                stack.append(tuple(self._to_mark()) if instruction == "TUPLE" else self._to_mark())
            case "DICT":
                stack.append(_pairs(self._to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                size = int(instruction[-1])
                stack[-size:] = [tuple(stack[-size:])]
            case "APPEND" | "APPENDS":
                values = self._to_mark() if instruction == "APPENDS" else [stack.pop()]
                self._of(list).extend(values)
            case "SETITEM" | "SETITEMS":
                values = self._to_mark() if instruction == "SETITEMS" else [stack.pop(-2), stack.pop()]
                self._of(dict).update(_pairs(values))
            case "BINPUT" | "LONG_BINPUT" | "PUT" | "MEMOIZE":
                memo[len(memo) if argument is None else int(argument)] = stack[-1]
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(memo[int(argument)])
            case "GLOBAL" | "STACK_GLOBAL":
                name = argument if instruction == "GLOBAL" else " ".join((str(stack.pop(-2)), str(stack.pop())))
                stack.append(self._admitted(name))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(self._called(function, arguments))
            case "BUILD":  # what a state dict knows beside its tensors
                stack.pop()
                self._of(dict)
            case constant if constant in _CONSTANTS:
                stack.append(argument)
            case _:
                self._refuse(f"the instruction {instruction}")

    def _to_mark(self) -> list[Any]:
        """What lies above the last mark, which is taken off with it."""
        at = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def _of(self, kind: type[Any]) -> Any:
        """The topmost value, which must be a list or a dictionary."""
        if type(self.stack[-1]) is not kind:
            self._refuse(f"a method of {type(self.stack[-1]).__name__}")
        return self.stack[-1]

    def _admitted(self, name: str) -> _Global:
        if name not in _ADMITTED:
            self._refuse(f"`{name.replace(' ', '.')}`")
        return _ADMITTED[name]

    def _called(self, function: Any, arguments: Any) -> Any:
        match function, arguments:
            case _Global("dict"), ():
                return {}
            case _Global("dict"), (list(pairs),):
                return {key: value for key, value in pairs}
            case _Global("tensor"), (_Storage(str(kind)) as storage, offset, shape, strides, *_):
                return _Tensor(storage, kind, offset, shape, strides)
            case _Global("tensor_v3"), (_Storage() as storage, offset, shape, strides, _, _, _Global(kind), *_):
                return _Tensor(storage, kind, offset, shape, strides)
            case _Global("parameter"), (_Tensor() as tensor, *_):
                return tensor
        return self._refuse(f"{getattr(function, 'name', function)!r} in a way that is not known")

    def _refuse(self, what: str) -> NoReturn:
        raise InputError(
            f"{self.path} wants to call {what}, but nothing of a file is executed: "
            "save a dictionary of tensors and numbers alone"
        )


def _pairs(values: Sequence[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _storage(address: Any) -> _Storage:
    """What a pickle says of a storage: ``("storage", type, key, device, entries)``."""
    match address:
        case ("storage", _Global(kind), str(key), _, int(entries)):
            return _Storage(None if kind == "storage" else kind, key, entries)
    raise ValueError(f"{address!r} is no storage")


def _flatten(path: Path, value: Any, name: str, found: dict[str, _Tensor], nodes: list[int], depth: int = 0) -> None:
    """Put the tensors in nested dictionaries and lists under their joined names into `found`."""
    nodes[0] += 1
    if depth > _DEEPEST or nodes[0] > _MOST_NODES:
        raise InputError(f"{path} is nested without end: save a dictionary of tensors")
    if isinstance(value, _Tensor):
        if name in found:
            raise InputError(f"{path} has two tensors `{name}`: name them apart")
        found[name] = value
    elif isinstance(value, dict) and value.keys() == _OF_OPTIMISERS:
        return  # moments and counters: neither gradients nor parameters
    elif isinstance(value, dict | list | tuple):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            _flatten(path, entry, f"{name}.{key}" if name else str(key), found, nodes, depth + 1)


def _stored(path: Path, tensor: _Tensor, places: dict[str, zipfile.ZipInfo], member: str) -> Stored:
    """A tensor whose view is checked against its storage, and the storage against the archive."""
    raw, place = np.dtype(_TYPES[tensor.kind]), places[member]
    shape, strides, offset = tensor.shape, tensor.strides, tensor.offset
    counts = (*shape, *strides, offset)
    if len(shape) != len(strides) or not all(type(count) is int and 0 <= count < 1 << 62 for count in counts):
        raise ValueError(f"shape {shape!r} with strides {strides!r} is none of a tensor")
    available = place.file_size // raw.itemsize
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if prod(shape) > 0 and (last >= available or prod(shape) > max(available, _MOST_REPEATED)):
        raise InputError(f"{path}: a tensor of shape {shape} reaches beyond its {available} entries: the file is damaged")
    dtype = np.dtype(np.float32) if tensor.kind == "BFloat16" else raw.newbyteorder("=")
    return Stored(shape, dtype, partial(_read, path, raw, place, offset, shape, strides))


def _read(
    path: Path, raw: np.dtype[Any], place: zipfile.ZipInfo, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> Fields:
    if prod(shape) == 0:
        return np.empty(shape, np.float32)
    storage = _bytes_of(path, place, raw)
    steps = tuple(stride * raw.itemsize for stride in strides)
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)
    return widened(view) if raw.kind == "u" else view


def _bytes_of(path: Path, place: zipfile.ZipInfo, raw: np.dtype[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """A storage, memory-mapped unless the archive is compressed."""
    entries = place.file_size // raw.itemsize
    if place.compress_type != zipfile.ZIP_STORED:
        try:
            with zipfile.ZipFile(path) as archive:
                _archives.check_room(archive, place.filename)
                return np.frombuffer(archive.read(place), raw, entries)
        except InputError:
            raise
        except Exception as error:  # damaged bytes can make a parser raise anything
            raise InputError(f"{path} is not a readable file of torch.save: {error}") from None
    with open(path, "rb") as file:
        file.seek(place.header_offset)
        header = file.read(_LOCAL_HEADER)
    begins = (
        place.header_offset + _LOCAL_HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    )
    try:
        return np.memmap(path, raw, "r", begins, (entries,))
    except ValueError as error:
        raise InputError(f"{path} is cut short: {error}") from None
