"""results.json: what a study found, written and read."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from tdu.config import LogConfig, Scope, StudyConfig
from tdu.errors import InputError
from tdu.files import RESULTS_SCHEMA, read_json, with_tuples, write_json
from tdu.types import Quantity, Results


def results_as_json(results: Results) -> dict[str, Any]:
    """The content of results.json; what could not be estimated (nan) becomes null."""
    return {
        "schema": RESULTS_SCHEMA,
        "config": asdict(results.config),
        "scope": asdict(results.scope) if results.scope else None,
        "provenance": results.provenance,
        "quantities": {key: _quantity_as_json(quantity) for key, quantity in results.quantities.items()},
        "pooled": {key: _quantity_as_json(quantity) for key, quantity in results.pooled.items()},
        "readings": {key: {n: _quantity_as_json(q) for n, q in named.items()} for key, named in results.readings.items()},
        "series": _to_json(results.series),
    }


def _quantity_as_json(quantity: Quantity) -> dict[str, Any]:
    """`agrees` says the verdict once more, true, false, or null where the interval cannot tell; it is there if there is one."""
    said = {"agrees": True, "does not agree": False, "cannot tell": None}
    agrees = {"agrees": said[quantity.verdict]} if quantity.verdict in said else {}
    return cast(dict[str, Any], _to_json(asdict(quantity) | agrees))


def save_results(path: Path, results: Results) -> None:
    """Write results.json."""
    write_json(path, results_as_json(results))


def load_results(path: Path) -> Results:
    """Read results.json."""
    value = read_json(path, "results of `tdu reproduce`", RESULTS_SCHEMA)
    try:
        return Results(
            config=_config(with_tuples(value["config"])),
            scope=Scope(**with_tuples(value["scope"])) if value["scope"] else None,
            provenance=value["provenance"],
            quantities={key: _quantity(quantity) for key, quantity in value["quantities"].items()},
            pooled={key: _quantity(quantity) for key, quantity in value["pooled"].items()},
            readings={key: {n: _quantity(q) for n, q in named.items()} for key, named in value["readings"].items()},
            series=_from_json(value["series"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}): `tdu reproduce` makes it again") from None


def _config(settings: dict[str, Any]) -> StudyConfig | LogConfig:
    return LogConfig(**settings) if "source" in settings else StudyConfig(**settings)


def _to_json(value: Any) -> Any:
    """Arrays as lists, NumPy's numbers as Python's, nan and infinities as null."""
    if isinstance(value, dict):
        return {name: _to_json(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _to_json(value.tolist())
    if isinstance(value, list):
        return [_to_json(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _from_json(value: Any) -> Any:
    """Lists of numbers as arrays, null as nan."""
    if isinstance(value, dict):
        return {name: _from_json(entry) for name, entry in value.items()}
    if isinstance(value, list) and not any(isinstance(entry, str) for entry in value):
        array = np.array(value)
        return array if array.dtype.kind in "iu" else np.array(value, np.float64)
    return float("nan") if value is None else value


def _quantity(written: dict[str, Any]) -> Quantity:
    unknown = {name: float("nan") for name in ("value", "low", "high", "needed") if written[name] is None}
    return Quantity(**{name: entry for name, entry in {**written, **unknown}.items() if name != "agrees"})
