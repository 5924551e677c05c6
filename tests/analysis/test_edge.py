"""η·λ₀ of a study's runs, beside their overshoot, as `tdu fit` and the report show them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tdu import fitting
from tdu.analysis import edge
from tdu.config import StudyConfig
from tdu.reproduce import train_study
from tdu.results.assemble import edge_table, table
from tdu.results.report import page
from tdu.results.series import Edge
from tdu.training.sharpness import sharpness
from tests.planted import study

CONFIG = StudyConfig(hidden=(500, 20, 50), replicates=2, epochs=60, n_null_draws=0, nulls=())
PLANTED = Edge(np.array([7, 9]), np.array([29, 37]), np.array([[1.0, 1.5], [1.5, 3.0]]), np.array([[1.0, 1.0], [1.0, 2.0]]))


def test_sharpness_is_of_every_run_in_order_of_scale():
    with ThreadPoolExecutor(2) as executor:
        found = edge.measure(CONFIG, executor)
    assert found.tolist() == [[sharpness(CONFIG, hidden, k) for k in range(2)] for hidden in (20, 50, 500)]


def test_overshoot_is_the_largest_loss_over_the_first():
    log = study()
    loss = np.array([[[0.5, 1.0, 0.2], [0.5, 0.4, 0.1]]])
    assert edge.overshoot(replace(log, curves={"loss": loss})).tolist() == [[2.0, 1.0]]


def test_the_table_has_a_row_a_scale():
    assert edge_table(PLANTED)[1:] == [
        ("7", "29", "1.25", "1.00 – 1.50", "1.00", "0 of 2"),
        ("9", "37", "2.25", "1.50 – 3.00", "1.50", "1 of 2"),
    ]


@pytest.mark.parametrize(("factor", "said"), [(1.0, "η·λ₀ exceeds 2 at scale 9 and not"), (0.5, ""), (2.0, "")])
def test_words_are_said_where_scales_lie_on_both_sides(factor, said):
    split = replace(PLANTED, sharpness=factor * PLANTED.sharpness).split
    assert split.startswith(said) if said else not split


def test_fit_and_report_of_a_study_show_it(tmp_path):
    train_study(tmp_path, CONFIG, 2)
    with ThreadPoolExecutor(2) as executor:
        results = fitting.fit(tmp_path, executor)
    rows = edge_table(results.series_of(Edge))
    assert [row[0] for row in rows[1:]] == ["20", "50", "500"]
    assert [row[-1] for row in rows[1:]] == ["0 of 2", "0 of 2", "2 of 2"]
    said = table(results)
    for row in rows:
        assert any(line.split() == " ".join(row).split() for line in said.splitlines())
    assert "η·λ₀ exceeds 2 at scale 500 and not at the others" in said
    bare = replace(results, series=tuple(one for one in results.series if isinstance(one, Edge)))
    for row in rows:
        for cell in row:
            assert cell in page(bare, tmp_path)
