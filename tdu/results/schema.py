"""What a log and results.json hold, as tables for docs/log-and-results.md, from what makes them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

from tdu.avalanches.observables import OBSERVABLES
from tdu.avalanches.probe import Probe
from tdu.config import NetworkConfig, StudyConfig, SyntheticConfig
from tdu.results.published import PUBLISHED, label
from tdu.results.series import KINDS
from tdu.types import Results

Row = Mapping[str, str]

#: Whose defaults stand in which column of the settings, by the source's name in a log.
_SOURCES = {"xor": StudyConfig, "network": NetworkConfig, "synthetic": SyntheticConfig, "gradients": Probe}


def tables(results: Results) -> dict[str, Sequence[Row]]:
    """Columns, settings, quantities, series and provenance, of a log and of `results`.

    Examples
    --------
    >>> from tdu.results.schema import observables
    >>> next(iter(observables()))
    {'column': '`size`', 'what it is': 'topplings in total', 'unit': 'topplings', 'has an exponent over N': 'yes'}
    """
    return {
        "observables": observables(),
        "settings": _settings(),
        "quantities": _quantities(results),
        "series": _series(),
        "provenance": _provenance(results),
    }


def observables() -> Sequence[Row]:
    """Every observable, with its unit."""
    return [
        {
            "column": f"`{one.name}`",
            "what it is": one.label,
            "unit": one.unit,
            "has an exponent over N": "yes" if one.scales else "",
        }
        for one in OBSERVABLES.values()
    ]


def _settings() -> Sequence[Row]:
    known = {source: {item.name: _short(item.default) for item in fields(config)} for source, config in _SOURCES.items()}
    names = dict.fromkeys(name for settings in known.values() for name in settings)
    return [{"setting": f"`{name}`"} | {source: known[source].get(name, "") for source in known} for name in names]


def _quantities(results: Results) -> Sequence[Row]:
    return [
        {"key": f"`{key}`", "what it is": label(key), "published": PUBLISHED[key].text if key in PUBLISHED else ""}
        for key in results.quantities
    ]


def _series() -> Sequence[Row]:
    return [{"series": f"`{kind.key}`", "what it holds": (kind.__doc__ or "").partition("\n")[0]} for kind in KINDS]


def _provenance(results: Results) -> Sequence[Row]:
    return [{"entry": f"`{name}`", "in the committed results": _short(value)} for name, value in results.provenance.items()]


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {entry}" for name, entry in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
