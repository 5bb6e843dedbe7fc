"""What the daemon lets be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rotator.config import Configuration
from rotator.core.model import Trouble
from rotator.performer import Driver, Station
from rotator.standing import Standing, standing, unknown
from rotator.vault.login import Lease


@dataclass(frozen=True, slots=True)
class Seen:
    """What a daemon knows at one moment. Nobody was asked for it, and nobody waited for.

    Attributes:
        loaded_at: when the configuration was put into force.
        stations: the credentials that are served.
        aside: credentials that are not, or with former settings, and what is wrong with those that they have.
        refused: included files that do not hold as a whole, and what is wrong with each.
        refusal: what is wrong with the configuration as it was read last, so that an older one is in force; None: nothing.
        unusable: credentials whose record cannot be used.
        vault_trouble: what is wrong with Vault; None if nothing is.
        lease: of the daemon's Vault token; None before the first login.
        secret_id_ends: when the secret_id ends that the daemon logs in with; None where that cannot be known.
        skews: whose clock differs so much that it was told, and by how many seconds.
        queued, running: credentials that wait for a step, and that have one.
        beaten_at: when all that must move was last seen to move.
    """

    at: datetime
    configuration: Configuration
    loaded_at: datetime
    driver: Driver
    stations: Mapping[str, Station]
    aside: Mapping[str, Trouble]
    refused: Mapping[str, Trouble]
    refusal: Trouble | None
    unusable: Mapping[str, Trouble]
    vault_trouble: Trouble | None
    lease: Lease | None
    secret_id_ends: datetime | None
    skews: Mapping[str, float]
    queued: int
    running: int
    beaten_at: datetime

    @property
    def vault_serves(self) -> bool:
        """Whether the daemon is logged in to Vault, and nothing is wrong with it as far as is known."""
        return self.lease is not None and self.vault_trouble is None

    def standing(self, station: Station) -> Standing | None:
        """Return how a credential stands; None before its documents were read."""
        if (trouble := self.unusable.get(station.name)) is not None:
            return unknown(station, trouble)
        if station.read_at is None:
            return None
        return standing(station, self.driver.known(station), self.at)
