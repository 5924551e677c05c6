"""What networks cost before they are trained, as `tdu.training.planning` says it of the XOR study."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from tdu.config import NetworkConfig
from tdu.executors import share
from tdu.training.network import network_store, train_network
from tdu.training.planning import Cost, schedules, seconds_of


def planned(
    configs: Sequence[NetworkConfig], directory: Path, workers: int, part: tuple[int, int] | None = None
) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """What `train_networks` would still have to do: a row a width, and one for so many workers and for those of two clusters.

    A network of which a part is trained counts whole.
    """
    of_address = {(config.width, config.replicate): config for config in configs}
    wanted = share(of_address, part) if part else list(of_address)
    missing = [of_address[address] for address in sorted(wanted) if not _is_whole(of_address[address], directory)]
    found = [_cost(list(alike)) for _, alike in groupby(missing, key=lambda config: config.width)]
    rows: list[dict[str, float]] = [
        {
            "width": cost.scale,
            "n": cost.n_sites,
            "runs": cost.runs,
            "seconds_a_run": cost.seconds,
            "core_hours": cost.runs * cost.seconds / 3600,
        }
        for cost in found
    ]
    total = {name: sum(row[name] for row in rows) for name in ("runs", "core_hours")}
    return rows, schedules(found, workers, **total)


def _is_whole(config: NetworkConfig, directory: Path) -> bool:
    """Whether the log has the network, trained for as long as is asked for."""
    if not (directory / "manifest.json").exists():
        return False
    store, address = network_store(config, directory), (config.width, config.replicate)
    return store.has(*address) and int(store.read(*address).step[-1]) + config.snapshot_every > config.epochs


def _cost(alike: Sequence[NetworkConfig]) -> Cost:
    """Of networks of one width; time is of parts of a run, here and now, on one thread."""
    one = alike[0]
    n_sites = train_network(replace(one, epochs=0)).n_sites  # compiles, too
    seconds = seconds_of(lambda epochs: train_network(replace(one, epochs=epochs)), one)
    return Cost(one.width, n_sites, len(alike), seconds, disk=0, memory=0)
