"""Layers as pairs of functions: x_forward(…) → out, saved, and x_backward(dout, saved) → the gradients, in order of inputs.

Shapes: B examples, d entries of the residual stream, V tokens, L positions, R rows, C classes. Weights are (out, in).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from tdu.kernels.attention import mix, mix_backward

#: float32 or float64, the same for all arrays of a call.
Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int32]
Saved = tuple[Any, ...]

_LAYER_NORM_EPSILON = 1e-5


def embedding_forward(tokens: Array, positions: Array, token: Rows, position: Rows) -> tuple[Array, Saved]:
    """(V, d) tokens, (L, d) positions, (R,) token and (R,) position of each row → (R, d)."""
    return tokens[token] + positions[position], (tokens.shape, positions.shape, token, position)


def embedding_backward(dout: Array, saved: Saved) -> tuple[Array, Array]:
    """(R, d) → (V, d) tokens, (L, d) positions."""
    tokens_shape, positions_shape, token, position = saved
    dtokens, dpositions = np.zeros(tokens_shape, dout.dtype), np.zeros(positions_shape, dout.dtype)
    np.add.at(dtokens, token, dout)
    np.add.at(dpositions, position, dout)
    return dtokens, dpositions


def linear_forward(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, Saved]:
    """(B, i), (o, i), (o,) → (B, o)."""
    out = x @ weight.T
    if bias is not None:
        out += bias
    return out, (x, weight)


def linear_backward(dout: Array, saved: Saved) -> tuple[Array, Array, Array]:
    """(B, o) → (B, i), (o, i), (o,)."""
    x, weight = saved
    return dout @ weight, dout.T @ x, np.ones(len(dout), dout.dtype) @ dout


def relu_forward(x: Array) -> tuple[Array, Saved]:
    """(…) → (…)."""
    out = np.maximum(x, 0)
    return out, (out,)


def relu_backward(dout: Array, saved: Saved) -> Array:
    """(…) → (…); 0 at the kink."""
    return np.asarray(dout * (saved[0] > 0))


def gelu_forward(x: Array) -> tuple[Array, Saved]:
    """(…) → (…): x Φ(x), exactly, not the tanh approximation."""
    below = 0.5 * (1 + erf(x * x.dtype.type(np.sqrt(0.5))))
    return x * below, (x, below)


def gelu_backward(dout: Array, saved: Saved) -> Array:
    """(…) → (…): Φ(x) + x φ(x)."""
    x, below = saved
    return np.asarray(dout * (below + x * np.exp(-0.5 * x * x) * x.dtype.type(1 / np.sqrt(2 * np.pi))))


UNITS = {"relu": (relu_forward, relu_backward), "gelu": (gelu_forward, gelu_backward)}


def layer_norm_forward(x: Array, gain: Array, bias: Array) -> tuple[Array, Saved]:
    """(B, d), (d,), (d,) → (B, d): mean 0 and variance 1 over d, then gain and bias."""
    average = np.full(x.shape[1], 1 / x.shape[1], x.dtype)
    centred = x - (x @ average)[:, None]
    scale = 1 / np.sqrt((centred * centred) @ average + x.dtype.type(_LAYER_NORM_EPSILON))
    centred *= scale[:, None]
    return centred * gain + bias, (centred, scale, gain, average)


def layer_norm_backward(dout: Array, saved: Saved) -> tuple[Array, Array, Array]:
    """(B, d) → (B, d), (d,), (d,)."""
    normal, scale, gain, average = saved
    each = np.ones(len(dout), dout.dtype)
    product = dout * normal
    dgain, dbias = each @ product, each @ dout
    along = product @ (gain * average)  # mean of dnormal · normal
    level = dout @ (gain * average)
    dx = dout * gain
    dx -= level[:, None]
    dx -= normal * along[:, None]
    dx *= scale[:, None]
    return dx, dgain, dbias


def attention_forward(rows: Array, places: Rows, heads: int, wq: Array, wk: Array, wv: Array) -> tuple[Array, Saved]:
    """(R, d) rows, (B, L) the rows an example attends to, (d, d) each of wq, wk, wv → (B, d), before the output matrix.

    There is one query, that of the last row: attention is read at the readout token only, whose query is the same in every
    example, and keys and values depend on token and position only. A score is q · k / √(d / heads).
    """
    n_rows, d = rows.shape
    query, keys, values = wq @ rows[-1], rows @ wk.T, rows @ wv.T
    scale = rows.dtype.type((d // heads) ** -0.5)
    scores = np.einsum("rhk,hk->rh", keys.reshape(n_rows, heads, -1), query.reshape(heads, -1)) * scale
    weights = np.empty((len(places), heads, places.shape[1]), rows.dtype)
    mixed = np.empty((len(places), heads, d // heads), rows.dtype)
    mix(scores, values.reshape(n_rows, heads, -1), places, weights, mixed)
    return mixed.reshape(len(places), d), (rows, places, wq, wk, wv, query, keys, values, weights, scale)


def attention_backward(dout: Array, saved: Saved) -> tuple[Array, Array, Array, Array]:
    """(B, d) → (R, d) rows, (d, d) each of wq, wk, wv."""
    rows, places, wq, wk, wv, query, keys, values, weights, scale = saved
    (n_rows, d), heads = rows.shape, weights.shape[1]
    dscores, dvalues = np.zeros((n_rows, heads), rows.dtype), np.zeros((n_rows, heads, d // heads), rows.dtype)
    by_head = np.ascontiguousarray(dout).reshape(len(dout), heads, -1)
    mix_backward(by_head, weights, values.reshape(n_rows, heads, -1), places, dscores, dvalues)
    dscores *= scale
    dkeys = (dscores[:, :, None] * query.reshape(heads, -1)).reshape(n_rows, d)
    dquery = np.einsum("rh,rhk->hk", dscores, keys.reshape(n_rows, heads, -1)).reshape(d)
    dvalue_rows = dvalues.reshape(n_rows, d)
    drows = dkeys @ wk + dvalue_rows @ wv
    drows[-1] += dquery @ wq
    return drows, np.outer(dquery, rows[-1]), dkeys.T @ rows, dvalue_rows.T @ rows


def cross_entropy_forward(logits: Array, targets: npt.NDArray[np.int64]) -> tuple[float, Saved]:
    """(B, C) logits and (B,) classes → mean cross-entropy in nats; `logits` is overwritten."""
    each = np.arange(len(logits))
    logits -= logits.max(axis=1, keepdims=True)
    wanted = logits[each, targets].astype(np.float64)
    np.exp(logits, out=logits)
    total = logits @ np.ones(logits.shape[1], logits.dtype)
    loss = float(np.mean(np.log(total.astype(np.float64)) - wanted))
    logits /= total[:, None]
    return loss, (logits, targets)


def cross_entropy_backward(saved: Saved) -> Array:
    """→ (B, C): (softmax − one-hot) / B; the saved softmax is overwritten."""
    softmax, targets = saved
    softmax[np.arange(len(softmax)), targets] -= 1
    softmax /= len(softmax)
    return np.asarray(softmax)
