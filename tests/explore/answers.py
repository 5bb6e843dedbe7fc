"""What the small world may answer to an action, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
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
from rotator.core.slot import RIVAL_TAKEN
from tests.explore.canonical import unanswered
from tests.explore.world import BASE, FOREIGN, SPREADS, TERMS, Flight, Session, World, facts, spend

Outcome = tuple[Answer, World]


@cache
def reply(kind: Kind, **more: Any) -> Answer:
    """Return the one object for an answer."""
    return Answer(kind, BASE, **more)


OK, ABSENT, REFUSED = reply(Kind.OK), reply(Kind.ABSENT), reply(Kind.REFUSED)
FAILED, UNKNOWN = reply(Kind.FAILED), reply(Kind.UNKNOWN)
DEPLOYING, VALIDATING = reply(Kind.PENDING, ticket="t"), reply(Kind.PENDING, ticket="v")
RIVAL = reply(Kind.REFUSED, code=RIVAL_TAKEN)
OTHER_ORG = reply(Kind.MISMATCH, message="other org")
FROZEN = reply(Kind.FAILED, code="user.frozen", lasting=True)


@cache
def at(answer: Answer, now: datetime) -> Answer:
    """Return the one object for an answer that came at a time."""
    return replace(answer, at=now)


def outcomes(world: World, action: Action, now: datetime, busy_until: datetime | None) -> Iterator[Outcome]:
    """Yield every answer to an action, each with the world after it."""
    if busy_until is not None and busy_until <= now:
        yield at(FAILED, now), world  # the sender sends nothing after its lease
        return
    for answer, after in _outcomes(world, action):
        yield (answer if now is BASE else at(answer, now)), after


def _outcomes(world: World, action: Action) -> Iterator[Outcome]:
    yield from ANSWER[type(action)](world, action)
    if not isinstance(action, Nothing) and (spent := spend(world, "faults")):
        yield FAILED, spent
    if isinstance(action, Deploy | Prove | Mint) and (spent := spend(world, "mismatch")):
        yield OTHER_ORG, spent


def _nothing(world: World, _action: Nothing) -> Iterator[Outcome]:
    yield OK, world


# -- keys ---------------------------------------------------------------------------------------------------------


def _create(world: World, action: CreateKey) -> Iterator[Outcome]:
    if action.serial in world.dead:
        yield REFUSED, world
        return
    if action.adopt and world.request is None and action.serial not in world.live:
        yield ABSENT, world
        return
    made = world._replace(live=world.live | {action.serial})
    if action.adopt and FOREIGN in world.org:
        made = made._replace(org=(action.serial, action.serial))  # it was in the org all along
    yield reply(Kind.OK, key=facts(action.serial, world.rules.newest)), made
    if spent := spend(made, "faults"):
        yield UNKNOWN, spent
    if action.adopt and action.serial not in world.live and (spent := spend(world, "faults")):
        yield REFUSED, spent  # what was handed in is no key


def _destroy(world: World, action: Destroy) -> Iterator[Outcome]:
    done = world._replace(live=world.live - {action.serial}, dead=world.dead | {action.serial})
    yield OK, done
    if spent := spend(done, "faults"):
        yield UNKNOWN, spent


# -- deploys ------------------------------------------------------------------------------------------------------


def _validate(world: World, action: Validate) -> Iterator[Outcome]:
    yield OK, world
    if world.deployer:
        yield FAILED, world
    if action.ticket is None and not action.by_hand and world.rules.daemons == 1:
        yield VALIDATING, world
    if spent := spend(world, "faults"):
        yield REFUSED, spent
        if action.ticket is not None:
            yield ABSENT, spent


def landed(world: World, serial: int) -> World:
    """The org takes the certificate; one of its servers is slower."""
    slow = world.org[1] if world.org[1] != serial else world.org[0]
    world = world._replace(org=(slow, serial), spreading=0 if slow == serial else SPREADS)
    return without_sessions(world) if world.rules.bridge_dies_at_swap else world


def without_sessions(world: World) -> World:
    """Nobody's published token works any more."""
    return world._replace(sessions=tuple(one._replace(lives=False) for one in world.sessions))


def by_a_person(world: World, serial: int) -> World:
    """A person is asked, by an alert on the way to the proofs, and may do it at any time."""
    others = (flight for flight in world.flights if flight.serial != serial)
    return world._replace(flights=(*others, Flight(serial, by_hand=True)))


