"""Training with the probe in the loop, a whole run in one call, without the interpreter between epochs."""

from typing import NamedTuple

import numpy as np

from tdu._jit import kernel
from tdu.kernels import avalanche
from tdu.kernels.avalanche import Work as Avalanching
from tdu.kernels.avalanche import copy, relax
from tdu.kernels.measures import angle_of, gini, half_chord
from tdu.kernels.mlp import backward, cross_entropy, forward
from tdu.kernels.threshold import magnitude_quantile


class Problem(NamedTuple):
    """Patterns `inputs` (B, d), `targets` (B,) in {0, 1}, a rate for every parameter, (N,), and the network's formula."""

    inputs: np.ndarray
    targets: np.ndarray
    rates: np.ndarray
    activation: int
    output_scale: float


class Diffusion(NamedTuple):
    """The probe: adjacency and diffusion strength of the measured avalanche and of the one that trains, and limits.

    `one_graph`: they have one graph, so that at equal strengths the measured avalanche is the one that trains.
    """

    begins: np.ndarray
    indices: np.ndarray
    training_begins: np.ndarray
    training_indices: np.ndarray
    one_graph: bool
    alpha: float
    alpha_train: float
    quantile: float
    max_steps: int
    snapshot_every: int


class Curves(NamedTuple):
    """What is recorded at every epoch 0 … E, each (E+1,) float64; epoch e is the state after e updates.

    `size` is that of the avalanche, int64. A `gini` or `size` of no entries, (0,), is not measured.
    """

    loss: np.ndarray
    accuracy: np.ndarray
    gini: np.ndarray
    size: np.ndarray


class Snapshots(NamedTuple):
    """What is recorded of the T snapshot avalanches: (T,), but `profile` (T, max_steps).

    `field` (T, N) is filled with the gradients before the avalanche; with no rows, (0, N), they are not kept.
    """

    size: np.ndarray
    duration: np.ndarray
    extent: np.ndarray
    peak: np.ndarray
    profile: np.ndarray
    threshold: np.ndarray
    dissipated: np.ndarray
    capped: np.ndarray
    transport: np.ndarray
    deviation_angle: np.ndarray
    field: np.ndarray


class Work(NamedTuple):
    """Work space of a run, overwritten: that of an avalanche on N sites, what the passes and the probe hold between them."""

    avalanche: Avalanching
    hidden: np.ndarray
    columns: np.ndarray
    delta: np.ndarray
    logits: np.ndarray
    dlogits: np.ndarray
    gradient: np.ndarray
    relaxed: np.ndarray
    scratch: np.ndarray
    magnitudes: np.ndarray
    order: np.ndarray
    profile: np.ndarray


def workspace(problem, diffusion, few):
    """Work space of a run, of as many parameters as its graphs have sites; `few` is that of the avalanches."""
    n = diffusion.begins.size - 1
    n_patterns, n_inputs = problem.inputs.shape
    h = (n - 1) // (n_inputs + 2)
    rows = max(diffusion.begins, diffusion.training_begins, key=lambda begins: begins.itemsize)
    return Work(
        avalanche.workspace(rows, few=few), np.empty((n_patterns, h)), np.empty((n_inputs, h)), np.empty(h),
        np.empty(n_patterns), np.empty(n_patterns), np.empty(n), np.empty(n), np.empty(n), np.empty(n),
        np.empty(n, np.uint32), np.empty(diffusion.max_steps, np.int64),
    )  # fmt: skip


@kernel
def train(theta, problem, diffusion, curves, snapshots, work):
    """Full-batch gradient descent of the MLP; `theta` (N,) is trained in place, `curves` and `snapshots` are filled.

    The gradient is relaxed with `alpha_train` before it updates θ (in-line); 0 leaves the gradient as it is (shadow). `work` is
    of `workspace`.
    """
    n = theta.size
    of_avalanche, hidden, columns, delta, logits, dlogits, gradient, relaxed, scratch, magnitudes, order, profile = work
    threshold = 0.0
    for i in range(n):
        order[i] = i

    last = curves.loss.size - 1
    for epoch in range(last + 1):
        forward(theta, problem.inputs, problem.activation, problem.output_scale, columns, hidden, logits)
        curves.loss[epoch], curves.accuracy[epoch] = cross_entropy(logits, problem.targets, dlogits)
        if curves.gini.size > 0:
            curves.gini[epoch] = gini(theta, order, magnitudes, scratch)
        backward(
            theta, problem.inputs, problem.activation, problem.output_scale, columns, hidden, dlogits, delta, gradient
        )  # fmt: skip

        measured = epoch % diffusion.snapshot_every == 0
        sized = measured or curves.size.size > 0
        inline = diffusion.alpha_train > 0.0 and epoch < last
        if sized or inline:
            threshold = magnitude_quantile(gradient, diffusion.quantile, threshold, scratch)
        if sized:
            t = epoch // diffusion.snapshot_every
            copy(gradient, relaxed)
            size, duration, extent, peak, dissipated, capped, transport = relax(
                relaxed, diffusion.begins, diffusion.indices, diffusion.alpha, threshold, diffusion.max_steps,
                snapshots.profile[t] if measured else profile, of_avalanche, measured,
            )  # fmt: skip
            if curves.size.size > 0:
                curves.size[epoch] = size
        if measured:
            snapshots.size[t] = size
            snapshots.duration[t] = duration
            snapshots.extent[t] = extent
            snapshots.peak[t] = peak
            snapshots.threshold[t] = threshold
            snapshots.dissipated[t] = dissipated
            snapshots.capped[t] = capped
            snapshots.transport[t] = transport
            snapshots.deviation_angle[t] = half_chord(gradient, relaxed, scratch)
            if snapshots.field.shape[0] > 0:
                copy(gradient, snapshots.field[t])
        if inline and not (sized and diffusion.one_graph and diffusion.alpha == diffusion.alpha_train):
            copy(gradient, relaxed)
            relax(
                relaxed, diffusion.training_begins, diffusion.training_indices, diffusion.alpha_train, threshold,
                diffusion.max_steps, profile, of_avalanche, False,
            )  # fmt: skip

        if epoch < last:
            update = relaxed if inline else gradient
            for i in range(n):
                theta[i] -= problem.rates[i] * update[i]
    for t in range(snapshots.deviation_angle.size):  # at once, as vectors: each by itself would wait for roots and divisions
        snapshots.deviation_angle[t] = angle_of(snapshots.deviation_angle[t])
