"""The round: sees to what has no time of its own. Vault's token, requests, lost timers, clocks, the brake."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rotator import events
from rotator.errors import RotatorError
from rotator.performer.fleet import is_skewed
from rotator.run.weather import LeaseKeeper
from rotator.show.logs import emit
from rotator.wording import some

if TYPE_CHECKING:
    from rotator.run.daemon import Daemon

LATE = timedelta(seconds=1)
JUMP_SECONDS = 5.0
NAMED = 3


def guarded(part: Callable[[], None]) -> None:
    """Do a part of something, and tell of whatever nobody foresaw."""
    try:
        part()
    except Exception as error:  # noqa: BLE001 - the timer would swallow it, and other parts are to be done
        emit(events.ROUND_FAILED, part=part.__name__, error=type(error).__name__, exc_info=error)


class Rounds:
    """What a daemon does every ``fleet.reconcile_every``. One round at a time.

    Attributes:
        skewed: whose clock differs from ours so much that nothing is deployed, and by how many seconds.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._lease = LeaseKeeper(daemon.app.client)
        self._under_way = threading.Lock()
        self._began: float | None = None
        self._clocks = self._read_clocks()
        self._brake: list[str] = []
        self._strangers: set[str] = set()
        self.skewed: dict[str, float] = {}

    def go(self) -> None:
        """Do a round. Each part is done whatever becomes of those before it."""
        with self._under_way:
            self._began = self._daemon.steady()
            for part in (
                self.look_at_clock,
                self.look_at_vault,
                self.take_up_lost,
                self.look_at_brake,
                self.look_at_skew,
                self.tell_status,
            ):
                guarded(part)
            self._began = None

    def seconds(self) -> float:
        """Return for how long the round that is under way has been; 0 between two."""
        began = self._began
        return 0.0 if began is None else self._daemon.steady() - began

    def wait(self, seconds: float) -> bool:
        """Wait for the round that is under way, and return whether it came to its end."""
        if self._under_way.acquire(timeout=seconds):
            self._under_way.release()
            return True
        return False

    def _read_clocks(self) -> tuple[datetime, float]:
        return self._daemon.clock(), self._daemon.steady()

    def look_at_clock(self) -> None:
        """After a jump of the clock every time that was set is wrong: everything is decided anew."""
        (before, steady_before), (wall, steady) = self._clocks, self._read_clocks()
        self._clocks = (wall, steady)
        jump = (wall - before).total_seconds() - (steady - steady_before)
        if abs(jump) > JUMP_SECONDS:
            emit(events.CLOCK_JUMPED, seconds=round(jump, 1))
            self._daemon.driver.clock_jumped()
            self._daemon.offer_all()

    def look_at_vault(self) -> None:
        """Keep the token alive, and look for requests: this shows whether Vault serves."""
        daemon = self._daemon
        kept = self._keep_token()
        try:
            names = daemon.app.documents.list_requests()
        except RotatorError as error:
            daemon.weather.failed(error)
            return
        if kept and daemon.weather.answered():
            daemon.driver.forget_pacing("vault.")
            daemon.offer_all()
        for name in names:
            if name in daemon.stations:
                daemon.asked.add(name)
                daemon.offer(name)
        self._tell_strangers(set(names) - daemon.stations.keys())

    def _keep_token(self) -> bool:
        """Return whether all is well with our token. While it cannot be renewed the rest goes on."""
        if self._lease.client is not self._daemon.app.client:
            self._lease = LeaseKeeper(self._daemon.app.client)
        try:
            self._lease.keep(self._daemon.clock())
        except RotatorError as error:
            self._daemon.weather.failed(error)
            return False
        return True

    def _tell_strangers(self, names: set[str]) -> None:
        for name in sorted(names - self._strangers):
            emit(
                events.REQUEST_REFUSED,
                credential=name,
                sentence="no credential of this name is served here; correct the name, or the configuration",
            )
        self._strangers = names

    def take_up_lost(self) -> None:
        """Let those have a step whose time has passed without one."""
        daemon, late = self._daemon, self._daemon.clock() - LATE
        for name in tuple(daemon.stations):
            due = daemon.due.get(name)
            if due is not None and due < late and not daemon.ready.waits(name):
                daemon.offer(name)

    def look_at_brake(self) -> None:
        failed = self._daemon.driver.braked()
        if failed and not self._brake:
            emit(events.BRAKE_ON, failures=len(failed), credentials=failed)
        elif self._brake and not failed:
            emit(events.BRAKE_OFF)
        self._brake = failed

    def look_at_skew(self) -> None:
        """Tell whose clock differs so much from ours that nothing is deployed, and whose does no more."""
        found = {"Vault": self._daemon.driver.vault_skew_seconds()}
        for station in tuple(self._daemon.stations.values()):
            if is_skewed(station.skew_seconds):
                found[urlsplit(station.config.login_url).netloc] = station.skew_seconds
        skewed = {peer: seconds for peer, seconds in found.items() if is_skewed(seconds)}
        for peer in sorted(skewed.keys() - self.skewed.keys()):
            emit(events.CLOCK_SKEWED, peer=peer, seconds=round(found[peer], 1))
        for peer in sorted(self.skewed.keys() - skewed.keys()):
            emit(events.CLOCK_AGREES, peer=peer)
        self.skewed = skewed

    def tell_status(self) -> None:
        self._daemon.notifier.status(self.sentence())

    def sentence(self) -> str:
        """Return how the fleet is, for ``systemctl status``."""
        stations = dict(self._daemon.stations)
        phases = Counter(station.record.phase for station in stations.values())
        told = ", ".join(f"{count} {phase.words}" for phase, count in sorted(phases.items()))
        troubled = sorted(name for name, station in stations.items() if station.record.trouble)
        parts = [f"{len(stations)} credentials: {told}"]
        if troubled:
            parts.append(f"trouble with {some(troubled, NAMED)}")
        if (trouble := self._daemon.weather.trouble()) is not None:
            parts.append(trouble.message)
        if self._daemon.flaws:
            parts.append(self._daemon.flaws)
        return "; ".join(parts)
