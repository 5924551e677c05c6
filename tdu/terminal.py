"""What a command says and where: answers on standard output, progress and errors on standard error, a line each."""

import errno
import json
import math
import os
import sys
import time
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import click

from tdu import interrupts
from tdu.errors import InputError

T = TypeVar("T")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class OneLineErrors(click.Group):
    """What the user can mend is one line on standard error: exit 1 if the work failed, 2 for wrong usage.

    A bug in tdu shows its traceback, and exits with 1.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click, but for null bytes, which a shell cannot hand over, and no file's name can have."""
        if any("\0" in argument for argument in args):
            raise click.UsageError("an argument has a null byte in it, which no name has", ctx)
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and turn what bad input raises into its line, warnings too."""
        warnings.formatwarning = lambda message, *_, **__: f"Warning: {visible(message)}\n"
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            code = 2
        except click.ClickException as error:
            _fail(error.format_message())
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            code = interrupts.report()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone: say no more at exit
            code = 1
        except (InputError, OSError, MemoryError) as error:
            if interrupts.asked():  # as its workers may have been: what they then lack is no error
                code = interrupts.report()
            else:
                _fail(_words(error))
                code = 1
        sys.exit(code if isinstance(code, int) else 0)


def _words(error: Exception) -> str:
    """What an error says; where something cannot be written, and no file is named, it is what the command itself says."""
    if isinstance(error, OSError) and error.filename is None and error.errno in _NO_ROOM:
        return f"standard output: {error.strerror}"
    return str(error) or type(error).__name__


def _fail(message: str) -> None:
    click.echo(f"Error: {visible(' '.join(message.split()))}", err=True)


def visible(text: object) -> str:
    """A text as a terminal can be shown it: control characters, which a file may have in its name, by their numbers."""
    return "".join(ascii(c)[1:-1] if unicodedata.category(c).startswith("C") else c for c in str(text))


def print_text(text: str) -> None:
    """Lines for people, with names in them that somebody else may have given."""
    click.echo("\n".join(map(visible, text.split("\n"))))


def print_rows(rows: Iterable[Mapping[str, Any]], as_json: bool) -> None:
    """Rows as they come: JSON lines, in which nan is null, or a table under the names of the first."""
    for number, row in enumerate(rows):
        if number == 0 and not as_json:
            click.echo("\t".join(row))
        cells = (f"{value:.6g}" if isinstance(value, float) else visible(value) for value in row.values())
        click.echo(_json(row) if as_json else "\t".join(cells))


def print_tables(tables: Iterable[Iterable[Mapping[str, Any]]], as_json: bool) -> None:
    """Several tables, one after the other."""
    for rows in tables:
        print_rows(rows, as_json)


def _json(row: Mapping[str, Any]) -> str:
    finite = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
    return json.dumps(finite, ensure_ascii=False)


def announce_compilation() -> None:
    """Say that compiling comes first, where it does."""
    from tdu._jit import cache_is_cold

    if cache_is_cold():
        click.echo("compiling the kernels: this first run takes some 20 seconds longer", err=True)


def progress(done: Iterator[T], total: int, what: str = "runs") -> Iterator[T]:
    """What is done, with its number, rate and the time left on standard error, if that is a terminal."""
    begun = time.monotonic()

    def rate(_: object) -> str:
        return f"{bar.pos / max(time.monotonic() - begun, 1e-9):.3g} {what}/s"

    hidden = not sys.stderr.isatty()
    bar = click.progressbar(done, length=total, label=what, file=sys.stderr, hidden=hidden, show_pos=True, item_show_func=rate)
    with bar:  # which shows its rate as it is entered
        yield from bar


def say(stage: str) -> None:
    """Say what is being done, to somebody who watches."""
    if sys.stderr.isatty():
        click.echo(f"{stage} …", err=True)
