"""Where machine code is kept: a directory of this user alone, and files that are read only as they were written.

Numba keeps pickles, and reading one runs what is in it. So nothing is read from a directory that somebody else could have
written, nor from a file whose checksum differs: that kernel is compiled again, as it is where nothing can be kept.
"""

import hashlib
import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

_DIGEST_SIZE = hashlib.sha256().digest_size


def private_directory(name: str) -> Path | None:
    """Directory `name` in the first cache that is this user's alone; None where there is none, or it cannot be written."""
    for root in _roots():
        directory = root / "tdu" / name
        try:
            for made in (root, directory.parent, directory):
                made.mkdir(mode=0o700, parents=True, exist_ok=True)
            strange = _strange(root, stat.S_IWOTH, sticky=True) or _strange(directory.parent) or _strange(directory)
        except OSError:
            return None
        if strange is None:
            return directory if os.access(directory, os.W_OK) else None
        warnings.warn(f"{strange}: compiled kernels in it are neither read nor kept", stacklevel=2)
    return None


def _roots() -> Iterator[Path]:
    """The caches that are asked for, and the user's own."""
    for variable in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        if asked := os.environ.get(variable):
            yield Path(asked)
    try:
        yield Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return


def _strange(directory: Path, others: int = stat.S_IWGRP | stat.S_IWOTH, *, sticky: bool = False) -> str | None:
    """Why somebody else could have put files into a directory; None if nobody could.

    A cache's root may be `sticky`, anybody's, as /tmp is: what is ours in it stays so.
    """
    found = directory.stat()
    if not sticky and found.st_uid != os.geteuid():
        return f"{directory} belongs to another user ({found.st_uid}, not {os.geteuid()})"
    if found.st_mode & others and not (sticky and found.st_mode & stat.S_ISVTX):
        return f"{directory} can be written by others (mode {stat.S_IMODE(found.st_mode):o})"
    return None


class VerifiedCache(FunctionCache):
    """Numba's cache of one kernel, which no damage, full disk or removed directory keeps from being compiled."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        files, stamp = self._impl.filename_base, self._impl.locator.get_source_stamp()
        self._cache_file = _VerifiedFiles(self._cache_path, files, stamp)

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep machine code, where there is room."""
        try:
            super().save_overload(signature, compiled)
        except OSError as error:
            warnings.warn(f"compiled kernels cannot be kept in {self._cache_path}: {error.strerror}", stacklevel=2)


class _VerifiedFiles(IndexDataCacheFile):
    """Numba's files with a digest behind what is in them, where it does not look."""

    @contextmanager
    def _open_for_write(self, path: str) -> Iterator[IO[bytes]]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(path) as file:
            file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())

    def _load_index(self) -> dict[Any, str]:
        found: dict[Any, str] = super()._load_index() if self._is_whole(self._index_path) else {}
        return found

    def _load_data(self, name: str) -> Any:
        if self._is_whole(self._data_path(name)):
            return super()._load_data(name)
        raise FileNotFoundError(name)  # as if there were none

    def _is_whole(self, path: str) -> bool:
        try:
            content = Path(path).read_bytes()
        except FileNotFoundError:
            return False
        except OSError as error:
            warnings.warn(f"{path} cannot be read ({error.strerror}): compiled again", stacklevel=2)
            return False
        whole = hashlib.sha256(content[:-_DIGEST_SIZE]).digest() == content[-_DIGEST_SIZE:]
        if not whole:
            warnings.warn(f"{path} is damaged: compiled again", stacklevel=2)
        return whole
