"""The MLP d → h → 1 and its training with the probe in the loop, in scalar arithmetic."""

import math

from tests.reference.avalanche import magnitude_quantile, relax


def unpack(theta, d):
    h = (len(theta) - 1) // (d + 2)
    w1 = [theta[j * d : (j + 1) * d] for j in range(h)]
    return w1, theta[h * d : h * d + h], theta[h * d + h : h * d + 2 * h], theta[-1]


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


#: What a unit makes of its drive, and the derivative at that drive.
UNITS = {
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "relu": (lambda z: z if z > 0 else 0.0, lambda z: 1.0 if z > 0 else 0.0),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
}


def drives_of(w1, b1, x):
    return [b + sum(w * xk for w, xk in zip(row, x, strict=True)) for row, b in zip(w1, b1, strict=True)]


def logits_of(theta, inputs, activation="tanh"):
    w1, b1, w2, b2 = unpack(theta, len(inputs[0]))
    unit, _ = UNITS[activation]
    return [b2 + sum(w * unit(z) for w, z in zip(w2, drives_of(w1, b1, x), strict=True)) for x in inputs]


def loss_of(theta, inputs, targets, activation="tanh"):
    """Mean binary cross-entropy in nats."""
    total = 0.0
    for z, y in zip(logits_of(theta, inputs, activation), targets, strict=True):
        total -= math.log(sigmoid(z if y else -z))
    return total / len(targets)


def accuracy_of(theta, inputs, targets, activation="tanh"):
    right = [(z > 0) == (y > 0.5) for z, y in zip(logits_of(theta, inputs, activation), targets, strict=True)]
    return sum(right) / len(right)


def gradient_of(theta, inputs, targets, activation="tanh"):
    """∂loss/∂θ by the chain rule, in the order W1 row by row, b1, W2, b2."""
    w1, b1, w2, _ = unpack(theta, len(inputs[0]))
    unit, slope = UNITS[activation]
    dw1 = [[0.0] * len(row) for row in w1]
    db1, dw2, db2 = [0.0] * len(b1), [0.0] * len(b1), 0.0
    for x, y, z in zip(inputs, targets, logits_of(theta, inputs, activation), strict=True):
        dz = (sigmoid(z) - y) / len(targets)
        db2 += dz
        for j, drive in enumerate(drives_of(w1, b1, x)):
            dw2[j] += dz * unit(drive)
            db1[j] += dz * w2[j] * slope(drive)
            for k, xk in enumerate(x):
                dw1[j][k] += dz * w2[j] * slope(drive) * xk
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
    theta,
    inputs,
    targets,
    neighbours,
    *,
    epochs,
    learning_rate,
    alpha,
    alpha_train,
    quantile,
    max_steps,
    snapshot_every,
    activation="tanh",
):
    """Curves and snapshots of one run as lists."""
    theta = list(theta)
    of_avalanche = ("size", "duration", "extent", "peak")
    names = ("loss", "accuracy", "gini", "epoch", "threshold", "transport", *of_avalanche, "deviation_angle")
    log = {name: [] for name in names}
    for epoch in range(epochs + 1):
        log["loss"].append(loss_of(theta, inputs, targets, activation))
        log["accuracy"].append(accuracy_of(theta, inputs, targets, activation))
        log["gini"].append(gini_of(theta))
        gradient = gradient_of(theta, inputs, targets, activation)
        threshold = magnitude_quantile(gradient, quantile)
        if epoch % snapshot_every == 0:
            found = relax(gradient, neighbours, alpha, threshold, max_steps)
            log["epoch"].append(epoch)
            log["threshold"].append(threshold)
            log["transport"].append(found.transport / threshold)
            for name in of_avalanche:
                log[name].append(getattr(found, name))
            log["deviation_angle"].append(angle_between(gradient, found.gradient))
        update = relax(gradient, neighbours, alpha_train, threshold, max_steps).gradient if alpha_train else gradient
        theta = [t - learning_rate * u for t, u in zip(theta, update, strict=True)]
    return log
