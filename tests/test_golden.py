"""The code still gives the numbers that it gave: a small study, from training to verdict, against the committed one.

The log is the same to the last bit on every processor (tests/test_portability.py); the analysis is NumPy's and SciPy's, whose
last bits are not. The tolerance of 10⁻⁹ is far above those, and far below what any change of meaning does. Words are compared
exactly; numbers in them, which are rounded, to a unit of their last digit.
"""

import json
import re

import pytest

from tests import golden
from tests.golden import PATH

RELATIVE, ABSOLUTE = 1e-9, 1e-11
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
AGAIN = "if it is meant to: `python -m tests.golden` writes it again"


def differences(found, wanted, path=""):
    """A line for every place where two trees of results differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in sorted(wanted.keys() | found.keys()):
            if name in wanted and name in found:
                yield from differences(found[name], wanted[name], f"{path}/{name}")
            else:
                yield f"{path}/{name} is only in what {'was committed' if name in wanted else 'is measured'}"
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for i, pair in enumerate(zip(found, wanted, strict=True)):
            yield from differences(*pair, f"{path}/{i}")
    elif not same(found, wanted):
        yield f"{path}: {found!r}, committed {wanted!r}"


def same(found, wanted):
    if isinstance(wanted, str) and isinstance(found, str):
        words = NUMBER.sub("#", found) == NUMBER.sub("#", wanted)
        return words and all(map(alike, NUMBER.findall(found), NUMBER.findall(wanted)))
    if isinstance(wanted, bool | None) or isinstance(found, bool | None):
        return found is wanted
    return found == pytest.approx(wanted, rel=RELATIVE, abs=ABSOLUTE)


def alike(one, other):
    """Two numbers in words: with the same digits behind the point, a unit of the last apart at most; whole ones are counts."""
    digits = len(other.partition(".")[2])
    return len(one.partition(".")[2]) == digits and abs(float(one) - float(other)) <= (1.01 * 10.0**-digits if digits else 0)


@pytest.mark.slow
def test_a_small_study_gives_the_committed_numbers_and_words():
    found = list(differences(golden.measured(), json.loads(PATH.read_text())))
    assert not found, "\n".join([f"{len(found)} differences ({AGAIN}):", *found[:20]])


@pytest.mark.parametrize(
    ("found", "wanted", "n"),
    [
        ({"a": 1.0}, {"a": 1.0 + 1e-11}, 0),
        ({"a": 1.0}, {"a": 1.0 + 1e-8}, 1),
        ({"a": 1.0, "b": 2}, {"a": 1.0}, 1),
        ({"a": [1, 2]}, {"a": [1, 3]}, 1),
        ({"a": [1]}, {"a": [1, 3]}, 1),
        ({"a": None}, {"a": 0.0}, 1),
        ({"a": True}, {"a": 1}, 1),
        ({"a": "R² = 0.989"}, {"a": "R² = 0.990"}, 0),
        ({"a": "R² = 0.989"}, {"a": "R² = 0.992"}, 1),
        ({"a": "8 runs"}, {"a": "9 runs"}, 1),
        ({"a": "mean"}, {"a": "peak"}, 1),
        ({"a": "8 of 9"}, {"a": "8 of"}, 1),
    ],
)
def test_the_comparison_sees_what_differs(found, wanted, n):
    assert len(list(differences(found, wanted))) == n
