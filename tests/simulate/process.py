"""One run of the daemon: the real one, whose workers, rounds and timer are tasks of the loop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from rotator.run.daemon import Daemon
from rotator.run.notify import Notifier
from tests.simulate.adapters import application
from tests.simulate.loop import Killed

if TYPE_CHECKING:
    from tests.simulate.machine import Machine


MINUTE = 60.0
ROUND_EVERY = 15.0
"""As by default, so that a request is seen in the phase that it is aimed at. ``fleet.reconcile_every`` is longer here:
as often a credential that waits for others has a step."""

MOST_IN_A_MINUTE = 600
"""Steps of a small fleet; more are those of a daemon that finds something to do again and again."""


class Process:
    """One run of the daemon: the real one, whose workers are tasks of the loop.

    Attributes:
        fuse: happens at the so-many-th border of a call from now, with (how many, what).
    """

    def __init__(self, machine: Machine) -> None:
        self.machine, self.world, self.loop = machine, machine.world, machine.loop
        self.app = application(self)
        self.daemon = Daemon(
            self.app,
            Notifier(),
            timer=lambda fire: Timer(self, fire),
            steady=machine.steady,  # type: ignore[arg-type, return-value]
        )
        self.alive = True
        self.fuse: tuple[int, Callable[[], None]] | None = None
        self._tasks: set[greenlet] = set()
        self._working = 0
        self._counted_at, self._steps_now = 0.0, 0
        self._round_at: float | None = None
        self._round_runs = False

    def begin(self) -> None:
        self.daemon.take_up_all()
        self.want_round()
        self.pump()

    def end(self) -> None:
        """Be no more. A task that runs now ends itself."""
        self.alive = False
        for task in self._tasks - {getcurrent()}:
            self.loop.at(self.loop.now, _end, task)
        if getcurrent() in self._tasks:
            raise Killed

    def works(self) -> bool:
        """Tell whether what runs just now is a task of this process."""
        return getcurrent() in self._tasks

    # -- workers and rounds ---------------------------------------------------------------------------------------

    def pump(self) -> None:
        """See that somebody works while something is to be done."""
        if self.alive and self._working < self.daemon.workers and self.daemon.ready.sizes()[0]:
            self._working += 1
            self._start(self._work)

    def _start(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                if self.alive:
                    work()
            except Killed:
                pass
            finally:
                self._tasks.discard(task)

        task = self.loop.start(guarded)
        self._tasks.add(task)

    def _work(self) -> None:
        daemon = self.daemon
        try:
            self._rest()
            while self.alive and (name := daemon.ready.take(wait=False)) is not None:
                self.pump()
                self._count()
                daemon.serve(name)
                if daemon.weather.trouble() is not None:
                    self.want_round()
        finally:
            self._working -= 1

    def _count(self) -> None:
        """See that nobody works without end."""
        if self.loop.now > self._counted_at + MINUTE:
            self._counted_at, self._steps_now = self.loop.now, 0
        self._steps_now += 1
        if self._steps_now == MOST_IN_A_MINUTE:
            self.world.busy(self.machine.name)
            self.machine.kill()

    def want_round(self) -> None:
        """Have a round at its next time. Rounds that would see nothing are left out."""
        if self.alive and self._round_at is None:
            self._round_at = (self.loop.now // ROUND_EVERY + 1) * ROUND_EVERY
            self.loop.at(self._round_at, self._begin_round)

    def _begin_round(self) -> None:
        self._round_at = None
        if self._round_runs:
            self.want_round()
        elif self.alive:
            self._round_runs = True
            self._start(self._round)

    def _round(self) -> None:
        try:
            self._rest()
            self.daemon.rounds.go()
        finally:
            self._round_runs = False
        if self.daemon.weather.trouble() is not None or self.world.waits_for_round():
            self.want_round()
        self.pump()

    # -- calls ----------------------------------------------------------------------------------------------------

    def border(self) -> None:
        """Stand at the border of a call: time may pass, and whatever was to happen at just this one happens."""
        if self.fuse is not None:
            left, happening = self.fuse
            self.fuse = (left - 1, happening) if left > 0 else None
            if left <= 0:
                happening()
        if not self.alive:
            raise Killed
        if self.world.slowness and self.machine.rng.random() < self.world.slowness:
            self.loop.sleep(self.machine.rng.uniform(0.01, 3.0))
        self._rest()

    def _rest(self) -> None:
        """Sleep while the machine does."""
        while (left := self.machine.asleep_until - self.loop.now) > 0:
            self.loop.sleep(left)
        if not self.alive:
            raise Killed

    def vault_called(self, _what: str, writing: bool) -> None:
        self.border()
        self.world.network_to_vault(self, writing, arrived=False)

    def vault_answered(self, _what: str, writing: bool) -> None:
        self.app.client.skew = timedelta(seconds=-self.machine.ahead_seconds)  # type: ignore[attr-defined]
        self.border()
        self.world.network_to_vault(self, writing, arrived=True)


def _end(task: greenlet) -> None:
    if not task.dead:
        task.throw(Killed)


class Timer:
    """Stands in for :class:`rotator.run.timer.Timer`: it waits by the steady clock, and looks at the other one then."""

    def __init__(self, process: Process, fire: Callable[[str], None]) -> None:
        self._process, self._fire = process, fire
        self._armed: dict[str, object] = {}

    def arm(self, name: str, at: datetime) -> None:
        order = self._armed[name] = object()
        self._wait(name, at, order)

    def disarm(self, name: str) -> None:
        self._armed.pop(name, None)

    def _wait(self, name: str, at: datetime, order: object) -> None:
        machine = self._process.machine
        seconds = (at - machine.clock()).total_seconds()
        machine.loop.at(machine.loop.now + max(seconds, 1e-3), self._ring, name, at, order)

    def _ring(self, name: str, at: datetime, order: object) -> None:
        process, machine = self._process, self._process.machine
        if not process.alive or self._armed.get(name) is not order:
            return
        if machine.asleep_until > machine.loop.now:
            machine.loop.at(machine.asleep_until, self._ring, name, at, order)
        elif machine.clock() < at:
            self._wait(name, at, order)
        else:
            self._fire(name)
            process.pump()
