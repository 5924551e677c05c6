"""Forward and backward pass of the MLP d → h → 1: hidden units, logistic output, mean binary cross-entropy.

Parameters lie in one flat vector θ of N = (d + 2) h + 1 entries: W1 (h, d) row by row, b1 (h,), W2 (h,), b2 (1,).
With B patterns, `inputs` is (B, d), `hidden` (h, B) and `logits` (B,). Sums run in a fixed order: over units, then patterns.
`activation` of the hidden units is one of the numbers below.
"""

import math

from tdu._jit import kernel

TANH, RELU, SIGMOID = 0, 1, 2


@kernel
def activate(drive, activation):
    """What a hidden unit makes of its `drive`."""
    if activation == TANH:
        return math.tanh(drive)
    if activation == RELU:
        return max(drive, 0.0)
    decay = math.exp(-abs(drive))  # never overflows, whatever the sign
    return (1.0 if drive >= 0 else decay) / (1.0 + decay)


@kernel
def slope(activity, activation):
    """Derivative of the activation, from what it gave; 0 where ReLU has a kink, as everybody takes it."""
    if activation == TANH:
        return 1.0 - activity * activity
    if activation == RELU:
        return 1.0 if activity > 0.0 else 0.0
    return activity * (1.0 - activity)


@kernel
def forward(theta, inputs, activation, hidden, logits):
    """Fill `hidden` with f(W1 x + b1) and `logits` with W2 · hidden + b2."""
    n_patterns, d = inputs.shape
    h = hidden.shape[0]
    bias = h * d
    readout = bias + h
    logits[:] = theta[readout + h]
    for j in range(h):
        for b in range(n_patterns):
            drive = theta[bias + j]
            for k in range(d):
                drive += theta[j * d + k] * inputs[b, k]
            hidden[j, b] = activate(drive, activation)
            logits[b] += theta[readout + j] * hidden[j, b]


@kernel
def cross_entropy(logits, targets, dlogits):
    """Fill `dlogits` (B,) with ∂loss/∂logits; return mean loss and accuracy (share of patterns on their target's side)."""
    n_patterns = logits.size
    loss = 0.0
    correct = 0
    for b in range(n_patterns):
        z = logits[b]
        decay = math.exp(-abs(z))  # never overflows, whatever the sign of z
        probability = (1.0 if z >= 0 else decay) / (1.0 + decay)
        loss += max(z, 0.0) - z * targets[b] + math.log1p(decay)
        dlogits[b] = (probability - targets[b]) / n_patterns
        if (z > 0) == (targets[b] > 0.5):
            correct += 1
    return loss / n_patterns, correct / n_patterns


@kernel
def backward(theta, inputs, activation, hidden, dlogits, gradient):
    """Overwrite `gradient` (N,) with ∂loss/∂θ in the order of θ."""
    n_patterns, d = inputs.shape
    h = hidden.shape[0]
    bias = h * d
    readout = bias + h
    gradient[:] = 0.0
    for j in range(h):
        for b in range(n_patterns):
            activity = hidden[j, b]
            gradient[readout + j] += dlogits[b] * activity
            ddrive = dlogits[b] * theta[readout + j] * slope(activity, activation)
            gradient[bias + j] += ddrive
            for k in range(d):
                gradient[j * d + k] += ddrive * inputs[b, k]
    for b in range(n_patterns):
        gradient[readout + h] += dlogits[b]
