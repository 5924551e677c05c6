"""Settings of the XOR study beyond the paper's: parametrisation, site order, and which graph measures; η·λ₀ at the start."""

from dataclasses import replace

import numpy as np
import pytest

import tdu
from tdu.config import MEASURED_ON, PARAMETRISATIONS, SITE_ORDERS, STRUCTURAL_GRAPHS, StudyConfig
from tdu.models import mlp
from tdu.models.parametrisation import REFERENCE, Parametrisation
from tdu.rng import Stage, derived_seed, generator
from tdu.training.ensembles import study_of, study_store
from tdu.training.sharpness import sharpness
from tdu.training.sites import graphs, laid_over, site_order
from tdu.training.xor import PATTERNS, TARGETS, run_of_study, sizes_under, start, with_fields
from tests.kernels.test_training import EPOCHS, same_run
from tests.reference import training as reference
from tests.strategies import neighbours

SEED, HIDDEN = 3, 8


def plain_run(alpha_train, stage=Stage.GRAPH, site_order=None, output_scale=1.0, readout_start=1.0, rates=(1.0, 1.0, 1.0, 1.0)):
    """The run in plain Python of the formulae on this page, from the same initial parameters and graphs."""
    theta = mlp.initial_parameters(HIDDEN, generator(SEED, Stage.PARAMETERS, HIDDEN, 0))
    n = theta.size
    own, measuring = (tdu.barabasi_albert(n, seed=derived_seed(SEED, one, HIDDEN, 0)) for one in (Stage.GRAPH, stage))
    a = slice(3 * HIDDEN, 4 * HIDDEN)
    theta[a] *= readout_start
    return reference.train(
        theta.tolist(), PATTERNS["binary"].tolist(), TARGETS.tolist(), neighbours(measuring), epochs=EPOCHS, learning_rate=0.5,
        alpha=0.3, alpha_train=alpha_train, quantile=0.9, max_steps=20, snapshot_every=10, output_scale=output_scale,
        rates=[rate for rate, count in zip(rates, (2 * HIDDEN, HIDDEN, HIDDEN, 1), strict=True) for _ in range(count)],
        order=site_order, training_neighbours=neighbours(own),
    )  # fmt: skip


def found_run(alpha_train, **settings):
    return tdu.train_xor(HIDDEN, seed=SEED, epochs=EPOCHS, alpha_train=alpha_train, **settings)


TRAININGS = pytest.mark.parametrize("alpha_train", [0.3, 0.0], ids=["in-line", "shadow"])


@TRAININGS
def test_mean_field_is_the_plain_run_in_its_coordinates(alpha_train):
    w = HIDDEN / 50  # a = w W2 of a W2 that starts w^-1/2 times the standard one
    wanted = plain_run(alpha_train, output_scale=1 / w, readout_start=w * w**-0.5, rates=(w, w, w, 1.0))
    same_run(found_run(alpha_train, parametrisation="mean-field"), wanted)


@TRAININGS
def test_tangent_kernel_is_the_plain_run_at_another_rate(alpha_train):
    same_run(found_run(alpha_train, parametrisation="tangent-kernel"), plain_run(alpha_train, rates=(50 / HIDDEN,) * 4))


@TRAININGS
def test_reversed_order_is_the_plain_run_whose_field_is_reversed(alpha_train):
    backwards = list(range(4 * HIDDEN, -1, -1))
    same_run(found_run(alpha_train, site_order="reversed"), plain_run(alpha_train, site_order=backwards))


@TRAININGS
def test_units_order_is_the_plain_run_whose_field_goes_unit_by_unit(alpha_train):
    h = HIDDEN
    by_unit = [site for j in range(h) for site in (2 * j, 2 * j + 1, 2 * h + j, 3 * h + j)] + [4 * h]
    same_run(found_run(alpha_train, site_order="units"), plain_run(alpha_train, site_order=by_unit))


@TRAININGS
def test_a_fresh_graph_measures_what_the_training_graph_trains(alpha_train):
    same_run(found_run(alpha_train, measured_on="fresh"), plain_run(alpha_train, Stage.MEASURING_GRAPH))
    own = found_run(alpha_train)
    fresh = found_run(alpha_train, measured_on="fresh")
    assert np.array_equal(own.loss, fresh.loss)
    assert not np.array_equal(own.size, fresh.size)


