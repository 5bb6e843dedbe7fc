"""rotator as a service of a machine: started, reloaded, stopped by systemd, and listened to in its journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import yaml

from rotator.sandbox.lifetimes import Lifetimes
from tests.machines.machine import Machine
from tests.world.daemon import Journal
from tests.world.site import FAST, Site, site

CONFIG = "/etc/rotator/rotator.yaml"
SERVICES = UNIT, _ONCE = "rotator.service", "rotator-once.service"

Edit = Callable[[dict[str, Any]], None]


class Service:
    """The daemon of a machine; to be used as :class:`tests.world.daemon.Daemon` is.

    Attributes:
        since: what lets `journalctl` show nothing of what was before.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.since = f"--since=@{time.time():.6f}"  # a cursor may leave out the first line that is chosen

    def heard(self, journal: Journal) -> AbstractContextManager[None]:
        """Write into ``journal`` what the daemon and ``rotator-once`` say, and what systemd says of them."""
        units = [f"--unit={unit}" for unit in SERVICES]
        follow = ["--follow", "--output=cat", "--no-tail", self.since, *units]
        return self._machine.listening(journal.write, "journalctl", *follow)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Leave nothing running."""
        try:
            yield
        finally:
            self._machine.run("systemctl", "stop", "rotator*")
            self._machine.run("systemctl", "reset-failed")

    def show(self, what: str) -> str:
        return self._machine.show(UNIT, what)

    def start(self) -> None:
        """Come back when the daemon is READY."""
        self._machine.run("systemctl", "start", UNIT)

    def reload(self) -> None:
        self._machine.run("systemctl", "reload", UNIT)

    def stop(self) -> tuple[int, float]:
        """Return its exit code and the seconds that it took."""
        began = time.monotonic()
        self._machine.run("systemctl", "stop", UNIT)
        return int(self.show("ExecMainStatus")), time.monotonic() - began

    def kill(self) -> None:
        """Kill it as the kernel does when memory runs out."""
        self._machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", UNIT)


def configure(machine: Machine, here: Site, *edits: Edit) -> None:
    """Write the configuration of a site, edited, to where the service looks for it, and its secret beside it."""
    settings = yaml.safe_load(here.stage.config.read_text())
    settings["vault"]["login"]["secret_id"] = {"file": "credentials/secret_id"}
    for edit in edits:
        edit(settings)
    machine.put(CONFIG, yaml.safe_dump(settings, sort_keys=False))
    machine.put("/etc/rotator/credentials/secret_id", here.stage.approle.secret_id_file.read_text(), 0o600)


@contextmanager
def serving(
    machine: Machine, *edits: Edit, lives: Lifetimes = FAST, adopt: bool = True
) -> Iterator[tuple[Site, Service]]:
    """Build a site whose daemon is the service of a machine. Org and Vault are on the loopback that both share.

    ``adopt``: False: the service is not started yet.
    """
    journal, service = Journal(), Service(machine)
    with (
        site(lives, adopt=False, weather={}, journal=journal) as here,
        service.heard(journal),
        service.ending(),
    ):
        here.daemon = service  # type: ignore[assignment]  # has all that is asked of one
        configure(machine, here, *edits)
        if adopt:
            here.adopt()
        yield here, service
