"""A probe in somebody's training loop: gradients are measured as they come, and a run of a log grows with them."""

import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from tdu import _check
from tdu.avalanches import gauges, spectrum
from tdu.avalanches.averaging import MOMENT, Averager, averaged
from tdu.avalanches.edges import EDGE_STATISTICS
from tdu.avalanches.foreign import as_numpy, as_tensors
from tdu.avalanches.observables import OBSERVABLES, PROFILE
from tdu.errors import InputError
from tdu.files import sweep_dead, write_tensors
from tdu.logs.growing import GrowingRun, in_what_it_differs
from tdu.logs.rows import Row
from tdu.logs.store import Store
from tdu.types import Fields, Layout

if TYPE_CHECKING:
    from tdu.avalanches.probe import Probe
    from tdu.avalanches.run_probe import Snapshots

#: Columns of the recorder's own, which a metric cannot be called.
_TAKEN = {
    *OBSERVABLES,
    *EDGE_STATISTICS,
    *spectrum.SPECTRAL_COLUMNS,
    "gradient_norm",
    "weight_norm",
    "gini",
    "effective_rank",
    "step",
    "n",
    "scale",
    "replicate",
    "grokking_step",
}


class Recorder:
    """One run of a log, as `tdu.Probe.record` opens it: a context manager, to be called with the gradients of a step.

    The run is written every twenty seconds and when the recorder is closed, whatever closes it: a training that is killed loses
    what is younger. The log can be read meanwhile.

    Examples
    --------
    >>> with TemporaryDirectory() as run:
    ...     with tdu.Probe(draws=2).record(run, scale=8) as record:
    ...         record(0, {"weight": np.eye(8)})
    ...         record(1, {"weight": np.ones((8, 8))}, loss=0.5)
    ...     tdu.load(run).columns["loss"].tolist()
    [[[nan, 0.5]]]
    """

    def __init__(
        self, probe: "Probe", store: Store, scale: int, replicate: int, every: int, resume: bool, keep_gradients: bool
    ) -> None:
        self._probe, self._every, self._resumed = probe, every, resume
        self._kept = store.path / "gradients" / f"s{scale:05d}-r{replicate:02d}" if keep_gradients else None
        self._run = GrowingRun(store, scale, replicate)
        if self._kept is not None:
            sweep_dead(self._kept)
        self._measure: Snapshots | None = None
        self._averager: Averager | None = None
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._field: Fields = np.empty(0)
        self._views: list[Fields] = []  # of the field, where each tensor goes
        if self._run.rows and not resume:
            self._run.close()
            raise InputError(
                f"{store.path} has run {replicate} of scale {scale}, {len(self._run.rows)} snapshots up to step "
                f"{self._run.rows[-1].step}: `resume=True` goes on with it, another `replicate` adds a run; to start over, "
                f"delete {store.file(scale, replicate)}"
            )

    def due(self, step: int) -> bool:
        """Whether the gradients of `step` are measured or averaged, so that they need not be collected where they are not.

        Examples
        --------
        >>> with TemporaryDirectory() as run, tdu.Probe().record(run, scale=8, every=10) as record:
        ...     [step for step in range(25) if record.due(step)]
        [0, 10, 20]
        """
        snapshot = _check.integer(step, "step", 0) % self._every == 0
        return snapshot or (self._probe.window != 0 and averaged(step, self._probe.n_averaged, self._every))

    def __call__(
        self,
        step: int,
        gradients: Mapping[str, Any] | npt.ArrayLike,
        *,
        weights: Mapping[str, Any] | None = None,
        moment: Mapping[str, Any] | None = None,
        **metrics: Any,
    ) -> None:
        """Measure the gradients of a step, or add them to those whose mean is measured, if they are due.

        Parameters
        ----------
        step : ≥ 0, above the last one recorded.
        gradients : arrays by the names of their parameters, or one array; of NumPy, PyTorch (any device), JAX, CuPy, or with
            ``__array__`` or ``__dlpack__``. Names and shapes stay those of the first call.
        weights : the parameters themselves, likewise: columns ``weight_norm``, ``gini`` (of |θ|) and ``effective_rank`` more.
        moment : the optimiser's first moment, names and shapes as of the gradients, for a probe with ``window="moment"``.
        metrics : numbers that become columns: ``loss``, ``accuracy``, ``test_accuracy``, ``noise_scale``, anything. A run has
            generalised from the first snapshot after which ``test_accuracy`` stays above 0.99.

        Raises
        ------
        ValueError
            If names or shapes are others than before, the step is not above the last, or a moment is given to a probe that
            takes none, or the other way round. A gradient that is not finite, as loss scaling makes now and then, is left out,
            and a warning says so.

        Examples
        --------
        >>> weights = {"weight": np.eye(8)}
        >>> with TemporaryDirectory() as run:
        ...     with tdu.Probe(draws=2).record(run, scale=8) as record:
        ...         record(0, {"weight": np.ones((8, 8))}, weights=weights, test_accuracy=1.0)
        ...     log = tdu.load(run)
        >>> {name: float(log.columns[name].item()) for name in ("test_accuracy", "gradient_norm", "effective_rank")}
        {'test_accuracy': 1.0, 'gradient_norm': 8.0, 'effective_rank': 8.0}
        """
        if self._run.closed:
            raise InputError(f"step {step}: this recorder is closed; call it inside its `with` block")
        if not self.due(step):
            return
        if self._resumed:  # training may have gone back to a checkpoint before the last snapshot
            self._run.rows[:] = [row for row in self._run.rows if row.step < step]
            self._resumed = False
        if self._run.rows and step <= (last := self._run.rows[-1].step):
            raise InputError(f"step {step} does not come after {last}, the last recorded")
        tensors = as_tensors(gradients)
        measure = self._prepared({name: tensor.shape for name, tensor in tensors.items()}, step)
        for view, tensor in zip(self._views, tensors.values(), strict=True):
            view[...] = tensor
        if not np.isfinite(length := gauges.norm(self._field)):
            warnings.warn(f"step {step}: {_not_finite(tensors)}: this snapshot is left out", stacklevel=2)
            return
        if self._averager is not None:
            self._averager.add(step, self._field)
        if step % self._every:
            return
        columns = {name: _number(value, name) for name, value in metrics.items()} | self._spectra(step, moment)
        if weights is not None:
            columns |= gauges.of_weights(as_tensors(weights))
        if self._kept is not None:
            write_tensors(self._kept / f"{step:08d}.npz", tensors)
        measured, nulls = measure(self._field, step)
        self._run.add(Row(int(step), columns | {"gradient_norm": length} | measured, nulls))

    def _prepared(self, shapes: dict[str, tuple[int, ...]], step: int) -> "Snapshots":
        """What measures with the graph and the nulls of the run, made at its first snapshot, whose tensors all others have."""
        if self._measure is not None and shapes == self._shapes:
            return self._measure
        layout = Layout.of(shapes)
        try:
            self._run.store = self._probe.settled(layout).log_at(self._run.store.path)
            self._run.keep_to(layout)
        except InputError as error:
            raise InputError(f"step {step}: {error}") from None
        self._measure = self._probe.of_run(layout, self._run.scale, self._run.replicate).snapshots()
        self._shapes, self._field = shapes, np.empty(layout.n_sites, self._probe.precision)
        self._views = list(layout.views(self._field).values())
        self._averager = self._probe.averager(layout, self._every)
        return self._measure

    def _spectra(self, step: int, moment: Mapping[str, Any] | None) -> dict[str, float]:
        """Columns of the mean over the window that ends at a snapshot, or of the moment."""
        window = self._probe.window
        if (moment is None) is (window == MOMENT):
            so = "give `moment` with every snapshot" if moment is None else f"`moment` is for one of {MOMENT!r}"
            raise InputError(f"step {step}: the probe's `window` is {window!r}: {so}")
        if self._averager is None:
            return {}
        mean, layout = self._averager.mean(step), Layout.of(self._shapes)
        if moment is not None:
            tensors = as_tensors(moment)
            if (other := Layout.of({name: tensor.shape for name, tensor in tensors.items()})) != layout:
                raise InputError(f"step {step}: of `moment`, {in_what_it_differs(other, layout)}")
            mean = np.concatenate([np.ravel(tensor) for tensor in tensors.values()])
        return spectrum.columns(mean, self._averager.cosine, layout, self._probe.ranks)

    def close(self) -> None:
        """Write what is not yet written, and let go of the run.

        Examples
        --------
        >>> with TemporaryDirectory() as run:
        ...     record = tdu.Probe(draws=2).record(run, scale=8)  # where no `with` block fits
        ...     record(0, {"weight": np.eye(8)})
        ...     record.close()
        ...     tdu.load(run).step.tolist()
        [0]
        """
        self._run.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _number(value: Any, name: str) -> float:
    """A metric as a float, of an array of one entry too, wherever it is."""
    if name in _TAKEN or name.startswith(PROFILE):
        raise InputError(f"`{name}` is a column of the recorder's own: give the metric another name")
    if isinstance(value, (int, float)):
        one: Any = value
    elif (array := as_numpy(value, name)).size == 1:
        one = array.reshape(())[()]
    else:
        raise InputError(f"`{name}` must be one number, but its shape is {array.shape}")
    try:
        return float(one)
    except (OverflowError, TypeError, ValueError):
        raise InputError(f"`{name}` must be a number that floats have, but it is {one!r:.100}") from None


def _not_finite(tensors: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """Which tensor is not finite."""
    bad = [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]
    return f"`{bad[0] or 'gradients'}` is not finite" if bad else "the norm of the gradients is not finite"
