"""What happens around the daemons: time, other people, and a world in which faults have stopped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rotator.core.effects import Perform
from rotator.core.model import Phase, Record, Request
from rotator.core.slot import is_leaked
from tests.explore.answers import landed, outcomes, without
from tests.explore.world import BASE, FOREIGN, STALL, USER, Process, World, but, canonical, one, spread, tick


def put(world: World, index: int, process: Process | None) -> World:
    """Return the world with this process; daemons run the same code, so who is who does not matter."""
    processes = list(world.processes)
    processes[index] = process
    processes.sort(key=lambda p: (0,) if p is None else (1, p.age, p.current, id(p.snapshot)))
    return but(world, processes=tuple(processes))


def saved(world: World, record: Record, index: int) -> World:
    """The record is written: whoever else holds a version now holds an old one."""
    processes = tuple(
        p if p is None or i == index else but(p, current=False) for i, p in enumerate(world.processes)
    )
    return but(world, record=canonical(record, world.left.newest), processes=processes)


def environment(world: World) -> Iterator[tuple[str, World]]:
    """Yield what happens by itself, and what other people do."""
    left = world.left
    if all(process is None or process.age < STALL for process in world.processes):
        yield "a minute passes", tick(world)
    if world.org[0] != world.org[1]:
        yield "the certificate has spread", spread(world)
    for flight in dict.fromkeys(f for f in world.flights if f.late or f.by_hand):
        yield (
            f"the certificate of {flight.serial} lands by itself",
            landed(without(world, flight), flight.serial),
        )
    if world.token == "fresh":
        if left.lost_sessions or left.bridge_dies_at_swap or not world.session:
            # A call to a session that lives and can't die changes nothing.
            yield "the token was not called for a while", but(world, token="stale")
        yield "the token is to be refreshed", but(world, token="old")
    if world.token == "stale" and not world.session:
        yield "the token is past its proof", but(world, token="out")
    if world.session and left.lost_sessions:
        less = one(but(left, lost_sessions=left.lost_sessions - 1))
        yield "an admin kills the session", but(world, session=False, left=less)
    if left.reverted:
        less = one(but(left, reverted=left.reverted - 1))
        # Not a key that never left Vault; and nothing helps against who is faster than the look before destruction.
        seen = {retired.serial for retired in world.record.retired if retired.cleared_at}
        known = {key.serial for key in world.record.keys} - seen - {world.record.shredding}
        for serial in (FOREIGN, *sorted(world.live & known)):
            text = f"somebody puts certificate {serial} into the org"
            yield text, but(world, org=(serial, serial), spreading=0, left=less)
    if left.requests and world.request is None:
        less = one(but(left, requests=left.requests - 1))
        for ask in left.asks:
            request = Request(f"r{left.requests}", ask, world.record.newest, BASE)
            yield f"an operator asks to {ask}", but(world, request=request, left=less)


def calm(world: World) -> World:
    """Faults stop: one daemon is restarted, what was late has landed, the certificate has spread."""
    for flight in [f for f in world.flights if f.late or f.by_hand]:
        world = landed(without(world, flight), flight.serial)
    none = one(but(world.left, faults=0, late=0, lost_sessions=0, reverted=0, requests=0, mismatch=0,
                       daemons=1, bridge_dies_at_swap=False))  # fmt: skip
    token = world.token
    if token in (
        "fresh",
        "old",
        "stale",
    ):  # sooner or later what is dead is called, and what is alive refreshed
        alive = "fresh" if world.org[1] == world.record.current else "old"
        token = alive if world.session else "stale"
    return spread(but(world, processes=(None,), left=none, token=token))


def best(world: World, call: Perform) -> tuple[Any, World]:
    """Return the answer of a world without faults: what is under way ends well."""
    order = {"ok": 0, "refused": 1, "absent": 2, "pending": 3}
    return min(
        outcomes(world, call.action, BASE, call.busy_until), key=lambda pair: order.get(pair[0].kind, 9)
    )


def settled(world: World) -> bool:
    """Tell whether all is well: the current key is in the org, and the published token works."""
    record = world.record
    if record.phase is Phase.EMPTY:
        return world.request is None
    return (
        record.phase is Phase.STEADY
        and record.current == world.org[1]
        and world.session
        and world.token == "fresh"
        and not record.trouble_of(f"token:{USER}")
        and record.shredding is None
        and world.request is None
        and not record.revoke
        and not is_leaked(record, record.current)
    )
