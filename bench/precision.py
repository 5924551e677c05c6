"""What float32 fields save, and what they change: ``python bench/precision.py [--sites N] [--fields K]``.

Memory is what `tdu.avalanche` allocates beside the field and the graph, at its peak, for a field of the precision asked for.
"""

import argparse
import tracemalloc

import numpy as np

import tdu
from tdu.config import PRECISIONS

LAWS = {
    "Gaussian": lambda rng, n: rng.normal(size=n),
    "Student's t, 2 degrees of freedom": lambda rng, n: rng.standard_t(2, n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
}


def bytes_a_site(graph, precision):
    """What an avalanche of a Gaussian field allocates."""
    field = LAWS["Gaussian"](np.random.default_rng(0), len(graph)).astype(precision)
    tdu.avalanche(field, graph, precision=precision)
    tracemalloc.start()
    tdu.avalanche(field, graph, precision=precision)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / len(graph)


def main():
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=1_000_000)
    parser.add_argument("--fields", type=int, default=20)
    options = parser.parse_args()
    graph = tdu.barabasi_albert(options.sites)
    for precision in PRECISIONS:
        print(f"{precision}: {bytes_a_site(graph, precision):.1f} bytes a site")
    for name, law in LAWS.items():
        fields = [law(np.random.default_rng(k), options.sites) for k in range(options.fields)]
        single, double = (
            np.array([tdu.avalanche(field, graph, precision=precision).size for field in fields]) for precision in PRECISIONS
        )
        difference = np.abs(single - double)
        print(
            f"{name}: {(difference > 0).sum()} of {difference.size} sizes differ, by at most {difference.max()} topplings, "
            f"{(difference / double).max():.1e} of the size"
        )


if __name__ == "__main__":
    main()
