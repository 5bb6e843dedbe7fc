"""Tells a way through the states in sentences: who did what, what was answered, and what the record says then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rotator.core.effects import (
    Action,
    Answer,
    CreateKey,
    Deploy,
    Destroy,
    Dismiss,
    Do,
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
from rotator.core.machine import decide
from rotator.core.model import Record
from tests.explore.daemons import Began, Did, Event, Killed, Stalls
from tests.explore.world import BASE, Process, World

FATES = {
    "done": "",
    "recorded": "",
    "killed": " It is killed before that is recorded.",
    "conflict": " The record was written by somebody else meanwhile: nothing is recorded.",
}
SAID = {
    Kind.OK: "done",
    Kind.PENDING: "it is under way",
    Kind.ABSENT: "nothing of that kind is known",
    Kind.REFUSED: "refused",
    Kind.MISMATCH: "that is another org",
    Kind.FAILED: "it failed, and was surely not done",
    Kind.UNKNOWN: "no answer; perhaps it was done",
}


def tell(first: World, happened: Iterable[tuple[Event, World]]) -> list[str]:
    """Return one sentence for each event on the way from a world."""
    return list(_told(first, happened))


def _told(before: World, happened: Iterable[tuple[Event, World]]) -> Iterator[str]:
    for event, after in happened:
        yield _sentence(event, before) + _record(before.record, after.record)
        before = after


def _sentence(event: Event, before: World) -> str:
    match event:
        case Began(index, daemon, want):
            more = "" if isinstance(want.action, Nothing) else f" before it is to {_wish(want.action)}"
            return f"Daemon {index + 1} decides: {_reason(daemon)}. It records that{more}."
        case Stalls(index, daemon, want):
            return f"Daemon {index + 1} is about to {_wish(want.action)}: {_reason(daemon)}."
        case Did(index, daemon, want, answer, fate):
            why = f" ({_reason(daemon)})" if before.processes[index] is None else ""
            return f"Daemon {index + 1} wants to {_wish(want.action)}{why}: {_said(answer)}.{FATES[fate]}"
        case Killed(index, want):
            return f"Daemon {index + 1} is killed before it could {_wish(want.action)}."
    return f"{event[:1].upper()}{event[1:]}."


def _reason(daemon: Process) -> str:
    decision = decide(daemon.snapshot, BASE)
    return decision.reason if isinstance(decision, Do) else f"waits: {decision.reason}"


def _said(answer: Answer) -> str:
    of = f" with key pair {answer.serial}" if answer.serial is not None else ""
    return SAID[answer.kind] + of


def _wish(action: Action) -> str:
    match action:
        case CreateKey(serial, adopt):
            return f"{'take' if adopt else 'make'} key pair {serial} and write it to Vault"
        case Validate(serial):
            return f"have the deploy of certificate {serial} validated"
        case Deploy(serial, by_hand):
            return f"have certificate {serial} brought into the org" + (" by a person" if by_hand else "")
        case Poll(serial, cancel=cancel):
            return f"{'cancel' if cancel else 'follow'} the deploy of certificate {serial}"
        case Prove(user, target, rival):
            other = "" if rival is None else f" and refuses {rival}"
            return f"prove as {user} that the org takes key pair {target}{other}"
        case Probe(serials=serials):
            return f"find out which of key pairs {_list(serials)} the org takes"
        case Mint(user, serials):
            return f"mint a token for {user} with key pair {_list(serials)}"
        case Revoke(user):
            return f"end the session of {user}"
        case Touch(user):
            return f"call the org with the token of {user}"
        case Destroy(serial):
            return f"destroy key pair {serial}"
        case Dismiss():
            return "delete the request that is answered"
        case Nothing():
            return "do nothing"


def _list(serials: tuple[int, ...]) -> str:
    return ", ".join(map(str, serials))


def _record(before: Record, after: Record) -> str:
    """Say how the record looks, where it looks different."""
    old, new = _looks(before), _looks(after)
    return "" if old == new else f" The record: {new}."


def _looks(record: Record) -> str:
    change = record.change
    parts = [
        record.phase.words,
        f"current {record.current}" if record.current else "no key",
        f"previous {record.previous}" if record.previous else "",
        f"{change.reason} to {change.target}" if change else "",
        f"proofs: {change.proofs}" if change and change.proofs else "",
        "aborted" if change and change.aborted else "",
        f"retired {_list(tuple(one.serial for one in record.retired))}" if record.retired else "",
        f"destroying {record.shredding}" if record.shredding else "",
        f"paused: {record.paused.kind}" if record.paused else "",
        *(f"{trouble.subject} {trouble.code}" for trouble in record.trouble),
    ]
    return ", ".join(part for part in parts if part)
