"""Two processes beside two threads, in turns: a thousand runs in memory, and a thousand written to a log.

python bench/executors.py [ROUNDS] prints one JSON object per job and executor: the median seconds of a round, with workers that
have begun, how long these took to begin, and the efficiency, which is the median over rounds of the time of threads divided by
that of the processes.
"""

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from tdu.config import StudyConfig
from tdu.executors import Workers, opened
from tdu.training.ensembles import compile_kernels, study_store, train_all
from tdu.training.finishing import finish

EXECUTORS = ("threads", "processes")
RUNS = StudyConfig(hidden=(21,), replicates=1000, n_null_draws=0)
STUDY = StudyConfig(hidden=(5, 10, 20, 30, 50, 70, 100, 120, 200, 500), replicates=100, n_null_draws=1)


def in_memory(executor):
    """The thousand runs of Fig. 1c, kept in memory."""
    train_all(RUNS, executor, gini=True)


def to_log(executor):
    """Ten scales with a hundred seeds each, written to a log as they finish."""
    with tempfile.TemporaryDirectory() as directory:
        store = study_store(Path(directory) / "run", STUDY)
        assert len(list(finish(store, STUDY, store.missing(), executor))) == 1000


def main():
    """Let both begin, then take turns."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with ExitStack() as stack:
        executors, begun = {}, {}
        for name in EXECUTORS:
            start = time.perf_counter()
            executors[name] = stack.enter_context(opened(Workers(2, name), partial(compile_kernels, STUDY)))
            in_memory(executors[name])
            first = time.perf_counter() - start
            start = time.perf_counter()
            in_memory(executors[name])
            begun[name] = first - (time.perf_counter() - start)
        for job in (in_memory, to_log):
            seconds = {name: [] for name in EXECUTORS}
            for _ in range(rounds):
                for name, executor in executors.items():
                    start = time.perf_counter()
                    job(executor)
                    seconds[name].append(time.perf_counter() - start)
            for name in EXECUTORS:
                ratio = float(np.median(np.divide(seconds["threads"], seconds[name])))
                row = {"seconds": float(np.median(seconds[name])), "to_begin": begun[name], "efficiency": ratio}
                print(json.dumps({"job": job.__name__, "executor": name, **row}), flush=True)


if __name__ == "__main__":
    main()
