"""Who is served: credentials come, change and go while the daemon runs, each between two steps of its own.

Whoever is served by what settings follows from two things alone: what the configuration says now, and which stations
there are. So a reload may come before the one before it is done, and a credential may come back while it leaves.

An app has one slot for a certificate. A credential that leaves its slot, because it was taken out of the configuration
or has another app there, first comes to the end of the change that it is in; until then nobody else has that slot.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rotator import events
from rotator.app import Prepared
from rotator.config import CredentialConfig
from rotator.core.model import PauseKind, Phase, Record
from rotator.performer import Driver, Station
from rotator.run.slots import Leaving, leaves_slot, slots_of
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
        self._slots = Leaving()
        self._blocked: set[str] = set()  # at rest, and waiting for a slot that another one has yet to leave
        self._finishing: set[str] = (
            set()
        )  # those that leave their slots once a change has ended, and were told of

    # -- the configuration changes

    def follow(self, prepared: Prepared) -> None:
        """Have another configuration in force."""
        daemon, app = self._daemon, self._daemon.app
        touched = []
        with self._lock:
            other_vault = app.renew(prepared)
            self._blocked.clear()
            self._slots.clear()
            for name, station in app.driver.stations.items():
                same = station.config == app.configuration.credentials.get(name)
                station.leaving = not same and self._leaves(station)
                if station.leaving:
                    self._slots.hold(name, station.config)
                else:
                    self._finishing.discard(name)
                if other_vault or not same:
                    touched.append(name)
            self._take_up()
        if other_vault:
            app.driver.forget_pacing("vault.")
        for name in touched:
            daemon.offer(name)

    def finishing(self) -> list[str]:
        """Return the credentials that are served as before until a change has ended, as far as known."""
        leaving = [one for one in tuple(self._daemon.stations.values()) if one.leaving]
        return sorted(station.name for station in leaving if not self._may_leave(station))

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
                station.leaving = self._leaves(station)
                if self._wanted(name) is None and self._let_go(station):
                    continue
                settings = self._settings(driver, station)
            if settings is None:
                return driver, station
            app.renew_station(station, settings)  # waits for whoever reads its record just now
            with self._lock:
                if leaves_slot(station.config, settings):
                    self._free_slot(station)
            self._offer_deployer(station)

    def is_free(self, name: str) -> bool:
        """Tell whether a credential that had to end a change is to be settled by now."""
        station = self._daemon.stations.get(name)
        return name in self._finishing and station is not None and self._may_leave(station)

    def _is_settled(self, driver: Driver, station: Station) -> bool:
        """Tell whether a credential is served as the configuration says."""
        return (
            not station.leaving and station.config == self._wanted(station.name) and _is_of(driver, station)
        )

    def _wanted(self, name: str) -> CredentialConfig | None:
        return self._daemon.app.configuration.credentials.get(name)

    def _leaves(self, station: Station) -> bool:
        wanted = self._wanted(station.name)
        return wanted is None or leaves_slot(station.config, wanted)

    def _let_go(self, station: Station) -> bool:
        """Let a credential go that the configuration has no more, and return whether it could be."""
        if not self._may_leave(station):
            self._tell_finishing(station)
            return False
        self._finishing.discard(station.name)
        self._daemon.forget(station.name)
        emit(events.CREDENTIAL_LET_GO, credential=station.name)
        self._free_slot(station)
        self._offer_deployer(station)
        return True

    def _settings(self, driver: Driver, station: Station) -> CredentialConfig | None:
        """Return the settings that a credential is to have from its next step on; None where it is to go on as it is."""
        name, here = station.name, _is_of(driver, station)
        settings = self._wanted(name) or station.config
        self._blocked.discard(name)
        if here and settings == station.config:
            return None
        if here and leaves_slot(station.config, settings) and not self._may_leave(station):
            self._tell_finishing(station)
            return None
        self._finishing.discard(name)
        if self._slots.lets(name, slots_of(settings) - slots_of(station.config)):
            return settings
        # At rest, and it begins nothing while it waits: two may wait for each other's slots.
        self._blocked.add(name)
        self._free_slot(station)
        self._offer_deployer(station)
        return None if here else station.config

    def _may_leave(self, station: Station) -> bool:
        """Tell whether a credential may leave its slot: its record was read, and no deploy of it may still land.

        One that goes for good is at rest, and deploys for nobody.
        """
        if station.read_at is None:
            return False
        if self._wanted(station.name) is not None:
            return _is_untouched(station.record)
        if station.record.phase not in AT_REST:
            return False
        if station.config.publish:
            return True
        others = (one for one in tuple(self._daemon.stations.values()) if one.name != station.name)
        needing = (one for one in others if one.config.deployer_name == station.name)
        # One that takes over its app needs it no more, and waits for it.
        return all(one.name in self._blocked and one.record.phase in AT_REST for one in needing)

    def _tell_finishing(self, station: Station) -> None:
        """Tell once that a credential is served as before until a change has ended."""
        if station.name not in self._finishing:
            self._finishing.add(station.name)
            emit(events.CREDENTIAL_FINISHING, credential=station.name, phase=station.record.phase.value)

    def _offer_deployer(self, former: Station) -> None:
        """Let the deployer go, too, if it only waited for this one."""
        deployer = self._daemon.stations.get(former.config.deployer_name or "")
        if deployer is not None and deployer.leaving:
            self._daemon.offer(deployer.name)

    # -- those who come

    def _free_slot(self, station: Station) -> None:
        """Let whoever waits for the slot of a credential have it."""
        if self._slots.release(station.name, station.config):
            self._take_up()
            for name in self._blocked - {station.name}:
                self._daemon.offer(name)

    def _take_up(self) -> None:
        """Take up who is new, except where another one has yet to leave the slot."""
        daemon, wanted = self._daemon, self._daemon.app.configuration.credentials
        for name in sorted(wanted.keys() - daemon.stations.keys()):
            if self._slots.lets(name, slots_of(wanted[name])):
                daemon.app.take_up(wanted[name])
                daemon.asked.add(name)
                daemon.offer(name)


def _is_of(driver: Driver, station: Station) -> bool:
    """Tell whether a driver reads the documents of a station where it has them."""
    return station.place == driver.tools.documents.place


def _is_untouched(record: Record) -> bool:
    """Tell whether nothing of a change may be in the org, or come there; or a person says that the org is another one."""
    if record.paused is not None and record.paused.kind is PauseKind.IDENTITY:
        return True
    return record.phase in AT_REST or record.change is None or not record.change.asked
