"""Many processes at one directory."""

from functools import cache

from tests.torture.commands import COMMANDS, content, directory, here

CROWDS = {"train": (2, 10), "grok": (2, 10), "probe": (2, 10)}


@cache
def alone(name):
    """What a command makes that nobody disturbs."""
    command = COMMANDS[name]
    with directory() as base:
        command.before(base)
        here(command.of(base))
        return content(base)


def crowd(name, number):
    """So many processes of a command begin at once in one directory; all end well, and it is as if one had been there."""
    command, wanted = COMMANDS[name], alone(name)
    with directory() as out:
        command.before(out)
        for process in [command.begin(out) for _ in range(number)]:
            process.wait()
            lines = [line for line in process.words().splitlines() if not line.startswith(("found ", "Warning: waiting for"))]
            assert (process.code, lines) == (0, []), (name, process.code, lines)
        assert content(out) == wanted, (name, set(content(out).items()) ^ set(wanted.items()))
