"""Who is served: credentials come, change and go while the daemon runs, each between two steps of its own.

Whoever is served by what settings follows from two things alone: what the configuration says now, and which stations
there are. So a reload may come before the one before it is done, and a credential may come back while it leaves.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rotator import events
from rotator.app import Prepared
from rotator.config import CredentialConfig
from rotator.core.model import Phase
from rotator.performer import Driver, Station
from rotator.show.logs import emit

if TYPE_CHECKING:
    from rotator.run.daemon import Daemon

AT_REST = frozenset({Phase.STEADY, Phase.EMPTY, Phase.LOCKED_OUT})
"""Nothing is under way, or nothing can be done but by a person."""


class Members:
    """The stations of a daemon, in step with its configuration. Used by all workers."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._lock = threading.Lock()
        self._blocked: set[str] = set()  # whose settings bring an app that is still served under another name
        self._finishing: set[str] = set()  # those that leave, and that were told of

    # -- the configuration changes

    def follow(self, prepared: Prepared) -> None:
        """Have another configuration in force."""
        daemon, app = self._daemon, self._daemon.app
        with self._lock:
            other_vault = app.renew(prepared)
            self._blocked.clear()
            stations = app.driver.stations
            for name, station in stations.items():
                station.leaving = name not in app.configuration.credentials
            self._finishing &= {name for name, station in stations.items() if station.leaving}
            touched = [
                name
                for name, station in stations.items()
                if other_vault or not self._is_settled(app.driver, station)
            ]
            self._take_up()
        if other_vault:
            app.driver.forget_pacing("vault.")
        for name in touched:
            daemon.offer(name)

    def finishing(self) -> list[str]:
        """Return the credentials that are served on although the configuration has them no more, as far as known."""
        leaving = [one for one in tuple(self._daemon.stations.values()) if one.leaving]
        return sorted(station.name for station in leaving if not self._may_go(station))

    # -- a worker has a credential, and no step of it is under way

    def settle(self, name: str) -> tuple[Driver, Station] | None:
        """Bring a credential to what the configuration says of it now, and return what is to do its step.

        Driver and station are of the same place in Vault, whatever the configuration says a moment later. None: the
        credential is served no more.
        """
        app = self._daemon.app
        while True:
            driver = app.driver
            station = driver.stations.get(name)
            if station is None:
                return None
            if self._is_settled(driver, station):
                return driver, station
            with self._lock:
                driver = app.driver
                station.leaving = name not in app.configuration.credentials
                if station.leaving and self._leave(station):
                    unblocked = tuple(self._blocked)
                    break
                settings = self._settings(driver, station)
            if settings is None:
                return driver, station
            app.renew_station(station, settings)  # waits for whoever reads its record just now
            self._offer_deployer(station)
        for other in unblocked:
            self._daemon.offer(other)
        self._offer_deployer(station)
        return None

    def _leave(self, station: Station) -> bool:
        """Let a credential go and return whether it could be; else tell once that it is served on."""
        name = station.name
        if not self._may_go(station):
            if name not in self._finishing:
                self._finishing.add(name)
                emit(events.CREDENTIAL_FINISHING, credential=name, phase=station.record.phase.value)
            return False
        self._finishing.discard(name)
        self._daemon.forget(name)
        emit(events.CREDENTIAL_LET_GO, credential=name)
        self._take_up()
        return True

    def _settings(self, driver: Driver, station: Station) -> CredentialConfig | None:
        """Return the settings that a credential is to have from its next step on; None where it is to go on as it is."""
        name = station.name
        self._blocked.discard(name)
        settings = self._daemon.app.configuration.credentials.get(name, station.config)
        if settings == station.config and _is_of(driver, station):
            return None
        if settings.consumer_key in self._taken_keys(name):
            self._blocked.add(name)
            self._offer_deployer(station)
            return None if _is_of(driver, station) else station.config
        return settings

    def _is_settled(self, driver: Driver, station: Station) -> bool:
        """Tell whether a credential is served as the configuration says."""
        wanted = self._daemon.app.configuration.credentials.get(station.name)
        return not station.leaving and station.config == wanted and _is_of(driver, station)

    def _may_go(self, station: Station) -> bool:
        """Tell whether a credential can be let go: its record was read, it is at rest, and it deploys for nobody."""
        if station.read_at is None or station.record.phase not in AT_REST:
            return False
        if station.config.publish:
            return True
        others = (one for one in tuple(self._daemon.stations.values()) if one.name != station.name)
        needing = (one for one in others if one.config.deployer_name == station.name)
        # One that takes over its app needs it no more, and waits for it.
        return all(one.name in self._blocked and one.record.phase in AT_REST for one in needing)

    def _offer_deployer(self, former: Station) -> None:
        """Let the deployer go, too, if it only waited for this one."""
        deployer = self._daemon.stations.get(former.config.deployer_name or "")
        if deployer is not None and deployer.leaving:
            self._daemon.offer(deployer.name)

    # -- those who come

    def _take_up(self) -> None:
        """Take up who is new, except where the app is still served under another name: it has one certificate."""
        daemon = self._daemon
        wanted = daemon.app.configuration.credentials
        if not (new := wanted.keys() - daemon.stations.keys()):
            return
        taken = self._taken_keys()
        for name in sorted(name for name in new if wanted[name].consumer_key not in taken):
            daemon.app.take_up(wanted[name])
            daemon.asked.add(name)
            daemon.offer(name)

    def _taken_keys(self, besides: str = "") -> set[str]:
        """Return the consumer keys of the credentials that leave."""
        stations = tuple(self._daemon.stations.values())
        keys = (one.config.consumer_key for one in stations if one.leaving and one.name != besides)
        return {key for key in keys if key is not None}


def _is_of(driver: Driver, station: Station) -> bool:
    """Tell whether a driver reads the documents of a station where it has them."""
    return station.place == driver.tools.documents.place
