"""How a kernel is compiled, and what its machine code depends on; beside `tdu._llvm` and `tdu._cache`, all that imports numba.

Kernels call each other across files. Numba notices an edit only in the kernel's own file, so the cache directory is
named after a digest of *all* kernel sources (and of bounds checking, which a warm cache would otherwise ignore): after any
edit of a kernel the cache is empty, and never stale. It is named after the processor too: machines of several kinds that share
a home would otherwise write one index, in turns. The directory is under the user's cache, not beside the sources, so that a
read-only installation works as well.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from llvmlite import binding
from numba import __version__ as numba_version
from numba import njit
from numba.core import config as _numba_config
from numba.cpython.unsafe.numbers import trailing_zeros as _count_trailing_zeros

from tdu import _cache

F = TypeVar("F", bound=Callable[..., object])

CONFIG: Any = _numba_config  # its settings are set at run time, where no type checker sees them

#: ``error_model="numpy"``: a division by zero gives inf or nan as in NumPy and costs no branch.
#: ``fastmath`` stays off: results are the bits that the written order of operations gives, on every processor. So a product and
#: a sum never become one instruction that rounds once, and a sum vectorises only if its order is that of lanes (`tdu._llvm`).
#: ``forceinline``: an array is passed as seven numbers, and a call with eight arrays costs as much as a small step.
#: ``_nrt`` off: kernels make no arrays, whose callers hold them, so that nobody counts references to them: twenty locked
#: additions were a tenth of a probe of 81 sites. Numba refuses a kernel that makes one.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False, "forceinline": True, "_nrt": False}


def _trailing_zeros(word: Any) -> int:
    value = int(word)
    return (value & -value).bit_length() - 1 if value else 64


#: Zeros below the lowest bit of a 64-bit word, 64 of 0: an instruction in compiled kernels.
trailing_zeros = _trailing_zeros if CONFIG.DISABLE_JIT else _count_trailing_zeros


def _processor() -> str:
    """The kind of processor that code is made for, and what it can do, as numba is told or finds out."""
    name = CONFIG.CPU_NAME or binding.get_host_cpu_name()
    return f"{name} {CONFIG.CPU_FEATURES or binding.get_host_cpu_features().flatten()}"


def _source_digest() -> str:
    """Digest of everything that the machine code of the kernels depends on."""
    here = Path(__file__).parent
    digest = hashlib.sha256(f"{numba_version} {_processor()}".encode())
    for source in [Path(__file__), here / "_llvm.py", here / "_cache.py", *sorted((here / "kernels").glob("*.py"))]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def cache_directory() -> Path | None:
    """Directory of the compiled kernels; None where there is none for this user alone (they then compile in every process)."""
    return _cache.private_directory(f"{_source_digest()}-{'checked' if CONFIG.BOUNDSCHECK else 'fast'}")


_CACHE = cache_directory()


def cache_is_cold() -> bool:
    """True where the kernels are still to be compiled, so that a command can say why its first run takes longer."""
    if CONFIG.DISABLE_JIT or _CACHE is None:
        return not CONFIG.DISABLE_JIT
    # `os.walk` passes over what this user may no longer look into, where `Path.rglob` is an error.
    return not any(name.endswith(".nbc") for _, _, names in os.walk(_CACHE) for name in names)


def kernel(function: F) -> F:
    """Compile `function` in nopython mode, without the GIL, and keep the machine code."""
    return _compiled(function, OPTIONS)


def _compiled(function: F, options: dict[str, Any]) -> F:
    """Compile `function`, with its machine code in our cache.

    Numba takes its cache directory from a setting of the whole process, read while decorating; it is changed for that
    moment only, so that the kernels of other packages in the same process stay in their own cache.
    """
    borrowed = CONFIG.CACHE_DIR
    CONFIG.CACHE_DIR = str(_CACHE or "")
    try:
        compiled: Any = njit(**options)(function)
        if _CACHE is not None and not CONFIG.DISABLE_JIT:
            compiled._cache = _cache.VerifiedCache(function)
    finally:
        CONFIG.CACHE_DIR = borrowed
    return cast(F, compiled)
