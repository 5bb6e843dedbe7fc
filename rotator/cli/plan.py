"""What would be done for a credential, now and later: found out, and shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.text import Text

from rotator.app import Application
from rotator.cli.output import facts, say
from rotator.core.effects import Action, Do, Mint, Nothing, Wait
from rotator.core.guards import token_unproven
from rotator.core.machine import ROWS, Row, decide
from rotator.core.model import Phase, Snapshot, TokenFacts, Trouble, Window
from rotator.core.verdicts import Go
from rotator.errors import RotatorError
from rotator.performer import Station
from rotator.run.ask import acquaint
from rotator.run.weather import is_of_one_credential
from rotator.show.times import when
from rotator.standing import NextRotation, next_rotation, unreadable

RECORD: Final = "record"
"""What is done where nothing is done to the world."""


@dataclass(frozen=True, slots=True)
class Step:
    """What comes due at a time, if nothing happens before.

    Attributes:
        action: None where it is not sure yet that anything is done then.
    """

    at: datetime
    action: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Agenda:
    """What would be done for a credential.

    Attributes:
        action: what would be done now; None: nothing.
        reason: why, or what is waited for.
        trouble: what kept us from deciding; None if nothing did.
        later: what comes due by itself, the soonest first.
    """

    credential: str
    phase: Phase
    action: str | None
    reason: str
    trouble: Trouble | None = None
    later: tuple[Step, ...] = ()
    next_rotation: NextRotation | None = None
    window: Window | None = None
    tokens: tuple[TokenFacts, ...] = ()


def agendas(app: Application, names: tuple[str, ...], now: datetime) -> list[Agenda]:
    """Return what would be done. Raises RotatorError."""
    acquaint(app, names)
    return [_agenda(app, app.driver.stations[name], now) for name in names or tuple(app.driver.stations)]


def _agenda(app: Application, station: Station, now: datetime) -> Agenda:
    try:
        app.driver.look_for_request(station)
        snapshot = app.driver.snapshot(station)
    except RotatorError as error:  # the others can be planned all the same
        if not is_of_one_credential(error):
            raise
        return Agenda(
            credential=station.name,
            phase=station.record.phase,
            action=None,
            reason="what is due cannot be told",
            trouble=unreadable(error, now),
        )
    decision = decide(snapshot, now)
    return Agenda(
        credential=station.name,
        phase=station.record.phase,
        action=_name(type(decision.action)) if isinstance(decision, Do) else None,
        reason=_reason(decision, station),
        later=_later(snapshot, now),
        next_rotation=next_rotation(station, snapshot, now),
        window=snapshot.window,
        tokens=snapshot.tokens,
    )


def _reason(decision: Do | Wait, station: Station) -> str:
    """Return why; a process that is not the daemon never sees the token of a deployer."""
    if isinstance(decision, Do) and isinstance(decision.action, Mint) and not station.config.publish:
        return f"{decision.reason}; a deployer's is never published, only the daemon has it"
    return decision.reason


def _said(action: str | None, reason: str) -> str:
    """Return what is done and why; where the record alone changes, the reason says all."""
    return reason if action in (None, RECORD) else f"{action}: {reason}"


def _name(action: type[Action]) -> str:
    """Return the name of an action; one that does nothing to the world changes the record."""
    return RECORD if action is Nothing else action.__name__.lower()


def _later(snapshot: Snapshot, now: datetime) -> tuple[Step, ...]:
    """Return what the rows of the table that apply in this phase wait for, the soonest first.

    That a token is not proved any more is left out: it happens only where everything else fails.
    """
    rows = [row for row in ROWS if snapshot.record.phase in row.phases and row.guard is not token_unproven]
    steps = {step for row in rows if (step := _step(row, snapshot, now)) is not None}
    return tuple(sorted(steps, key=lambda step: (step.at, step.reason)))


def _step(row: Row, snapshot: Snapshot, now: datetime) -> Step | None:
    verdict = row.guard(snapshot, now)
    if not isinstance(verdict, Wait) or verdict.until is None:
        return None
    then = row.guard(snapshot, verdict.until)
    if isinstance(then, Go):
        return Step(verdict.until, _name(row.action), then.reason)
    return Step(verdict.until, None, verdict.reason)


def show_agenda(one: Agenda, now: datetime) -> None:
    """Print what would be done for a credential."""
    say(f"{one.credential}: {one.phase.words}", "bold")
    rows: list[tuple[str, str | Text]] = [("now", _said(one.action or "nothing", one.reason))]
    rows += [("then", f"{when(step.at, now)}: {_said(step.action, step.reason)}") for step in one.later]
    rotation = one.next_rotation
    if rotation is not None:
        held = f"; {rotation.held}" if rotation.held else ""
        rows.append(("rotation due", f"{when(rotation.due_at, now)}{held}"))
        if rotation.begins_at != rotation.due_at and rotation.begins_at is not None:
            rows.append(("begins", when(rotation.begins_at, now)))
        rows.append(("urgent from", when(rotation.urgent_at, now)))
    if one.window is not None:
        rows.append(("window", f"{when(one.window.opens, now)} until {when(one.window.closes, now)}"))
    rows += [("next token", f"{token.user}: {when(token.refresh_after, now)}") for token in one.tokens]
    facts(rows)
