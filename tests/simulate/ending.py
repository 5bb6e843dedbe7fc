"""How a story has to end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from rotator.core.model import Phase, Reason, Record, Terms
from rotator.core.timing import urgent_at
from tests.simulate.adapters import BASE
from tests.simulate.fleet import DEPLOYER

if TYPE_CHECKING:
    from tests.simulate.world import World


def unsettled(world: World, name: str) -> Iterator[str]:
    """Yield what is not as it should be at a credential, after a time in which nothing went wrong any more."""
    record = world.record(name)
    if record.phase is Phase.EMPTY and name in world.plot.empty:
        return
    terms, target = world.configuration.credentials[name].terms(), record.change and record.change.target
    if record.phase is not Phase.STEADY and not _just_came_due(record, terms, world.loop.date()):
        yield f"is {record.phase}"
    urgent = urgent_at(record, terms)
    if urgent is None or world.loop.date() >= urgent:
        yield "has a key that should have been replaced long ago"
    signing = {facts.fingerprint for serial in (record.current, target) if (facts := record.key(serial))}
    held = world.org.held_by(world.app(name))
    if not held or not held <= signing:
        yield "signs with a key whose certificate not all servers have"
    living = world.keys(name)
    named = {
        record.current,
        record.previous,
        record.shredding,
        target,
        *(one.serial for one in record.retired),
    }
    if extra := living.keys() - named:
        yield f"has keys that the record does not name: {sorted(extra)}"
    if missing := {key.serial for key in record.keys} - living.keys() - {record.shredding}:
        yield f"has lost keys that the record needs: {sorted(missing)}"
    if world.vault.latest(f"{BASE}/-/requests/{name}") is not None:
        yield "has not answered a request"
    if record.paused is not None:
        yield "is paused"
    if record.trouble:
        yield f"is in trouble: {[(one.subject, one.code) for one in record.trouble]}"
    for user in world.configuration.credentials[name].usernames if name != DEPLOYER else ():
        document = world.token(name, user)
        if document is None or not world.org.sessions.find(document.access_token.reveal(), world.loop.now):
            yield f"publishes no working token for {user}"


def _just_came_due(record: Record, terms: Terms, now: datetime) -> bool:
    """Tell whether a rotation is under way that may be: where nothing goes wrong it ends before its deadlines do."""
    change = record.change
    if change is None or change.reason not in (Reason.ROTATION, Reason.COMPROMISED):
        return False
    return now < change.began + terms.staging_deadline + terms.proving_deadline
