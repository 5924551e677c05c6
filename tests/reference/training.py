"""The MLP d → h → 1 and its training with the probe in the loop, in scalar arithmetic."""

import math

from tests.reference.avalanche import magnitude_quantile, relax


def unpack(theta, d):
    h = (len(theta) - 1) // (d + 2)
    w1 = [theta[j * d : (j + 1) * d] for j in range(h)]
    return w1, theta[h * d : h * d + h], theta[h * d + h : h * d + 2 * h], theta[-1]


def logits_of(theta, inputs):
    w1, b1, w2, b2 = unpack(theta, len(inputs[0]))
    return [
        b2 + sum(w2[j] * math.tanh(b1[j] + sum(w * xk for w, xk in zip(w1[j], x, strict=True))) for j in range(len(b1)))
        for x in inputs
    ]


def loss_of(theta, inputs, targets):
    """Mean binary cross-entropy in nats."""
    total = 0.0
    for z, y in zip(logits_of(theta, inputs), targets, strict=True):
        p = 1 / (1 + math.exp(-z))
        total -= math.log(p if y else 1 - p)
    return total / len(targets)


def accuracy_of(theta, inputs, targets):
    right = [(z > 0) == (y > 0.5) for z, y in zip(logits_of(theta, inputs), targets, strict=True)]
    return sum(right) / len(right)


def gradient_of(theta, inputs, targets):
    """∂loss/∂θ by the chain rule, in the order W1 row by row, b1, W2, b2."""
    w1, b1, w2, _ = unpack(theta, len(inputs[0]))
    dw1 = [[0.0] * len(row) for row in w1]
    db1, dw2, db2 = [0.0] * len(b1), [0.0] * len(b1), 0.0
    for x, y, z in zip(inputs, targets, logits_of(theta, inputs), strict=True):
        dz = (1 / (1 + math.exp(-z)) - y) / len(targets)
        db2 += dz
        for j in range(len(b1)):
            a = math.tanh(b1[j] + sum(w * xk for w, xk in zip(w1[j], x, strict=True)))
            dw2[j] += dz * a
            db1[j] += dz * w2[j] * (1 - a * a)
            for k, xk in enumerate(x):
                dw1[j][k] += dz * w2[j] * (1 - a * a) * xk
    return [*(w for row in dw1 for w in row), *db1, *dw2, db2]


def gini_of(values):
    """Mean absolute difference of all pairs over twice the mean: the definition, not the sorted formula."""
    magnitudes = [abs(v) for v in values]
    total = sum(magnitudes)
    if not total:
        return 0.0
    return sum(abs(a - b) for a in magnitudes for b in magnitudes) / (2 * len(magnitudes) * total)


def angle_between(a, b):
    norms = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return math.acos(max(-1.0, min(1.0, sum(x * y for x, y in zip(a, b, strict=True)) / norms)))


def train(
    theta, inputs, targets, neighbours, *, epochs, learning_rate, alpha, alpha_train, quantile, max_steps, snapshot_every
):
    """Curves and snapshots of one run as lists."""
    theta = list(theta)
    names = ("loss", "accuracy", "gini", "epoch", "threshold", "size", "duration", "extent", "peak", "deviation_angle")
    log = {name: [] for name in names}
    for epoch in range(epochs + 1):
        log["loss"].append(loss_of(theta, inputs, targets))
        log["accuracy"].append(accuracy_of(theta, inputs, targets))
        log["gini"].append(gini_of(theta))
        gradient = gradient_of(theta, inputs, targets)
        threshold = magnitude_quantile(gradient, quantile)
        if epoch % snapshot_every == 0:
            found = relax(gradient, neighbours, alpha, threshold, max_steps)
            log["epoch"].append(epoch)
            log["threshold"].append(threshold)
            for name in ("size", "duration", "extent", "peak"):
                log[name].append(getattr(found, name))
            log["deviation_angle"].append(angle_between(gradient, found.gradient))
        update = relax(gradient, neighbours, alpha_train, threshold, max_steps).gradient if alpha_train else gradient
        theta = [t - learning_rate * u for t, u in zip(theta, update, strict=True)]
    return log
