"""Effects as data: what a step may do to the world, and how the world may answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rotator.core.model import Identity, KeyFacts, Record, Serial


class Kind(StrEnum):
    """What an answer means for the record."""

    OK = "ok"  # done, and seen to be done
    PENDING = "pending"  # under way on the other side
    ABSENT = "absent"  # nothing of ours is or was under way
    REFUSED = "refused"  # understood and refused: by the org's key check, or by the deploy
    MISMATCH = "mismatch"  # not the org, app or user that the record is bound to
    FAILED = "failed"  # surely not done
    UNKNOWN = "unknown"  # perhaps done


@dataclass(frozen=True, slots=True)
class Nothing:
    """The record alone changes."""


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Make key pair ``serial`` (or take it out of the request ``adopt``), write it once, read it back."""

    serial: Serial
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class Validate:
    """Ask the publisher whether it could deploy; with a ticket: what became of that."""

    serial: Serial
    ticket: str | None
    by_hand: bool


@dataclass(frozen=True, slots=True)
class Deploy:
    """Ask the publisher to bring the certificate of ``serial`` into the org."""

    serial: Serial
    by_hand: bool


@dataclass(frozen=True, slots=True)
class Poll:
    """Find out what became of the deploy that was asked for at ``since``; cancel it if so wished."""

    serial: Serial
    ticket: str | None
    since: datetime
    cancel: bool
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Prove:
    """Over a fresh connection: the org takes ``target`` (mint, then an Account query) and refuses ``rival``.

    Attributes:
        clears: ``rival`` is to be destroyed, so the org must not show its certificate either.
    """

    user: str
    target: Serial
    rival: Serial | None
    clears: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """Find a key that the org takes: try ``serials`` for ``users`` until one is taken."""

    users: tuple[str, ...]
    serials: tuple[Serial, ...]


@dataclass(frozen=True, slots=True)
class Mint:
    """Trade an assertion for a token, signed with the first of ``serials`` that is taken, and publish it."""

    user: str
    serials: tuple[Serial, ...]


@dataclass(frozen=True, slots=True)
class Revoke:
    """End the session of a user that a leaked key may have opened; ``serials`` sign where it has to be found first."""

    user: str
    serials: tuple[Serial, ...]


@dataclass(frozen=True, slots=True)
class Touch:
    """Query Accounts with the published token: it proves the session and keeps it alive."""

    user: str


@dataclass(frozen=True, slots=True)
class Destroy:
    """Destroy the private key of ``serial`` for good and leave a tombstone."""

    serial: Serial


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Delete a request that was answered."""

    request_id: str


Action = (
    Nothing | CreateKey | Validate | Deploy | Poll | Prove | Probe | Mint | Revoke | Touch | Destroy | Dismiss
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the world said.

    Attributes:
        at: when the answer came.
        code, message, hint: for people; see :class:`rotator.errors.RotatorError`.
        lasting: nothing gets better until a person changes something.
        passing: lasting, unless the app is new or was just changed: then it may pass by itself.
        key: of the key pair that was made or adopted (CreateKey).
        ticket: the publisher's id (Validate, Deploy, Poll).
        serial: the key that was taken (Probe, Mint).
        lost: the org shows the certificate of this key pair of ours, and the record does not know it (Probe).
        identity: what the org said of itself (Prove; Mint, before the record is bound).
        not_before: the other side asked not to come back before this time.
    """

    kind: Kind
    at: datetime
    code: str = ""
    message: str = ""
    hint: str = ""
    lasting: bool = False
    passing: bool = False
    key: KeyFacts | None = None
    ticket: str | None = None
    serial: Serial | None = None
    lost: Serial | None = None
    identity: Identity | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Do:
    """One thing to do now. ``intent`` is recorded first, if there is one."""

    action: Action
    reason: str
    intent: Record | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before ``until``; None: not before something outside happens."""

    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Load:
    """Ask the driver for a :class:`~rotator.core.model.Snapshot` and the time."""

    name: str


@dataclass(frozen=True, slots=True)
class Save:
    """Ask the driver to write the record by check-and-set; it answers with the new version."""

    name: str
    record: Record
    version: int


@dataclass(frozen=True, slots=True)
class Perform:
    """Ask the driver for one effect. Nothing may be sent after ``busy_until``."""

    name: str
    action: Action
    busy_until: datetime | None


Call = Load | Save | Perform
