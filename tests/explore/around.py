"""What happens around the daemons: time, the org, operators, admins, and whoever restores Vault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rotator.core.model import Ask, Phase
from tests.explore.answers import landed, with_session, without, without_sessions
from tests.explore.canonical import aged, kept
from tests.explore.world import (
    FOREIGN,
    STALL,
    Asking,
    Backup,
    Flight,
    Kept,
    Process,
    Session,
    World,
    process,
    spend,
)

Happening = tuple[str, World]
"""A sentence, and the world after it."""


def put(world: World, index: int, daemon: Process | None) -> World:
    """Return the world with this process; daemons run the same code, so who is who does not matter."""
    before = world.processes
    if before[index] is daemon:
        return world
    return world.with_processes(_sorted([*before[:index], daemon, *before[index + 1 :]]))


def _sorted(processes: list[Process | None]) -> tuple[Process | None, ...]:
    return (processes[0],) if len(processes) == 1 else tuple(sorted(processes, key=_by_age))


def _by_age(daemon: Process | None) -> tuple[int, bool, int]:
    return (-1, False, 0) if daemon is None else (daemon.age, daemon.current, daemon.number)


def saved(world: World, record: Kept) -> World:
    """Somebody who is in no step any more, or not yet, writes the record: who holds a version holds an old one."""
    told = world.with_record(record)
    return told if world.processes == (None,) else told.with_processes(outdated(world.processes))


def outdated(processes: tuple[Process | None, ...]) -> tuple[Process | None, ...]:
    """Return the processes, all of which hold an old version of the record."""
    return _sorted([one and process(one.snapshot, one.age, current=False) for one in processes])


def environment(world: World) -> Iterator[Happening]:
    """Yield what happens by itself, and what other people do."""
    yield from by_itself(world)
    yield from consumers(world)
    yield from _admins(world)
    yield from _operators(world)
    yield from _of_vault(world)
    if world.frozen is not None:
        yield _thaws(world)


# -- by itself ----------------------------------------------------------------------------------------------------


def by_itself(world: World) -> Iterator[Happening]:
    """Yield what goes on although nobody does anything."""
    if all(one is None or one.age < STALL for one in world.processes):
        yield "a minute passes", tick(world)
    if world.org[0] != world.org[1]:
        yield "the slowest server of the org has the new certificate, too", spread(world)
    for flight in dict.fromkeys(f for f in world.flights if f.late or f.by_hand):
        whose = "a person brings certificate {} in" if flight.by_hand else "the lost deploy of {} lands"
        yield whose.format(flight.serial), landed(without(world, flight), flight.serial)
    if world.deployer:
        yield "the deployer's own change is over", world._replace(deployer=False)


def spread(world: World) -> World:
    """Every server holds the newest certificate."""
    return world._replace(org=(world.org[1], world.org[1]), spreading=0)


def tick(world: World) -> World:
    """Let a tick pass."""
    last, left = world.rules.newest, max(world.spreading - 1, 0)
    flights = (f._replace(ttl=f.ttl - 1) if f.late else f for f in world.flights)
    backup = world.backup
    return world._replace(
        kept=aged(world.kept, last),
        processes=tuple(one and process(one.snapshot, one.age + 1, current=one.current) for one in world.processes),
        org=world.org if left else (world.org[1], world.org[1]),
        spreading=left,
        flights=tuple(flight for flight in flights if flight.ttl > 0),
        backup=backup and backup._replace(kept=aged(backup.kept, last)),
        tried=frozenset(),
    )  # fmt: skip


# -- people -------------------------------------------------------------------------------------------------------


def consumers(world: World) -> Iterator[Happening]:
    """Yield what becomes of tokens that are used, or are not."""
    left, rules = world.left, world.rules
    for session in world.sessions:
        user, may_die = session.user, left.lost_sessions or left.frozen or rules.bridge_dies_at_swap
        if session.token == "fresh":
            if may_die or left.restores or not session.lives:
                # A call to a session that lives and can't die changes nothing.
                yield f"the token of {user} was not called for a while", becomes(world, user, "stale")
            yield f"the token of {user} is to be refreshed", becomes(world, user, "old")
        if session.token == "stale" and not session.lives:
            yield f"the token of {user} is past what was proved of it", becomes(world, user, "out")


def becomes(world: World, user: str, token: str) -> World:
    """Return the world in which the token of a user looks otherwise."""
    session = next(one for one in world.sessions if one.user == user)
    return with_session(world, session._replace(token=token))


def _admins(world: World) -> Iterator[Happening]:
    for session in world.sessions:
        if session.lives and (after := spend(world, "lost_sessions")):
            yield (
                f"an admin kills the session of {session.user}",
                with_session(after, session._replace(lives=False)),
            )
        if world.frozen is None and (after := spend(world, "frozen")):
            frozen = with_session(after, session._replace(lives=False))
            yield f"an admin freezes {session.user}", frozen._replace(frozen=session.user)
        if len(world.sessions) > 1 and (after := spend(world, "gone")):
            others = tuple(one for one in world.sessions if one is not session)
            yield f"{session.user} is taken out of the configuration", after._replace(sessions=others)
    if after := spend(world, "reverted"):
        # Not a key that never left Vault; and nothing helps against who is faster than the look before destruction.
        seen = {retired.serial for retired in world.record.retired if retired.cleared_at}
        known = {key.serial for key in world.record.keys} - seen - {world.record.shredding}
        for serial in (FOREIGN, *sorted(world.live & known)):
            put_in = after._replace(org=(serial, serial), spreading=0)
            what = f"certificate {serial}" if serial else "a certificate of nobody's"
            yield f"somebody puts {what} into the org", put_in
    if not world.deployer and (after := spend(world, "deployer")):
        yield "the deployer begins a change of its own", after._replace(deployer=True)


def _operators(world: World) -> Iterator[Happening]:
    after = spend(world, "requests")
    if after is None:
        return
    if world.request is None:
        for ask in world.rules.asks:
            request = Asking(world.left.requests, ask, world.record.newest)
            yield f"an operator asks to {ask}", after._replace(request=request)
    elif world.request.ask is Ask.ADOPT:
        yield "the operator takes the request back, and with it the key", after._replace(request=None)


# -- Vault --------------------------------------------------------------------------------------------------------


def _of_vault(world: World) -> Iterator[Happening]:
    if world.backup is None:
        if world.left.restores:
            yield "a snapshot of Vault is taken", world._replace(backup=backup_of(world))
        return
    if after := spend(world, "restores"):
        restored = _restored(after, world.backup)
        yield "Vault is restored from its snapshot", restored
        if any(session.lives for session in restored.sessions):
            yield "Vault is restored from its snapshot, whose tokens are dead", without_sessions(restored)
        for target in {target for one in world.processes if one and (target := _sending(one))}:
            flights = (*restored.flights, Flight(_now(world.backup, target), late=True))
            what = "Vault is restored from its snapshot, while a deploy is being sent"
            yield what, restored._replace(flights=flights)


def backup_of(world: World) -> Backup:
    """Return a snapshot of Vault."""
    published = frozenset(one.user for one in world.sessions if one.token != "none")
    return Backup(world.kept, world.live, world.dead, published, world.request, world.proofs)


def _restored(world: World, backup: Backup) -> World:
    """Everything in Vault is as it was. A key that came later is lost: its certificate is like any foreign one.

    The next key may get the same serial again: it is another key. No step outlasts a restore, but for a deploy that is
    being sent: nobody knows of it any more. Proofs that the snapshot holds were real, and count until the deadline of
    their change is over: a snapshot is hardly ever as young as that.
    """
    tokens = (
        one._replace(token="stale") if one.user in backup.published else Session(one.user)
        for one in world.sessions
    )
    return world._replace(
        kept=backup.kept,
        live=backup.live,
        dead=backup.dead,
        org=(_now(backup, world.org[0]), _now(backup, world.org[1])),
        flights=tuple(
            flight._replace(serial=_now(backup, flight.serial), late=True) for flight in world.flights
        ),
        sessions=tuple(tokens),
        request=backup.request,
        proofs=backup.proofs,
        processes=(None,) * len(world.processes),
        backup=None,
    )


def _now(backup: Backup, serial: int) -> int:
    """Return which certificate this is once Vault is restored."""
    return serial if serial in backup.live else FOREIGN


def _sending(daemon: Process) -> int | None:
    """Return the certificate that a daemon is about to send."""
    record = daemon.snapshot.record
    return record.change.target if record.phase is Phase.STAGED and record.change else None


# -- what alerts ask for -----------------------------------------------------------------------------------------


def mended(world: World) -> Iterator[Happening]:
    """Yield what people do about an alert, beside what goes on in any case."""
    if world.frozen is not None:
        yield _thaws(world)
    if world.record.paused is not None:
        resumed = kept(replace(world.record, paused=None), world.rules.newest)
        yield "an operator resumes the credential", world._replace(kept=resumed)


def _thaws(world: World) -> Happening:
    return f"an admin lets {world.frozen} log in again", world._replace(frozen=None)
