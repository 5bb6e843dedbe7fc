"""The fleet as rows of a table: what each credential shows, and how bad that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.core.model import Trouble
from rotator.performer import Station
from rotator.standing import Level, Standing
from rotator.web.seen import Seen

SET_ASIDE, UNREAD = "set aside", "not read yet"
"""What stands in the place of a phase where there is none."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate of the key that signs.

    Attributes:
        left: share of its life that is left, 0 to 100.
        due: the share at which it is due to be replaced.
        level: how near that is.
    """

    serial: int
    fingerprint: str
    not_before: datetime
    not_after: datetime
    days: int
    left: float
    due: float
    level: Level


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of one credential.

    Attributes:
        standing: None for one that is set aside, or was not read yet.
        phase: in words.
        token_ends: how far the token is proved that runs out first.
        troubles: what is wrong, the worst first.
        sentence: what is to be said first.
    """

    name: str
    level: Level
    phase: str
    standing: Standing | None
    certificate: Certificate | None
    token_ends: datetime | None
    rotates_at: datetime | None
    troubles: tuple[Trouble, ...]
    sentence: str


def rows(seen: Seen) -> list[Row]:
    """Return a row for every credential, by name."""
    served = [_row(seen, station) for station in seen.stations.values()]
    aside = [_set_aside(name, trouble) for name, trouble in seen.aside.items() if name not in seen.stations]
    return sorted([*served, *aside], key=lambda row: row.name)


def row_of(seen: Seen, name: str) -> Row | None:
    """Return the row of one credential; None if there is none of that name."""
    if (station := seen.stations.get(name)) is not None:
        return _row(seen, station)
    trouble = seen.aside.get(name)
    return None if trouble is None else _set_aside(name, trouble)


def _set_aside(name: str, trouble: Trouble) -> Row:
    return Row(name, Level.TROUBLE, SET_ASIDE, None, None, None, None, (trouble,), trouble.message)


def _row(seen: Seen, station: Station) -> Row:
    standing = seen.standing(station)
    kept = seen.aside.get(station.name)
    troubles = tuple(_worst_first([*(standing.troubles if standing else ()), *([kept] if kept else [])]))
    if standing is None:
        level = Level.TROUBLE if kept else Level.BUSY
        said = troubles[0].message if troubles else station.sentence
        return Row(station.name, level, UNREAD, None, None, None, None, troubles, said)
    certificate = _certificate(standing, seen.at)
    rotation = standing.next_rotation
    return Row(
        name=station.name,
        level=min(standing.level, Level.TROUBLE) if kept else standing.level,
        phase=standing.phase.words + (", paused" if standing.paused else ""),
        standing=standing,
        certificate=certificate,
        token_ends=min((token.expires_at for token in standing.tokens or ()), default=None),
        rotates_at=rotation.begins_at or rotation.due_at if rotation else None,
        troubles=troubles,
        sentence=_sentence(standing, troubles, station.sentence),
    )


def _worst_first(troubles: Iterable[Trouble]) -> list[Trouble]:
    return sorted(troubles, key=lambda trouble: (not trouble.lasting, trouble.since))


def _sentence(standing: Standing, troubles: tuple[Trouble, ...], last: str) -> str:
    """Return what is wrong; else what goes on; else what holds it; else what was last decided."""
    if troubles:
        return troubles[0].message
    if standing.under_way is not None:
        return standing.under_way.waiting_for
    if standing.paused is not None:
        return f"paused: {standing.paused.why}"
    if standing.next_rotation is not None and standing.next_rotation.held:
        return standing.next_rotation.held
    return last


def _certificate(standing: Standing, now: datetime) -> Certificate | None:
    facts, rotation = standing.current, standing.next_rotation
    if facts is None:
        return None
    life = max(facts.not_after - facts.not_before, timedelta(seconds=1))
    level = Level.WELL
    if now >= facts.not_after:
        level = Level.LOST
    elif rotation is not None and rotation.urgent_at is not None and now >= rotation.urgent_at:
        level = Level.TROUBLE
    elif rotation is not None and now >= rotation.due_at:
        level = Level.HELD
    return Certificate(
        serial=facts.serial,
        fingerprint=facts.fingerprint,
        not_before=facts.not_before,
        not_after=facts.not_after,
        days=(facts.not_after - now).days,
        left=_share(facts.not_after - now, life),
        due=_share(facts.not_after - rotation.due_at, life) if rotation else 0.0,
        level=level,
    )


def _share(part: timedelta, whole: timedelta) -> float:
    return round(min(max(part / whole, 0.0), 1.0) * 100, 1)
