"""The values that decisions are made from. All are frozen; all times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.core.outcome import Outcome

Serial = int
"""The number of a key pair within its credential: 1, 2, 3 ..."""


class Phase(StrEnum):
    """Where the one certificate slot of a credential stands; :data:`PHASES` says what each means."""

    EMPTY = "empty"
    STEADY = "steady"
    CREATING = "creating"
    STAGED = "staged"
    DEPLOYING = "deploying"
    PROVING = "proving"
    LOCKED_OUT = "locked_out"

    @property
    def words(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")


PHASES: Mapping[Phase, str] = {
    Phase.EMPTY: "no key pair yet: waits for `init` or `adopt`",
    Phase.STEADY: "the current key pair signs, nothing is under way",
    Phase.CREATING: "the serial is recorded, its key is being written",
    Phase.STAGED: "the key is in Vault; validation and a live session for everybody come first",
    Phase.DEPLOYING: "the publisher was asked; what came of it is being found out",
    Phase.PROVING: "the org should have the target certificate; proofs are collected",
    Phase.LOCKED_OUT: "the org takes no key that we keep",
}


class Reason(StrEnum):
    """Why a change was begun."""

    INIT = "init"
    ADOPT = "adopt"
    ROTATION = "rotation"
    COMPROMISED = "compromised"
    ROLLBACK = "rollback"
    RESTORE = "restore"
    REHEARSAL = "rehearsal"
    FOUND = "found"


class Ask(StrEnum):
    """What an operator may ask of the daemon."""

    INIT = "init"
    ADOPT = "adopt"
    ROTATE = "rotate"
    COMPROMISED = "compromised"
    REHEARSE = "rehearse"
    ROLLBACK = "rollback"
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"
    DEPLOYED = "deployed"


class PauseKind(StrEnum):
    """Who paused, and so what is stopped."""

    OPERATOR = "operator"  # nothing new is begun; a change under way is finished
    IDENTITY = "identity"  # the org is not the one that the record is bound to: nothing is deployed or proved


@dataclass(frozen=True, slots=True)
class Identity:
    """What a record is bound to. A mismatch stops the credential before anything is deployed."""

    org_id: str
    consumer_key: str
    app: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What the record knows of a key pair; the pair itself is under ``keys/<serial>``.

    Attributes:
        fingerprint: SHA-256 of the certificate's DER, lower-case hex.
        leaked: an operator said ``rotate --compromised``; once replaced, no token is minted with it: it is
            only ever tried to see the org refuse it.
    """

    serial: Serial
    fingerprint: str
    not_before: datetime
    not_after: datetime
    leaked: bool = False


