"""The daemon within this process, on the servers of a lab, with a service manager that listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rotator.run.daemon import Daemon
from rotator.run.notify import Notifier
from tests.world.lab import Edit, Lab

PATIENCE_SECONDS = 20.0


class Manager(Notifier):
    """A service manager that listens."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "heard", [])

    __slots__ = ("heard",)

    def _send(self, message: str) -> None:
        self.heard.append(message)


def often(said: dict[str, Any]) -> None:
    """Have rounds often."""
    said["fleet"].update(reconcile_every="100ms")


@contextmanager
def serving(
    lab: Lab, *edits: Edit, before: Callable[[Daemon], object] = lambda _daemon: None
) -> Iterator[Daemon]:
    """Serve by the lab's configuration, edited; ``before`` arranges the daemon before it starts."""
    with lab.application(often, *edits) as app:
        daemon = Daemon(app, Manager())
        before(daemon)
        daemon.start()
        try:
            yield daemon
        finally:
            assert daemon.stop("test")


def until(seen: Callable[[], object], what: str) -> None:
    """Wait until ``seen`` returns something true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not seen():
        assert time.monotonic() < end, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(0.01)


def take_step(daemon: Daemon, name: str) -> datetime:
    """Let a credential of a daemon that does not run have a step, and return when the next one is due."""
    served = daemon.members.settle(name)
    assert served is not None
    return daemon._step(*served)
