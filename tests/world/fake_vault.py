"""A fake Vault at the level of HTTP: KV version 2 with check-and-set, tokens with leases, AppRole, wrapping, faults.

It does what rotator relies on and no more; the contract suite runs against it and against a real server. What a
real single server cannot be brought to do (standby codes, redirects, cut answers) is injected.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

CAS_MISMATCH = "check-and-set parameter did not match the current version"


@dataclass
class Seen:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Fault:
    """An answer given instead of the true one, ``times`` times, to the requests that ``concerns`` picks."""

    concerns: Callable[[Seen], bool]
    status: int
    body: bytes
    headers: dict[str, str]
    times: int
    cut: bool = False
    after: bool = False  # the request takes effect all the same


@dataclass
class Grant:
    """A Vault token."""

    expires: float
    ttl: int
    max_expires: float
    renewable: bool = True
    period: int = 0


@dataclass
class Version:
    data: dict[str, Any] | None
    deletion_time: str = ""
    destroyed: bool = False


@dataclass
class Entry:
    versions: dict[int, Version] = field(default_factory=dict)
    current: int = 0
    max_versions: int = 0
    delete_version_after: str = "0s"


class RefusedError(Exception):
    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status, errors)
        self.status = status
        self.body = {"errors": list(errors)}


class FakeVault:
    """One server on loopback. ``advance`` moves its clock."""

    root_token = "root"

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.entries: dict[str, Entry] = {}
        self.tokens: dict[str, Grant] = {
            self.root_token: Grant(float("inf"), 0, float("inf"), renewable=False)
        }
        self.roles: dict[str, dict[str, Any]] = {}
        self.secret_ids: dict[str, str] = {}
        self.wrapped: dict[str, tuple[str, dict[str, Any]]] = {}
        self.jwts: dict[str, str] = {}
        self.delete_version_after = ""
        self.kv_version = "2"
        self.denied: set[str] = set()
        self.seen: list[Seen] = []
        self.skew_seconds = 0.0
        self._faults: list[Fault] = []
        self._index = 0
        self._lock = threading.RLock()
        self._offset = 0.0
        handler = type("Handler", (_Handler,), {"vault": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if tls:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.port = self._server.server_address[1]
        self.address = f"{self._scheme}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # What a test arranges

    def advance(self, seconds: float) -> None:
        self._offset += seconds

    def inject(
        self,
        status: int,
        body: Any = b"",
        *,
        method: str = "",
        path: str = "",
        times: int = 1,
        cut: bool = False,
        after: bool = False,
        **headers: str,
    ) -> None:
        """Answer the next ``times`` requests of a method whose path contains ``path`` with this."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}

        def concerns(seen: Seen) -> bool:
            return method in {"", seen.method} and path in seen.path

        self._faults.append(Fault(concerns, status, raw, names, times, cut, after))

    def heal(self) -> None:
        """Answer truly again."""
        with self._lock:
            self._faults.clear()

    def install_approle(self, name: str, **role: Any) -> tuple[str, str]:
        """Return role_id and secret_id of a new AppRole."""
        role_id, secret_id = f"role-{name}", self._new()
        self.roles[role_id] = role
        self.secret_ids[secret_id] = role_id
        return role_id, secret_id

    def wrapped_secret_id(self, name: str) -> str:
        secret_id, wrapping = self._new(), self._new()
        self.secret_ids[secret_id] = f"role-{name}"
        life = self.roles.get(f"role-{name}", {}).get("secret_id_ttl", 0)
        made = {"secret_id": secret_id, "secret_id_ttl": life}
        self.wrapped[wrapping] = (f"auth/approle/role/{name}/secret-id", made)
        return wrapping

    def wrap(self, data: dict[str, Any]) -> str:
        wrapping = self._new()
        self.wrapped[wrapping] = ("sys/wrapping/wrap", data)
        return wrapping

    def make_token(self, ttl: int, *, period: int = 0, renewable: bool = True) -> str:
        return self._grant({"token_ttl": ttl, "token_period": period}, renewable=renewable)

    def revoke(self, token: str) -> None:
        self.tokens.pop(token, None)

    def set_delete_version_after(self, duration: str) -> None:
        self.delete_version_after = "" if duration == "0s" else duration

    def configure_path(self, path: str, **settings: Any) -> None:
        self._write_metadata(path, settings)

    def undelete(self, path: str, version: int) -> None:
        self.entries[path].versions[version].deletion_time = ""

    def soft_delete(self, path: str) -> None:
        entry = self.entries[path]
        entry.versions[entry.current].deletion_time = "2020-01-01T00:00:00Z"

    def edit(self, path: str, data: dict[str, Any]) -> None:
        """Write as somebody else would, without check-and-set."""
        self._write(path, {"data": data})

    def metadata(self, path: str) -> dict[str, Any]:
        return self._read_metadata(path)

    # What clients ask

    def answer(self, seen: Seen) -> tuple[int, bytes, dict[str, str], bool]:
        """Return status, body, headers and whether the answer is cut."""
        with self._lock:
            self.seen.append(seen)
            fault = next((fault for fault in self._faults if fault.concerns(seen)), None)
            if fault:
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
                if fault.after:
                    self._true_answer(seen)
                return fault.status, fault.body, fault.headers, fault.cut
            status, body = self._true_answer(seen)
            headers = {"Content-Type": "application/json"}
            if seen.method == "POST":
                self._index += 1
                headers["X-Vault-Index"] = f"index-{self._index}"
            return status, json.dumps(body).encode() if body else b"", headers, False

    def now(self) -> float:
        return time.time() + self._offset

    def date(self) -> str:
        return formatdate(self.now() + self.skew_seconds, usegmt=True)

    def _true_answer(self, seen: Seen) -> tuple[int, dict[str, Any]]:
        try:
            body = self._route(seen)
        except RefusedError as refused:
            return refused.status, refused.body
        return (200, body) if body else (204, {})

    def _route(self, seen: Seen) -> dict[str, Any]:
        path, token = seen.path, seen.headers.get("x-vault-token", "")
        match path.split("/"):
            case ["sys", "health"]:
                return {"initialized": True, "sealed": False, "version": "fake"}
            case ["sys", "wrapping", "lookup"]:
                return {"data": {"creation_path": self._wrapped(seen.body.get("token", ""))[0]}}
            case ["sys", "wrapping", "unwrap"]:
                data = self._wrapped(token)[1]
                del self.wrapped[token]
                return {"data": data}
            case ["auth", "approle", "login"]:
                role_id = seen.body["role_id"]
                if self.secret_ids.get(seen.body["secret_id"]) != role_id:
                    raise RefusedError(400, "invalid role or secret ID")
                return self._auth(self._grant(self.roles[role_id]))
            case ["auth", "kubernetes" | "jwt", "login"]:
                if self.jwts.get(seen.body["jwt"]) != seen.body["role"]:
                    raise RefusedError(403, "permission denied")
                return self._auth(self._grant({"token_ttl": 3600}))
            case ["auth", "cert", "login"]:
                if "client-certificate" not in seen.headers:
                    raise RefusedError(400, "client certificate must be supplied")
                return self._auth(self._grant({"token_ttl": 3600}))
        return self._route_with_token(seen, token)

    def _route_with_token(self, seen: Seen, token: str) -> dict[str, Any]:
        grant = self.tokens.get(token)
        if grant is None or grant.expires <= self.now() or seen.path in self.denied:
            raise RefusedError(403, "permission denied")
        path, rest = seen.path, "/".join(seen.path.split("/")[2:])
        match (seen.method, *path.split("/")):
            case ("GET", "auth", "token", "lookup-self"):
                ttl = 0 if grant.expires == float("inf") else int(grant.expires - self.now())
                facts = {
                    "ttl": ttl,
                    "creation_ttl": grant.ttl,
                    "renewable": grant.renewable,
                    "policies": ["default"],
                }
                return {"data": facts | ({"period": grant.period} if grant.period else {})}
            case ("POST", "auth", "token", "renew-self"):
                wanted = grant.period or int(seen.body.get("increment") or grant.ttl)
                grant.expires = min(self.now() + wanted, grant.max_expires)
                return self._auth(token)
            case ("GET", "sys", "internal", "ui", "mounts", "secret"):
                return {"data": {"type": "kv", "options": {"version": self.kv_version}}}
            case ("GET", "secret", "config"):
                return {"data": {"delete_version_after": self.delete_version_after or "0s"}}
            case ("POST", "sys", "capabilities-self"):
                return {
                    "data": {one: ["deny" if one in self.denied else "root"] for one in seen.body["paths"]}
                }
            case ("GET", "secret", "data", *_):
                return self._read(rest)
            case ("POST", "secret", "data", *_):
                return self._write(rest, seen.body)
            case ("GET", "secret", "metadata", *_):
                return {"data": self._read_metadata(rest)}
            case ("POST", "secret", "metadata", *_):
                return self._write_metadata(rest, seen.body)
            case ("DELETE", "secret", "metadata", *_):
                self.entries.pop(rest, None)
                return {}
            case ("LIST", "secret", "metadata", *_):
                return self._list(rest.rstrip("/") + "/")
            case ("POST", "secret", "destroy", *_):
                for number in seen.body["versions"]:
                    self.entries[rest].versions[number] = Version(None, destroyed=True)
                return {}
        raise RefusedError(404, f'no handler for route "{path}". route entry not found.')

    def _read(self, path: str) -> dict[str, Any]:
        entry = self.entries.get(path)
        if entry is None or not entry.current:
            raise RefusedError(404)
        version = entry.versions[entry.current]
        meta = {
            "version": entry.current,
            "deletion_time": version.deletion_time,
            "destroyed": version.destroyed,
        }
        if version.destroyed or (version.deletion_time and version.deletion_time < "2021"):
            refused = RefusedError(404)
            refused.body = {"data": {"data": None, "metadata": meta}}
            raise refused
        return {"data": {"data": version.data, "metadata": meta}}

    def _write(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        entry = self.entries.setdefault(path, Entry())
        cas = body.get("options", {}).get("cas")
        if cas is not None and cas != entry.current:
            raise RefusedError(400, CAS_MISMATCH)
        entry.current += 1
        deletion_time = "2999-01-01T00:00:00Z" if self.delete_version_after else ""
        entry.versions[entry.current] = Version(body["data"], deletion_time)
        for old in sorted(entry.versions)[: -(entry.max_versions or 10)]:
            del entry.versions[old]
        return {"data": {"version": entry.current, "deletion_time": deletion_time, "destroyed": False}}

    def _write_metadata(self, path: str, settings: dict[str, Any]) -> dict[str, Any]:
        entry = self.entries.setdefault(path, Entry())
        for name, value in settings.items():
            setattr(entry, name, value)
        return {}

    def _read_metadata(self, path: str) -> dict[str, Any]:
        entry = self.entries.get(path)
        if entry is None:
            raise RefusedError(404)
        versions = {
            str(number): {"destroyed": version.destroyed} for number, version in entry.versions.items()
        }
        settings = {"max_versions": entry.max_versions, "delete_version_after": entry.delete_version_after}
        return {"versions": versions, "current_version": entry.current, **settings}

    def _list(self, folder: str) -> dict[str, Any]:
        below = [path[len(folder) :] for path in self.entries if path.startswith(folder)]
        names = {head + ("/" if slash else "") for head, slash, _ in (path.partition("/") for path in below)}
        if not names:
            raise RefusedError(404)
        return {"data": {"keys": sorted(names)}}

    def _wrapped(self, wrapping: str) -> tuple[str, dict[str, Any]]:
        if wrapping not in self.wrapped:
            raise RefusedError(400, "wrapping token is not valid or does not exist")
        return self.wrapped[wrapping]

    def _grant(self, role: dict[str, Any], *, renewable: bool = True) -> str:
        period = int(role.get("token_period", 0))
        ttl = period or int(role.get("token_ttl", 3600))
        longest = self.now() + int(role.get("token_max_ttl", 10**9))
        token = self._new()
        self.tokens[token] = Grant(self.now() + ttl, ttl, longest, renewable, period)
        return token

    def _auth(self, token: str) -> dict[str, Any]:
        grant = self.tokens[token]
        seconds = round(grant.expires - self.now())
        return {"auth": {"client_token": token, "lease_duration": seconds, "renewable": grant.renewable}}

    def _new(self) -> str:
        return f"s.{secrets.token_hex(12)}"


class _Handler(BaseHTTPRequestHandler):
    vault: FakeVault
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            pass  # a client that goes away, or that does not trust us
        finally:
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.close()

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        headers = {name.lower(): value for name, value in self.headers.items()}
        if isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert():
            headers["client-certificate"] = "given"
        path = unquote(urlsplit(self.path).path.removeprefix("/v1/"))
        status, raw, extra, cut = self.vault.answer(Seen(self.command, path, headers, body))
        self.send_response_only(status)
        self.send_header("Date", self.vault.date())
        for name, value in extra.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw) + (50 if cut else 0)))
        self.end_headers()
        self.wfile.write(raw)
        if cut:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_LIST = _handle  # noqa: N815 - the names that http.server calls

    def log_message(self, *args: Any) -> None:
        pass
