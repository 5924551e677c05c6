"""Asked for values alone, as pooled studies ask, every analysis gives the values it gives with intervals, and no interval."""

from dataclasses import replace

import numpy as np
import pytest

from tdu.analysis import concentration, control, dimension, excess, grokking, phases, robustness, shadow, tails
from tdu.config import StudyConfig
from tests.analysis.test_concentration import CURVES, gini_log
from tests.analysis.test_concentration import GROKKED as GINI_GROKKED
from tests.analysis.test_robustness import CONFIG, CONTROL, SCOPE, SWEEPS
from tests.planted import N_SITES, SEED, WINDOW, study

LOG = study()
PERMUTED = np.stack([study(pre=1.0, post=1.0, drift=0.0, rng_seed=10 + k).size for k in range(3)])
GINI = gini_log(CURVES, GINI_GROKKED)
TOPOLOGIES = N_SITES[:, None] ** np.array([0.9, 0.95, 1.0, 1.1, 1.2])[:, None, None] * np.exp(
    0.1 * np.random.default_rng(0).normal(size=(5, 4, 6))
)
SYNTHETIC = control.Control(TOPOLOGIES, TOPOLOGIES[:2], TOPOLOGIES[:2], 3)
ANALYSES = {
    "grokking": lambda **how: grokking.analyse(LOG, **how),
    "dimension": lambda **how: dimension.analyse(LOG, WINDOW, **how),
    "shadow": lambda **how: shadow.analyse(LOG, study(pre=0.8, post=1.4, rng_seed=1), WINDOW, **how),
    "phases": lambda **how: phases.analyse(LOG, **how),
    "tails": lambda **how: tails.analyse(LOG, **how),
    "concentration": lambda **how: concentration.analyse(GINI, GINI, **how),
    "control": lambda **how: control.analyse(StudyConfig(hidden=(20, 50, 120, 500), replicates=6, seed=SEED), SYNTHETIC, **how),
    "robustness": lambda **how: robustness.analyse(CONFIG, N_SITES, SCOPE, SWEEPS, CONTROL, **how),
    "excess": lambda **how: excess.analyse(replace(LOG, nulls={"permuted": PERMUTED}), "permuted", **how),
}


@pytest.mark.parametrize("name", ANALYSES)
def test_values_alone_are_the_values_and_have_no_interval(name):
    alone, whole = ANALYSES[name](intervals=False), ANALYSES[name]()
    assert list(alone.estimates) == list(whole.estimates)
    for key, estimate in whole.estimates.items():
        found = alone.estimates[key]
        assert np.isnan([found.low, found.high]).all(), key
        assert found.statistic == estimate.statistic
        if not key.endswith("_cv"):  # what is left of a CV beyond noise needs the noise
            assert found.value == pytest.approx(estimate.value, nan_ok=True), key
    assert np.isfinite([estimate.low for estimate in whole.estimates.values()]).any()


@pytest.mark.parametrize("name", ["tails", "concentration", "excess"])
def test_what_is_only_drawn_goes_with_the_intervals(name):
    assert ANALYSES[name](intervals=False).series == ()
    assert ANALYSES[name]().series


def test_without_shadow_only_in_line_training_is_varied():
    sweeps = robustness.Sweeps(SWEEPS.inline_alphas, SWEEPS.inline_quantiles)
    found = robustness.analyse(CONFIG, N_SITES, SCOPE, sweeps, CONTROL)
    whole = robustness.analyse(CONFIG, N_SITES, SCOPE, SWEEPS, CONTROL)
    assert found.estimates == whole.estimates
    assert set(whole.readings["alpha_cv"]) - set(found.readings["alpha_cv"]) == {
        f"shadow, {s}" for s in ("peak", "run-peak", "mean")
    }
