"""A little of the fuzzing that `make torture` does at length."""

import inspect

import pytest

import tdu
from tests.faults import fuzz, fuzz_lines


def test_public_functions_give_finite_numbers_or_named_errors_whatever_they_are_given():
    wrong, made = fuzz.fuzz(sorted(fuzz.CALLS), 300)
    assert not wrong
    assert made >= 300


def test_every_public_function_is_called():
    functions = {name for name in tdu.__all__ if inspect.isfunction(getattr(tdu, name))}
    assert functions <= fuzz.CALLS.keys()
    assert len(functions) > 20


def test_command_lines_of_anything_are_no_traceback(tmp_path):
    wrong, made = fuzz_lines.fuzz_commands(tmp_path, 40)
    assert not wrong
    assert made >= 40


@pytest.mark.parametrize("null", ["permuted", "signs", "gaussian"])
def test_what_is_no_generator_is_named(null):
    with pytest.raises(tdu.InputError, match=r"`rng` must be a generator, as np\.random\.default_rng\(0\), but it is 1"):
        getattr(tdu.nulls, null)([1.0, 2.0], 1)
    with pytest.raises(tdu.InputError, match="`rng` must be a generator"):
        tdu.nulls.blocks([1.0, 2.0], 1, sizes=[1, 1])


def test_an_error_that_has_no_name_is_found():
    """The fuzzer sees what it is to see: a plain ValueError, another exception, and a nan without a word."""
    for wrong, words in [(ValueError("x"), "ValueError, no InputError"), (KeyError("x"), "KeyError"), (None, "is nan")]:

        def function(wrong=wrong):
            if wrong is not None:
                raise wrong
            return float("nan")

        fuzz.CALLS["planted"] = (function, {})
        try:
            assert words in fuzz.called("planted", {})
        finally:
            del fuzz.CALLS["planted"]
