"""Drives rotator.steps.step through every answer, and says what a daemon may do next in a world.

A step is cut where it matters that others come in between, or that a crash strikes. What commutes is one move:

- Load and intent are one move: a conflict between them is the same as not having begun.
- Effect and outcome are one move, beside the move in which the outcome is not recorded (a crash, or a conflict).
  Recording it later is the same, because what is recorded follows from the snapshot and the answer alone.
- Between intent and effect a daemon may stall. With one daemon that matters for what is sent after the lease; with
  two also for what the other does meanwhile (STALLED). The other effects change nothing that anybody relies on.
- A request that waits while the daemon is idle is the same as one that is made later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from rotator.core.effects import (
    Action,
    Answer,
    CreateKey,
    Deploy,
    Destroy,
    Dismiss,
    Kind,
    Load,
    Mint,
    Nothing,
    Perform,
    Poll,
    Prove,
    Save,
    Touch,
)
from rotator.core.model import Record, Snapshot
from rotator.core.timing import pacing_key
from tests.explore import promises
from tests.explore.answers import outcomes
from tests.explore.around import put, saved
from tests.explore.canonical import aged, kept, snapshot_of
from tests.explore.world import BASE, TICK, Kept, Process, World, process

HELD = (Mint, Touch, Prove)
STALLED = (Deploy, Poll, Destroy, CreateKey)


class Want(NamedTuple):
    """What a daemon does with what it loaded: this action, once ``intent`` (if any) is recorded."""

    action: Action
    busy_until: datetime | None
    intent: Record | None
    holds: Kept | None  # the intent, as the world keeps it


class After(NamedTuple):
    """What a daemon records of an answer."""

    record: Record
    holds: Kept


class Began(NamedTuple):
    """A daemon decided, and recorded its intent."""

    index: int
    daemon: Process
    want: Want


class Stalls(NamedTuple):
    """A daemon is about to do something, and others come in between."""

    index: int
    daemon: Process
    want: Want


class Did(NamedTuple):
    """A daemon did something and was answered; ``fate``: recorded, killed, conflict, or nothing to record."""

    index: int
    daemon: Process
    want: Want
    answer: Answer
    fate: str


class Killed(NamedTuple):
    """A daemon was killed in the middle of a step."""

    index: int
    want: Want


Event = str | Began | Stalls | Did | Killed
Move = tuple[Event, World]


class Steps:
    """What one step makes of what it loaded and of an answer; each is asked of the real generator once."""

    def __init__(self, a_step: Callable[[str], Any]) -> None:
        self._step = a_step
        self._wants: dict[int, Want | None] = {}
        self._afters: dict[tuple[int, int], After | None] = {}
        self._held: dict[tuple[int, frozenset[str]], Snapshot] = {}

    def wants(self, world: World, snapshot: Snapshot) -> Want | None:
        """Return what a daemon does with what it loaded, or None if it waits."""
        key = id(snapshot)
        if key not in self._wants:
            self._wants[key] = self._wanted(world, snapshot)
        return self._wants[key]

    def _wanted(self, world: World, snapshot: Snapshot) -> Want | None:
        steps, call = self._begun(snapshot)
        intent = None
        if isinstance(call, Save):
            intent, call = call.record, steps.send(1)
        if call is None:
            return None
        assert isinstance(call, Perform)
        holds = None if intent is None else kept(intent, world.rules.newest)
        return Want(call.action, call.busy_until, intent, holds)

    def _begun(self, snapshot: Snapshot) -> tuple[Any, Any]:
        steps = self._step("a")
        assert isinstance(next(steps), Load)
        try:
            return steps, steps.send((snapshot, BASE))
        except StopIteration:
            return steps, None

    def after(self, world: World, snapshot: Snapshot, answer: Answer) -> After | None:
        """Return what is recorded of an answer, or None if that is nothing."""
        key = (id(snapshot), id(answer))
        if key not in self._afters:
            steps, call = self._begun(snapshot)
            if isinstance(call, Save):
                steps.send(1)
            try:
                record = steps.send(answer).record
                self._afters[key] = After(record, kept(record, world.rules.newest))
            except StopIteration:
                self._afters[key] = None
        return self._afters[key]

    def held_back(self, snapshot: Snapshot, tried: frozenset[str]) -> Snapshot:
        """Return the snapshot with actions held back; the same one for the same."""
        key = (id(snapshot), tried)
        if key not in self._held:
            self._held[key] = replace(snapshot, held=dict.fromkeys(sorted(tried), BASE + TICK))
        return self._held[key]


class Daemons:
    """What the daemons of a world may do."""

    def __init__(self, steps: Steps, *, honour_lease: bool = True, calm: bool = False) -> None:
        """``calm``: faults have stopped. Nobody is killed, what went wrong is held back, and no promise is judged."""
        self.steps, self.honour_lease, self.calm = steps, honour_lease, calm
        self.doing: Event = ""
        """What was going on when a promise broke."""

    # -- moves ----------------------------------------------------------------------------------------------------

    def moves(self, world: World) -> Iterator[Move]:
        """Yield what each daemon may do next."""
        for index, daemon in enumerate(world.processes):
            if daemon is None:
                yield from self._load(world, index)
                continue
            want = self.steps.wants(world, daemon.snapshot)
            assert want is not None
            if not self.calm:
                yield Killed(index, want), put(world, index, None)
            yield from self._effects(world, index, daemon, want)

    def answers_next(self, world: World) -> bool:
        """Tell whether one idle daemon takes a request next: one that waits is as one that is made later."""
        if world.request is None or world.processes != (None,):
            return False
        want = self.steps.wants(world, snapshot_of(world))
        if want is None:
            return False
        answers = want.intent is not None and want.intent.answered != world.record.answered
        return answers or isinstance(want.action, Dismiss)

    def _load(self, world: World, index: int) -> Iterator[Move]:
        snapshot, tried = snapshot_of(world), frozenset[str]()
        while (want := self.steps.wants(world, snapshot)) is not None:
            yield from self._begin(world, index, process(snapshot), want)
            if self.calm or not world.rules.held or not isinstance(want.action, HELD):
                return
            tried |= {pacing_key(want.action)}  # tried a moment ago: what comes after it has its turn
            snapshot = self.steps.held_back(snapshot_of(world), tried)

    def _begin(self, world: World, index: int, daemon: Process, want: Want) -> Iterator[Move]:
        self.doing = Began(index, daemon, want)
        if not self.calm:
            promises.decided(world, want.action)
        if want.intent is not None and want.holds is not None:
            if not self.calm:
                promises.saving(world, want.intent)
            world = saved(world, want.holds)
            yield self.doing, world
        if isinstance(want.action, STALLED if len(world.processes) > 1 else Deploy):
            yield Stalls(index, daemon, want), put(world, index, daemon)
        elif not isinstance(want.action, Nothing):
            yield from self._effects(world, index, daemon, want)

    def _effects(self, world: World, index: int, daemon: Process, want: Want) -> Iterator[Move]:
        """Yield what follows from every answer to what a process wants: its outcome is recorded, or is not."""
        busy = want.busy_until if self.honour_lease else None
        now = BASE if daemon.age == 0 else daemon.now
        if not self.calm:
            self.doing = Stalls(index, daemon, want)
            promises.doing(world, daemon, want.action, sent=busy is None or busy > now)
        for answer, then in outcomes(world, want.action, now, busy):
            held = self.calm and answer.kind is not Kind.OK
            after = then._replace(tried=then.tried | {pacing_key(want.action)}) if held else then
            yield from self._recorded(after, Did(index, daemon, want, answer, "done"))

    def _recorded(self, world: World, did: Did) -> Iterator[Move]:
        after = self.steps.after(world, did.daemon.snapshot, did.answer)
        idle = put(world, did.index, None)
        refused = isinstance(did.want.action, Prove) and did.answer.kind is Kind.REFUSED
        if not self.calm:
            self.doing = did
            known = did.want.intent or did.daemon.snapshot.record
            promises.answered(did.want.action, did.answer, known if after is None else after.record)
        if after is None:
            # A refusal that needs no record counts at once.
            yield did, idle._replace(proofs=(0, 0)) if refused else idle
            return
        if not did.daemon.current:
            yield did._replace(fate="conflict"), idle
            return
        if not self.calm:
            yield did._replace(fate="killed"), idle
            promises.saving(world, after.record)
        holds = after.holds
        for _ in range(did.daemon.age):
            holds = aged(holds, world.rules.newest)
        told = saved(idle, holds)
        change = holds.record.change
        reset = refused or change is None or change.proofs == 0
        yield did._replace(fate="recorded"), told._replace(proofs=(0, 0)) if reset else told
