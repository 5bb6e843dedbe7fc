"""Visits every reachable state of a world in breadth, and stops at the first promise that is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rotator.core.effects import Action
from rotator.core.model import Phase, Snapshot
from rotator.steps import step
from tests.explore import promises
from tests.explore.around import environment
from tests.explore.daemons import Daemons, Event, Move, Steps
from tests.explore.graph import States
from tests.explore.liveness import Calm, goes_on
from tests.explore.promises import Violation
from tests.explore.story import tell
from tests.explore.world import World


@dataclass
class Report:
    """What an exploration saw.

    Attributes:
        depth: moves on the longest of the shortest ways to a state.
        complete: every reachable state was visited, and every calm one.
        calm: states of the graph in which faults have stopped, on which liveness was judged.
        violation: the promise that was broken; empty: none.
        story: how that came about, in sentences.
    """

    states: int = 0
    transitions: int = 0
    depth: int = 0
    complete: bool = True
    calm: int = 0
    violation: str = ""
    story: list[str] = field(default_factory=list)
    phases: set[Phase] = field(default_factory=set)

    def __str__(self) -> str:
        seen = f"{self.states:10,} states {self.transitions:11,} transitions, depth {self.depth:3}"
        lively = f", {self.calm:9,} calm" if self.calm else ""
        return (
            f"{seen}{lively}, {self.violation or 'no violation'}{'' if self.complete else ' (not complete)'}"
        )


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
        self.first = world
        self.steps = Steps(a_step)
        self.daemons = Daemons(self.steps, honour_lease=honour_lease)
        self.lively = lively
        self.states = States()

    def moves(self, world: World) -> Iterator[Move]:
        """Yield every next state, each with what led there."""
        if not goes_on(world):
            return
        yield from self.daemons.moves(world)
        if not self.daemons.answers_next(world):
            yield from environment(world)

    def next_action(self, world: World, snapshot: Snapshot) -> Action | None:
        want = self.steps.wants(world, snapshot)
        return None if want is None else want.action

    def run(self, limit: int = 20_000_000) -> Report:
        """Visit every reachable state, at most so many; stop at the first violation and tell how it came about."""
        report, states = Report(), self.states
        states.add(self.first, 0)
        index, level_ends = 0, 1
        while index < min(len(states), limit):
            if index == level_ends:
                report.depth, level_ends = report.depth + 1, len(states)
            world = states[index]
            report.phases.add(world.record.phase)
            self.daemons.doing = ""
            try:
                promises.state(world, self.next_action)
                for _event, after in self.moves(world):
                    report.transitions += 1
                    states.add(after, index)
            except Violation as violation:
                report.states = index + 1
                return self._broken(report, str(violation), index, self.daemons.doing)
            index += 1
        report.states, report.complete = index, index == len(states)
        return self._heals(report, 4 * limit) if self.lively else report

    def _heals(self, report: Report, most: int) -> Report:
        """Judge liveness: once faults have stopped, steady is reached from every state that was visited."""
        calm = Calm(self.steps)
        stuck = calm.explore((self.states[index] for index in range(report.states)), most)
        report.calm = min(len(calm.states), most)
        report.complete = report.complete and len(calm.states) <= most
        if stuck is None:
            return report
        stays = " or ".join(calm.stays_in(self.states[stuck]))
        return self._broken(
            report, f"liveness: stays {stays}", stuck, "faults stop, and it is never steady again"
        )

    def _broken(self, report: Report, what: str, index: int, last: Event) -> Report:
        """Tell how a state was reached, what went on there, and what that breaks."""
        report.violation = what
        way = [self.states[i] for i in self.states.path(index)]
        happened = [(self._between(before, after), after) for before, after in pairwise(way)]
        happened += [(last, way[-1])] if last else []
        report.story = [*tell(way[0], happened), f"That breaks {what}."]
        return report

    def _between(self, before: World, after: World) -> Event:
        """Return what led from a state to the next one on the way."""
        return next(event for event, world in self.moves(before) if world == after)
