"""Does D depend on how strongly the probe diffuses, and on where its threshold lies?"""

from concurrent.futures import Executor
from dataclasses import replace

from tdu.analysis import control, robustness
from tdu.config import Scope, StudyConfig
from tdu.experiments.experiment import Experiment, Say, Table
from tdu.results.panels import PANELS
from tdu.results.series import Robustness
from tdu.training.ensembles import train_all, train_with_fields
from tdu.training.sweeps import sweep
from tdu.types import Findings, Results


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """Synthetic fields, in-line and shadow training, under every setting of the scope."""
    say("synthetic control")
    synthetic = control.measure(config, scope, executor)
    say("training under every setting")
    log = train_all(config, executor)
    shadow = train_with_fields(replace(config, alpha_train=0.0), executor)
    sweeps = sweep(config, log, scope, executor, shadow)
    say("intervals")
    return [robustness.analyse(config, log.n_sites, scope, sweeps, synthetic)]


def tables(results: Results) -> dict[str, Table]:
    """The exponent at every setting."""
    one = results.series_of(Robustness)
    rows: Table = []
    for (axis, training, statistic), found in one.bands.items():
        for setting, value, low, high in zip(one.settings(axis), found.value, found.low, found.high, strict=True):
            rows.append(
                {"axis": axis, "setting": setting, "training": training, "statistic": statistic,
                 "exponent": value, "low": low, "high": high}
            )  # fmt: skip
    return {"exponents": rows}


EXPERIMENT = Experiment(measure, tables, PANELS["robustness"])
