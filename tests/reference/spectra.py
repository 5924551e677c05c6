"""Participation ratios, and correlations of rows, entry by entry and pair by pair."""

from fractions import Fraction
from itertools import combinations, permutations, product
from math import floor, frexp, log

from tests.reference.arrangement import at_ranks, sign


def participation(rows):
    """(tr GᵀG)² / ‖GᵀG‖² of a matrix as a list of rows, None for zeros."""
    columns = list(zip(*rows, strict=True))
    products = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in columns] for a in columns]
    trace = sum(products[j][j] for j in range(len(columns)))
    squares = sum(one * one for row in products for one in row)
    return trace * trace / squares if squares else None


def shaped(entries, n_columns):
    return [list(entries[start : start + n_columns]) for start in range(0, len(entries), n_columns)]


def ranked(rows, of_rank):
    """The matrix whose magnitudes are `of_rank` at their ranks."""
    flat = [one for row in rows for one in row]
    magnitudes = at_ranks([abs(one) for one in flat], of_rank)
    return shaped([sign(one) * magnitude for one, magnitude in zip(flat, magnitudes, strict=True)], len(rows[0]))


def ranks_of_magnitudes(rows):
    """Ranks of |g| less their mean, equal ones sharing theirs."""
    flat = [abs(one) for row in rows for one in row]
    n = len(flat)
    return shaped(at_ranks(flat, [Fraction(2 * k - n - 1, 2) for k in range(1, n + 1)]), len(rows[0]))


def in_bins(rows, n_bins):
    """The matrix whose magnitudes are numbers of bins: 0 for zeros, and one for each eight bits behind the leading one."""
    keys = [[_key(one) for one in row] for row in rows]
    first = max(max(row) for row in keys) - (n_bins - 1)
    return [[sign(one) * max(key - first, 1) for one, key in zip(*both, strict=True)] for both in zip(rows, keys, strict=True)]


def _key(number):
    mantissa, exponent = frexp(abs(number))
    return 256 * exponent + floor(256 * (2 * mantissa - 1)) if number else -(10**6)


def row_correlation(rows):
    """Mean product of two entries of a row over all pairs, over the mean square; None where there is no pair or no spread."""
    pairs = [pair for row in rows for pair in combinations(row, 2)]
    flat = [one for row in rows for one in row]
    if not pairs or not any(flat):
        return None
    return Fraction(sum(a * b for a, b in pairs), len(pairs)) / Fraction(sum(one * one for one in flat), len(flat))


def over_all_permutations(rows, statistic):
    """Mean and standard deviation of a statistic over every order of the entries."""
    flat = [one for row in rows for one in row]
    return _moments([statistic(shaped(order, len(rows[0]))) for order in permutations(flat)])


def null_of_log_participation(n_rows, n_columns, of_rank):
    """Mean and standard deviation of the log participation ratio over every order of magnitudes and all signs."""
    found = [
        log(participation(shaped([s * m for s, m in zip(signs, order, strict=True)], n_columns)))
        for order in permutations(of_rank)
        for signs in product((1, -1), repeat=n_rows * n_columns)
    ]
    return _moments(found)


def _moments(values):
    mean = sum(values) / len(values)
    return float(mean), float(sum((one - mean) ** 2 for one in values) / len(values)) ** 0.5
