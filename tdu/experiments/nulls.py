"""How much of D is the arrangement of the gradient, and how much its distribution?"""

from concurrent.futures import Executor

from tdu.analysis import dimension, excess, grokking
from tdu.config import NULLS, Scope, StudyConfig
from tdu.experiments.experiment import Experiment, Say, Table, columns, with_band
from tdu.results.panels import PANELS
from tdu.results.series import DimensionOverTime, NullOverTime
from tdu.training.ensembles import train_all
from tdu.types import Findings, Results, SizeStatistic


def measure(config: StudyConfig, scope: Scope, executor: Executor, say: Say) -> list[Findings]:
    """The study, its nulls, and the excess over each."""
    say("training")
    log = train_all(config, executor, nulls=True)
    say("intervals")
    over_nulls = list(executor.map(lambda name: excess.analyse(log, name), NULLS))
    return [grokking.analyse(log), dimension.analyse(log, grokking.window(log)), *over_nulls]


def tables(results: Results) -> dict[str, Table]:
    """D(t) of the real gradients, of each null, and the excess."""
    found = results.series_of(DimensionOverTime)
    over_time = with_band(found.bands[SizeStatistic.MEAN], "real")
    for one in results.all_of(NullOverTime):
        over_time |= with_band(one.dimension, one.null) | with_band(one.excess, f"excess over {one.null}")
    return {"dimension": columns(epoch=found.epoch, **over_time)}


EXPERIMENT = Experiment(measure, tables, PANELS["nulls"])