def _deploy(world: World, action: Deploy) -> Iterator[Outcome]:
    if action.by_hand:
        yield OK, by_a_person(world, action.serial)
        return
    if world.deployer:
        yield FAILED, world  # the deployer's own key may not mint just now
    sent = world._replace(flights=(*world.flights, Flight(action.serial)))
    yield DEPLOYING, sent
    yield OK, landed(world, action.serial)
    if spent := spend(sent, "faults"):
        yield UNKNOWN, spent
        unsent = spent._replace(flights=world.flights)
        yield UNKNOWN, unsent
        yield REFUSED, unsent
    yield from _given_up(sent, Flight(action.serial), UNKNOWN)


def _given_up(world: World, flight: Flight, answer: Answer) -> Iterator[Outcome]:
    """The deploy lives on although nobody is told of it any more."""
    if spent := spend(world, "late"):
        others = list(world.flights)
        others[others.index(flight)] = flight._replace(late=True)
        yield answer, spent._replace(flights=tuple(others))


def without(world: World, flight: Flight) -> World:
    others = list(world.flights)
    others.remove(flight)
    return world._replace(flights=tuple(others))


def _poll(world: World, action: Poll) -> Iterator[Outcome]:
    if action.by_hand:
        yield OK, by_a_person(world, action.serial)
        return
    if world.deployer:
        yield FAILED, world
    flight = next((f for f in world.flights if f.serial == action.serial and not (f.late or f.by_hand)), None)
    if flight is None:
        yield (OK if world.org[1] == action.serial else ABSENT), world
        return
    done = without(world, flight)
    if not action.cancel:
        yield DEPLOYING, world
    else:
        yield REFUSED, done
    yield OK, landed(done, action.serial)
    if spent := spend(done, "faults"):
        yield REFUSED, spent
    if spent := spend(world, "faults"):
        yield UNKNOWN, spent
    yield from _given_up(world, flight, REFUSED)
    yield from _given_up(world, flight, ABSENT)


# -- proofs and tokens --------------------------------------------------------------------------------------------


def proved(world: World, serial: int, rival: int | None) -> World:
    """The org took this key and no other: a proof, if the record wants it (and not a stalled daemon alone).

    While a server still takes another key that is kept, it proves nothing that no other key was tried. One whose
    destruction has begun was refused by the org before: what a slower server has of it is on its way out.
    """
    change, (target, count) = world.record.change, world.proofs
    if change is None or change.target != serial:
        return world
    if rival is None and (set(world.org) - {serial, world.record.shredding}) & world.live:
        return world
    needed = max(TERMS.proofs_needed, len(change.users))
    return world._replace(proofs=(serial, min(count + 1, needed) if target == serial else 1))


def _prove(world: World, action: Prove) -> Iterator[Outcome]:
    if action.user == world.frozen:
        yield FROZEN, world
        return
    servers = set(world.org)
    taken, passed = action.target in servers, action.rival is None or bool(servers - {action.rival})
    if taken and passed:
        yield OK, proved(world, action.target, action.rival)
    if servers - {action.target}:
        yield REFUSED, world
    if taken and action.rival in servers:
        yield RIVAL, world


def _probe(world: World, action: Probe) -> Iterator[Outcome]:
    if not set(action.users) - {world.frozen}:
        yield FROZEN, world
        return
    for serial in sorted(set(world.org) & set(action.serials)):
        yield reply(Kind.OK, serial=serial), world
    if not set(world.org) <= set(action.serials):
        yield REFUSED, world
    if spent := spend(world, "faults"):
        yield UNKNOWN, spent


def with_session(world: World, session: Session) -> World:
    """Return the world in which one user's session is another."""
    sessions = tuple(session if one.user == session.user else one for one in world.sessions)
    return world._replace(sessions=sessions)


def _mint(world: World, action: Mint) -> Iterator[Outcome]:
    if action.user == world.frozen:
        yield FROZEN, world
        return
    for serial in sorted(set(world.org) & set(action.serials)):
        yield reply(Kind.OK, serial=serial), with_session(world, Session(action.user, "fresh", lives=True))
    if not set(world.org) <= set(action.serials):
        yield REFUSED, world


def session_of(world: World, user: str) -> Session:
    """Return the session of a user; of one who is not configured any more, a dead one."""
    return next((one for one in world.sessions if one.user == user), Session(user))


def _revoke(world: World, action: Revoke) -> Iterator[Outcome]:
    yield OK, with_session(world, session_of(world, action.user)._replace(lives=False))


def _touch(world: World, action: Touch) -> Iterator[Outcome]:
    session = session_of(world, action.user)
    if session.lives:
        yield OK, with_session(world, session._replace(token="fresh"))
    else:
        yield REFUSED, world


# -- requests -----------------------------------------------------------------------------------------------------


def _dismiss(world: World, _action: Dismiss) -> Iterator[Outcome]:
    yield OK, world._replace(request=None, kept=unanswered(world.kept, world.rules.newest))


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
