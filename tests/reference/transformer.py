"""A one-layer transformer and AdamW in scalar arithmetic: every position attends, and the last is read."""

import math


def matvec(matrix, vector):
    return [sum(w * x for w, x in zip(row, vector, strict=True)) for row in matrix]


def plus(a, b):
    return [x + y for x, y in zip(a, b, strict=True)]


def layer_norm(x, gain, bias):
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    return [g * (v - mean) / math.sqrt(variance + 1e-5) + b for v, g, b in zip(x, gain, bias, strict=True)]


def gelu(x):
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def softmax(scores):
    top = max(scores)
    weights = [math.exp(s - top) for s in scores]
    return [w / sum(weights) for w in weights]


def logits_of(p, tokens, heads, unit, layer_norm_used):
    """Of one sequence; `p` holds nested lists by name, and the readout token is the last of the embedding."""

    def norm(k, x):
        return layer_norm(x, p[f"norm{k}.gain"], p[f"norm{k}.bias"]) if layer_norm_used else x

    sequence = [*tokens, len(p["tokens"]) - 1]
    stream = [plus(p["tokens"][token], p["positions"][place]) for place, token in enumerate(sequence)]
    normal = [norm(0, x) for x in stream]
    query = matvec(p["query"], normal[-1])
    keys, values = [matvec(p["key"], x) for x in normal], [matvec(p["value"], x) for x in normal]
    d = len(query)
    size = d // heads
    mixed = []
    for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        scores = [sum(q * k for q, k in zip(query[part], key[part], strict=True)) / math.sqrt(size) for key in keys]
        weights = softmax(scores)
        mixed += [sum(w * value[h * size + i] for w, value in zip(weights, values, strict=True)) for i in range(size)]
    last = plus(stream[-1], matvec(p["output"], mixed))
    up = plus(matvec(p["up.weight"], norm(1, last)), p["up.bias"])
    active = [gelu(x) if unit == "gelu" else max(x, 0.0) for x in up]
    last = plus(last, plus(matvec(p["down.weight"], active), p["down.bias"]))
    return matvec(p["unembedding"], norm(2, last))


def loss_of(all_logits, answers):
    """Mean cross-entropy in nats."""
    return -sum(math.log(softmax(logits)[answer]) for logits, answer in zip(all_logits, answers, strict=True)) / len(answers)


def adamw(theta, gradients, rate, decay, beta1, beta2, epsilon):
    """θ after a step with each of the `gradients`, one number at a time."""
    theta, first, second = list(theta), [0.0] * len(theta), [0.0] * len(theta)
    for t, gradient in enumerate(gradients, 1):
        for i, g in enumerate(gradient):
            theta[i] -= rate * decay * theta[i]
            first[i] = beta1 * first[i] + (1 - beta1) * g
            second[i] = beta2 * second[i] + (1 - beta2) * g * g
            theta[i] -= rate * (first[i] / (1 - beta1**t)) / (math.sqrt(second[i] / (1 - beta2**t)) + epsilon)
    return theta


def sgd(theta, gradients, rate, decay, momentum):
    """θ after a step with each of the `gradients`; the decay is decoupled."""
    theta, velocity = list(theta), [0.0] * len(theta)
    for gradient in gradients:
        for i, g in enumerate(gradient):
            velocity[i] = momentum * velocity[i] + g
            theta[i] = theta[i] - rate * decay * theta[i] - rate * velocity[i]
    return theta
