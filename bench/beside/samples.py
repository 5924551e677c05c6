"""Samples with a known answer, each from its seed, on which a neighbour and tdu are asked the same question."""

import numpy as np

import tdu
from tdu.types import Log

#: Of the planted samples: the exponent of P(s) ~ s^−τ, and the size from which on it holds.
POWER_LAWS = {"power law, τ = 2.5": (2.5, 1), "power law, τ = 2.2 from 8 on": (2.2, 8)}
LOG_NORMAL, AVALANCHES = "log-normal", "avalanches of XOR runs"
N_SIZES, WIDTH, N_RUNS = 5000, 500, 6

#: Of the planted collapses: critical point and exponents of a = L^(ζ/ν) f((ρ − ρ_c) L^(1/ν)); and D.
CRITICAL = {"rho_c": 1.0, "nu": 2.0, "zeta": 0.0}
#: Of which S is asked: ρ_c, ν and ζ as planted, and two that are not.
TRIAL_EXPONENTS = ((1.0, 2.0, 0.0), (1.0, 1.8, 0.0), (1.002, 2.0, 0.0))
DIMENSION = 1.2
SCALES, N_STEPS, N_POINTS = np.array([64, 256, 1024, 4096]), 50, 34

#: Branching ratios m and the share of events that is seen.
RATIOS, SEEN = (0.6, 0.9, 0.98), (1.0, 0.1)
DRIVEN, ONCE = "driven all the time", "driven once"
TRIALS, TRIAL_STEPS, STEPS, ACTIVITY = 200, 20, 1000, 100


def power_laws():
    """Sizes of avalanches by the name of the sample."""
    rng = np.random.default_rng(0)
    x = np.arange(1, 10**6)
    found = {}
    for name, (tau, xmin) in POWER_LAWS.items():
        tail = x[xmin - 1 :] ** -tau
        sizes = rng.choice(x[xmin - 1 :], N_SIZES, p=tail / tail.sum())
        below = rng.random(N_SIZES) < 0.5 * (xmin > 1)
        found[name] = np.where(below, rng.integers(1, max(xmin, 2), N_SIZES), sizes)
    found[LOG_NORMAL] = np.maximum(np.round(rng.lognormal(2.0, 1.0, N_SIZES)), 1).astype(int)
    found[AVALANCHES] = np.concatenate([tdu.train_xor(WIDTH, seed=seed).size for seed in range(N_RUNS)])
    return found


def critical_point():
    """The example of pyfssa's own documentation: sizes L (4,), ρ (50,), a and its error (4, 50)."""
    length, rho = np.array([10, 100, 1000]), np.linspace(0.9, 1.1)
    x = length[:, None] ** (1 / CRITICAL["nu"]) * (rho - CRITICAL["rho_c"])
    clean = 1 / (1 + np.exp(-x))
    error = clean / 100
    return length, rho, clean + error * np.random.default_rng(0).standard_normal(clean.shape), error


def sizes_with_a_cutoff():
    """A log of six runs a scale whose sizes have one law in units of N^D."""
    rng = np.random.default_rng(0)
    law = rng.gamma(2.0, 0.5, (len(SCALES), N_RUNS, N_STEPS))
    sizes = np.ceil(SCALES[:, None, None] ** DIMENSION * law)
    known = np.zeros((len(SCALES), N_RUNS), int)
    return Log(SCALES, SCALES, np.arange(N_STEPS), {"size": sizes}, {}, {}, known - 1)


def tails(log):
    """P(S ≥ s) of every scale on one grid of sizes, for a program that wants one: sizes (n,), P and its error (S, n)."""
    grid = np.geomspace(1, log.size.max(), N_POINTS)
    p = (log.size[..., None] >= grid).mean(axis=2)
    n = log.size[0].size
    return grid, p.mean(axis=1), np.sqrt(np.maximum(p.mean(axis=1) * (1 - p.mean(axis=1)), 1 / n) / n)


def branching():
    """Activity (trials, steps) of planted branching processes, by (how driven, m, share seen)."""
    rng, found = np.random.default_rng(0), {}
    for m in RATIOS:
        for how, steps in ((DRIVEN, STEPS), (ONCE, TRIAL_STEPS)):
            drive = ACTIVITY * (1 - m) if how == DRIVEN else 0.0
            activity = np.empty((TRIALS if how == ONCE else TRIALS // 10, steps), int)
            activity[:, 0] = rng.poisson(ACTIVITY, len(activity)) if how == DRIVEN else ACTIVITY
            for k in range(1, steps):
                activity[:, k] = rng.poisson(m * activity[:, k - 1] + drive)
            for share in SEEN:
                found[how, m, share] = rng.binomial(activity, share)
    return found


def named(how, m, share):
    """The name of a branching process."""
    return f"{how}, m = {m}, {share:.0%} seen"


def settings():
    """What the page says of the samples."""
    return CRITICAL | {
        "dimension": DIMENSION,
        "trials": TRIAL_EXPONENTS,
        "sizes": N_SIZES,
        "width": WIDTH,
        "runs": N_RUNS,
        "driven": [TRIALS // 10, STEPS],
        "once": [TRIALS, TRIAL_STEPS],
    }
