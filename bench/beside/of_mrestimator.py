"""mrestimator on activities of branching processes: m by multistep regression, with the error of its bootstrap over trials."""

import mrestimator
from measuring import group, repeated, run

STEPS = (1, 100)


def answers(data):
    """Branching ratios of all activities (trials, steps)."""
    mrestimator.disable_progressbar()
    return {name: estimated(activity) for name, activity in group(data, "branching").items()}


def estimated(activity):
    """As its manual says for many trials of one process, from lags up to half a trial."""

    def call():
        lags = (STEPS[0], min(STEPS[1], activity.shape[1] // 2))
        found = mrestimator.coefficients(activity, steps=lags, method="stationarymean", numboot=100, seed=1)
        return mrestimator.fit(found, fitfunc="exponential", numboot=100, seed=1)

    fit, seconds = repeated(call)
    return {"m": float(fit.mre), "stderr": float(fit.mrestderr), "seconds": seconds}


if __name__ == "__main__":
    run(answers, "mrestimator", "numpy", "scipy")
