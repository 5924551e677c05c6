"""Forward and backward pass of the MLP d → h → 1: hidden units, logistic output, mean binary cross-entropy.

Parameters lie in one flat vector θ of N = (d + 2) h + 1 entries: W1 (h, d) row by row, b1 (h,), W2 (h,), b2 (1,).
With B patterns, `inputs` is (B, d), `hidden` (B, h) and `logits` (B,). `columns` (d, h) is W1, or its gradient, transposed.
`activation` of the hidden units is one of the numbers below; `output_scale` multiplies what W2 makes of them.
Loops run along units, so that they vectorise.
"""

from tdu._jit import kernel
from tdu.kernels.elementary import exp_minus, log1p, tanh
from tdu.kernels.measures import dot

TANH, RELU, SIGMOID = 0, 1, 2


@kernel
def activate(values, activation):
    """Replace the preactivations of hidden units, `values` (n,), by their activations."""
    if activation == TANH:
        tanh(values)
    elif activation == RELU:
        for i in range(values.size):
            values[i] = max(values[i], 0.0)
    else:
        for i in range(values.size):
            decay = exp_minus(abs(values[i]))  # never overflows, whatever the sign
            values[i] = (1.0 if values[i] >= 0 else decay) / (1.0 + decay)


@kernel
def to_columns(theta, columns):
    """Fill `columns` (d, h) with W1, transposed."""
    d, h = columns.shape
    if d == 2:  # a stride known at compile time vectorises
        for j in range(h):
            columns[0, j] = theta[2 * j]
            columns[1, j] = theta[2 * j + 1]
    else:
        for k in range(d):
            for j in range(h):
                columns[k, j] = theta[d * j + k]


@kernel
def from_columns(columns, theta):
    """Fill W1 with `columns` (d, h), transposed."""
    d, h = columns.shape
    if d == 2:
        for j in range(h):
            theta[2 * j] = columns[0, j]
            theta[2 * j + 1] = columns[1, j]
    else:
        for k in range(d):
            for j in range(h):
                theta[d * j + k] = columns[k, j]


@kernel
def forward(theta, inputs, activation, output_scale, columns, hidden, logits):
    """Fill `hidden` with f(W1 x + b1) and `logits` with `output_scale` W2 · hidden + b2; `columns` is work space."""
    n_patterns, h = hidden.shape
    d = inputs.shape[1]
    bias, readout, b2 = theta[h * d : h * d + h], theta[h * d + h : -1], theta[-1]
    to_columns(theta, columns)
    for b in range(n_patterns):
        units = hidden[b]
        for j in range(h):
            units[j] = bias[j]
        for k in range(d):
            x = inputs[b, k]
            if x != 0.0:  # half of XOR's inputs are 0
                for j in range(h):
                    units[j] += columns[k, j] * x
    activate(hidden.reshape(hidden.size), activation)  # of all patterns at once, so that few are left over from whole vectors
    for b in range(n_patterns):
        logits[b] = b2 + output_scale * dot(readout, hidden[b])


@kernel
def cross_entropy(logits, targets, dlogits):
    """Fill `dlogits` (B,) with ∂loss/∂logits; return mean loss and accuracy (fraction of patterns on their target's side)."""
    n_patterns = logits.size
    loss = 0.0
    correct = 0
    for b in range(n_patterns):
        z = logits[b]
        decay = exp_minus(abs(z))  # never overflows, whatever the sign of z
        probability = (1.0 if z >= 0 else decay) / (1.0 + decay)
        loss += max(z, 0.0) - z * targets[b] + log1p(decay)
        dlogits[b] = (probability - targets[b]) / n_patterns
        if (z > 0) == (targets[b] > 0.5):
            correct += 1
    return loss / n_patterns, correct / n_patterns


@kernel
def hidden_deltas(readout, hidden, b, due, activation, delta):
    """Fill `delta` (h,) with ∂loss/∂preactivation of the hidden units of pattern `b`; `due` is ∂loss/∂logit.

    The slope of a unit is computed from its activation; at the kink, that of ReLU is 0, as is usual.
    """
    if activation == TANH:
        for j in range(delta.size):
            delta[j] = due * readout[j] * (1.0 - hidden[b, j] * hidden[b, j])
    elif activation == RELU:
        for j in range(delta.size):
            delta[j] = due * readout[j] if hidden[b, j] > 0.0 else 0.0
    else:
        for j in range(delta.size):
            delta[j] = due * readout[j] * (hidden[b, j] * (1.0 - hidden[b, j]))


@kernel
def backward(theta, inputs, activation, output_scale, columns, hidden, dlogits, delta, gradient):
    """Overwrite `gradient` (N,) with ∂loss/∂θ in the order of θ; `columns` and `delta` (h,) are work space."""
    n_patterns, h = hidden.shape
    d = inputs.shape[1]
    readout = theta[h * d + h :]
    of_bias, of_readout = gradient[h * d : h * d + h], gradient[h * d + h :]
    of_bias[:] = 0.0
    of_readout[:] = 0.0
    columns[:] = 0.0
    for b in range(n_patterns):
        due = output_scale * dlogits[b]
        hidden_deltas(readout, hidden, b, due, activation, delta)
        for j in range(h):
            of_readout[j] += due * hidden[b, j]
        for j in range(h):
            of_bias[j] += delta[j]
        for k in range(d):
            x = inputs[b, k]
            if x != 0.0:
                for j in range(h):
                    columns[k, j] += delta[j] * x
        of_readout[h] += dlogits[b]
    from_columns(columns, gradient)
