"""Which documents of single credentials cannot be used: told once, and once more when that is over."""

from __future__ import annotations

from rotator import events
from rotator.errors import RotatorError
from rotator.run.weather import VaultWeather
from rotator.show.logs import emit
from rotator.vault.refusals import PERMISSION_DENIED

RECORD, REQUEST = "record", "request"


class Unusable:
    """What is wrong with the record or the request of a credential. Used by all workers, each for the one it has."""

    def __init__(self, weather: VaultWeather) -> None:
        self._weather = weather
        self._told: dict[tuple[str, str], tuple[str, str]] = {}  # credential, document -> code, what is wrong

    def records(self) -> dict[str, tuple[str, str]]:
        """Return the credentials whose record cannot be used: code and what is wrong."""
        return {name: said for (name, document), said in tuple(self._told.items()) if document == RECORD}

    def is_denied(self, name: str) -> bool:
        """Tell whether it was told that a right is lacking on the record of a credential."""
        code, _message = self._told.get((name, RECORD), ("", ""))
        return code == PERMISSION_DENIED

    def tell(self, name: str, document: str, error: RotatorError) -> None:
        """Tell once what is wrong with a document of one credential; a right that all lack is told once for all."""
        denied = error.code == PERMISSION_DENIED
        code, message = self._told.get((name, document), ("", ""))
        if message == error.message or (
            denied and (code == PERMISSION_DENIED or self._weather.tells(PERMISSION_DENIED))
        ):
            return
        self._told[name, document] = (error.code, error.message)
        event = events.VAULT_PERMISSION_DENIED if denied else events.VAULT_DOCUMENT_UNUSABLE
        emit(event, credential=name, code=error.code, message=error.message, hint=error.hint)

    def tell_usable(self, name: str, document: str) -> None:
        """Tell that it is over, if something was told."""
        if self._told.pop((name, document), None) is not None:
            emit(events.VAULT_DOCUMENT_USABLE, credential=name)

    def forget(self, name: str) -> None:
        """Know nothing any more of a credential that is not served any more."""
        for document in (RECORD, REQUEST):
            self._told.pop((name, document), None)
