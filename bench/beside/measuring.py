"""What the scripts beside it share. They run in a neighbour's environment, where NumPy is all that is sure to be there."""

import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from time import process_time

import numpy as np

REPEATS = 3


def timed(call):
    """What `call` gives, and the seconds of the processor that it takes."""
    begun = process_time()
    return call(), process_time() - begun


def repeated(call):
    """What `call` gives, and its median seconds, once what is loaded at first use has been."""
    answer = call()
    return answer, float(np.median([timed(call)[1] for _ in range(REPEATS)]))


def group(data, name):
    """The arrays of `data` under ``name/``, by the rest of their names."""
    return {key.partition("/")[2]: data[key] for key in data if key.startswith(f"{name}/")}


def memory(which):
    """Bytes of this process: VmRSS, now, or VmHWM, at most until now."""
    return 1024 * int(re.search(rf"{which}:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def run(answers, *packages):
    """A script's work: ``python of_….py DATA.npz ANSWERS.json``."""
    data = dict(np.load(sys.argv[1]))
    loaded = memory("VmRSS")
    found = answers(data)
    report = {
        "answers": found,
        "memory": {"loaded": loaded, "peak": memory("VmHWM")},
        "versions": {name: version(name) for name in packages},
    }
    Path(sys.argv[2]).write_text(json.dumps(report))
