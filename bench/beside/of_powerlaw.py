"""powerlaw on samples of sizes: x_min by least Kolmogorov–Smirnov distance, exact discrete likelihood, likelihood ratios."""

import powerlaw
from measuring import group, repeated, run, timed

#: α is looked for up to 3 unless one says otherwise.
WIDE = {"alpha": [0, 50]}


def answers(data):
    """Of every sample: the fit as it comes, how much likelier it is than two others, and the fit with α as wide as ours."""
    found = {}
    for name, sizes in group(data, "power_law").items():
        fit, numbers = fitted(sizes)
        compared, seconds = timed(lambda fit=fit: {other: likelier(fit, other) for other in ("lognormal", "exponential")})
        found[name] = numbers | compared | {"seconds_comparing": seconds, "wide": fitted(sizes, parameter_ranges=WIDE)[1]}
    return found


def fitted(sizes, **more):
    """As its manual says for whole numbers, with the likelihood that is exact at any x_min."""
    fit, seconds = repeated(lambda: powerlaw.Fit(sizes, discrete=True, estimate_discrete=False, verbose=0, **more))
    law = fit.power_law
    numbers = {"alpha": law.alpha, "stderr": law.sigma, "ks": law.D, "seconds": seconds}
    whole = {"xmin": int(fit.xmin), "n_tail": int(fit.n_tail)}
    return fit, {name: float(value) for name, value in numbers.items()} | whole


def likelier(fit, other):
    """R > 0 where the power law is likelier, normalised, and the p of that sign."""
    ratio, p = fit.distribution_compare("power_law", other, normalized_ratio=True)
    return {"ratio": float(ratio), "p": float(p)}


if __name__ == "__main__":
    run(answers, "powerlaw", "numpy", "scipy")
