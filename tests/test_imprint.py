"""The experiment `imprint` beyond its conditions: transformers under them, and the trace on seeds that did not choose it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tdu.analysis import imprint
from tdu.config import NetworkConfig, StudyConfig
from tdu.experiments import imprint_trace as trace
from tdu.experiments import imprint_transformers as transformers
from tdu.experiments.plan import committed
from tdu.training.network import train_network
from tdu.types import Estimate, Log
from tests.pages import ROOT

FOLDER = ROOT / "experiments" / "imprint"
SMALL = NetworkConfig(
    modulus=7, width=8, epochs=40, snapshot_every=4, learning_rate=1e-2, nulls=("permuted", "signs"), n_null_draws=2
)


def test_conditions_that_differ_in_how_they_are_measured_share_a_training():
    trainings = {one.name: transformers._training(one) for one in transformers.CONDITIONS}
    assert len(trainings) == 7
    assert sorted(set(trainings.values())) == [(0.0, "layer"), (0.3, "layer"), (0.3, "reversed")]
    assert trainings["shadow in reversed order"] == trainings["shadow"] == (0.0, "layer")
    assert trainings["in-line in reversed order, measured on a fresh graph"] == trainings["in-line in reversed order"]


@pytest.mark.parametrize("training", [(0.3, "layer"), (0.3, "reversed"), (0.0, "layer")], ids=str)
def test_a_condition_that_moves_nothing_is_the_network_of_its_settings(training):
    found = transformers._end(SMALL, *training)
    conditions = [one for one in transformers.CONDITIONS if transformers._training(one) == training]
    assert list(found.measured) == [one.name for one in conditions]
    for one in conditions:
        if one.moved == "layer":
            whole = train_network(replace(SMALL, **{"alpha_train": 0.3, **one.changes}))
            late = whole.step >= 30
            assert found.measured[one.name].step.tolist() == [32, 36, 40]
            assert found.measured[one.name].size.tolist() == whole.size[late].tolist()
            for null, sizes in whole.nulls.items():
                assert np.array_equal(found.measured[one.name].nulls[null], sizes[:, late])
            assert found.test_accuracy == whole.columns["test_accuracy"][-1]


def test_epsilon_and_the_excess_of_d_are_those_planted():
    n, factor = np.array([100, 400, 1600]), np.array([0.9, 1.0, 1.2])
    size = factor[:, None] * (n**1.2)[:, None, None] * np.ones(4)
    drawn = np.stack([size * 2, size / 2]) * np.exp(-0.3) * (n / 400)[:, None, None] ** -0.1  # less by 0.3 at the middle width
    log = Log(n, n, np.arange(4), {"size": size}, {"blocks": drawn}, {}, np.full((3, 3), -1))
    found = transformers.late(log)
    assert found["transformers_dimension"].value == pytest.approx(1.2)
    assert found["transformers_excess_blocks"].value == pytest.approx(0.1)
    epsilon = found["transformers_epsilon_blocks"]
    assert (epsilon.value, epsilon.low, epsilon.high) == pytest.approx((0.3, 0.3, 0.3))
    assert epsilon.note.startswith("p = ")


def test_the_trace_is_the_excess_of_seeds_that_follow():
    config = StudyConfig(hidden=(20, 30, 50), replicates=8, epochs=120, n_null_draws=1, seed=4)
    with ThreadPoolExecutor(2) as executor:
        found = trace.measure(config, 6, executor)
        assert list(found.of_seeds) == [6, 7]
        (condition,) = (one for one in imprint.CONDITIONS if one.name == trace.CHOSEN)
        log = imprint.log_of(replace(config, seed=7), condition, executor)
    assert found.of_seeds[7] == imprint.late(log)["excess_signs"]
    assert found.mean.value == pytest.approx(np.mean([one.value for one in found.of_seeds.values()]))


def test_intervals_off_the_training_graph_are_counted():
    above, across, below = Estimate(1, 0.5, 1.5, ""), Estimate(0, -1, 1, ""), Estimate(-1, -2, -0.5, "")
    rows = [
        (imprint.OWN, {"excess_blocks": above, "excess_signs": above}),
        ("shadow", {"excess_blocks": across, "excess_signs": below, "excess_permuted": above}),
        (trace.CHOSEN, {"excess_blocks": across, "excess_signs": above}),
    ]
    tables = trace.tables(trace.Trace({3: above, 5: across}, above), rows)
    wanted = {"intervals": 4, "leave out 0": 2, "expected": 0.2, "of the chosen condition": 1, "further seeds": 2}
    assert tables["alarms"] == [{"what": "off the training graph", **wanted}]
    assert [row["seed"] for row in tables["trace"]] == [3, 5]


def test_what_the_page_says_in_words_is_what_the_data_say():
    source, page = committed(FOLDER), " ".join((FOLDER / "README.md").read_text().split())
    conditions = [one.name for one in transformers.CONDITIONS]
    apart = {
        (of, null): {name: one.low > 0 for name, one in source.readings[f"transformers_{of}_{null}"].items()}
        for of in ("epsilon", "excess")
        for null in ("blocks", "signs")
    }
    for null in ("blocks", "signs"):
        assert "On the graph that trained ε exceeds `blocks` and `signs`, in whichever order the parameters sit" in page
        assert apart["epsilon", null] == {name: name in trace.ON_TRAINING_GRAPH for name in conditions}
        off = [
            one for name, one in source.readings[f"transformers_epsilon_{null}"].items() if name not in trace.ON_TRAINING_GRAPH
        ]
        assert all(one.low < 0 < one.high for one in off)
        assert "tells it in the order of the layers alone" in page
        assert apart["excess", null] == {name: name == imprint.OWN for name in conditions}
    assert "Over `permuted` ε is below 0 everywhere" in page
    assert all(one.high < 0 for one in source.readings["transformers_epsilon_permuted"].values())
    n = [int(row["N"]) for row in source.tables["networks"]]
    assert "of four widths over less than a decade of N" in page
    assert len(n) == 4
    assert max(n) < 10 * min(n)
    (alarms,) = source.tables["alarms"]
    assert "all of this condition" in page
    assert alarms["leave out 0"] == alarms["of the chosen condition"]
    mean = source.quantities["trace"]
    assert "Further seeds, which did not choose it, do not have it" in page
    assert mean.low < 0 < mean.high < min(source.readings["excess_signs"][f"{trace.CHOSEN}, seed {k}"].value for k in (0, 1))
    page_of_d = " ".join((ROOT / "docs" / "what-d-measures.md").read_text().split())
    assert "most likely an accident of looking at many" in page_of_d
