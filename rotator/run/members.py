"""Who is served: credentials come, change and go while the daemon runs, each between two steps of its own.

Whoever is served by what settings follows from two things alone: what the configuration says now, and which stations
there are. So a reload may come before the one before it is done, and a credential may come back while it leaves.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rotator import events
from rotator.app import Prepared
from rotator.core.model import Phase
from rotator.performer import Station
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
        self._outdated: set[str] = set()  # served by settings, or with a Vault, of before
        self._blocked: set[str] = set()  # of those: whose app is still served under another name
        self._finishing: set[str] = set()  # those that leave, and that were told of

    # -- the configuration changes

    def follow(self, prepared: Prepared) -> None:
        """Have another configuration in force."""
        daemon, app, configuration = self._daemon, self._daemon.app, prepared.configuration
        with self._lock:
            all_anew = app.renew(prepared)
            self._outdated |= self._blocked
            self._blocked.clear()
            wanted, stations = configuration.credentials, app.driver.stations
            for name, station in stations.items():
                station.leaving = name not in wanted
                if all_anew or (not station.leaving and wanted[name] != station.config):
                    self._outdated.add(name)
            leaving = {name for name, station in stations.items() if station.leaving}
            self._finishing &= leaving
            touched = self._outdated | leaving
            self._take_up()
        for name in touched:
            daemon.offer(name)

    def finishing(self) -> list[str]:
        """Return the credentials that are served on although the configuration has them no more, as far as known."""
        leaving = [one for one in tuple(self._daemon.stations.values()) if one.leaving]
        return sorted(station.name for station in leaving if not self._may_go(station))

    # -- a worker has a credential, and no step of it is under way

    def settle(self, name: str) -> bool:
        """Bring a credential to what the configuration says of it now, and return whether it is served."""
        station = self._daemon.stations.get(name)
        if station is not None and station.leaving:
            self._leave(station)
        if station is not None and name in self._outdated:
            self._renew(station)
        return name in self._daemon.stations

    def _leave(self, station: Station) -> None:
        """Let a credential go if it can be, else tell once that it is served on."""
        name = station.name
        with self._lock:
            if not station.leaving:  # it came back meanwhile
                return
            if not self._may_go(station):
                if name not in self._finishing:
                    self._finishing.add(name)
                    emit(events.CREDENTIAL_FINISHING, credential=name, phase=station.record.phase.value)
                return
            for names in (self._outdated, self._blocked, self._finishing):
                names.discard(name)
            self._daemon.forget(name)
            emit(events.CREDENTIAL_LET_GO, credential=name)
            self._take_up()
            self._outdated |= self._blocked
            unblocked, self._blocked = self._blocked, set()
        for other in unblocked:
            self._daemon.offer(other)
        self._offer_deployer(station)

    def _renew(self, station: Station) -> None:
        """Give a credential the settings that it has by now."""
        name, app = station.name, self._daemon.app
        with self._lock:
            if name not in app.driver.stations:
                return
            settings = app.configuration.credentials.get(name, station.config)
            self._outdated.discard(name)
            blocked = settings.consumer_key in self._taken_keys(name)
            if blocked:
                self._blocked.add(name)
        if blocked:
            self._offer_deployer(station)
            return
        app.renew_station(station, settings)  # waits for whoever reads its record just now
        with self._lock:
            app.driver.stations[name].leaving = name not in app.configuration.credentials
        self._offer_deployer(station)

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