def test_a_ring_measures_what_the_training_graph_trains():
    config = StudyConfig(hidden=(HIDDEN,), seed=SEED, epochs=EPOCHS, measured_on="ring")
    own = with_fields(replace(config, measured_on="own"), HIDDEN, 0)
    found = with_fields(config, HIDDEN, 0)
    assert np.array_equal(found.fields, own.fields)
    on_ring = [tdu.avalanche(field, tdu.ring(4 * HIDDEN + 1)).size for field in own.fields]
    assert found.run.size.tolist() == on_ring
    assert found.probe.sizes(own.fields).tolist() == on_ring  # the graph that its nulls are measured on


@pytest.mark.parametrize("training", [0.3, 0.0])
def test_every_epoch_has_the_size_on_the_measuring_graph(training):
    config = StudyConfig(
        hidden=(HIDDEN,), epochs=20, snapshot_every=1, alpha_train=training, measured_on="fresh", n_null_draws=0
    )
    run = run_of_study(config, HIDDEN, 0)
    assert run.curves["size"].tolist() == run.size.tolist()


def test_all_parametrisations_are_the_same_bits_at_the_reference_width():
    runs = [tdu.train_xor(REFERENCE, epochs=30, parametrisation=name) for name in PARAMETRISATIONS]
    for run in runs[1:]:
        for name, values in runs[0].curves.items():
            assert np.array_equal(run.curves[name], values), name
        for name, values in runs[0].columns.items():
            assert np.array_equal(run.columns[name], values), name


def test_the_mean_field_gradient_is_the_central_difference_by_its_coordinates():
    config = StudyConfig(hidden=(HIDDEN,), parametrisation="mean-field", epochs=0)
    trained = with_fields(config, HIDDEN, 0)
    theta, problem = start(config, HIDDEN, 0)

    def loss(coordinates):
        network = reference.with_readout_times(50 / HIDDEN, coordinates, 2)
        return reference.loss_of(network, PATTERNS["binary"].tolist(), TARGETS.tolist())

    for site in range(theta.size):
        up, down = theta.copy(), theta.copy()
        up[site] += 1e-5
        down[site] -= 1e-5
        assert trained.fields[0, site] == pytest.approx((loss(up) - loss(down)) / 2e-5, rel=1e-6, abs=1e-9)
    assert problem.rates[[0, -1]].tolist() == [0.5 * HIDDEN / 50, 0.5]


def test_mean_field_starts_from_a_logit_that_does_not_grow_with_the_width():
    spread = {}
    for hidden in (50, 5000):
        coordinates = Parametrisation.of("mean-field", hidden)
        theta = coordinates.start(mlp.initial_parameters(hidden, np.random.default_rng(0)))
        spread[hidden] = coordinates.output_scale * np.std(mlp.parameter_views(theta)["W2"]) * hidden**0.5
    assert spread[5000] == pytest.approx(0.1 * spread[50], rel=0.1)  # (h₀/h)^½ of the standard one, which stays


@pytest.mark.parametrize("name", SITE_ORDERS)
def test_a_site_order_places_every_parameter_once(name):
    order = site_order(name, mlp.layout(6), np.random.default_rng(0))
    assert sorted(order) == list(range(25))


def test_permuted_units_stay_whole_and_in_their_tensors():
    layout = mlp.layout(6)
    order = site_order("units-permuted", layout, np.random.default_rng(0))
    at = layout.views(order)
    units = at["b1"] - 12
    assert not np.array_equal(units, np.arange(6))
    assert at["W1"].tolist() == [[2 * j, 2 * j + 1] for j in units]
    assert at["W2"].tolist() == [18 + j for j in units]
    assert at["b2"].tolist() == [24]


@pytest.mark.parametrize("name", SITE_ORDERS)
def test_a_field_on_a_graph_laid_over_it_is_the_field_in_that_order_on_the_graph(name):
    rng = np.random.default_rng(5)
    layout = mlp.layout(20)
    graph = tdu.barabasi_albert(layout.n_sites, seed=4)
    order = site_order(name, layout, rng)
    over = laid_over(graph, order)
    assert np.array_equal(over.degree[order], graph.degree)
    for field in rng.integers(-64, 65, (20, layout.n_sites)) / 8:
        ours, theirs = (tdu.avalanche(f, g, alpha=0.5, threshold=4.0) for f, g in ((field, over), (field[order], graph)))
        assert ours.profile.tolist() == theirs.profile.tolist()
        assert ours.gradient[order] == pytest.approx(theirs.gradient, abs=1e-12)


