"""PyHessian at every checkpoint: the largest eigenvalue of the loss's second derivatives, and their trace."""

import numpy as np
import torch
from checkpoints import measured
from measuring import run
from pyhessian import hessian


def answers(data):
    """With the full batch, and as many iterations as it takes by itself."""
    torch.manual_seed(0)
    return measured(data, curvature)


def curvature(model, inputs, answers):
    """The trace is a mean over random vectors, whose standard error is ours: it gives the values."""
    found = hessian(model, torch.nn.CrossEntropyLoss(), data=(inputs, answers), cuda=False)
    (top,), _ = found.eigenvalues(top_n=1)
    traces = np.array(found.trace())
    return {"top": float(top), "trace": float(traces.mean()), "stderr": float(traces.std(ddof=1) / np.sqrt(traces.size))}


if __name__ == "__main__":
    run(answers, "pyhessian", "torch", "numpy")
