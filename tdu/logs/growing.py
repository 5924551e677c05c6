"""A run that grows on disk while somebody measures it."""

import atexit
import time
from bisect import bisect_left
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tdu.errors import InputError
from tdu.logs.grokking import first_generalised
from tdu.logs.rows import Row, stacked, unstacked
from tdu.logs.store import Store
from tdu.types import Layout, Run

_SAVE_SECONDS = 20.0


class GrowingRun:
    """A run of a log to which rows are added: a context manager that keeps other processes from the run.

    It is written every twenty seconds and when it is closed, whatever closes it: what is younger is lost with a killed process.
    `rows` and `layout` are those on disk to begin with, if there are any.
    """

    def __init__(self, store: Store, scale: int, replicate: int) -> None:
        self.store, self.scale, self.replicate = store, scale, replicate
        self.rows: list[Row] = []
        self.layout: Layout | None = None
        self.grokking_step: int | None = None
        self._written, self._unwritten = time.monotonic(), False
        self.closed = False
        self._claim = ExitStack()
        self._claim.enter_context(store.claim(scale, replicate))
        try:
            if store.file(scale, replicate).exists():
                run = store.read(scale, replicate)
                self.rows, self.layout = unstacked(run.step, run.columns, run.nulls), run.layout
        except BaseException:
            self._claim.close()
            raise
        atexit.register(self.close)  # of a run that nobody closes, what was measured is kept all the same

    def keep_to(self, layout: Layout) -> None:
        """Take the names and shapes of the run's tensors, or a ValueError says in what they differ from those before."""
        if self.layout is not None and layout != self.layout:
            raise InputError(in_what_it_differs(layout, self.layout))
        if self.layout is None:
            self._refuse_another_size(layout.n_sites)
        self.layout = layout

    def _refuse_another_size(self, n_sites: int) -> None:
        """Runs of one scale have one N: a log in which they have not could not be loaded."""
        for scale, replicate in self.store.addresses():
            if scale == self.scale and (other := self.store.read(scale, replicate)).n_sites != n_sites:
                raise InputError(
                    f"scale {scale} has N = {other.n_sites} in run {replicate} of {self.store.path}, but {n_sites} in run "
                    f"{self.replicate}: another N is another scale"
                )

    def add(self, row: Row) -> None:
        """Add a row in its place, of a step that has none."""
        after_all = not self.rows or row.step > self.rows[-1].step
        at = len(self.rows) if after_all else bisect_left(self.rows, row.step, key=lambda other: other.step)
        if at < len(self.rows) and self.rows[at].step == row.step:
            raise InputError(f"step {row.step} of run {self.replicate} of scale {self.scale} is there already")
        self.rows.insert(at, row)
        self._unwritten = True
        if time.monotonic() - self._written > _SAVE_SECONDS:
            self._write()

    def _write(self) -> None:
        if self._unwritten and self.layout is not None:
            step, columns, nulls = stacked(self.rows)
            grokked = self.grokking_step
            if grokked is None:
                grokked = first_generalised(step, columns["test_accuracy"]) if "test_accuracy" in columns else -1
            self.store.write(Run(self.scale, self.replicate, self.layout, step, columns, nulls, {}, grokked))
        self._written, self._unwritten = time.monotonic(), False

    def close(self) -> None:
        """Write what is not yet written, and let go of the run."""
        atexit.unregister(self.close)
        self.closed = True
        try:
            self._write()
        finally:
            self._claim.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def in_what_it_differs(layout: Layout, before: Layout) -> str:
    """In what a layout differs from the one before."""
    now, then = dict(layout.tensors), dict(before.tensors)
    for name in {**then, **now}:
        if now.get(name) != then.get(name):
            said = [f"of shape {shapes[name]}" if name in shapes else "not there" for shapes in (now, then)]
            return f"`{name}` is {said[0]}, but was {said[1]}: a run has the same tensors at every step"
    return "the tensors are in another order than before: a run has the same at every step"