def test_own_and_fresh_graphs_are_one_family_and_differ():
    layout = mlp.layout(20)
    own, same = graphs(StudyConfig(), layout, 20, 0)
    training, fresh = graphs(StudyConfig(measured_on="fresh"), layout, 20, 0)
    assert own is same
    assert np.array_equal(training.indices, own.indices)
    assert fresh.degree.sum() == own.degree.sum()
    assert not np.array_equal(fresh.indices, own.indices)


def second_eigenvalues(config, hidden, replicate):
    """η times the Gauss–Newton matrix by the coordinates, written out: its largest eigenvalue."""
    theta, _ = start(config, hidden, replicate)
    coordinates = Parametrisation.of(config.parametrisation, hidden)
    network = reference.with_readout_times(coordinates.output_scale, theta.tolist(), 2)
    matrix = np.array(reference.gauss_newton_of(network, PATTERNS[config.inputs].tolist(), config.activation))
    scale = np.array(reference.with_readout_times(coordinates.output_scale, [1.0] * theta.size, 2))
    root = np.sqrt(coordinates.rates_of(hidden, config.learning_rate)) * scale
    return np.linalg.eigvalsh(root[:, None] * matrix * root)[-1]


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
@pytest.mark.parametrize("recipe", [{}, {"activation": "sigmoid", "inputs": "bipolar", "learning_rate": 0.1}])
def test_sharpness_is_the_largest_eigenvalue_of_the_whole_matrix(parametrisation, recipe):
    config = StudyConfig(parametrisation=parametrisation, **recipe)
    for hidden, replicate in ((1, 0), (7, 0), (7, 1), (60, 2)):
        wanted = second_eigenvalues(config, hidden, replicate)
        assert sharpness(config, hidden, replicate) == pytest.approx(wanted, rel=1e-10)


def test_gradient_descent_overshoots_above_the_edge_and_not_below():
    config = StudyConfig(hidden=(20, 500), alpha_train=0.0, n_null_draws=0)
    for hidden, over in ((20, False), (500, True)):
        assert (sharpness(config, hidden) > 2) is over
        loss = run_of_study(config, hidden, 0).loss
        assert bool(loss.max() > loss[0]) is over


def test_a_log_from_before_these_settings_goes_on_with_their_defaults(tmp_path):
    config = StudyConfig(hidden=(5, 8), replicates=1)
    store = study_store(tmp_path / "default", config)
    assert not {"parametrisation", "site_order", "measured_on", "targets"} & set(store.settings)
    assert study_of(store) == config
    other = replace(config, parametrisation="mean-field", measured_on=MEASURED_ON[-1])
    store = study_store(tmp_path / "other", other)
    assert store.settings["parametrisation"] == "mean-field"
    assert "site_order" not in store.settings
    assert study_of(store) == other
    with pytest.raises(tdu.InputError, match="the settings are not exactly"):
        study_of(replace(store, settings={**store.settings, "momentum": 0.9}))


@pytest.mark.parametrize("family", STRUCTURAL_GRAPHS)
def test_a_graph_made_of_the_parameters_has_its_place_in_every_order(family):
    config = replace(StudyConfig(), measured_on=family)
    found = [graphs(replace(config, site_order=order), mlp.layout(5), 5, 0)[1] for order in SITE_ORDERS]
    assert all(np.array_equal(one.indices, found[0].indices) for one in found)
    if family == "units":
        assert found[0].indices[:3].tolist() == [1, 10, 15]  # W1[0, 0] beside W1[0, 1], b1[0] and W2[0]


@pytest.mark.parametrize(
    ("targets", "learnt"),
    [("xor", lambda a, b: a ^ b), ("and", lambda a, b: a & b), ("or", lambda a, b: a | b), ("first", lambda a, _: a)],
)
def test_targets_are_those_of_the_truth_table(targets, learnt):
    config = StudyConfig(hidden=(HIDDEN,), replicates=1, targets=targets)
    _, problem = start(config, HIDDEN, 0)
    assert problem.targets.tolist() == [learnt(int(a), int(b)) for a, b in PATTERNS["binary"]]
    assert run_of_study(config, HIDDEN, 0).accuracy[-1] == 1


def test_sizes_of_several_settings_are_those_of_runs_of_their_own():
    config = replace(StudyConfig(hidden=(20,), replicates=1, epochs=60, n_null_draws=0), site_order="units-permuted")
    studies = (config, replace(config, alpha=0.1, alpha_train=0.1), replace(config, quantile=0.8), config)
    sizes = sizes_under(studies, config, 20, 1)
    assert sizes.tolist() == [run_of_study(one, 20, 1).size.tolist() for one in studies]
    assert len({tuple(row) for row in sizes.tolist()}) == 3
