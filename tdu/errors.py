"""What is raised where the input is wrong rather than tdu; everything else that it raises is a bug."""


class InputError(ValueError):
    """What was given cannot be used; the message says what it was and what it may be."""


class InputTypeError(InputError, TypeError):
    """What was given is of another kind than what is asked for."""
