"""tdu: criticality in training, measured. Gradients → avalanches on a graph → a log → exponents with intervals.

Names are loaded when they are first used, so that ``import tdu`` costs nothing until something is computed.
"""

from importlib import import_module

TYPE_CHECKING = False  # as type checkers take it; `typing` would be most of the import
if TYPE_CHECKING:
    from tdu import figures
    from tdu.analysis.alarm import Alarm, fit_alarm, load_alarm, save_alarm, watch
    from tdu.analysis.amplitude import epsilon
    from tdu.analysis.local import linearity, local_exponents
    from tdu.analysis.matching import matched
    from tdu.analysis.memorising import since_memorisation
    from tdu.analysis.over_time import bootstrap, dimension_over_time, excess
    from tdu.avalanches import nulls
    from tdu.avalanches.cascades import avalanche
    from tdu.avalanches.gauges import noise_scale
    from tdu.avalanches.graphs import Graph, barabasi_albert, random_graph, ring, small_world
    from tdu.avalanches.probe import Probe
    from tdu.avalanches.spectrum import spectrum
    from tdu.config import NetworkConfig, StudyConfig
    from tdu.errors import InputError
    from tdu.logs.store import load
    from tdu.statistics.distributions import PowerLawFit, ccdf, collapse_quality, fit_power_law
    from tdu.statistics.scaling import scaling_exponent
    from tdu.training.network import train_network
    from tdu.training.xor import train_xor
    from tdu.types import Avalanche, Log, Run, ScalingFit

    __version__: str

_HOME = {
    "tdu.analysis.alarm": ("Alarm", "fit_alarm", "load_alarm", "save_alarm", "watch"),
    "tdu.analysis.amplitude": ("epsilon",),
    "tdu.analysis.local": ("linearity", "local_exponents"),
    "tdu.analysis.matching": ("matched",),
    "tdu.analysis.memorising": ("since_memorisation",),
    "tdu.analysis.over_time": ("bootstrap", "dimension_over_time", "excess"),
    "tdu.avalanches.cascades": ("avalanche",),
    "tdu.avalanches.gauges": ("noise_scale",),
    "tdu.config": ("NetworkConfig", "StudyConfig"),
    "tdu.errors": ("InputError",),
    "tdu.statistics.distributions": ("PowerLawFit", "ccdf", "collapse_quality", "fit_power_law"),
    "tdu.avalanches.graphs": ("Graph", "barabasi_albert", "random_graph", "ring", "small_world"),
    "tdu.training.xor": ("train_xor",),
    "tdu.training.network": ("train_network",),
    "tdu.logs.store": ("load",),
    "tdu.avalanches.probe": ("Probe",),
    "tdu.avalanches.spectrum": ("spectrum",),
    "tdu.statistics.scaling": ("scaling_exponent",),
    "tdu.types": ("Avalanche", "Log", "Run", "ScalingFit"),
}

_MODULES = {"figures": "tdu.figures", "nulls": "tdu.avalanches.nulls"}

__all__ = [
    "Alarm",
    "Avalanche",
    "Graph",
    "InputError",
    "Log",
    "NetworkConfig",
    "PowerLawFit",
    "Probe",
    "Run",
    "ScalingFit",
    "StudyConfig",
    "__version__",
    "avalanche",
    "barabasi_albert",
    "bootstrap",
    "ccdf",
    "collapse_quality",
    "dimension_over_time",
    "epsilon",
    "excess",
    "figures",
    "fit_alarm",
    "fit_power_law",
    "linearity",
    "load",
    "load_alarm",
    "local_exponents",
    "matched",
    "noise_scale",
    "nulls",
    "random_graph",
    "ring",
    "save_alarm",
    "scaling_exponent",
    "since_memorisation",
    "small_world",
    "spectrum",
    "train_network",
    "train_xor",
    "watch",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        return _version()
    if name in _MODULES:
        return import_module(_MODULES[name])
    for module, names in _HOME.items():
        if name in names:
            value = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'tdu' has no attribute {name!r}")


def _version() -> str:
    """The version in setup.cfg, as the installation has it."""
    from importlib import metadata

    try:
        return metadata.version("tdu-ofc")
    except metadata.PackageNotFoundError:
        raise AttributeError("tdu runs from sources that are not installed, which have no version: pip install .") from None


def __dir__() -> list[str]:
    return __all__
