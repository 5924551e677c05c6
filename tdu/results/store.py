"""results.json: what a study found, written and read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import numpy as np

from tdu._inputs import json_in
from tdu.checksums import KEY
from tdu.config import LogConfig, Scope, StudyConfig
from tdu.errors import InputError
from tdu.files import RESULTS_SCHEMA, read_json, with_tuples, write_json
from tdu.results.series import KINDS
from tdu.series import IN_KEY, INLINE, Series
from tdu.types import Quantity, Results

_WHAT = "results of `tdu reproduce`"


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
        "series": {_key(one): _series_as_json(one) for one in results.series},
    }


def _quantity_as_json(quantity: Quantity) -> dict[str, Any]:
    """`agrees` repeats the verdict, if there is one: true, false, or null where the interval cannot tell."""
    said = {"agrees": True, "does not agree": False, "cannot tell": None}
    agrees = {"agrees": said[quantity.verdict]} if quantity.verdict in said else {}
    return cast(dict[str, Any], _to_json(asdict(quantity) | agrees))


def save_results(path: Path, results: Results) -> None:
    """Write results.json."""
    write_json(path, results_as_json(results))


def load_results(path: Path) -> Results:
    """Read results.json."""
    value = read_json(path, _WHAT, RESULTS_SCHEMA)
    try:
        return Results(
            config=_config(with_tuples(value["config"])),
            scope=Scope(**with_tuples(value["scope"])) if value["scope"] else None,
            provenance={**value["provenance"], "packages": dict(value["provenance"]["packages"])},
            quantities={key: _quantity(quantity) for key, quantity in value["quantities"].items()},
            pooled={key: _quantity(quantity) for key, quantity in value["pooled"].items()},
            readings={key: {n: _quantity(q) for n, q in named.items()} for key, named in value["readings"].items()},
            series=tuple(_series(key, written) for key, written in value["series"].items()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from None


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Say of results without a checksum that they are damaged where they cannot be shown; of others, that is a bug of tdu."""
    try:
        yield
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:
        if KEY in json_in(path, _WHAT):
            raise
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is damaged ({type(error).__name__}: {error}): `tdu reproduce` makes it again")


def _config(settings: dict[str, Any]) -> StudyConfig | LogConfig:
    return LogConfig(**settings) if "source" in settings else StudyConfig(**settings)


def _to_json(value: Any) -> Any:
    """Arrays as lists, NumPy's numbers as Python's, nan and infinities as null."""
    if isinstance(value, dict):
        return {name: _to_json(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _to_json(value.tolist())
    if isinstance(value, list | tuple):
        return [_to_json(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _key(one: Series) -> str:
    return "_".join([one.key, *(getattr(one, item.name) for item in fields(one) if IN_KEY in item.metadata)])


def _series_as_json(value: Any) -> dict[str, Any]:
    """The fields of a series, or of a dataclass in one, as `tdu.results.series` says that they are laid out."""
    written: dict[str, Any] = {}
    for item in fields(value):
        entry = getattr(value, item.name)
        if entry is None or IN_KEY in item.metadata:
            continue
        if INLINE not in item.metadata:
            written[item.name] = _series_as_json(entry) if is_dataclass(entry) else _to_json(entry)
        elif isinstance(entry, dict):
            prefix = item.metadata[INLINE]
            written |= {f"{prefix}{_name(key)}": _series_as_json(part) for key, part in entry.items()}
        else:
            names = item.metadata[INLINE]
            written |= {names.get(name, name): part for name, part in _series_as_json(entry).items()}
    return written


def _name(key: Any) -> str:
    return ", ".join(key) if isinstance(key, tuple) else str(key)


def _series(key: str, written: dict[str, Any]) -> Series:
    for kind in KINDS:
        in_key = [item.name for item in fields(kind) if IN_KEY in item.metadata]
        if key == kind.key and not in_key:
            return cast(Series, _dataclass(kind, written))
        if in_key and key.startswith(f"{kind.key}_"):
            return cast(Series, _dataclass(kind, written, {in_key[0]: key.removeprefix(f"{kind.key}_")}))
    raise InputError(f"a series `{key}` is not known")


def _dataclass(kind: type[Any], written: dict[str, Any], known: dict[str, Any] | None = None) -> Any:
    """The dataclass that was `written`, apart from the fields that are `known` already."""
    values, rest, hints = dict(known or {}), dict(written), get_type_hints(kind)
    takes_rest = None
    for item in fields(kind):
        hint, inline = hints[item.name], item.metadata.get(INLINE)
        if isinstance(inline, str):
            takes_rest = item.name, hint, inline
        elif inline is not None:
            names = {inline.get(part.name, part.name): part.name for part in fields(hint)}
            values[item.name] = _dataclass(hint, {names[name]: rest.pop(name) for name in names if name in rest})
        elif item.name in rest:
            values[item.name] = _value(hint, rest.pop(item.name))
    if takes_rest is not None:
        name, hint, prefix = takes_rest
        of_key, of_value = get_args(hint)
        values[name] = {_as_key(of_key, key.removeprefix(prefix)): _dataclass(of_value, part) for key, part in rest.items()}
    elif rest:
        raise InputError(f"{kind.__name__} has no `{min(rest)}`")
    return kind(**values)


def _as_key(hint: Any, name: str) -> Any:
    if get_origin(hint) is tuple:
        return tuple(_as_key(part, word) for part, word in zip(get_args(hint), name.split(", "), strict=True))
    if get_origin(hint) is Literal and name not in get_args(hint):
        raise InputError(f"{name!r} is none of {', '.join(get_args(hint))}")
    return hint(name) if isinstance(hint, type) else name


def _value(hint: Any, written: Any) -> Any:
    """A field as its annotation has it: an array, a number, or names; null is nan."""
    arrays = [part for part in (hint, *get_args(hint)) if get_origin(part) is np.ndarray]  # also of `Floats | None`
    if arrays:
        dtype = get_args(get_args(arrays[0])[1])[0]
        return np.array(written, dtype)
    if hint is float:
        return float("nan") if written is None else float(written)
    return tuple(written)


def _quantity(written: dict[str, Any]) -> Quantity:
    unknown = {name: float("nan") for name in ("value", "low", "high", "needed") if written[name] is None}
    return Quantity(**{name: entry for name, entry in {**written, **unknown}.items() if name != "agrees"})
