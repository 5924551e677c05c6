"""Elementary functions of decimal numbers, to the digits of the context, and sums in lanes."""

import math
from decimal import Decimal, getcontext


def tanh(x):
    shrunk = (-2 * abs(x)).exp()
    return ((1 - shrunk) / (1 + shrunk)).copy_sign(x)


def arcsine(x):
    """Newton's steps towards the angle whose sine is x."""
    angle = Decimal(math.asin(x))
    for _ in range(3):
        angle += (x - sine(angle)) / (1 - x * x).sqrt()
    return angle


def sine(x):
    term, total, k = x, x, 1
    while abs(term) > abs(total) * Decimal(10) ** -getcontext().prec:
        term *= -x * x / (2 * k * (2 * k + 1))
        total += term
        k += 1
    return total


def sum_in_lanes(terms):
    """Sum of floats in eight lanes, entry i in lane i mod 8; the lanes four apart, two apart, one apart; then what is left."""
    whole = len(terms) - len(terms) % 8
    lanes = [0.0] * 8
    for i in range(whole):
        lanes[i % 8] += terms[i]
    for apart in (4, 2, 1):
        lanes = [lanes[k] + lanes[k + apart] for k in range(apart)]
    total = lanes[0]
    for term in terms[whole:]:
        total += term
    return total
