"""How the XOR network depends on its width: where it starts, in which coordinates it is trained and probed, and at which rates.

The field is the gradient by these coordinates: they are part of what its avalanches, and D, mean.
"""

from dataclasses import dataclass

import numpy as np

from tdu.models import mlp
from tdu.types import Floats

#: h₀, the width at which all parametrisations are the same.
REFERENCE = 50


@dataclass(frozen=True)
class Parametrisation:
    """A network of one width h, whose logit is b2 + `output_scale` · W2 · f(W1 x + b1).

    Attributes
    ----------
    output_scale : of the readout.
    readout_start : what the standard initial W2 is multiplied by.
    rates : of W1, b1, W2 and b2, in units of η.

    Notes
    -----
    ``standard``: the paper's, PyTorch's initialisation and one η. ``mean-field``: W2 starts as in the standard one times
    (h₀/h)^½, what is trained and probed is a = W2 h/h₀, here called W2, and the rates are η h/h₀, but η for b2: the logit is a
    mean over units, of which each moves as far at any width. ``tangent-kernel``: the standard network at η h₀/h, at which the
    logit moves as far at any width.

    Examples
    --------
    >>> from tdu.models.parametrisation import Parametrisation
    >>> Parametrisation.of("mean-field", 200)
    Parametrisation(output_scale=0.25, readout_start=2.0, rates=(4.0, 4.0, 4.0, 1.0))
    >>> Parametrisation.of("mean-field", 50) == Parametrisation.of("tangent-kernel", 50) == Parametrisation.of("standard", 7)
    True
    """

    output_scale: float = 1.0
    readout_start: float = 1.0
    rates: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)

    @classmethod
    def of(cls, name: str, hidden: int) -> "Parametrisation":
        """The parametrisation of that name (`tdu.config.PARAMETRISATIONS`) at `hidden` units."""
        wider = hidden / REFERENCE
        if name == "mean-field":
            return cls(1 / wider, float(np.sqrt(wider)), (wider, wider, wider, 1.0))
        if name == "tangent-kernel":
            return cls(rates=(1 / wider, 1 / wider, 1 / wider, 1 / wider))
        return cls()

    def start(self, standard: Floats) -> Floats:
        """Coordinates (N,) to start from, given the `standard` initial parameters, which are changed in place."""
        if self.readout_start != 1.0:
            mlp.parameter_views(standard)["W2"][:] *= self.readout_start
        return standard

    def rates_of(self, hidden: int, learning_rate: float) -> Floats:
        """The rate of every coordinate, (N,)."""
        if len(set(self.rates)) == 1:
            return np.full(mlp.n_parameters(hidden), learning_rate * self.rates[0])
        found = np.empty(mlp.n_parameters(hidden))
        for tensor, rate in zip(mlp.parameter_views(found).values(), self.rates, strict=True):
            tensor[:] = learning_rate * rate
        return found
