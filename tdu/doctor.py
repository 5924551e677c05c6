"""What this installation is, and whether it works: versions, processor, compiled code, and numbers that are known."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from tdu.config import StudyConfig
from tdu.errors import InputError
from tdu.files import made_by

#: SHA-256 of the log of the default study, the same on every machine (a test compares it with the committed results).
STUDY = "86720b89181788f84415bffb43cf9f16f8431dda2f608fc5252cbb9b75e5913e"
#: Packages that an extra brings, and what for.
EXTRAS = {"pyarrow": "parquet", "distributed": "dask", "mpi4py": "mpi", "torch": "torch", "safetensors": "torch"}


class Finding(NamedTuple):
    """What was looked at and what it is; of what is checked, the `verdict` ``ok`` or ``wrong``, and then what to do."""

    name: str
    value: str
    verdict: str = ""
    remedy: str = ""


def examine(n_threads: int) -> Iterator[Finding]:
    """What the installation is made of, then what is checked, as each is done.

    Examples
    --------
    >>> from tdu.doctor import examine
    >>> {finding.name: finding.verdict for finding in examine(1) if finding.verdict}["default study"]
    'ok'
    """
    made = made_by()
    for name, version in made["packages"].items():
        yield Finding(name, version)
    yield Finding("python", made["python"])
    for name, extra in EXTRAS.items():
        yield Finding(name, _version(name) or f"not installed (pip install 'tdu-ofc[{extra}]')")
    yield Finding("processor", str(made["cpu"]))
    yield Finding("threads", f"{n_threads} of {os.cpu_count()}")
    yield _cache()
    yield _checked("avalanche of a known field", _known_avalanche, "reinstall tdu-ofc: its kernels compute something else")
    yield _checked("log written and read", _log_on_disk, "look at the free space of the directory for temporary files")
    yield _checked(
        "default study", lambda: _study(n_threads), "report it with this table: the log should be the same on every machine"
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cache() -> Finding:
    from tdu._jit import cache_directory

    directory = cache_directory()
    if directory is None:
        return Finding("compiled kernels", "kept nowhere", "wrong", "set NUMBA_CACHE_DIR to a directory that can be written")
    size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    return Finding("compiled kernels", f"{directory}, {size / 2**20:.0f} MiB", "ok")


def _checked(name: str, check: Callable[[], str], remedy: str) -> Finding:
    begun = time.perf_counter()
    try:
        value = check()
    except (InputError, OSError) as error:
        return Finding(name, str(error), "wrong", remedy)
    return Finding(name, f"{value}, {time.perf_counter() - begun:.1f} s", "ok")


def _known_avalanche() -> str:
    import tdu

    path = tdu.Graph.from_edges(3, [(0, 1), (1, 2)])
    found = tdu.avalanche([0.0, 4.0, 0.0], path, alpha=0.5, threshold=2.0)  # the middle gives 1 to either side, and rests
    _expect("size", found.size, 1)
    _expect("relaxed field", found.gradient.tolist(), [1.0, 2.0, 1.0])
    return f"size {found.size}"


def _log_on_disk() -> str:
    from tdu.reproduce import train_study

    config = StudyConfig(hidden=(5, 6), replicates=1, epochs=20, n_null_draws=1)
    with tempfile.TemporaryDirectory() as directory:
        log = train_study(Path(directory) / "log", config, 1).log()
    return f"{log.size.shape[0]} scales"


def _study(n_threads: int) -> str:
    from tdu.training.ensembles import train_all

    with ThreadPoolExecutor(n_threads) as executor:
        log = train_all(StudyConfig(), executor, gini=True, every_epoch=True, nulls=True)
    _expect("SHA-256 of the log", log.digest, STUDY)
    return f"{STUDY[:12]}…"


def _expect(name: str, found: object, known: object) -> None:
    if found != known:
        raise InputError(f"{name} is {found}, not {known}")
