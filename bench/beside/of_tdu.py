"""tdu on the same arrays, asked the same questions: ``python of_tdu.py DATA.npz ANSWERS.json``, DATA of one question."""

import tempfile

import numpy as np
import trained
from measuring import group, repeated, run, timed

import tdu
from tdu.analysis import tails
from tdu.avalanches.observables import OBSERVABLES
from tdu.models.networks import TokenMLP
from tdu.statistics.resampling import estimate
from tdu.statistics.sampling import mean_of_runs
from tdu.training.network import one_blas_thread
from tdu.types import Log


def answers(data):
    """Of every question that there is data for."""
    asked = {"power_law": power_law, "critical": qualities, "cutoff": dimension, "branching": branching, "weights": snapshot}
    found = {question: answer(group(data, question)) for question, answer in asked.items() if group(data, question)}
    return found


def power_law(samples):
    """`tdu.fit_power_law` of every sample."""
    found = {}
    for name, sizes in samples.items():
        fit, seconds = repeated(lambda sizes=sizes: tdu.fit_power_law(sizes))
        found[name] = vars(fit) | {"seconds": seconds}
    return found


def qualities(curves):
    """`tdu.collapse_quality` of the curves scaled by ρ_c, ν and ζ."""
    found = []
    for rho_c, nu, zeta in curves["trials"]:
        x = (curves["rho"] - rho_c) * curves["length"][:, None] ** (1 / nu)
        scale = curves["length"][:, None] ** (-zeta / nu)
        value, seconds = repeated(
            lambda x=x, scale=scale: tdu.collapse_quality(x, scale * curves["a"], scale * curves["error"])
        )
        found.append({"value": value, "seconds": seconds})
    return found


def dimension(sample):
    """What `tdu fit` says of a log: D of the regression, and that of the best collapse, with 95 % intervals."""
    n_sites, sizes = sample["n_sites"], sample["log"]
    never = np.full(sizes.shape[:2], -1)
    log = Log(n_sites, n_sites, np.arange(sizes.shape[2]), {"size": sizes}, {}, {}, never)
    found, seconds = repeated(lambda: tails.analyse(log).estimates)
    regression, more = repeated(lambda: tdu.dimension_over_time(log).mean)
    of_collapse = found["collapse_exponent"]
    return {
        "collapse": interval(of_collapse),
        "regression": interval(regression),
        "quality": found["collapse_quality_best"].value,
        "seconds": seconds,
        "seconds_regression": more,
    }


def branching(activities):
    """The branching ratio of a log, Σ n_{k+1} / Σ n_k of every trial, and its mean over trials."""
    ratio = OBSERVABLES["branching_ratio"].measure
    found = {}
    for name, activity in activities.items():

        def call(activity=activity):
            of_trials = ratio(Counted(activity))
            return interval(estimate(of_trials[None], mean_of_runs, "mean over trials", 0))

        answer, seconds = repeated(call)
        found[name] = answer | {"seconds": seconds}
    return found


class Counted:
    """What the branching ratio needs of avalanches: topplings step by step (T, steps), and all together."""

    def __init__(self, activity):
        self.profile, self.size = activity.astype(float), activity.sum(axis=1).astype(float)


def snapshot(weights):
    """Seconds from a snapshot to the next, of the last checkpoint's gradient: averages, spectra, avalanches, nulls."""
    width, replicate = trained.WATCHED
    task = trained.task_of(width, replicate)
    network = TokenMLP(task, width)
    tensors = {name.partition("/")[2]: values for name, values in weights.items() if name.startswith(f"{trained.EPOCHS}/")}
    theta = np.concatenate([tensors[name].ravel() for name in network.shapes])
    with one_blas_thread(), tempfile.TemporaryDirectory() as directory:
        loss, _, gradient = network.loss_and_gradient(theta, task.train)
        with trained.PROBE.record(directory, scale=width, every=trained.EVERY) as record:
            steps = iter(range(10**6))

            def to_the_next_snapshot():
                for _ in range(trained.EVERY):
                    record(next(steps), network.views(gradient))

            _, probing = repeated(to_the_next_snapshot)
        _, gradients = timed(lambda: network.loss_and_gradient(theta, task.train))
    return {"loss": float(loss), "seconds": probing, "gradient": gradients}


def interval(found):
    """Value with its interval."""
    return {"value": found.value, "low": found.low, "high": found.high}


if __name__ == "__main__":
    run(answers, "tdu-ofc", "numpy", "scipy")
