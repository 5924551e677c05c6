"""Memory over ten thousand probes: what the first thousand took is enough for all."""

from pathlib import Path

import numpy as np

import tdu

_ALLOWED = 4 << 20  # bytes of growth: some pages that the allocator keeps


def resident():
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def attack(n_probes):
    """Probe so many fields, alone and as snapshots of runs with nulls; bytes by which memory grew after the first tenth."""
    graph, rng, after_first = tdu.barabasi_albert(2001), np.random.default_rng(0), 0
    layout = tdu.types.Layout.of({"w": (400, 5), "b": (1,)})
    for number in range(n_probes):
        if number % 100 == 0:
            run = tdu.Probe("ba", draws=1, seed=number).of_run(layout)
        field = rng.normal(size=2001)
        tdu.avalanche(field, graph)
        run.snapshot(field, number)
        if number == n_probes // 10:
            after_first = resident()
    grown = resident() - after_first
    assert grown < _ALLOWED, f"{grown} bytes more after {n_probes} probes"
    return grown
