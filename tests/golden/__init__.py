"""A study small enough for the suite, measured from training to verdict, and what it gave when it was last looked at.

``python -m tests.golden`` measures it again and writes ``study.json`` anew: after a change that is meant to move numbers, with
the difference read line by line.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tdu.config import Scope, StudyConfig
from tdu.reproduce import measure_study
from tdu.results.store import results_as_json
from tdu.training.ensembles import train_all

PATH = Path(__file__).with_name("study.json")
CONFIG = StudyConfig(hidden=(20, 30, 50, 70), replicates=3, epochs=150, seed=3, n_null_draws=2)
SCOPE = Scope(n_gini_runs=8, n_draws=2, n_studies=3, alphas=(0.1, 0.3), quantiles=(0.8, 0.9), figure_formats=("svg",))
#: What changes from machine to machine, and what is only drawn: thousands of numbers that follow from the same sizes.
_LEFT_OUT = ("provenance", "series")


def measured():
    """What results.json would hold of the study, without series and provenance."""
    with ThreadPoolExecutor(2) as executor:
        results = measure_study(CONFIG, train_all(CONFIG, executor, every_epoch=True, nulls=True), SCOPE, executor)
    found = {name: value for name, value in results_as_json(results).items() if name not in _LEFT_OUT}
    return json.loads(json.dumps(found))


def write():
    """Measure the study and keep what it gives."""
    PATH.write_text(json.dumps(measured(), indent=1, ensure_ascii=False) + "\n")
