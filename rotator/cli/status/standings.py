"""How credentials stand, read from Vault for `status`."""

from __future__ import annotations

from datetime import datetime

from rotator.app import Application
from rotator.errors import RotatorError
from rotator.performer import Station
from rotator.run.ask import acquaint
from rotator.run.weather import is_of_one_credential
from rotator.standing import Standing, standing, unknown, unreadable
from rotator.vault.refusals import PERMISSION_DENIED


def standings(app: Application, names: tuple[str, ...], now: datetime) -> list[Standing]:
    """Return how credentials stand (all, or those named). Raises RotatorError."""
    stations = app.driver.stations
    unread: set[str] = set()
    broken: dict[str, RotatorError] = {}

    def read(station: Station) -> None:
        """Read the record, and the tokens if they may be read."""
        try:
            app.driver.refresh(station)
        except RotatorError as error:
            if error.code != PERMISSION_DENIED and is_of_one_credential(error):
                broken[station.name] = error  # the others can be shown all the same
                return
            if error.code != PERMISSION_DENIED or station.read_at is None:
                raise
            station.tokens = dict.fromkeys(station.terms.users, (None, 0))
            unread.add(station.name)

    acquaint(app, names, read)
    return [
        unknown(stations[name], unreadable(broken[name], now))
        if name in broken
        else standing(stations[name], app.driver.known(stations[name]), now, tokens=name not in unread)
        for name in names or tuple(stations)
    ]
