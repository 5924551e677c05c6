"""Runs that a log is to have come to be there, whoever makes them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from tdu.errors import InputError
from tdu.logs.claims import TakenError, until_made
from tdu.logs.store import Store


def filled(
    store: Store,
    make: Callable[[list[tuple[int, int]]], Iterator[tuple[int, int]]],
    wanted: Iterable[tuple[int, int]],
    *,
    wait: bool,
) -> Iterator[tuple[int, int]]:
    """Have `make` make the runs that are `wanted`, but for those that others are at; yield each that is there.

    What others are making is waited for, and made here if they die, if asked to `wait`. Of processes that died nothing is left
    beside whole runs.
    """
    made = []
    for address in until_made(make, wanted) if wait else make(list(wanted)):
        yield address
        made.append(address)
    if gone := [address for address in made if not store.file(*address).exists()]:
        store.refuse_removed()
        raise InputError(f"{len(gone)} runs that were made are gone from {store.path}: the same command makes them again")
    settle(store)


def settle(store: Store) -> None:
    """Leave nothing of processes that died beside whole runs, in a directory that must still be there."""
    store.refuse_removed()
    for address in _claimed(store):
        if store.has(*address):
            with suppress(TakenError), store.claim(*address):
                pass


def _claimed(store: Store) -> set[tuple[int, int]]:
    """(scale, replicate) of the runs of which a claim is left, by the living or the dead: some died between run and claim."""
    names = (path.name.removeprefix(".claim-s").partition(".")[0] for path in store.path.glob(".claim-s*-r*.*"))
    return {(int(scale), int(replicate)) for scale, _, replicate in (name.partition("-r") for name in names)}
