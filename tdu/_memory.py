"""What memory is left, asked before much of it is taken; standard library only."""

import os
from contextlib import suppress
from pathlib import Path

from tdu.errors import InputError

_ANYWHERE = 1 << 26  # bytes that every machine has: below, nothing is asked


def available() -> int:
    """Bytes that can still be had: of the machine, of the control group, and of this process by its own limit."""
    found = [_of_machine(), *_of_groups()]
    with suppress(ImportError, OSError, ValueError):  # no such limits on Windows
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            found.append(max(limit - taken, 0))
    return min(found)


def need(n_bytes: float, what: str, instead: str) -> None:
    """Raise an `InputError` if `what` takes more than there is; `instead` says what to do."""
    if n_bytes > _ANYWHERE and n_bytes > (there := available()):
        raise InputError(f"{what} would take {n_bytes / 2**30:.3g} GiB of memory, but {there / 2**30:.3g} are left: {instead}")


def _of_machine() -> int:
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 1 << 62


def _of_groups() -> list[int]:
    """Limits of the control groups, versions 2 and 1, as a container sees its own."""
    found = []
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max" where there is none
            found.append(int((Path("/sys/fs/cgroup") / name).read_text()))
    return found
