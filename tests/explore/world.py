"""A small world for the explorer: one slot, a record under check-and-set, keys, one user's session, and faults.

Everything is a frozen value. The time is always BASE: when a tick passes, every time in the world moves one tick
into the past, and what is too far away to matter is clamped. So the reachable states are finitely many.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from rotator.core.effects import (
    Answer,
)
from rotator.core.model import (
    Ask,
    Change,
    Fleet,
    KeyFacts,
    Phase,
    Record,
    Request,
    Retired,
    Snapshot,
    Terms,
    TokenFacts,
)

BASE = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(minutes=1)
HORIZON = 5 * TICK
USER = "u"
SPREADS = 2  # ticks until the slowest server has a new certificate
STALL = 2  # ticks that an effect may take at the most: longer than the lease
FOREIGN = 0  # a certificate whose key we never had

TERMS = Terms(
    name="a",
    users=(USER,),
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
MANUAL = replace(TERMS, by_hand=True)


@dataclass(frozen=True)
class Bounds:
    """How often what may happen in one history."""

    newest: int = 2  # rotations come due until this serial
    faults: int = 0  # answers that get lost, transient failures, refusals out of the blue
    late: int = 0  # deploys that land after they were given up
    lost_sessions: int = 0
    reverted: int = 0  # somebody else replaces the certificate
    requests: int = 0
    asks: tuple[Ask, ...] = ()
    daemons: int = 1
    mismatch: int = 0
    by_hand: bool = False
    bridge_dies_at_swap: bool = False
    held: bool = False  # any call may have failed a moment ago and be held back


@dataclass(frozen=True, slots=True)
class Flight:
    """A deploy on its way.

    ``late``: nobody is told of it any more; it lands before ``ttl`` ticks or never. ``by_hand``: a person may do it,
    at any time.
    """

    serial: int
    late: bool = False
    ttl: int = 3
    by_hand: bool = False


_known: dict[Any, Any] = {}


def one(value: Any) -> Any:
    """Return the one object that stands for all values equal to this one, so that identity tells equality."""
    return _known.setdefault(value, value)


def but(value: Any, **changes: Any) -> Any:
    """Return a copy of a state with some fields changed; much faster than dataclasses.replace."""
    new = object.__new__(type(value))
    new.__dict__.update(value.__dict__, **changes)
    return new


@dataclass(frozen=True, eq=False)
class Process:
    """A daemon inside a step: the answers it was sent so far. A crash is to forget them.

    Its times are those of when it loaded: ``age`` ticks have passed since.
    """

    snapshot: Snapshot
    age: int = 0
    current: bool = True  # the version it holds is that of the record
    answer: Answer | None = None

    @property
    def now(self) -> datetime:
        return BASE + self.age * TICK

    def key(self) -> tuple[Any, ...]:
        return id(self.snapshot), self.age, self.current, self.answer

    def __hash__(self) -> int:
        return hash(self.key())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Process) and self.key() == other.key()


@dataclass(frozen=True, eq=False)
class World:
    """The whole state. ``record`` and the snapshots of processes are the one object for their value."""

    record: Record
    live: frozenset[int]
    dead: frozenset[int]
    org: tuple[int, int]  # what each of two servers holds
    spreading: int = 0  # ticks until the slower server has caught up, at the latest
    flights: tuple[Flight, ...] = ()
    token: str = "none"
    session: bool = False
    request: Request | None = None
    proofs: tuple[int, int] = (0, 0)  # ghost: target and how many proofs in a row it really had
    left: Bounds = Bounds()
    processes: tuple[Process | None, ...] = (None,)

    def key(self) -> tuple[Any, ...]:
        return (
            id(self.record), self.live, self.dead, self.org, self.spreading, self.flights, self.token, self.session,
            self.request, self.proofs, id(self.left), self.processes,
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash(self.key())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, World) and self.key() == other.key()


def facts(serial: int, last: int) -> KeyFacts:
    """Return the facts of a key: due at once until the last one, which never is."""
    end = BASE + (HORIZON if serial < last else 2 * HORIZON)
    return KeyFacts(serial, f"f{serial}", BASE - HORIZON, end)


def start(left: Bounds) -> World:
    """Return a steady world with one key pair."""
    left = one(left)
    record = one(Record(phase=Phase.STEADY, newest=1, current=1, keys=(facts(1, left.newest),)))
    return World(
        record, frozenset({1}), frozenset(), (1, 1), token="fresh", session=True, left=left,
        processes=(None,) * left.daemons,
    )  # fmt: skip


def empty(left: Bounds) -> World:
    """Return a world before the first key pair."""
    left = one(left)
    nothing: frozenset[int] = frozenset()
    return World(
        one(Record()), nothing, nothing, (FOREIGN, FOREIGN), left=left, processes=(None,) * left.daemons
    )


def snapshot_of(world: World) -> Snapshot:
    """Return what a daemon loads."""
    return _snapshot(id(world.record), world.token, world.request, id(world.left), world)


_snapshots: dict[Any, Snapshot] = {}


def _snapshot(*key: Any) -> Snapshot:
    *known, world = key
    found = _snapshots.get(tuple(known))
    if found is None:
        enough = world.record.newest >= world.left.newest
        fleet = Fleet(may_not_begin="it is enough" if enough else None)
        terms = MANUAL if world.left.by_hand else TERMS
        found = Snapshot(world.record, 1, terms, tokens_of(world.token), world.request, fleet=fleet)
        _snapshots[tuple(known)] = found
    return found


@cache
def tokens_of(token: str) -> tuple[TokenFacts, ...]:
    """Return the token document as a daemon reads it: only its freshness matters here."""
    if token == "none":
        return ()
    age = {"fresh": 0, "old": 0, "stale": 4, "out": 9}[token]
    at, refresh_after = BASE - age * TICK, BASE if token == "old" else BASE + HORIZON
    return (TokenFacts(USER, 1, at, at, at + 8 * TICK, refresh_after, prolongable=True, sequence=1),)


@cache
def canonical(record: Record, last: int) -> Record:
    """Return the record without what no decision of this world looks at (any more).

    A time that has passed is as good as none; history, sentences and most troubles are for people.
    """
    told = {
        replace(t, since=BASE, message="", hint="") for t in record.trouble if t.subject.startswith("token:")
    }
    failed_at = _if_after(record.failed_at, -TERMS.backoff_floor)
    return one(
        replace(
            record,
            history=(),
            change=record.change and _canonical_change(record.change, record.phase),
            keys=tuple(replace(facts(k.serial, last), leaked=k.leaked) for k in record.keys),
            retired=tuple(_canonical_retired(retired) for retired in record.retired),
            trouble=tuple(told),
            answered=record.answered and replace(record.answered, at=BASE, sentence="", accepted=True),
            paused=record.paused and replace(record.paused, since=BASE),
            rehearsed=None,
            busy_until=_if_after(record.busy_until, timedelta(0)),
            promoted_at=_if_after(record.promoted_at, -TERMS.slow_servers),
            failed_at=failed_at,
            failures=1 if failed_at else 0,
            doubts=min(record.doubts, TERMS.doubts_needed),
        )
    )


def _if_after(time: datetime | None, offset: timedelta) -> datetime | None:
    return time if time is not None and time > BASE + offset else None


def _canonical_change(change: Change, phase: Phase) -> Change:
    staged, waits = phase is Phase.STAGED, phase is not Phase.LOCKED_OUT and change.deadline is not None
    began = change.began if phase in (Phase.STAGED, Phase.CREATING) and not waits else BASE
    return replace(
        change,
        ticket="t" if change.ticket and staged else None,
        validated=change.validated or not staged,
        began=began,
        asked_at=None,
        deadline=max(change.deadline, BASE) if waits and change.deadline else None,
        proved_at=change.proved_at and max(change.proved_at, BASE - TERMS.proof_span),
        nudged_at=None,
        sessions_died=False,
    )


def _canonical_retired(retired: Retired) -> Retired:
    return replace(
        retired,
        since=max(retired.since, BASE - TERMS.quarantine) if retired.handed_out else BASE,
        cleared_at=_if_after(retired.cleared_at, -TERMS.slow_servers),
    )


def older(value: Any) -> Any:
    """Return a value with every time in it one tick further in the past, clamped to the horizon."""
    if isinstance(value, datetime):
        return max(value - TICK, BASE - HORIZON)
    if isinstance(value, tuple):
        return tuple(older(one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return _older(value)
    return value


@cache
def _older(value: Any) -> Any:
    if isinstance(value, KeyFacts):
        return value
    changed = {f.name: new for f in fields(value) if (new := older(old := getattr(value, f.name))) is not old}
    return replace(value, **changed) if changed else value


def spread(world: World) -> World:
    """Every server holds the newest certificate."""
    return but(world, org=(world.org[1], world.org[1]), spreading=0)


def tick(world: World) -> World:
    """Let a tick pass."""
    flights = tuple(replace(f, ttl=f.ttl - 1) if f.late else f for f in world.flights)
    left = max(world.spreading - 1, 0)
    return but(
        world if left else spread(world),
        spreading=left,
        record=canonical(older(world.record), world.left.newest),
        flights=tuple(f for f in flights if f.ttl > 0),
        processes=tuple(p and but(p, age=min(p.age + 1, HORIZON // TICK)) for p in world.processes),
    )
