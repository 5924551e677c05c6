"""The commands that reproduce a result, with every setting that differs from its default."""

from dataclasses import asdict
from typing import Any

from tdu.config import QUICK, QUICK_SCOPE, LogConfig, NetworkConfig, Scope, StudyConfig, SyntheticConfig

#: The command of each source whose runs are added to a log one by one, what it calls a scale, and its defaults.
_OF_SOURCES: dict[str, tuple[str, str, dict[str, Any]]] = {"network": ("tdu grok", "width", asdict(NetworkConfig()))}


def commands(config: StudyConfig | LogConfig, scope: Scope | None) -> list[str]:
    """Shell commands that rerun a study or a log; ``RUN`` stands for the directory."""
    if isinstance(config, LogConfig):
        return _of_log(config)
    quick = scope == QUICK_SCOPE
    default = asdict(QUICK if quick else StudyConfig())
    if config.alpha != default["alpha"]:
        default["alpha_train"] = config.alpha  # as the command line has it
    options = _options(asdict(config), default)
    made = f"tdu reproduce --out RUN{' --quick' if quick else ''}" if scope else "tdu train --out RUN"
    return [made + options, *([] if scope else ["tdu report RUN"])]


def without_option(scope: Scope | None) -> dict[str, Any]:
    """Settings of a scope that no option sets, where they are neither the default nor those of a quick study."""
    if scope is None or scope == QUICK_SCOPE:
        return {}
    default = asdict(Scope())
    return {name: value for name, value in asdict(scope).items() if value != default[name]}


def _of_log(config: LogConfig) -> list[str]:
    if config.source == "synthetic":
        settings = {"hidden": config.scales, "replicates": config.replicates, **config.settings}
        return [f"tdu synth --out RUN{_options(settings, asdict(SyntheticConfig()))}", "tdu report RUN"]
    if config.source not in _OF_SOURCES:
        return ["tdu report RUN"]
    made, scale, default = _OF_SOURCES[config.source]
    options = _options(config.settings, default)
    runs = [f"{made} --out RUN --{scale} {n} --replicate {k}{options}" for n in config.scales for k in range(config.replicates)]
    return [*runs, "tdu report RUN"]


def _options(settings: Any, default: dict[str, Any]) -> str:
    """`` --name value`` for every setting that differs from its default."""
    return "".join(_option(name, value) for name, value in settings.items() if _plain(value) != _plain(default.get(name)))


def _option(name: str, value: object) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f" --{flag}" if value else f" --no-{flag}"
    return f" --{flag} {_plain(value)}"


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
