"""A probe in somebody's training loop: gradients are measured as they come, and a run of a log grows with them."""

import time
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from tdu import _check
from tdu.avalanches import gauges
from tdu.avalanches.foreign import as_numpy, as_tensors
from tdu.avalanches.observables import OBSERVABLES
from tdu.errors import InputError
from tdu.logs.grokking import first_generalised
from tdu.logs.rows import Row, stacked, unstacked
from tdu.logs.store import Store
from tdu.types import Floats, Layout, Run

if TYPE_CHECKING:
    from tdu.avalanches.probe import Probe, RunProbe

_SAVE_SECONDS = 20.0
#: Columns of the recorder's own, which a metric cannot be called.
_TAKEN = (*OBSERVABLES, "gradient_norm", "weight_norm", "gini", "effective_rank", "step", "n", "scale", "replicate")


class Recorder:
    """One run of a log, as `tdu.Probe.record` opens it: a context manager, to be called with the gradients of a step.

    The run is written every twenty seconds and when the recorder is closed, whatever closes it: a training that is killed loses
    what is younger. The log can be read meanwhile. Gradients are not kept.
    """

    def __init__(self, probe: "Probe", store: Store, scale: int, replicate: int, every: int, resume: bool) -> None:
        self._probe, self._store, self._every = probe, store, every
        self._scale, self._replicate = scale, replicate
        self._rows: list[Row] = []
        self._of_run: RunProbe | None = None
        self._layout: Layout | None = None
        self._field: Floats = np.empty(0)
        self._saved, self._unsaved = time.monotonic(), False
        self._resumed = resume
        self._claims = ExitStack()
        self._claims.enter_context(store.claim(scale, replicate))
        try:
            self._go_on(resume)
        except BaseException:
            self._claims.close()
            raise

    def _go_on(self, resume: bool) -> None:
        """Take up what there is of the run."""
        path = self._store.file(self._scale, self._replicate)
        if not path.exists():
            return
        run = self._store.read(self._scale, self._replicate)
        if not resume:
            raise InputError(
                f"{self._store.path} has run {self._replicate} of scale {self._scale}, {run.step.size} snapshots up to step "
                f"{run.step[-1]}: `resume=True` goes on with it, another `replicate` adds a run"
            )
        self._rows, self._layout = unstacked(run.step, run.columns, run.nulls), run.layout

    def due(self, step: int) -> bool:
        """Whether a snapshot is taken at `step`, so that gradients need not be collected where none is."""
        return _check.integer(step, "step", 0) % self._every == 0

    def __call__(
        self,
        step: int,
        gradients: Mapping[str, Any] | npt.ArrayLike,
        *,
        weights: Mapping[str, Any] | None = None,
        **metrics: Any,
    ) -> None:
        """Measure the gradients of a step, if one is due.

        Parameters
        ----------
        step : ≥ 0, above the last one recorded.
        gradients : arrays by the names of their parameters, or one array; of NumPy, PyTorch (any device), JAX, CuPy, or with
            ``__array__`` or ``__dlpack__``. Names and shapes stay those of the first call.
        weights : the parameters themselves, likewise: columns ``weight_norm``, ``gini`` (of |θ|) and ``effective_rank`` more.
        metrics : numbers that become columns: ``loss``, ``accuracy``, ``test_accuracy``, ``noise_scale``, anything. A run has
            generalised from the first snapshot after which ``test_accuracy`` stays above 0.99.

        Raises
        ------
        ValueError
            If names or shapes are others than before, or the step is not above the last. A gradient that is not finite, as
            loss scaling makes now and then, is left out, and a warning says so.
        """
        if not self.due(step):
            return
        tensors = as_tensors(gradients)
        self._begin(Layout.of({name: tensor.shape for name, tensor in tensors.items()}), step)
        assert self._of_run is not None
        np.concatenate([tensor.reshape(-1) for tensor in tensors.values()], out=self._field, casting="same_kind")
        if not np.isfinite(length := gauges.norm(self._field)):
            warnings.warn(f"step {step}: {_where(tensors)}: this snapshot is left out", stacklevel=2)
            return
        columns = {name: _number(value, name) for name, value in metrics.items()}
        if weights is not None:
            columns |= gauges.of_weights(as_tensors(weights))
        measured, nulls = self._of_run.snapshot(self._field, step)
        self._rows.append(Row(step, columns | {"gradient_norm": length} | measured, nulls))
        self._unsaved = True
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self._save()

    def _begin(self, layout: Layout, step: int) -> None:
        """Check a snapshot's layout and step against the run's; at the first, prepare graph and nulls."""
        if self._resumed:  # training may have gone back to a checkpoint before the last snapshot
            self._rows = [row for row in self._rows if row.step < step]
            self._resumed = False
        if self._layout is not None and layout != self._layout:
            raise InputError(f"step {step}: {_difference(layout, self._layout)}")
        if self._rows and step <= self._rows[-1].step:
            raise InputError(f"step {step} does not come after {self._rows[-1].step}, the last recorded")
        if self._of_run is None:
            self._of_run = self._probe.of_run(layout, self._scale, self._replicate)
            self._layout, self._field = layout, np.empty(layout.n_sites)

    def _save(self) -> None:
        if self._unsaved and self._layout is not None:
            self._store.write(run_of(self._rows, self._layout, self._scale, self._replicate))
        self._saved, self._unsaved = time.monotonic(), False

    def close(self) -> None:
        """Write what is not yet written, and let go of the run."""
        try:
            self._save()
        finally:
            self._claims.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def run_of(rows: list[Row], layout: Layout, scale: int, replicate: int, grokking_step: int | None = None) -> Run:
    """The run that rows make; when it generalised is taken from ``test_accuracy`` if there is one, and nobody says."""
    step, columns, nulls = stacked(rows)
    if grokking_step is None:
        grokking_step = first_generalised(step, columns["test_accuracy"]) if "test_accuracy" in columns else -1
    return Run(scale, replicate, layout, step, columns, nulls, {}, grokking_step)


def _number(value: Any, name: str) -> float:
    """A metric as a float, of an array of one entry too, wherever it is."""
    if name in _TAKEN:
        raise InputError(f"`{name}` is a column of the recorder's own: give the metric another name")
    array = as_numpy(value, name)
    if array.size != 1:
        raise InputError(f"`{name}` must be one number, but its shape is {array.shape}")
    return float(array.reshape(())[()])


def _where(tensors: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """Which tensor is not finite."""
    bad = [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]
    return f"`{bad[0] or 'gradients'}` is not finite" if bad else "the norm of the gradients is not finite"


def _difference(layout: Layout, before: Layout) -> str:
    """In what a layout differs from the one before."""
    now, then = dict(layout.tensors), dict(before.tensors)
    for name in {**then, **now}:
        if now.get(name) != then.get(name):
            said = [f"of shape {shapes[name]}" if name in shapes else "not there" for shapes in (now, then)]
            return f"`{name}` is {said[0]}, but was {said[1]}: a run has the same tensors at every step"
    return "the tensors are in another order than before: a run has the same at every step"
