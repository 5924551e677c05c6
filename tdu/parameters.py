"""Kinds of values on the command line: several in one, separated by commas or by a stroke."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    _TupleType = click.ParamType[tuple[Any, ...]]
else:  # before click 8.4 the class takes no type argument at run time
    _TupleType = click.ParamType


class Counts(_TupleType):
    """Whole numbers, none below the `least`, as a comma-separated list."""

    name = "N,N,…"

    def __init__(self, least: int = 1) -> None:
        self.least = least

    @property
    def said(self) -> str:
        """The range of each, as click says that of a single number."""
        return f"[N>={self.least}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """``"20,50"`` → ``(20, 50)``."""
        try:
            found = tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a comma-separated list of whole numbers", param, ctx)
        if min(found) < self.least:
            self.fail(f"{min(found)} is not in the range N>={self.least}", param, ctx)
        return found


class Part(_TupleType):
    """Which of how many shares."""

    name = "K/M"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """``"2/8"`` → ``(2, 8)``."""
        try:
            part, of = (int(number) for number in value.split("/"))
        except ValueError:
            self.fail(f"{value!r} is not K/M, the K-th of M shares, as 2/8", param, ctx)
        if not 1 <= part <= of:
            self.fail(f"{value!r} is not K/M with K from 1 to M, as 2/8", param, ctx)
        return part, of


class NullName(_TupleType):
    """The name of a null model; all are known to `tdu.avalanches.nulls` alone, which loads NumPy."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name, if there is such a null."""
        from tdu.avalanches.nulls import MODELS

        if value not in MODELS:
            self.fail(f"{value!r} is not one of {', '.join(MODELS)}", param, ctx)
        return value


class Names(_TupleType):
    """Names as a comma-separated list."""

    name = "NAME,NAME,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """``"permuted,signs"`` → ``("permuted", "signs")``."""
        return tuple(value.split(",")) if isinstance(value, str) else tuple(value)


#: The help text of each setting.
