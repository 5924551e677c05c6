"""Networks on token sequences: a flat parameter vector with named views, loss, and hand-written gradient."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from tdu import _check
from tdu.config import NetworkConfig
from tdu.errors import InputError
from tdu.models import layers
from tdu.models.layers import Array
from tdu.models.tasks import Task
from tdu.types import Integers, Layout

#: Activations of one layer that stay in cache, 1 MiB in single precision: a batch is split into parts of so many.
_ACTIVATIONS_IN_CACHE = 2**18


class Network(ABC):
    """What training needs of a network: logits, loss and gradient on the sequences of its `task`.

    The parameters are one flat vector `theta` (N,): the tensors of `shapes` (weights and biases by name), in that order.
    """

    task: Task
    shapes: dict[str, tuple[int, ...]]
    widest: int  # activations of an example in the widest layer

    @property
    def layout(self) -> Layout:
        """Names and shapes of the weights and biases, in the order of the flat vector."""
        return Layout.of(self.shapes)

    def views(self, theta: Array) -> dict[str, Array]:
        """The parameters by name, as views into `theta` (N,)."""
        if theta.shape != (self.layout.n_sites,):
            raise InputError(f"`theta` has shape {theta.shape} but the network has {self.layout.n_sites} parameters")
        return self.layout.views(theta)

    def initial(self, rng: np.random.Generator, precision: str = "float32") -> Array:
        """Normal weights with the standard deviations of `_spread`, gains 1, biases 0; always drawn in float64."""
        theta = np.zeros(self.layout.n_sites)
        spread = self._spread()
        for name, view in self.views(theta).items():
            if name.endswith("gain"):
                view[:] = 1
            elif name in spread:
                view[:] = rng.normal(0.0, spread[name], view.shape)
        return theta.astype(precision)

    def logits(self, theta: Array, which: Integers) -> Array:
        """(B, C) for the sequences `which` (B,) of the task."""
        return self._forward(self.views(theta), which)[0]

    def loss_and_gradient(self, theta: Array, which: Integers) -> tuple[float, float, Array]:
        """Mean cross-entropy (nats), accuracy, and gradient (N,) over the sequences `which` (B,) of the task.

        The batch is split into parts whose activations stay in the processor's cache.
        """
        parameters, part = self.views(theta), np.empty_like(theta)
        loss, n_right, gradient = 0.0, 0, np.zeros_like(theta)
        for some in np.array_split(which, -(-len(which) * self.widest // _ACTIVATIONS_IN_CACHE)):
            logits, saved = self._forward(parameters, some)
            answers, share = self.task.answers[some], len(some) / len(which)
            n_right += int((logits.argmax(axis=1) == answers).sum())
            part_loss, saved_loss = layers.cross_entropy_forward(logits, answers)
            loss += share * part_loss
            dlogits = layers.cross_entropy_backward(saved_loss)
            dlogits *= theta.dtype.type(share)
            part[:] = 0
            self._backward(dlogits, saved, self.views(part))
            gradient += part
        return loss, n_right / len(which), gradient

    @abstractmethod
    def _spread(self) -> dict[str, float]:
        """Standard deviation of the initial entries of each weight."""

    @abstractmethod
    def _forward(self, p: dict[str, Array], which: Integers) -> tuple[Array, dict[str, layers.Saved]]:
        """Logits (B, C) from the views `p`, and what each layer saved for the backward pass."""

    @abstractmethod
    def _backward(self, dlogits: Array, s: dict[str, layers.Saved], g: dict[str, Array]) -> None:
        """Fill the views `g` of a gradient that is all zeros."""


class Transformer(Network):
    """One layer over [tokens …, =], read at the last position (Nanda et al., arXiv:2301.05217): attention, then an MLP of 4 d.

    Embedding (V + 1, d) and position (L + 1, d); attention without biases; ReLU or GELU; with `layer_norm`, a norm before
    attention, the MLP and the unembedding (C, d). Without, N = 12 d² + 127 d for addition mod 59.
    """

    def __init__(self, task: Task, width: int, heads: int = 4, unit: str = "relu", layer_norm: bool = False) -> None:
        d = _check.integer(width, "width", 1)
        self.heads = _check.integer(heads, "heads", 1)
        if d % self.heads:
            raise InputError(f"`width` {d} cannot be shared by {self.heads} heads: make it a multiple")
        self.unit_forward, self.unit_backward = layers.UNITS[_check.choice(unit, "unit", tuple(layers.UNITS))]
        self.layer_norm = layer_norm
        self.task = task
        self.widest = 4 * d
        n_places = task.tokens.shape[1] + 1
        norms = [{f"norm{k}.gain": (d,), f"norm{k}.bias": (d,)} if layer_norm else {} for k in range(3)]
        self.shapes: dict[str, tuple[int, ...]] = {
            "tokens": (task.n_tokens + 1, d), "positions": (n_places, d),
            **norms[0], "query": (d, d), "key": (d, d), "value": (d, d), "output": (d, d),
            **norms[1], "up.weight": (4 * d, d), "up.bias": (4 * d,), "down.weight": (d, 4 * d), "down.bias": (d,),
            **norms[2], "unembedding": (task.n_classes, d),
        }  # fmt: skip
        # a row for every token at every position, and one for the readout token: computed once, shared by all examples
        self.row_token = np.append(np.tile(np.arange(task.n_tokens), n_places - 1), task.n_tokens).astype(np.int32)
        self.row_position = np.append(np.repeat(np.arange(n_places - 1), task.n_tokens), n_places - 1).astype(np.int32)
        first = task.n_tokens * np.arange(n_places - 1)
        last = np.full((len(task.tokens), 1), self.row_token.size - 1)
        self.places = np.concatenate([task.tokens + first, last], axis=1).astype(np.int32)

    def _spread(self) -> dict[str, float]:
        """1/√(fan in)."""
        d = self.shapes["tokens"][1]
        matrices = ("tokens", "positions", "query", "key", "value", "output", "up.weight", "unembedding")
        return {**dict.fromkeys(matrices, d**-0.5), "down.weight": (4 * d) ** -0.5}

    def _forward(self, p: dict[str, Array], which: Integers) -> tuple[Array, dict[str, layers.Saved]]:
        s: dict[str, layers.Saved] = {}
        rows, s["embedding"] = layers.embedding_forward(p["tokens"], p["positions"], self.row_token, self.row_position)
        normal, s["norm0"] = self._norm(p, 0, rows)
        mixed, s["attention"] = layers.attention_forward(
            normal, self.places[which], self.heads, p["query"], p["key"], p["value"]
        )
        stream, s["output"] = layers.linear_forward(mixed, p["output"])
        stream += rows[-1]
        normal, s["norm1"] = self._norm(p, 1, stream)
        up, s["up"] = layers.linear_forward(normal, p["up.weight"], p["up.bias"])
        active, s["unit"] = self.unit_forward(up)
        down, s["down"] = layers.linear_forward(active, p["down.weight"], p["down.bias"])
        down += stream
        normal, s["norm2"] = self._norm(p, 2, down)
        logits, s["unembedding"] = layers.linear_forward(normal, p["unembedding"])
        return logits, s

    def _backward(self, dlogits: Array, s: dict[str, layers.Saved], g: dict[str, Array]) -> None:
        dnormal, g["unembedding"][:], _ = layers.linear_backward(dlogits, s["unembedding"])
        dstream = self._norm_backward(g, 2, dnormal, s["norm2"])
        dactive, g["down.weight"][:], g["down.bias"][:] = layers.linear_backward(dstream, s["down"])
        dup = self.unit_backward(dactive, s["unit"])
        dnormal, g["up.weight"][:], g["up.bias"][:] = layers.linear_backward(dup, s["up"])
        dstream = dstream + self._norm_backward(g, 1, dnormal, s["norm1"])
        dmixed, g["output"][:], dreadout = layers.linear_backward(dstream, s["output"])
        dnormal, g["query"][:], g["key"][:], g["value"][:] = layers.attention_backward(dmixed, s["attention"])
        drows = self._norm_backward(g, 0, dnormal, s["norm0"])
        drows[-1] += dreadout
        g["tokens"][:], g["positions"][:] = layers.embedding_backward(drows, s["embedding"])

    def _norm(self, p: dict[str, Array], k: int, x: Array) -> tuple[Array, layers.Saved]:
        return layers.layer_norm_forward(x, p[f"norm{k}.gain"], p[f"norm{k}.bias"]) if self.layer_norm else (x, ())

    def _norm_backward(self, g: dict[str, Array], k: int, dout: Array, saved: layers.Saved) -> Array:
        if not self.layer_norm:
            return dout
        dx, g[f"norm{k}.gain"][:], g[f"norm{k}.bias"][:] = layers.layer_norm_backward(dout, saved)
        return dx


class TokenMLP(Network):
    """A cheap network: an embedding (V, h) for each position, summed, then h hidden units and a linear readout."""

    def __init__(self, task: Task, width: int, unit: str = "relu") -> None:
        h = _check.integer(width, "width", 1)
        self.unit_forward, self.unit_backward = layers.UNITS[_check.choice(unit, "unit", tuple(layers.UNITS))]
        self.task = task
        self.widest = h
        n_places = task.tokens.shape[1]
        self.shapes: dict[str, tuple[int, ...]] = {
            "tokens": (n_places * task.n_tokens, h), "hidden.bias": (h,), "readout.weight": (task.n_classes, h),
            "readout.bias": (task.n_classes,),
        }  # fmt: skip
        self.places = task.tokens + task.n_tokens * np.arange(n_places)

    def _spread(self) -> dict[str, float]:
        """1/√(fan in)."""
        n_places, h = self.places.shape[1], self.shapes["tokens"][1]
        return {"tokens": n_places**-0.5, "readout.weight": h**-0.5}

    def _forward(self, p: dict[str, Array], which: Integers) -> tuple[Array, dict[str, layers.Saved]]:
        places = self.places[which]
        active, saved_unit = self.unit_forward(p["tokens"][places].sum(axis=1) + p["hidden.bias"])
        logits, saved_readout = layers.linear_forward(active, p["readout.weight"], p["readout.bias"])
        return logits, {"places": (places,), "unit": saved_unit, "readout": saved_readout}

    def _backward(self, dlogits: Array, s: dict[str, layers.Saved], g: dict[str, Array]) -> None:
        dactive, g["readout.weight"][:], g["readout.bias"][:] = layers.linear_backward(dlogits, s["readout"])
        ddrive = self.unit_backward(dactive, s["unit"])
        g["hidden.bias"][:] = ddrive.sum(axis=0)
        (places,) = s["places"]
        for column in places.T:
            np.add.at(g["tokens"], column, ddrive)


#: By name, each built for a task. A further network is a class above, a line here, and its name in `tdu.config`.
NETWORKS: dict[str, Callable[[Task, NetworkConfig], Network]] = {
    "transformer": lambda task, c: Transformer(task, c.width, c.heads, c.unit, c.layer_norm),
    "mlp": lambda task, c: TokenMLP(task, c.width, c.unit),
}


def accuracy_of(logits: Array, answers: Integers) -> float:
    """Fraction of the rows of `logits` (B, C) whose largest entry is at the answer (B,); nan if there are no rows."""
    return float((logits.argmax(axis=1) == answers).mean()) if len(answers) else float("nan")
