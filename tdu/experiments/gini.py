"""Do weights concentrate, for a while, when a network groks?"""

from concurrent.futures import Executor
from dataclasses import replace

from tdu.analysis import concentration, grokking
from tdu.config import Scope, StudyConfig
from tdu.experiments.experiment import Experiment, Say, Table, columns
from tdu.results.panels import PANELS
from tdu.results.series import Gini
from tdu.training.ensembles import train_all
from tdu.types import Findings, Results


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """Many runs of one scale, in-line and in shadow."""
    say(f"{scope.n_gini_runs} runs of h = {scope.example_hidden}, in-line and shadow")
    many = replace(config, hidden=(scope.example_hidden,), replicates=scope.n_gini_runs)
    inline, shadow = (train_all(kind, executor, gini=True) for kind in (many, replace(many, alpha_train=0.0)))
    return [grokking.one_run(inline), concentration.analyse(inline, shadow)]


def tables(results: Results) -> dict[str, Table]:
    """Change of Gini around grokking, and the histogram of peak minus grokking epoch."""
    aligned: Table = []
    timing: Table = []
    for training, found in results.series_of(Gini).trainings.items():
        bands = dict(zip(("q05", "q25", "median", "q75", "q95"), found.quantiles, strict=True))
        several = {"training": [training] * len(found.offset), "epochs from grokking": found.offset}
        aligned += columns(**several, mean=found.mean, **bands)
        edges = found.lag_edges
        named = {"training": [training] * len(found.lag_counts), "from": edges[:-1], "to": edges[1:]}
        timing += columns(**named, runs=found.lag_counts)
    return {"aligned": aligned, "timing": timing}


EXPERIMENT = Experiment(measure, tables, PANELS["gini"])
