"""One avalanche, by the letter of the definition, for floats, fractions.Fraction and `Single` alike: the text is the same."""

import math
import struct
from dataclasses import dataclass


class Single(float):
    """A number of float32: its sums, differences, products and quotients are rounded to float32.

    Added to a plain number it is one of float64, as sums over many sites are.
    """

    def __new__(cls, value):
        return super().__new__(cls, struct.unpack("f", struct.pack("f", value))[0])

    def __add__(self, other):
        return Single(float(self) + other)

    def __sub__(self, other):
        return Single(float(self) - other)

    def __mul__(self, other):
        return Single(float(self) * other)

    def __truediv__(self, other):
        return Single(float(self) / other)


@dataclass
class Avalanche:
    size: int
    duration: int
    extent: int
    peak: int
    profile: list
    dissipated: object
    capped: bool
    transport: object
    gradient: list


def magnitude_quantile(gradient, level):
    """Linear interpolation between order statistics, from the nearer end, as NumPy does it."""
    ordered = sorted(abs(g) for g in gradient)
    position = (len(ordered) - 1) * level
    rank = math.floor(position)
    weight = position - rank
    below, above = ordered[rank], ordered[min(rank + 1, len(ordered) - 1)]
    if weight >= 0.5:
        return above - (above - below) * (1 - weight)
    return below + (above - below) * weight


def relax(gradient, neighbours, alpha, threshold, max_steps):
    """`neighbours[i]` lists the neighbours of site i in ascending order."""
    g = list(gradient)
    profile = []
    toppled = set()
    dissipated = 0
    transport = 0
    for _ in range(max_steps):
        active = [i for i, value in enumerate(g) if abs(value) > threshold]
        if not active:
            break
        before = list(g)  # everybody topples at once: shares are of the field before the step
        for i in active:
            transport += abs(alpha * before[i])
            g[i] -= alpha * before[i]
        for i in active:
            if not neighbours[i]:
                dissipated += alpha * before[i]
            for j in neighbours[i]:
                g[j] += alpha * before[i] / len(neighbours[i])
        profile.append(len(active))
        toppled.update(active)
    return Avalanche(
        size=sum(profile),
        duration=len(profile),
        extent=len(toppled),
        peak=max(profile, default=0),
        profile=profile,
        dissipated=dissipated,
        capped=any(abs(value) > threshold for value in g),
        transport=transport,
        gradient=g,
    )
