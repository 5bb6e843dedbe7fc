"""Tells one story from its plot, and says how it went."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from rotator.core import outcome as core
from rotator.core.model import Phase
from tests.simulate.codecs import plain
from tests.simulate.drama import CALM, Mishap, Plot
from tests.simulate.fleet import DEPLOYER
from tests.simulate.loop import DAY
from tests.simulate.mishaps import KINDS
from tests.simulate.watch import Watch
from tests.simulate.world import World

UNFORESEEN = {"step.failed", "round.failed", "daemon.crashed"}

Cell = tuple[str, str, int]
"""Phase, kind of mishap, number of daemons."""


@dataclass
class Outcome:
    """How a story went."""

    plot: Plot
    digest: str = ""
    violations: list[tuple[float, str]] = field(default_factory=list)
    lines: list[tuple[float, str]] = field(default_factory=list)
    cells: Counter[Cell] = field(default_factory=Counter)
    ends: Counter[core.Outcome] = field(default_factory=Counter)
    swaps: int = 0
    steps: int = 0
    days: float = 0.0
    failed: Counter[str] = field(default_factory=Counter)
    detected: list[float] = field(default_factory=list)


class _Ear(logging.Handler):
    """Hears errors that nobody foresaw."""

    def __init__(self, wrong: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._wrong = wrong

    def emit(self, record: logging.LogRecord) -> None:
        said = record.msg if isinstance(record.msg, dict) else {"event": record.getMessage()}
        if said.get("event") in UNFORESEEN:
            error = record.exc_info[1] if record.exc_info else said.get("error")
            self._wrong(f"{said['event']}: {error!r}")


class Director:
    """Lets the mishaps of a plot happen when their time has come, and counts what they meet."""

    def __init__(self, world: World, watch: Watch, cells: Counter[Cell]) -> None:
        self.world, self.watch, self.cells = world, watch, cells
        self._daemons = world.plot.daemons
        self._calm_from = (world.plot.days - CALM[world.plot.style]) * DAY
        self._entries: Counter[tuple[str, Phase]] = Counter()
        self._waiting: list[Mishap] = []
        self._lasting: list[Mishap] = []
        world.entered.append(self._entered)
        world.meets = self._meets
        for mishap in world.plot.mishaps:
            if mishap.when.phase is None:
                world.loop.at(mishap.when.after, self._begin, mishap)
            else:
                self._waiting.append(mishap)

    def _entered(self, name: str, phase: Phase) -> None:
        self._entries[name, phase] += 1
        if self.world.loop.now > self._calm_from:
            return
        for mishap in self._lasting:
            if KINDS[mishap.kind].on != "credential" or mishap.whom == name:
                self.cells[phase, mishap.kind, self._daemons] += 1
        for mishap in [one for one in self._waiting if (one.when.name, one.when.phase) == (name, phase)]:
            if self._entries[name, phase] >= mishap.when.nth:
                self._waiting.remove(mishap)
                if mishap.when.after:
                    self.world.loop.at(self.world.loop.now + mishap.when.after, self._begin, mishap)
                else:
                    self._begin(mishap)

    def _begin(self, mishap: Mishap) -> None:
        kind, world, now = KINDS[mishap.kind], self.world, self.world.loop.now
        if any(one.kind == mishap.kind for one in self._lasting) or now > self._calm_from:
            return
        world.tell(f"{kind.sentence} {mishap.whom}".rstrip())
        if not kind.at_border:
            self._meets(mishap)
        self.watch.disturbances.add(mishap.kind, now, now + mishap.seconds)
        restoring = self.watch.restoring  # a mishap may begin within another one, that plays Vault back
        self.watch.restoring = restoring or mishap.kind == "restored"
        end = kind.begin(world, mishap)
        self.watch.restoring = restoring
        if end is not None:
            self._lasting.append(mishap)
            world.loop.at(now + mishap.seconds, partial(self._end, mishap, end))

    def _meets(self, mishap: Mishap) -> None:
        """Count in which phases a mishap meets those whom it concerns."""
        world, alone = self.world, KINDS[mishap.kind].on == "credential"
        for name in [mishap.whom] if alone else (*world.names, DEPLOYER):
            self.cells[world.phases[name], mishap.kind, self._daemons] += 1

    def _end(self, mishap: Mishap, end: Callable[[], None]) -> None:
        self._lasting.remove(mishap)
        self.watch.disturbances.add(mishap.kind, self.world.loop.now, self.world.loop.now)
        self.world.tell(f"it is over: {KINDS[mishap.kind].sentence} {mishap.whom}".rstrip())
        end()


def tell(plot: Plot) -> Outcome:
    """Tell a story to its end."""
    outcome = Outcome(plot)
    with plain(plot.plain):
        world = World(plot)
        watch = Watch(world)
        Director(world, watch, outcome.cells)
        ear, logger = _Ear(watch.wrong), logging.getLogger("rotator")
        level = logger.level
        logger.addHandler(ear)
        logger.setLevel(logging.ERROR)
        try:
            for machine in world.machines:
                machine.boot()
            world.loop.run(plot.days * DAY)
            watch.finish()
        finally:
            logger.removeHandler(ear)
            logger.setLevel(level)
        outcome.digest, outcome.violations, outcome.lines = world.digest(), watch.violations, world.lines
        outcome.ends, outcome.swaps, outcome.detected = watch.ends, watch.swaps, watch.detected
        outcome.steps = sum(machine.steps for machine in world.machines)
        outcome.days = plot.days * (len(world.names) + 1)
        outcome.failed = watch.failed
        for machine in world.machines:
            machine.kill()
    return outcome
