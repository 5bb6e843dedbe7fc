"""A Salesforce client that always works with the token that rotator has published last. Copy this file.

    token = FreshToken(from_vault("salesforce/acme/tokens/integration@acme.example"))
    salesforce = token.client()
    salesforce.query("SELECT Id FROM Account")

One FreshToken serves a whole process and all its threads. Give each thread a client of its own: making one costs no
call, and it may be kept for as long as the process runs. The token is put on each request as it goes out: read again
when ``refresh_after`` has come, and read again once, and the request repeated, when Salesforce refuses it.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hvac
import requests
from simple_salesforce import Salesforce

Document = dict[str, Any]
log = logging.getLogger(__name__)


def from_vault(path: str, mount: str = "secret") -> Callable[[], Document]:
    """Read from Vault, as the AppRole that the environment names.

    It is read about twice an hour, so each reading logs in anew: no token of Vault has to be kept alive.
    """

    def read() -> Document:
        vault = hvac.Client(
            url=os.environ["VAULT_ADDR"], token="", namespace=os.environ.get("VAULT_NAMESPACE"), timeout=10
        )
        secret_id = Path(os.environ["VAULT_SECRET_ID_FILE"]).read_text().strip()
        vault.auth.approle.login(os.environ["VAULT_ROLE_ID"], secret_id)
        secret = vault.secrets.kv.v2.read_secret_version(
            path, mount_point=mount, raise_on_deleted_version=True
        )
        return secret["data"]["data"]

    return read


def from_file(path: str | Path) -> Callable[[], Document]:
    """Read from a file that an agent of Vault renders, or Kubernetes mounts."""
    return lambda: json.loads(Path(path).read_text())


class FreshToken(requests.auth.AuthBase):
    """Signs requests with the token of the day.

    Args:
        read: gives the token document. What it raises counts only while there is no token yet.
        pause_seconds: between two readings, when the one at ``refresh_after`` brought nothing newer.
    """

    def __init__(self, read: Callable[[], Document], pause_seconds: float = 30) -> None:
        self._read = read
        self._pause = timedelta(seconds=pause_seconds)
        self._lock = threading.Lock()
        self._document: Document = {}
        self._due = datetime.min.replace(tzinfo=UTC)

    def client(self) -> Salesforce:
        """Return a client for one thread."""
        document, session = self.document(), requests.Session()
        session.auth = self
        return Salesforce(
            instance_url=document["instance_url"],
            session_id=document["access_token"],
            version=document["api_version"],
            session=session,
        )

    def document(self) -> Document:
        """Return the token document, read again if it is due. Others need not wait for the thread that reads."""
        if self._is_due() and self._lock.acquire(blocking=not self._document):
            try:
                if self._is_due():
                    self._read_again()
            finally:
                self._lock.release()
        return self._document

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request. Called by requests."""
        _sign(request, self.document())
        request.register_hook("response", self._once_more)
        return request

    def _once_more(self, response: requests.Response, **options: Any) -> requests.Response:
        """Repeat a request that was refused, if Vault has another token than the one it was signed with.

        A refused request did nothing, so that to repeat it is always safe.
        """
        if response.status_code != requests.codes.unauthorized:
            return response
        request = response.request.copy()
        if not _is_signed(request, self._document):
            return response  # requests followed a redirect to another host, which may not see our token
        with self._lock:
            if _is_signed_with(request, self._document):  # no other thread has read meanwhile
                log.warning("token %s was refused, reading again", self._document["sequence"])
                self._read_again()
            document = self._document
        if _is_signed_with(request, document):
            return response
        response.content  # noqa: B018 - read to its end, so that the connection can be used again
        response.close()
        _sign(request, document)
        again = response.connection.send(request, **options)
        again.history.append(response)
        again.request = request
        return again

    def _is_due(self) -> bool:
        return datetime.now(UTC) >= self._due

    def _read_again(self) -> None:
        try:
            self._document = self._read()
        except Exception:
            if not self._document:
                raise
            log.warning("the token at hand goes on serving", exc_info=True)
        refresh_after = datetime.fromisoformat(self._document["refresh_after"])
        self._due = max(refresh_after, datetime.now(UTC) + self._pause)


def _sign(request: requests.PreparedRequest, document: Document) -> None:
    request.headers["Authorization"] = _signature(document)
    if "X-SFDC-Session" in request.headers:  # Bulk API 1.0
        request.headers["X-SFDC-Session"] = document["access_token"]


def _is_signed(request: requests.PreparedRequest, document: Document) -> bool:
    return request.headers.get("Authorization", "").startswith(document["token_type"] + " ")


def _is_signed_with(request: requests.PreparedRequest, document: Document) -> bool:
    return request.headers["Authorization"] == _signature(document)


def _signature(document: Document) -> str:
    return f"{document['token_type']} {document['access_token']}"
