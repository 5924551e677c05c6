"""Attacks that take minutes: ``make torture``, and one of them by ``python -m tests.torture kills``.

Commands run in processes forked from this one, which has loaded everything: so a kill hits them at work rather than in Python's
own start, and thousands cost minutes. `tests/faults` has a few of each in `make test`, and starts commands as a shell does.
"""
