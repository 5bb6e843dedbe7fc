"""What the small world may answer to an action, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from rotator.core.effects import (
    Action,
    Answer,
    CreateKey,
    Deploy,
    Destroy,
    Dismiss,
    Kind,
    Mint,
    Nothing,
    Poll,
    Probe,
    Prove,
    Revoke,
    Touch,
    Validate,
)
from tests.explore.world import BASE, FOREIGN, SPREADS, TERMS, Flight, World, but, facts, one

Outcome = tuple[Answer, World]


def fault(world: World) -> World | None:
    """Spend one fault, if one is left."""
    left = world.left.faults
    return but(world, left=one(but(world.left, faults=left - 1))) if left else None


def say(kind: Kind, **more: Any) -> Answer:
    return Answer(kind, BASE, **more)


def outcomes(world: World, action: Action, now: datetime, busy_until: datetime | None) -> Iterator[Outcome]:
    """Yield every answer to an action, each with the world after it."""
    if busy_until is not None and busy_until <= now:
        yield replace(say(Kind.FAILED), at=now), world  # the sender sends nothing after its lease
        return
    for answer, after in _outcomes(world, action):
        yield replace(answer, at=now), after


def _outcomes(world: World, action: Action) -> Iterator[Outcome]:
    yield from ANSWER[type(action)](world, action)
    if not isinstance(action, Nothing) and (spent := fault(world)):
        yield say(Kind.FAILED), spent
    if isinstance(action, Deploy | Prove | Mint) and world.left.mismatch:
        yield (
            say(Kind.MISMATCH, message="other org"),
            but(world, left=one(but(world.left, mismatch=world.left.mismatch - 1))),
        )


def _nothing(world: World, _action: Any) -> Iterator[Outcome]:
    yield say(Kind.OK), world


def _create(world: World, action: CreateKey) -> Iterator[Outcome]:
    if action.serial in world.dead:
        yield say(Kind.REFUSED), world
        return
    made = but(world, live=world.live | {action.serial})
    if action.adopt and world.request is None and action.serial not in world.live:
        yield say(Kind.ABSENT), world
        return
    if action.adopt and FOREIGN in world.org:
        made = but(made, org=(action.serial, action.serial))  # it was in the org all along
    yield say(Kind.OK, key=facts(action.serial, world.left.newest)), made
    if spent := fault(made):
        yield say(Kind.UNKNOWN), spent


def _validate(world: World, action: Validate) -> Iterator[Outcome]:
    yield say(Kind.OK), world
    if action.ticket is None and not action.by_hand and world.left.daemons == 1:
        yield say(Kind.PENDING, ticket="v"), world
    if spent := fault(world):
        yield say(Kind.REFUSED), spent
        if action.ticket is not None:
            yield say(Kind.ABSENT), spent


def landed(world: World, serial: int) -> World:
    """The org takes the certificate; one of its servers is slower."""
    slow = world.org[1] if world.org[1] != serial else world.org[0]
    alive = world.session and not world.left.bridge_dies_at_swap
    return but(world, org=(slow, serial), spreading=0 if slow == serial else SPREADS, session=alive)


def by_a_person(world: World, serial: int) -> World:
    """A person is asked, by an alert on the way to the proofs, and may do it at any time."""
    others = (f for f in world.flights if f.serial != serial)
    return but(world, flights=(*others, Flight(serial, by_hand=True)))


def _deploy(world: World, action: Deploy) -> Iterator[Outcome]:
    if action.by_hand:
        yield say(Kind.OK), by_a_person(world, action.serial)
        return
    sent = but(world, flights=(*world.flights, Flight(action.serial)))
    yield say(Kind.PENDING, ticket="t"), sent
    yield say(Kind.OK), landed(world, action.serial)
    if spent := fault(sent):
        yield say(Kind.UNKNOWN), spent
        yield say(Kind.UNKNOWN), but(spent, flights=world.flights)
        yield say(Kind.REFUSED), but(spent, flights=world.flights)
    yield from _given_up(sent, Flight(action.serial), say(Kind.UNKNOWN))


def _given_up(world: World, flight: Flight, answer: Answer) -> Iterator[Outcome]:
    """The deploy lives on although nobody is told of it any more."""
    if world.left.late and flight in world.flights:
        others = list(world.flights)
        others[others.index(flight)] = replace(flight, late=True)
        yield (
            answer,
            but(world, flights=tuple(others), left=one(but(world.left, late=world.left.late - 1))),
        )


def without(world: World, flight: Flight) -> World:
    others = list(world.flights)
    others.remove(flight)
    return but(world, flights=tuple(others))


def _poll(world: World, action: Poll) -> Iterator[Outcome]:
    if action.by_hand:
        yield say(Kind.OK), by_a_person(world, action.serial)
        return
    flight = next((f for f in world.flights if f.serial == action.serial and not (f.late or f.by_hand)), None)
    if flight is None:
        yield (say(Kind.OK) if world.org[1] == action.serial else say(Kind.ABSENT)), world
        return
    done = without(world, flight)
    if not action.cancel:
        yield say(Kind.PENDING, ticket="t"), world
    else:
        yield say(Kind.REFUSED), done
    yield say(Kind.OK), landed(done, action.serial)
    if spent := fault(done):
        yield say(Kind.REFUSED), spent
    yield from _given_up(world, flight, say(Kind.REFUSED))
    yield from _given_up(world, flight, say(Kind.ABSENT))


def proved(world: World, serial: int, rival: int | None) -> World:
    """The org took this key and no other: a proof, if the record wants it (and not a stalled daemon alone).

    While a server still takes another key that is kept, it proves nothing that no other key was tried.
    """
    change, (target, count) = world.record.change, world.proofs
    untried = rival is None and (set(world.org) - {serial}) & world.live
    if change is None or change.target != serial or untried:
        return world
    return but(world, proofs=(serial, min(count + 1, TERMS.proofs_needed) if target == serial else 1))


def _prove(world: World, action: Prove) -> Iterator[Outcome]:
    pairs = [(i, j) for i in range(2) for j in range(2)]
    results = {
        world.org[i] == action.target and (action.rival is None or world.org[j] != action.rival)
        for i, j in pairs
    }
    if True in results:
        yield say(Kind.OK), proved(world, action.target, action.rival)
    if False in results:
        yield say(Kind.REFUSED), world


def _probe(world: World, action: Probe) -> Iterator[Outcome]:
    for serial in sorted(set(world.org) & set(action.serials)):
        yield say(Kind.OK, serial=serial), world
    if not set(world.org) <= set(action.serials):
        yield say(Kind.REFUSED), world


def _mint(world: World, action: Mint) -> Iterator[Outcome]:
    for serial in sorted(set(world.org) & set(action.serials)):
        yield say(Kind.OK, serial=serial), but(world, token="fresh", session=True)
    if not set(world.org) <= set(action.serials):
        yield say(Kind.REFUSED), world


def _revoke(world: World, _action: Revoke) -> Iterator[Outcome]:
    yield say(Kind.OK), but(world, session=False)


def _touch(world: World, _action: Touch) -> Iterator[Outcome]:
    if world.session:
        yield say(Kind.OK), but(world, token="fresh")
    else:
        yield say(Kind.REFUSED), world


def _destroy(world: World, action: Destroy) -> Iterator[Outcome]:
    done = but(world, live=world.live - {action.serial}, dead=world.dead | {action.serial})
    yield say(Kind.OK), done
    if spent := fault(done):
        yield say(Kind.UNKNOWN), spent


def _dismiss(world: World, _action: Dismiss) -> Iterator[Outcome]:
    yield say(Kind.OK), but(world, request=None, record=one(replace(world.record, answered=None)))


ANSWER: dict[type[Action], Any] = {
    Nothing: _nothing,
    CreateKey: _create,
    Validate: _validate,
    Deploy: _deploy,
    Poll: _poll,
    Prove: _prove,
    Probe: _probe,
    Mint: _mint,
    Revoke: _revoke,
    Touch: _touch,
    Destroy: _destroy,
    Dismiss: _dismiss,
}
