"""What must hold in every reachable state of a world, and at everything that a daemon does in it."""

from __future__ import annotations

from collections.abc import Callable

from rotator.core.effects import (
    Action,
    Answer,
    Deploy,
    Dismiss,
    Kind,
    Mint,
    Nothing,
    Probe,
    Prove,
    Revoke,
    Touch,
)
from rotator.core.model import Phase, Record, Snapshot
from rotator.core.slot import RESTORING, change_of, is_leaked, lost_to_a_leak
from tests.explore.canonical import snapshot_of
from tests.explore.world import FOREIGN, TERMS, Process, World


class Violation(Exception):
    """A state, or the way to it, breaks a promise."""


# -- at what a daemon does ----------------------------------------------------------------------------------------


def decided(world: World, action: Action) -> None:
    """The first deploy of a change is decided on while consumers have a session that was seen to live."""
    if not isinstance(action, Deploy):
        return
    if world.deployer and not action.by_hand:
        raise Violation(f"deployer: {action} is decided on while the deployer is in a change itself")
    change = change_of(world.record)
    if change.asked or change.reason in RESTORING or action.by_hand or lost_to_a_leak(world.record, TERMS):
        return
    if any(one.token in ("stale", "out") and not _let_alone(world, one.user) for one in world.sessions):
        raise Violation(f"bridge: {action} is decided on while no live session carries the consumers")


def _let_alone(world: World, user: str) -> bool:
    """Tell whether this user has no part in the change: a person has to mend it first."""
    trouble = world.record.trouble_of(f"mint:{user}")
    return trouble is not None and trouble.lasting


def doing(world: World, daemon: Process, action: Action, *, sent: bool) -> None:
    """One deploy at a time, and only of what the record wants; nothing is signed with a key that leaked."""
    if isinstance(action, Deploy) and sent:
        _deploys(world, action)
    _signs(daemon.snapshot.record, action)
    if isinstance(action, Mint) and daemon.current:
        _mints(world, action)


def _deploys(world: World, action: Deploy) -> None:
    change = world.record.change
    if change is None or change.target != action.serial or world.record.phase is not Phase.DEPLOYING:
        raise Violation(f"lease: key pair {action.serial} is sent, which the record does not want")
    if any(not flight.late and not flight.by_hand for flight in world.flights):
        raise Violation("two deploys are under way at once")


def _signs(record: Record, action: Action) -> None:
    """A leaked key signs nothing any more once it is replaced, but to see it refused."""
    match action:
        case Mint(serials=serials) | Probe(serials=serials):
            signers = serials
        case Prove(target=target):
            signers = (target,)
        case _:
            return
    if leaked := {s for s in signers if is_leaked(record, s)} - {record.current}:
        raise Violation(f"leaked: key pairs {leaked} are replaced and signed with")


def _mints(world: World, action: Mint) -> None:
    """One of the keys of a change is in the org, and so is one that tokens are minted with."""
    change, record = world.record.change, world.record
    held = set(world.org)
    if change is None or not change.asked or held & set(action.serials):
        return
    if not held <= {change.target, record.current}:
        return
    if not any(is_leaked(record, serial) for serial in held):
        raise Violation(f"tokens: the org takes {held} in a change, and minted is with {action.serials}")


def answered(action: Action, answer: Answer, record: Record) -> None:
    """A call that shows a published token to be dead puts that on record."""
    if (
        isinstance(action, Touch)
        and answer.kind is Kind.REFUSED
        and not record.trouble_of(f"token:{action.user}")
    ):
        raise Violation("invariant 1: a published token was found dead, and the record does not say so")


def saving(world: World, after: Record) -> None:
    """``current`` is only replaced, and a restore only ended, by proofs; a request is answered once."""
    before = world.record
    if after.current != before.current and after.current is not None:
        _has_proofs(world, after.current, "invariant 4: current replaced without its proofs")
    restoring = before.change is not None and before.change.reason in RESTORING
    if restoring and after.phase is Phase.STEADY and after.current is not None:
        _has_proofs(world, after.current, "invariant 4: a restore ended without proofs")
    if before.current != after.current and is_leaked(before, before.current) and not after.revoke:
        raise Violation("leaked: the sessions behind a key that was replaced are not revoked")
    old, new = before.answered, after.answered
    if old is not None and new is not None and old.request_id == new.request_id and old != new:
        raise Violation("a request is answered twice")


def _has_proofs(world: World, serial: int, what: str) -> None:
    change = world.record.change
    needed = max(TERMS.proofs_needed, len(change.users) if change else 0)
    if world.proofs[0] != serial or world.proofs[1] < needed:
        raise Violation(what)


# -- in every state -----------------------------------------------------------------------------------------------


def state(world: World, next_action: Callable[[World, Snapshot], Action | None]) -> None:
    """Raise Violation where a state breaks an invariant; ``next_action``: what a daemon that loads now would do."""
    # What the slower server holds is on its way out: nobody needs its key again.
    near = {world.org[1], *(flight.serial for flight in world.flights)} - {FOREIGN}
    if lost := near & world.dead:
        raise Violation(f"invariant 2: the key of certificate {lost} is destroyed while it may be in the org")
    _tokens(world, next_action)
    record = world.record
    named = {key.serial for key in record.keys} | {retired.serial for retired in record.retired}
    named |= {record.change.target} if record.change else set()
    if orphans := world.live - named:
        raise Violation(f"invariant 3: keys {orphans} are in Vault and no record names them")
    needed = {record.current, record.previous} - {None}
    if gone := needed & world.dead:
        raise Violation(f"invariant 2: keys {gone} are needed and destroyed")


def _tokens(world: World, next_action: Callable[[World, Snapshot], Action | None]) -> None:
    """A published token that is dead is on record, or to find out is the very next thing to do."""
    for session in world.sessions:
        if session.token not in ("stale", "out") or session.lives:
            continue
        if world.record.trouble_of(f"token:{session.user}"):
            continue
        if not isinstance(next_action(world, snapshot_of(world)), Mint | Revoke | Touch | Nothing | Dismiss):
            raise Violation("invariant 1: a published token is dead and nobody looks")
