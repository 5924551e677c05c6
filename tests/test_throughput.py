"""The benchmark measures what it says, and its page says what it measured."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tdu
from tdu.avalanches import throughput
from tests.reference import avalanche as reference
from tests.strategies import neighbours

BENCH = Path(__file__).parent.parent / "bench"


def module(name):
    sys.path.insert(0, str(BENCH))
    try:
        spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture
def small():
    return throughput.Workload("small", np.random.default_rng(0).normal(size=(6, 301)), tdu.barabasi_albert(301))


def plain_totals(work):
    topplings = pushes = 0
    rows = neighbours(work.graph)
    for field in work.fields.tolist():
        threshold = reference.magnitude_quantile(field, 0.9)
        for _ in range(20):
            found = reference.relax(field, rows, 0.3, threshold, 1)
            if not found.size:
                break
            pushes += sum(len(rows[i]) for i, value in enumerate(field) if abs(value) > threshold)
            topplings += found.size
            field = found.gradient
    return topplings, pushes


def test_topplings_and_pushes_are_those_of_the_reference(small):
    topplings, pushes = plain_totals(small)
    assert throughput.pushes(small) == pushes
    assert throughput.probe_all(small, 1) == throughput.probe_all(small, 2) == topplings


@pytest.mark.slow
def test_every_alternative_gives_the_same_topplings(small, tmp_path):
    alternatives = module("alternatives")
    wanted = throughput.probe_all(small, 1)
    assert alternatives.numpy_add_at(small) == wanted
    assert alternatives.scipy_sparse(small) == wanted
    c = alternatives.C(tmp_path)
    assert c.best(small) == c.plain(small) == c.best_on_two_threads(small) == wanted


def test_c_trains_the_same_run(tmp_path):
    from tdu.config import StudyConfig
    from tdu.training.xor import run_of_study

    config = StudyConfig(epochs=60)
    loss, sizes = module("alternatives").C(tmp_path).train(config, 20, 1)
    run = run_of_study(config, 20, 1)
    np.testing.assert_allclose(loss, run.loss, rtol=1e-9)
    assert sizes.tolist() == run.size.tolist()


@pytest.mark.slow
def test_bench_prints_a_row_for_every_size_field_and_number_of_threads():
    done = subprocess.run(
        [sys.executable, "-m", "tdu", "bench", "--sizes", "81,301", "--rounds", "1", "--workers", "2"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) == 1 + 2 * 2 * 2
    assert all(float(row[4]) > 0 and float(row[5]) > float(row[4]) for row in rows[1:])


def test_the_committed_page_is_what_its_template_and_its_results_give():
    pages = module("pages")
    results, briefs = json.loads((BENCH / "results.json").read_text()), pages.in_brief_by_processor(BENCH)
    page = pages.page(results, briefs, (BENCH / "README.template.md").read_text())
    assert briefs[results["provenance"]["cpu"]] == pages.in_brief(results)
    assert page == (BENCH / "README.md").read_text(), "`python bench/pages.py` renders it again"
    assert "{{" not in page


@pytest.mark.parametrize("size", [2, 0, -5])
def test_a_size_of_which_no_graph_can_be_is_refused(size):
    with pytest.raises(tdu.InputError, match=f"`sizes` must be at least 3, but it is {size}"):
        next(throughput.measure((81, size), 1, 1))


def test_times_are_summed_up_by_way():
    run, taken = module("run"), {"one": np.array([4.0, 2.0, 6.0]), "other": np.array([1.0, 2.0, 2.0])}
    assert run.summary(taken, per=2) == {"one": {"median": 2.0, "least": 1.0}, "other": {"median": 1.0, "least": 0.5}}
    assert run.times(taken, "one", "other") == {"median": 3.0, "least": 2.0}


@pytest.mark.slow
def test_a_probe_of_ten_million_sites_takes_less_than_46_bytes_a_site():
    """The graph takes 20, and 8 more while it grows; field, relaxed copy and work space the rest. Measured, not summed."""
    found = module("run").memory(10**7)
    assert 27 < found["graph"] < 30
    assert 36 < found["all"] < 46
