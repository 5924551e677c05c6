"""What is raised where the input is wrong rather than tdu; everything else that it raises is a bug."""


class InputError(ValueError):
    """What was given cannot be used; the message says what it was and what it may be.

    Examples
    --------
    >>> tdu.avalanche([1.0, 2.0, 3.0], tdu.ring(6))
    Traceback (most recent call last):
    tdu.errors.InputError: `graph` has 6 sites but `gradient` has 3 entries
    """


class InputTypeError(InputError, TypeError):
    """What was given is of another kind than what is asked for."""


class DivergedError(InputError):
    """Training with what was given leaves the finite numbers."""
