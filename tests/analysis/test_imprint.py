"""What the probe writes into a field: conditions measure what they say, and D is compared run by run."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import tdu
from tdu.analysis import imprint
from tdu.analysis.imprint import CONDITIONS, Condition
from tdu.config import StudyConfig
from tdu.training.ensembles import train_all
from tdu.training.xor import with_fields
from tests.planted import SEED, study

CONFIG = StudyConfig(hidden=(5, 8), replicates=2, epochs=20, n_null_draws=2, nulls=("permuted", "rewired"), seed=SEED)


def log_of(condition):
    with ThreadPoolExecutor(2) as executor:
        return imprint.log_of(CONFIG, condition, executor)


@pytest.mark.parametrize("changes", [{}, {"measured_on": "fresh"}, {"alpha_train": 0.0, "site_order": "reversed"}], ids=str)
def test_a_condition_that_moves_nothing_is_the_study_of_its_settings(changes):
    with ThreadPoolExecutor(2) as executor:
        wanted = train_all(replace(CONFIG, **changes), executor, nulls=True)
    found = log_of(Condition("", changes))
    assert np.array_equal(found.size, wanted.size)
    assert np.array_equal(found.grokking_step, wanted.grokking_step)
    for name, sizes in wanted.nulls.items():
        assert np.array_equal(found.nulls[name], sizes), name


def test_a_moved_field_is_the_field_in_that_order_on_the_graph_that_trained():
    found = log_of(Condition("", moved="reversed"))
    for s, hidden in enumerate(CONFIG.hidden):
        trained = with_fields(CONFIG, hidden, 1)
        sizes = [tdu.avalanche(field[::-1], trained.probe.graph).size for field in trained.fields]
        assert found.size[s, 1].tolist() == sizes
    assert not np.array_equal(found.nulls["permuted"], log_of(Condition("")).nulls["permuted"])


def test_every_condition_has_a_name_of_its_own_and_the_first_is_the_papers():
    assert len({condition.name for condition in CONDITIONS}) == len(CONDITIONS)
    assert CONDITIONS[0] == Condition(imprint.OWN)


def test_late_d_and_its_excess_are_those_planted():
    log = study(pre=0.9, post=1.2)
    log = replace(log, nulls={"permuted": np.stack([study(pre=0.9, post=1.1, rng_seed=10 + k).size for k in range(3)])})
    found = imprint.late(log)
    assert found["dimension_late"].value == pytest.approx(1.2, abs=0.1)
    assert found["excess_permuted"].value == pytest.approx(0.1, abs=0.05)
    assert found["excess_permuted"].low < found["excess_permuted"].value < found["excess_permuted"].high


def test_the_difference_of_two_measurements_of_the_same_runs_has_their_scatter_taken_off():
    log = study()
    steeper = log.with_size(log.size * log.n_sites[:, None, None] ** 0.05)
    found = imprint.difference(steeper, log)
    assert found.value == pytest.approx(0.05, abs=1e-9)
    assert found.high - found.low == pytest.approx(0, abs=1e-9)
