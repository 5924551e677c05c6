"""pyfssa on planted collapses: the quality S at exponents that are given, and the exponents of the least S with errors.

Its last release asks NumPy and SciPy for four names that they no longer have. They are given back here, as they were, so that
there is something to compare: bench/NEIGHBOURS.md says so.
"""

import sys

import numpy
from measuring import group, repeated, run
from scipy.optimize import _optimize


def wrap_function(function, args):
    """As in SciPy 1.7: a function that counts its calls."""
    calls = [0]

    def counted(x):
        calls[0] += 1
        return function(x, *args)

    return calls, counted


vars(numpy).update(int=int, asfarray=lambda values: numpy.asarray(values, float))
_optimize.wrap_function = wrap_function
sys.modules["scipy.optimize.optimize"] = _optimize

import fssa  # noqa: E402


def answers(data):
    """S at the trial exponents of the critical point, its fit, and the fit of the tails of sizes."""
    critical, cutoff = group(data, "critical"), group(data, "cutoff")
    of_point = [critical[name] for name in ("length", "rho", "a", "error")]
    of_tails = [cutoff[name] for name in ("n_sites", "sizes", "p", "error")]
    qualities = [quality(of_point, trial) for trial in critical["trials"]]
    # P(S ≥ s) = f(s N^−D) is a = L^(ζ/ν) f((ρ − ρ_c) L^(1/ν)) with ρ = s, ρ_c = ζ = 0 and D = −1/ν
    found = fitted(of_tails, (0.0, -1.0, 0.0))
    dimension = {"dimension": -1 / found["nu"], "stderr": found["dnu"] / found["nu"] ** 2}
    return {"critical": fitted(of_point, (0.9, 2.0, 0.0)), "qualities": qualities, "cutoff": found | dimension}


def quality(curves, trial):
    """S at ρ_c, ν and ζ."""

    def call():
        scaled = fssa.scaledata(*curves, rho_c=trial[0], nu=trial[1], zeta=trial[2])
        return fssa.quality(*scaled)

    value, seconds = repeated(call)
    return {"value": float(value), "seconds": seconds}


def fitted(curves, start):
    """The exponents of the least S from `start` on, with its errors, some of which may be unknown."""
    found, seconds = repeated(lambda: fssa.autoscale(*curves, *start))
    names = ("rho", "nu", "zeta", "drho", "dnu", "dzeta")
    numbers = {name: float(found[name]) if numpy.isfinite(found[name]) else None for name in names}
    return numbers | {"quality": float(found["fun"]), "seconds": seconds}


if __name__ == "__main__":
    run(answers, "fssa", "numpy", "scipy")
