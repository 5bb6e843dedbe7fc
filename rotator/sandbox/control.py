"""A client of the org's control port."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


class ControlError(Exception):
    """The org did not take what it was told; the message says why."""


class Control:
    """Turns the knobs of an org, and does what its administrator could do by hand.

    All methods raise ControlError on what the org refuses, OSError when it is not there.
    """

    def __init__(self, control_url: str) -> None:
        self._address = urlsplit(control_url).netloc

    def knobs(self, **values: object) -> dict[str, Any]:
        """Set the knobs given, all or none, and return the values of all."""
        return self._call("PUT", "/knobs", values) if values else self._call("GET", "/knobs")

    def state(self) -> dict[str, Any]:
        """Return what the org knows: apps with the certificates that each server sees, sessions, deploys."""
        return self._call("GET", "/state")

    def kill_sessions(self, user: str | None = None) -> int:
        """End the sessions of a user, or of everybody, and return how many there were."""
        return int(self._call("POST", "/sessions/kill", {"user": user} if user else {})["ended"])

    def put_certificate(self, app: str, pem: str) -> dict[str, Any]:
        """Replace the certificate of an app by hand."""
        return self._call("POST", "/certificate", {"app": app, "pem": pem})

    def clear_certificate(self, app: str) -> dict[str, Any]:
        """Empty the slot of an app by hand."""
        return self._call("POST", "/certificate/clear", {"app": app})

    def deploy(self, archive: bytes) -> dict[str, str]:
        """Deploy the zip of a package by hand, and return the consumer keys of its apps by name."""
        said = self._call("POST", "/deploy", {"zip": base64.b64encode(archive).decode("ascii")})
        keys: dict[str, str] = said["consumer_keys"]
        return keys

    def delete_app(self, app: str) -> int:
        """Delete an app, which ends its sessions, and return how many there were."""
        return int(self._call("POST", "/apps/delete", {"app": app})["ended"])

    def put_user(self, username: str, **fields: object) -> dict[str, Any]:
        """Add a user, or change the fields given."""
        return self._call("POST", "/users", {"username": username, **fields})

    def add_accounts(self, count: int) -> int:
        """Add so many Accounts, and return how many there are. A query gives 2,000 rows at a time."""
        return int(self._call("POST", "/accounts", {"add": count})["accounts"])

    def clock(self, **change: float) -> dict[str, Any]:
        """Set the org's clock wrong (``offset_seconds``), or let time pass at once (``advance_seconds``)."""
        return self._call("POST", "/clock", change)

    def reset(self) -> dict[str, Any]:
        """Put the org back to its beginning."""
        return self._call("POST", "/reset", {})

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = HTTPConnection(self._address, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise ControlError(f"{method} {path}: {answer[0]['message']}")
        data: dict[str, Any] = answer
        return data
