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


def with_readout_times(factor, vector, d):
    """A vector in the order of θ with its entries at W2 multiplied by `factor`."""
    h = (len(vector) - 1) // (d + 2)
    return [v * factor if h * d + h <= i < h * d + 2 * h else v for i, v in enumerate(vector)]


def gauss_newton_of(theta, inputs, activation="tanh"):
    """The N × N matrix of second derivatives of the mean loss by θ, as if logits were linear in θ."""
    w1, b1, w2, _ = unpack(theta, len(inputs[0]))
    unit, slope = UNITS[activation]
    total = [[0.0] * len(theta) for _ in theta]
    for x, z in zip(inputs, logits_of(theta, inputs, activation), strict=True):
        passed = [w * slope(drive) for w, drive in zip(w2, drives_of(w1, b1, x), strict=True)]
        row = [*(p * xk for p in passed for xk in x), *passed, *map(unit, drives_of(w1, b1, x)), 1.0]
        for i, a in enumerate(row):
            for j, b in enumerate(row):
                total[i][j] += sigmoid(z) * sigmoid(-z) * a * b / len(inputs)
    return total


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
    output_scale=1.0,
    rates=None,
    order=None,
    training_neighbours=None,
):
    """Curves and snapshots of one run as lists.

    θ are coordinates: the network's W2 is `output_scale` times theirs. `rates`: one for each, in units of the learning rate.
    Site i has parameter `order`[i]. `neighbours` is the graph that measures, `training_neighbours` the one that trains.
    """
    theta, d = list(theta), len(inputs[0])
    rates, order = rates or [1.0] * len(theta), order or range(len(theta))

    def avalanche(gradient, on, alpha, threshold):
        found = relax([gradient[i] for i in order], on, alpha, threshold, max_steps)
        back = [0.0] * len(gradient)
        for i, value in zip(order, found.gradient, strict=True):
            back[i] = value
        return found, back

    of_avalanche = ("size", "duration", "extent", "peak")
    names = ("loss", "accuracy", "gini", "epoch", "threshold", "transport", *of_avalanche, "deviation_angle")
    log = {name: [] for name in names}
    for epoch in range(epochs + 1):
        network = with_readout_times(output_scale, theta, d)
        log["loss"].append(loss_of(network, inputs, targets, activation))
        log["accuracy"].append(accuracy_of(network, inputs, targets, activation))
        log["gini"].append(gini_of(theta))
        gradient = with_readout_times(output_scale, gradient_of(network, inputs, targets, activation), d)
        threshold = magnitude_quantile(gradient, quantile)
        if epoch % snapshot_every == 0:
            found, relaxed = avalanche(gradient, neighbours, alpha, threshold)
            log["epoch"].append(epoch)
            log["threshold"].append(threshold)
            log["transport"].append(found.transport / threshold)
            for name in of_avalanche:
                log[name].append(getattr(found, name))
            log["deviation_angle"].append(angle_between(gradient, relaxed))
        update = avalanche(gradient, training_neighbours or neighbours, alpha_train, threshold)[1] if alpha_train else gradient
        theta = [t - learning_rate * r * u for t, r, u in zip(theta, rates, update, strict=True)]
    return log
