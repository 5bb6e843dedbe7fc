"""What the sandbox arranges in its Vault-compatible server, over HTTP and as root."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote


class BaoError(Exception):
    """The sandbox's server did not do what it was asked for."""


@dataclass(frozen=True, slots=True)
class AppRoleFiles:
    """What a client needs to log in. The secret_id is in a file that its owner alone can read."""

    role_id: str
    secret_id_file: Path


class BaoApi(ABC):
    """Arranges things in a server, whoever runs it.

    Attributes:
        root_token: the token that may do everything.
    """

    root_token: str

    @property
    @abstractmethod
    def address(self) -> str:
        """Return the URL that clients use."""

    @abstractmethod
    def _connection(self) -> HTTPConnection:
        """Return a new connection for one request of ours."""

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None = "",
        wrap_ttl: str = "",
    ) -> dict[str, Any]:
        """Call the HTTP API as root (or with ``token``; None: without any) and return the JSON answer.

        Raises BaoError on every status but 2xx.
        """
        token = self.root_token if token == "" else token
        headers = {"X-Vault-Token": token} if token else {}
        if wrap_ttl:
            headers["X-Vault-Wrap-TTL"] = wrap_ttl
        status, answer = self._send(method, path, body, headers)
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise BaoError(f"{method} {path}: status {status}: {answer.get('errors')}")
        return answer

    def install_policy(self, name: str, text: str) -> None:
        """Write an ACL policy, given as HCL."""
        self.request("PUT", f"sys/policies/acl/{name}", {"policy": text})

    def install_approle(self, name: str, policies: list[str], folder: Path, **role: Any) -> AppRoleFiles:
        """Make an AppRole with these policies; write its secret_id to ``folder/secret_id`` with mode 0600.

        ``role`` are further settings of the role, such as ``token_ttl="1h"``.
        """
        if "approle/" not in self.request("GET", "sys/auth")["data"]:
            self.request("POST", "sys/auth/approle", {"type": "approle"})
        self.request("POST", f"auth/approle/role/{name}", {"token_policies": policies, **role})
        role_id = self.request("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"]
        secret_id = self.request("POST", f"auth/approle/role/{name}/secret-id")["data"]["secret_id"]
        path = folder / "secret_id"
        write_private(path, secret_id)
        return AppRoleFiles(role_id, path)

    def wrapped_secret_id(self, name: str, ttl: str = "5m") -> str:
        """Return a wrapping token that can be traded for a new secret_id of the AppRole, once."""
        answer = self.request("POST", f"auth/approle/role/{name}/secret-id", wrap_ttl=ttl)
        return str(answer["wrap_info"]["token"])

    def make_token(self, policies: list[str], ttl: str = "1h", **settings: Any) -> str:
        """Return a new token with these policies, such as a consumer's."""
        body = {"policies": policies, "ttl": ttl, "no_parent": True, **settings}
        return str(self.request("POST", "auth/token/create", body)["auth"]["client_token"])

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        connection = self._connection()
        try:
            connection.request(
                method, "/v1/" + quote(path, safe="/?=&"), json.dumps(body) if body else None, headers
            )
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        return response.status, json.loads(text) if text else {}


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), 0o600)  # also if the file was there before with a wider mode
        file.write(text)
