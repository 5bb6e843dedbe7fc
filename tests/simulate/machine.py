"""A machine with a clock of its own, on which one daemon at a time runs."""

from __future__ import annotations

import random
from datetime import datetime
from typing import TYPE_CHECKING

from tests.simulate.process import Process

if TYPE_CHECKING:
    from tests.simulate.world import World


class Machine:
    """Where one daemon at a time runs.

    Attributes:
        ahead_seconds: how far its wall clock is ahead of the true time.
        asleep_until: it is suspended; nothing runs on it before.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name, self.loop = world, name, world.loop
        self.rng = random.Random(f"{world.seed}:{name}")  # noqa: S311 - repeatable
        self.ahead_seconds = 0.0
        self.asleep_until = 0.0
        self._slept_seconds = 0.0
        self.process: Process | None = None
        self._steps = 0

    @property
    def steps(self) -> int:
        """How many steps were done on it."""
        return self._steps + (self.process.daemon.steps if self.process is not None else 0)

    def works(self) -> bool:
        """Tell whether what runs just now runs on it."""
        return self.process is not None and self.process.works()

    def clock(self) -> datetime:
        """Return what its wall clock shows."""
        return self.loop.date(self.ahead_seconds)

    def steady(self) -> float:
        """Return a clock that nobody sets, and that stands still while the machine sleeps."""
        return self.loop.now - self._slept_seconds

    def boot(self) -> None:
        """Start the daemon, unless it runs."""
        if self.process is None:
            self.process = Process(self)
            self.process.begin()

    def reload(self) -> None:
        """Let the daemon go on by the configuration that is in force now."""
        if self.process is not None:
            self.process.daemon.renew(self.process.app.prepare(self.world.in_force))
            self.process.pump()

    def kill(self) -> None:
        """End the daemon in the middle of whatever it does."""
        if self.process is not None:
            process, self.process, self._steps = self.process, None, self.steps
            process.end()

    def suspend(self, seconds: float) -> None:
        """Let nothing run for a while, as if the lid was closed."""
        until = self.loop.now + seconds
        if until > self.asleep_until:
            self._slept_seconds += until - max(self.asleep_until, self.loop.now)
            self.asleep_until = until

    def set_clock(self, ahead_seconds: float) -> None:
        self.ahead_seconds = ahead_seconds
        self.world.clocks_set.append(self.loop.now)
        if self.process is not None:
            self.process.want_round()
