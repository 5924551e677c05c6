"""The same bits on every processor: the study's log under settings that compile and dispatch for others than this one."""

import json
import os
import subprocess
import sys

import llvmlite.binding
import numpy as np
import pytest

from tests import golden
from tests.pages import ROOT
from tests.test_golden import differences

LOG = """
from concurrent.futures import ThreadPoolExecutor
from tdu.analysis import tails
from tdu.config import StudyConfig
from tdu.training.ensembles import train_all
with ThreadPoolExecutor(2) as executor:
    log = train_all(StudyConfig(), executor, gini=True, every_epoch=True, nulls=True)
print(log.digest, tails.collapse(log).exponents[0])
"""
GOLDEN = "import json; from tests import golden; print(json.dumps(golden.measured()))"
_UMATH = np._core._multiarray_umath
#: NumPy without any instruction that is newer than what it was built for.
PLAIN_NUMPY = {"NPY_DISABLE_CPU_FEATURES": " ".join(name for name in _UMATH.__cpu_dispatch__ if _UMATH.__cpu_features__[name])}
#: What numba compiles for, and the feature that the host must have to run it.
PROCESSORS = {
    "host": ({}, None),
    "generic": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", **PLAIN_NUMPY}, None),
    "haswell": ({"NUMBA_CPU_NAME": "haswell"}, "avx2"),
    "skylake-avx512": ({"NUMBA_CPU_NAME": "skylake-avx512"}, "avx512f"),
}


@pytest.fixture(scope="module", params=PROCESSORS)
def output(request, tmp_path_factory):
    """Standard output of Python code that runs for a processor, with a cache of its own; the host's is the user's."""
    variables, feature = PROCESSORS[request.param]
    if feature and not llvmlite.binding.get_host_cpu_features().get(feature):
        pytest.skip(f"this processor has no {feature}: code for {request.param} does not run on it")
    cache = {"NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp(request.param))} if variables else {}

    def of(code):
        environment = os.environ | variables | cache
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return of


@pytest.mark.slow
def test_the_log_of_the_study_and_its_best_collapse_have_the_committed_bits(output):
    """A last bit that differs sends the search for the best collapse elsewhere, as S jumps."""
    committed = json.loads((ROOT / "docs" / "results.json").read_text())
    digest, exponent = output(LOG).split()
    assert digest == committed["provenance"]["log"]
    assert float(exponent) == committed["quantities"]["collapse_exponent"]["value"]


@pytest.mark.slow
@pytest.mark.parametrize("output", ["generic"], indirect=True)
def test_results_without_any_feature_are_the_committed_ones(output):
    """Beyond the log, the analysis uses NumPy and SciPy, whose last bits are their own: the small study, as on the host."""
    assert not list(differences(json.loads(output(GOLDEN)), json.loads(golden.PATH.read_text())))