@dataclass(frozen=True, slots=True)
class Retired:
    """A key pair that waits for its destruction.

    Attributes:
        handed_out: its certificate left Vault, so a late deploy or a person may still bring it into the org.
        cleared_at: when the org was last seen to take the current key and to refuse this one.
    """

    serial: Serial
    since: datetime
    handed_out: bool
    cleared_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Bring the certificate of ``target`` into the org and prove it.

    Attributes:
        rival: the kept key that the org must refuse once it takes the target; None if there is no other.
        users: who proves, in turn: those that were in no trouble of their own when the change began.
        proved: users who have proved since proofs were last counted from nothing.
        deadline: end of the present wait (for all deploys of the change, then for its proofs); None where none runs.
        asked: deploys begun, saturating at 2. A refusal is clean only while it is 1.
        ticket: the publisher's id of a validation (staged) or of a deploy (deploying).
        nudged_at: when an operator said that the certificate is in the org.
        aborted: an operator wants the current key back.
        sessions_died: a live session was refused after a deploy was begun.
    """

    target: Serial
    rival: Serial | None
    reason: Reason
    users: tuple[str, ...]
    began: datetime
    deadline: datetime | None = None
    asked: int = 0
    asked_at: datetime | None = None
    ticket: str | None = None
    validated: bool = False
    proofs: int = 0
    proved: tuple[str, ...] = ()
    proved_at: datetime | None = None
    nudged_at: datetime | None = None
    aborted: bool = False
    sessions_died: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """The credential is held."""

    kind: PauseKind
    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that does not work, since when and why. Written on its edges only.

    Attributes:
        subject: ``token:<user>`` (what is published), ``mint:<user>`` (what a login meets), ``change`` or
            ``key:<serial>``. What `status` adds of its own may be about the ``record`` itself.
        lasting: nothing gets better until a person changes something.
    """

    subject: str
    since: datetime
    code: str
    message: str
    hint: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The last request that was taken, and what was said to it."""

    request_id: str
    accepted: bool
    sentence: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The current certificate was deployed again unchanged, and what became of live sessions."""

    at: datetime
    sessions_survived: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that ended.

    Attributes:
        deployed: a publisher was asked, so the org may have seen another certificate.
    """

    target: Serial
    reason: Reason
    outcome: Outcome
    began: datetime
    ended: datetime
    deployed: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """The state document of a credential. Holds no secret, and only what a restart needs.

    Attributes:
        newest: the highest serial ever recorded; the next key pair is ``newest + 1``.
        doubts: refusals of the current key in a row while the org may hold no other, saturating.
        promoted_at: when the current key was last proved by a change.
        failed_at, failures: the last failed change, and how many in a row (saturating).
        revoke: users whose session is to be revoked because the key behind it leaked.
    """

    phase: Phase = Phase.EMPTY
    identity: Identity | None = None
    newest: Serial = 0
    current: Serial | None = None
    previous: Serial | None = None
    keys: tuple[KeyFacts, ...] = ()
    change: Change | None = None
    busy_until: datetime | None = None
    retired: tuple[Retired, ...] = ()
    shredding: Serial | None = None
    paused: Pause | None = None
    trouble: tuple[Trouble, ...] = ()
    doubts: int = 0
    promoted_at: datetime | None = None
    failed_at: datetime | None = None
    failures: int = 0
    revoke: tuple[str, ...] = ()
    rehearsed: Rehearsed | None = None
    answered: Answered | None = None
    history: tuple[Entry, ...] = ()
    schema: int = 1

    def key(self, serial: Serial | None) -> KeyFacts | None:
        """Return what is known of a key pair, or None."""
        for facts in self.keys:
            if facts.serial == serial:
                return facts
        return None

    def trouble_of(self, subject: str) -> Trouble | None:
        """Return the trouble that is on record for a subject, or None."""
        for trouble in self.trouble:
            if trouble.subject == subject:
                return trouble
        return None


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What is known of the published token of one user; the token itself stays with the adapters.

    Attributes:
        expires_at: how far its life is proved, never more.
        prolongable: a call extends it (an opaque session, not a JWT-format token).
        sequence: counts publications; a step back tells of a restored Vault.
    """

    user: str
    key_serial: Serial
    issued_at: datetime
    verified_at: datetime
    expires_at: datetime
    refresh_after: datetime
    prolongable: bool
    sequence: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request of an operator. ``serial`` is the newest serial that it was meant for."""

    id: str
    ask: Ask
    serial: Serial
    made_at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """The present or next time in which a rotation may begin."""

    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the rest of the fleet allows.

    Attributes:
        may_not_begin: why no rotation may begin now (brake, slots, a lower rank goes first); None if it may.
        may_not_deploy: why nothing may be deployed now (clocks differ, the deployer is in a change itself).
        clocks_differ: whose clock differs from ours, and how far: ours does not tell whether a quarantine is over.
    """

    may_not_begin: str | None = None
    may_not_deploy: str | None = None
    clocks_differ: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings of a credential, as far as decisions need them.

    Attributes:
        name: the credential; with the serial it seeds the jitter.
        renew_before: how long before notAfter a rotation is due.
        urgent_before: from here on windows, ranks and rehearsals no longer hold it back.
        session_timeout: T; a successful call at t proves a session until t + T/2 (Salesforce help 000383251).
        refresh_every: how often a token is minted and published anew.
        proofs_needed: consecutive proofs, at least one for each user.
        bridge: what a token that can't be prolonged must still live for a deploy to begin.
        accept_gap: deploy even though no live session carries the consumers.
        lease: how long a sender may take; nobody else decides before it is over.
        quarantine: how long a key whose certificate was handed out is kept after it was replaced.
        by_hand: a person brings the certificate into the org (publisher ``manual``).
        rehearse_first: the first unattended rotation waits for a rehearsal.
        swaps_a_day: unattended changes that reached the org within 24 hours, at the most.
    """

    name: str
    users: tuple[str, ...]
    renew_before: timedelta = timedelta(days=30)
    urgent_before: timedelta = timedelta(days=7)
    jitter: timedelta = timedelta(hours=12)
    session_timeout: timedelta = timedelta(hours=2)
    refresh_every: timedelta = timedelta(minutes=30)
    verify_every: timedelta = timedelta(minutes=10)
    proofs_needed: int = 5
    proof_span: timedelta = timedelta(minutes=10)
    proof_retry: timedelta = timedelta(seconds=15)
    proving_deadline: timedelta = timedelta(minutes=30)
    deploy_deadline: timedelta = timedelta(minutes=15)
    staging_deadline: timedelta = timedelta(hours=24)
    poll_every: timedelta = timedelta(seconds=5)
    bridge: timedelta = timedelta(minutes=75)
    accept_gap: bool = False
    lease: timedelta = timedelta(minutes=3)
    slow_servers: timedelta = timedelta(minutes=30)
    doubts_needed: int = 3
    quarantine: timedelta = timedelta(days=30)
    by_hand: bool = False
    by_hand_every: timedelta = timedelta(minutes=15)
    by_hand_deadline: timedelta = timedelta(days=14)
    probe_every: timedelta = timedelta(minutes=5)
    backoff_floor: timedelta = timedelta(hours=1)
    backoff_ceiling: timedelta = timedelta(hours=24)
    swaps_a_day: int = 4
    retry_floor: timedelta = timedelta(seconds=5)
    retry_ceiling: timedelta = timedelta(minutes=5)
    rehearse_first: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that one decision is made from.

    Attributes:
        version: the check-and-set version of the record; 0 if it does not exist.
        tokens: what is published, for each user that has a token.
        request: the operator's request that waits, if any.
        window: the present or next maintenance window; None: any time.
        held: pacing key of an action -> not before. In memory only: a restart may try at once, and so
            may whatever an operator asked for: answering a request forgets what was held back.
        unreconciled: users who got no token yet since Vault was seen to have been restored from a backup, so that
            nothing shows whether a kept key is taken. In memory only: after a restart the next refresh shows it.
    """

    record: Record
    version: int
    terms: Terms
    tokens: tuple[TokenFacts, ...] = ()
    request: Request | None = None
    window: Window | None = None
    fleet: Fleet = Fleet()
    held: Mapping[str, datetime] = field(default_factory=dict, hash=False)
    unreconciled: frozenset[str] = frozenset()

    def token(self, user: str) -> TokenFacts | None:
        """Return what is published for a user, or None."""
        return next((token for token in self.tokens if token.user == user), None)
