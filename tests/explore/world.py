"""A small world for the explorer: one slot, a record under check-and-set, keys, sessions, and what may go wrong.

Everything is a frozen value. The time is always BASE: when a tick passes, every time in the world moves one tick
into the past, and what is too far away to matter is clamped. So the reachable states are finitely many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from rotator.core.model import Ask, KeyFacts, Record, Snapshot, Terms

BASE = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(minutes=1)
HORIZON = 5 * TICK
SPREADS = 2  # ticks until the slowest server has a new certificate
STALL = 2  # ticks that an effect may take at the most: longer than the lease
FOREIGN = 0  # a certificate whose key we never had, or have no more
USERS = ("ann", "bob")

TERMS = Terms(
    name="a",
    users=USERS[:1],
    renew_before=HORIZON,
    urgent_before=timedelta(0),
    jitter=timedelta(0),
    session_timeout=16 * TICK,
    refresh_every=8 * TICK,
    verify_every=4 * TICK,
    proofs_needed=2,
    proof_span=TICK,
    proving_deadline=3 * TICK,
    deploy_deadline=2 * TICK,
    staging_deadline=4 * TICK,
    bridge=8 * TICK,
    lease=TICK,
    slow_servers=SPREADS * TICK,
    doubts_needed=2,
    quarantine=4 * TICK,
    by_hand_deadline=3 * TICK,
    backoff_floor=2 * TICK,
    backoff_ceiling=2 * TICK,
    swaps_a_day=1000,
)


class Left(NamedTuple):
    """How often what may still happen in one history."""

    faults: int = 0  # answers that get lost, transient failures, refusals out of the blue
    late: int = 0  # deploys that land after they were given up
    lost_sessions: int = 0  # an admin ends a session
    reverted: int = 0  # somebody else replaces the certificate
    requests: int = 0
    mismatch: int = 0  # the org turns out to be another one
    frozen: int = 0  # an admin freezes a user
    gone: int = 0  # a user is taken out of the configuration
    restores: int = 0  # Vault goes back to an older snapshot
    deployer: int = 0  # changes that the deployer goes through itself


@dataclass(frozen=True, eq=False)
class Rules:
    """What kind of world it is. There is one object for a world, and it never changes."""

    newest: int = 2  # rotations come due until this serial
    users: int = 1
    daemons: int = 1
    asks: tuple[Ask, ...] = ()
    by_hand: bool = False
    bridge_dies_at_swap: bool = False
    held: bool = False  # any call may have failed a moment ago and be held back

    def terms(self, users: tuple[str, ...]) -> Terms:
        """Return the settings of the credential, with the users that are configured."""
        return replace(TERMS, users=users, by_hand=self.by_hand)


class Flight(NamedTuple):
    """A deploy on its way.

    ``late``: nobody is told of it any more; it lands before ``ttl`` ticks or never. ``by_hand``: a person may do it,
    at any time.
    """

    serial: int
    late: bool = False
    ttl: int = 3
    by_hand: bool = False


class Session(NamedTuple):
    """What consumers of a user have: how the published token looks to a daemon, and whether it works.

    ``token``: none, fresh, old (to be refreshed), stale (to be verified) or out (past what was proved of it).
    """

    user: str
    token: str = "none"
    lives: bool = False


class Asking(NamedTuple):
    """A request of an operator that waits."""

    number: int
    ask: Ask
    serial: int


@dataclass(frozen=True, eq=False, slots=True)
class Kept:
    """A record, as the one object that stands for its value: identity tells equality."""

    record: Record
    number: int


@dataclass(frozen=True, eq=False, slots=True)
class Process:
    """A daemon inside a step: what it loaded. A crash is to forget it.

    Its times are those of when it loaded: ``age`` ticks have passed since. ``current``: the version that it holds is
    that of the record. There is one object for a value.
    """

    snapshot: Snapshot
    age: int
    current: bool
    number: int

    @property
    def now(self) -> datetime:
        return BASE + self.age * TICK


class Backup(NamedTuple):
    """A snapshot of Vault that was taken earlier."""

    kept: Kept
    live: frozenset[int]
    dead: frozenset[int]
    published: frozenset[str]  # users who had a token
    request: Asking | None
    proofs: tuple[int, int]


class World(NamedTuple):
    """The whole state. Rules, records and processes are the one object for their value."""

    kept: Kept
    processes: tuple[Process | None, ...]
    rules: Rules
    live: frozenset[int]  # keys in Vault
    dead: frozenset[int]  # keys that were destroyed
    org: tuple[int, int]  # what each of two servers holds
    left: Left
    sessions: tuple[Session, ...]
    spreading: int = 0  # ticks until the slower server has caught up, at the latest
    flights: tuple[Flight, ...] = ()
    request: Asking | None = None
    proofs: tuple[int, int] = (0, 0)  # ghost: target and how many proofs in a row it really had
    frozen: str | None = None  # a user who can't log in
    backup: Backup | None = None
    deployer: bool = False  # the deployer is in a change itself
    tried: frozenset[str] = frozenset()  # what went wrong and is held back until the next tick

    @property
    def record(self) -> Record:
        return self.kept.record

    def with_record(self, kept: Kept) -> World:
        """Return the world with another record; much faster than ``_replace``, as most moves need it."""
        return tuple.__new__(World, (kept, *self[1:]))

    def with_processes(self, processes: tuple[Process | None, ...]) -> World:
        """Return the world with other processes."""
        return tuple.__new__(World, (self[0], processes, *self[2:]))


def spend(world: World, what: str) -> World | None:
    """Return the world in which this happened once more, or None if it may not."""
    left: int = getattr(world.left, what)
    return world._replace(left=world.left._replace(**{what: left - 1})) if left else None


_processes: dict[tuple[Any, ...], Process] = {}


def process(snapshot: Snapshot, age: int = 0, *, current: bool = True) -> Process:
    """Return a daemon inside a step. ``snapshot`` is the one object for its value."""
    key = (id(snapshot), age, current)
    found = _processes.get(key)
    if found is None:
        found = _processes[key] = Process(snapshot, age, current, len(_processes))
    return found


def facts(serial: int, last: int) -> KeyFacts:
    """Return the facts of a key: due at once until the last one, which never is."""
    end = BASE + (HORIZON if serial < last else 2 * HORIZON)
    return KeyFacts(serial, f"f{serial}", BASE - HORIZON, end)
