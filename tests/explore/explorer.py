"""Drives rotator.steps.step through every reachable state of the small world, and says what breaks.

A step is cut where it matters that others come in between, or that a crash strikes. What commutes is one move:

- Load and intent are one move: a conflict between them is the same as not having begun.
- Effect and outcome are one move, beside the move in which the outcome is not recorded (a crash, or a conflict).
  Recording it later is the same, because what is recorded follows from the snapshot and the answer alone.
- Between intent and effect a daemon may stall. With one daemon that matters for what is sent after the lease; with
  two also for what the other does meanwhile (STALLED). The other effects change nothing that anybody relies on.
- A request that waits while the daemon is idle is the same as one that is made later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from rotator.core.effects import (
    Action,
    CreateKey,
    Deploy,
    Destroy,
    Dismiss,
    Do,
    Kind,
    Load,
    Mint,
    Nothing,
    Perform,
    Poll,
    Probe,
    Prove,
    Revoke,
    Save,
    Touch,
)
from rotator.core.model import Phase, Reason, Record, Snapshot
from rotator.core.slot import RESTORING, change_of, is_leaked
from rotator.core.timing import pacing_key
from rotator.steps import step
from tests.explore.answers import outcomes
from tests.explore.around import best, calm, environment, put, saved, settled
from tests.explore.world import (
    BASE,
    FOREIGN,
    TERMS,
    TICK,
    USER,
    Process,
    World,
    but,
    older,
    one,
    snapshot_of,
    spread,
    tick,
)


@dataclass
class Report:
    """What an exploration saw."""

    states: int = 0
    transitions: int = 0
    violations: list[str] = field(default_factory=list)
    phases: set[Phase] = field(default_factory=set)
    story: list[str] = field(default_factory=list)
    edges: set[tuple[Phase, Phase, str]] = field(default_factory=set)

    def __str__(self) -> str:
        broken = f", {len(self.violations)} violations" if self.violations else ", no violation"
        return f"{self.states} states, {self.transitions} transitions{broken}"


MORE = 2
HELD = (Mint, Touch, Prove)
STALLED = (Deploy, Poll, Destroy, CreateKey)


class Explorer:
    """Explores from a world with a given step (the real one, unless a bug is planted in it)."""

    def __init__(
        self,
        world: World,
        a_step: Callable[[str], Any] = step,
        *,
        honour_lease: bool = True,
        lively: bool = True,
    ) -> None:
        self.first, self.step, self.honour_lease = world, a_step, honour_lease
        self.lively = lively
        self.doing = ""
        self.report = Report()
        self.came_from: dict[World, tuple[World | None, str]] = {world: (None, "start")}
        self.well: set[World] = set()
        self._advance = lru_cache(maxsize=None)(self._advance_uncached)

    # -- a process ----------------------------------------------------------------------------------------------

    def _advance_uncached(self, process: Process) -> tuple[str, Any, Any]:
        """Return what a process wants next: ("wait", ...), ("perform", call, record it holds), ("save", ...)."""
        steps = self.step("a")
        call = next(steps)
        assert isinstance(call, Load)
        held = process.snapshot.record
        try:
            call = steps.send((process.snapshot, BASE))
            if isinstance(call, Save):
                held = call.record
                call = steps.send(1)
            assert isinstance(call, Perform)
            if process.answer is None:
                return "perform", call, held
            call = steps.send(process.answer)
        except StopIteration as stop:
            return ("done" if isinstance(stop.value, Do) else "wait"), stop.value, held
        assert isinstance(call, Save)
        return "save", call, held

    def moves(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield every next state, each with a sentence."""
        for index in range(len(world.processes)):
            yield from self._process_moves(world, index)
        if not self._answers_next(world):
            yield from environment(world)

    def _answers_next(self, world: World) -> bool:
        """Tell whether one idle daemon takes a request next: one that waits is as one that is made later."""
        if world.request is None or world.processes != (None,):
            return False
        want, call, held = self._advance(Process(snapshot_of(world)))
        if want == "wait":
            return False
        return isinstance(call.action, Dismiss) or held.answered != world.record.answered

    def _process_moves(self, world: World, index: int) -> Iterator[tuple[str, World]]:
        process, who = world.processes[index], f"daemon {index + 1}"
        if process is None:
            yield from self._load(world, index, who)
        else:
            yield f"{who} is killed", put(world, index, None)
            yield from self._effects(world, index, process, who)

    def _load(self, world: World, index: int, who: str) -> Iterator[tuple[str, World]]:
        snapshot, tried = snapshot_of(world), dict[str, datetime]()
        while True:
            process = Process(held_back(snapshot, tried))
            yield from self._begin(world, index, process, who)
            want, call, _held = self._advance(process)
            if not world.left.held or want == "wait" or not isinstance(call.action, HELD):
                return
            tried[pacing_key(call.action)] = (
                BASE + TICK
            )  # tried a moment ago: what comes after it has its turn

    def _begin(self, world: World, index: int, process: Process, who: str) -> Iterator[tuple[str, World]]:
        want, call, held = self._advance(process)
        if want == "wait":
            return
        if isinstance(call.action, Deploy):
            self._check_bridge(world, call.action)
        if held != process.snapshot.record:
            self.doing = f"{who} records an intent: {held.phase}"
            self._check_save(world, held)
            self._draw(world.record, held, type(call.action).__name__)
            world = saved(world, held, index)
            yield f"{who} records an intent: {held.phase}", world
        if isinstance(call.action, STALLED if len(world.processes) > 1 else Deploy):
            yield f"{who} wants {call.action}", put(world, index, process)
        elif not isinstance(call.action, Nothing):
            yield from self._effects(world, index, process, who)

    def _effects(self, world: World, index: int, process: Process, who: str) -> Iterator[tuple[str, World]]:
        """Yield what follows from every answer to what a process wants: its outcome is recorded, or is not."""
        _want, call, _held = self._advance(process)
        self.doing = f"{who}: {call.action}"
        busy = call.busy_until if self.honour_lease else None
        if isinstance(call.action, Deploy) and (busy is None or busy > process.now):
            self._check_deploy(world, call.action)
        check_signed(process.snapshot.record, call.action)
        if isinstance(call.action, Mint) and process.current:
            self._check_mint(world, call.action)
        for answer, after in outcomes(world, call.action, process.now, busy):
            text = f"{who}: {call.action} -> {answer.kind}"
            on = but(process, answer=answer)
            goes_on = self._advance(on)[0] == "save"
            lost = " (and is killed)" if process.current else " (and meets a conflict)"
            unsaid = isinstance(call.action, Prove) and answer.kind is Kind.REFUSED and not goes_on
            left = but(after, proofs=(0, 0)) if unsaid else after
            yield text + (lost if goes_on else ""), put(left, index, None)
            if goes_on and process.current:
                yield text, self._outcome_saved(after, index, on)

    def _outcome_saved(self, world: World, index: int, process: Process) -> World:
        record = self._advance(process)[1].record
        for _ in range(process.age):
            record = older(record)
        self._check_save(world, record)
        what, said = type(self._advance(but(process, answer=None))[1].action).__name__, process.answer.kind
        self._draw(world.record, record, f"{what} {said}")
        after = saved(world, record, index)
        if proofs_of(record) == 0 or (what == "Prove" and said is Kind.REFUSED):
            after = but(after, proofs=(0, 0))  # a refusal counts once it is on record
        return put(after, index, None)

    def _draw(self, before: Record, after: Record, what: str) -> None:
        """Note which way led from phase to phase, under the name of what ended, began or was done."""
        if before.phase is after.phase:
            return
        if before.phase is Phase.LOCKED_OUT:
            aborted = after.history and after.history[-1].outcome == "aborted"
            staged = "aborted" if aborted else "brought in again"
            what = "key found" if after.phase is Phase.PROVING else staged
        elif after.history:
            what = after.history[-1].outcome.replace("_", " ")
        elif before.change is None and after.change is not None:
            what = f"begin {after.change.reason}"
        elif what == "Nothing":
            what = "not in time"
        self.report.edges.add((before.phase, after.phase, what.lower()))

    # -- what must hold -----------------------------------------------------------------------------------------

    def _check_deploy(self, world: World, action: Deploy) -> None:
        change = world.record.change
        if change is None or change.target != action.serial or world.record.phase is not Phase.DEPLOYING:
            raise Violation(f"lease: key pair {action.serial} is sent, which the record does not want")
        if any(not f.late and not f.by_hand for f in world.flights):
            raise Violation("two deploys are under way at once")

    def _check_bridge(self, world: World, action: Deploy) -> None:
        """The first deploy of a change is decided on while consumers have a session that was seen to live."""
        change = change_of(world.record)
        if change.asked or change.reason in RESTORING or action.by_hand:
            return
        if world.token in ("stale", "out"):
            raise Violation(f"bridge: {action} is decided on while no live session carries the consumers")

    def _check_mint(self, world: World, action: Mint) -> None:
        """One of the keys of a change is in the org, and so is one that tokens are minted with."""
        change, record = world.record.change, world.record
        held = set(world.org)
        if change is None or not change.asked or held & set(action.serials):
            return
        if not held <= {change.target, record.current}:
            return
        if not any(is_leaked(record, serial) for serial in held):
            raise Violation(f"tokens: the org takes {held} in a change, and minted is with {action.serials}")

    def _check_save(self, world: World, after: Record) -> None:
        before = world.record
        if after.current != before.current and after.current is not None:
            self._check_proofs(world, after.current, "invariant 4: current replaced without its proofs")
        restoring = before.change is not None and before.change.reason in (Reason.RESTORE, Reason.FOUND)
        if restoring and after.phase is Phase.STEADY and after.current is not None:
            self._check_proofs(world, after.current, "invariant 4: a restore ended without proofs")
        if before.current != after.current and is_leaked(before, before.current) and not after.revoke:
            raise Violation("leaked: the sessions behind a key that was replaced are not revoked")
        old, new = before.answered, after.answered
        if old is not None and new is not None and old.request_id == new.request_id and old != new:
            raise Violation("a request is answered twice")

    def _check_proofs(self, world: World, serial: int, what: str) -> None:
        if world.proofs[0] != serial or world.proofs[1] < TERMS.proofs_needed:
            raise Violation(what)

    def _check_token(self, world: World) -> None:
        """A published token that is dead is on record, or to find out is the very next thing to do."""
        if world.token not in ("stale", "out") or world.session or world.record.trouble_of(f"token:{USER}"):
            return
        want, call, _held = self._advance(Process(snapshot_of(world)))
        if want == "wait" or not isinstance(call.action, Mint | Revoke | Touch | Nothing | Dismiss):
            raise Violation("invariant 1: a published token is dead and nobody looks")

    def check(self, world: World) -> None:
        """Raise Violation where a state breaks an invariant."""
        # What the slower server holds is on its way out: nobody needs its key again.
        near = {world.org[1], *(f.serial for f in world.flights)} - {FOREIGN}
        if lost := near & world.dead:
            raise Violation(
                f"invariant 2: the key of certificate {lost} is destroyed while it may be in the org"
            )
        self._check_token(world)
        record = world.record
        named = {k.serial for k in record.keys} | {r.serial for r in record.retired}
        named |= {record.change.target} if record.change else set()
        if orphans := world.live - named:
            raise Violation(f"invariant 3: keys {orphans} are in Vault and no record names them")
        needed = {record.current, record.previous} - {None}
        if gone := needed & world.dead:
            raise Violation(f"invariant 2: keys {gone} are needed and destroyed")

    # -- the search ---------------------------------------------------------------------------------------------

    def run(self, limit: int = 2_000_000) -> Report:
        """Visit every reachable state; stop at the first violation and tell how it came about."""
        frontier = deque([self.first])
        report = self.report
        while frontier and report.states < limit:
            world = frontier.popleft()
            report.states += 1
            report.phases.add(world.record.phase)
            self.doing = ""
            try:
                self.check(world)
                # A leaked key that cannot be replaced is tried with serial after serial: two more are enough.
                going_on = world.record.newest < self.first.left.newest + MORE
                for text, after in self.moves(world) if going_on else ():
                    report.transitions += 1
                    if after not in self.came_from:
                        self.came_from[after] = (world, text)
                        frontier.append(after)
                self.doing = ""
                if self.lively:
                    self.heals(world)
            except Violation as violation:
                report.violations.append(str(violation))
                report.story = [*self.story(world), self.doing]
                return report
        return report

    def story(self, world: World | None) -> list[str]:
        """Return how a state came about, in sentences."""
        told: list[str] = []
        while world is not None:
            before, text = self.came_from[world]
            told.append(text)
            world = before
        return told[::-1]

    def heals(self, world: World) -> None:
        """Check liveness: once faults stop, one daemon reaches steady, with the current key in the org."""
        seen: list[World] = []
        world = calm(world)
        for _ in range(150):
            if world in self.well:
                break
            seen.append(world)
            if settled(world):
                break
            world = calm(self._one_good_step(world))
        else:
            raise Violation(f"liveness: stays {world.record.phase}: {world.record}")
        self.well.update(seen)

    def _one_good_step(self, world: World) -> World:
        if world.record.paused is not None:
            world = but(world, record=one(replace(world.record, paused=None)))  # an operator resumes it
        tried: dict[str, datetime] = {}
        while True:  # what was refused is held back for a tick, so that nothing starves what comes after it
            world, again = self._one_step(world, tried)
            if again is None:
                return tick(spread(world))
            tried[again] = BASE + TICK

    def _one_step(self, world: World, tried: dict[str, datetime]) -> tuple[World, str | None]:
        """Return the world after one step, and the pacing key of what went wrong in it, if it did."""
        process = Process(held_back(snapshot_of(world), tried))
        want, call, held = self._advance(process)
        if want == "wait":
            return world, None
        if held != world.record:
            world = saved(world, held, 0)
        if isinstance(call.action, Nothing):
            return world, None
        answer, world = best(world, call)
        wrong = None if answer.kind in (Kind.OK, Kind.PENDING) else pacing_key(call.action)
        want, call, _held = self._advance(but(process, answer=answer))
        return (saved(world, call.record, 0) if want == "save" else world), wrong


class Violation(Exception):
    """A state, or the way to it, breaks a promise."""


def check_signed(record: Record, action: Action) -> None:
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


@cache
def _held_back(_key: int, tried: frozenset[tuple[str, datetime]], holder: Holder) -> Snapshot:
    return replace(holder.snapshot, held=dict(tried))


@dataclass(frozen=True)
class Holder:
    """Carries a snapshot past a cache that tells it by its identity."""

    snapshot: Snapshot = field(compare=False)


def held_back(snapshot: Snapshot, tried: dict[str, datetime]) -> Snapshot:
    """Return the snapshot with actions held back; the same one for the same."""
    return _held_back(id(snapshot), frozenset(tried.items()), Holder(snapshot)) if tried else snapshot


def proofs_of(record: Record) -> int:
    return record.change.proofs if record.change else 0
