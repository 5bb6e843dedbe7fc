"""A daemon within this process, whose configuration changes."""

from __future__ import annotations

import threading

from rotator.run.daemon import Daemon
from rotator.run.reload import reread
from tests.world.lab import NAMES, Edit, Lab, credential
from tests.world.serving import PATIENCE_SECONDS, often, until

SHORTER = credential("globex", session={"refresh_every": "7s"})
"""An edit of no consequence but that it is one."""


def change(lab: Lab, daemon: Daemon, *edits: Edit) -> None:
    """Write the configuration, edited, and let the daemon read it."""
    lab.configuration(often, *edits)
    reread(daemon)


def without(*names: str) -> Edit:
    return lambda said: [said["credentials"].pop(name) for name in names]


def await_first_tokens(lab: Lab, daemon: Daemon) -> None:
    """Wait until all have their tokens, each has a time for its next step, and a round has been."""
    until(lambda: len(lab.told("token.published")) == 3, "three tokens")
    until(lambda: daemon.due.keys() == set(NAMES) and daemon.ready.sizes() == (0, 0), "all wait")
    until(lambda: lab.told("vault.login"), "a round tells of the login")


def hold(daemon: Daemon, name: str) -> tuple[threading.Event, threading.Event]:
    """Let the steps of a credential hang; return what tells that one does, and what lets them go on."""
    hangs, free = threading.Event(), threading.Event()
    step = daemon.driver.step

    def held(of: str):
        if of == name:
            hangs.set()
            free.wait(PATIENCE_SECONDS)
        return step(of)

    daemon.driver.step = held
    daemon.offer(name)
    assert hangs.wait(PATIENCE_SECONDS)
    return hangs, free
