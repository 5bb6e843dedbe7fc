"""OpenBao as it runs in production: TLS by a private authority, and three nodes that share their data by Raft."""

from __future__ import annotations

import os
import signal
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import trustme

from rotator.sandbox.vault import BaoServer, _free_port_pair
from rotator.sandbox.vault_api import BaoApi
from tests.world.links import Links

LEADER_WITHIN_SECONDS = 60.0
NO_LEADER = "local node not active but active cluster node not found"


@dataclass
class Authority:
    """A private authority that signs certificates, and the folder that holds them as files."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.ca.cert_pem.write_to_path(str(self.ca_file))

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """Return what a client that trusts this authority alone needs."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def serve(self, *names: str) -> ssl.SSLContext:
        """Return what a server of these names needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context

    def issue(self, name: str, *, file: str = "", **wanted: Any) -> tuple[Path, Path]:
        """Return certificate and key of a host, as files."""
        made = self.ca.issue_cert(name, **wanted)
        certificate, key = (self.folder / f"{file or name}.{end}" for end in ("pem", "key"))
        certificate.write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as to:
            to.write(made.private_key_pem.bytes())
        return certificate, key


class Node(BaoServer):
    """One server that speaks TLS and keeps its data on disk.

    Args:
        name: unique in its cluster.
        leader: the node that it joins at its first start; None: it is the first.
        doors: further listeners: name -> what their settings have that others have not.
        links: how the other nodes reach it; None: at its own address.
    """

    ready_within_seconds = LEADER_WITHIN_SECONDS

    def __init__(
        self,
        name: str,
        folder: Path,
        authority: Authority,
        root_token: str,
        *,
        leader: Node | None = None,
        doors: Mapping[str, Mapping[str, Any]] | None = None,
        links: Links | None = None,
    ) -> None:
        super().__init__(root_token, storage=folder / name)
        self.name, self.authority = name, authority
        self._leader, self._links = leader, links
        self._doors = doors or {}
        self._ports: dict[str, int] = {}
        self._certificate, self._key = authority.issue("127.0.0.1")

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def __exit__(self, *_error: object) -> None:
        if self.pid:
            self.kill()  # a stop in good order takes seconds, and nobody needs the data any more

    def door(self, name: str) -> str:
        """Return the URL of a further listener."""
        return f"https://127.0.0.1:{self._ports[name]}"

    def kill(self) -> None:
        """End it with SIGKILL, as a crash does. It can be started again."""
        assert self._process is not None, f"{self.name} does not run"
        self._process.kill()
        self._process.wait()
        self.stop()

    def freeze(self) -> None:
        """Let it stand still with its connections open, as on a machine that is suspended, until :meth:`wake`."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        assert self.pid is not None
        os.kill(self.pid, signal.SIGCONT)

    def health(self) -> int:
        """Return what the node says of itself: 200 active, 429 a standby; 0 when it says nothing."""
        try:
            return self._send("GET", "sys/health", None, {})[0] if self.pid else 0
        except (OSError, HTTPException):
            return 0

    def view(self) -> dict[str, Any]:
        """Return what the node knows: whom it follows, and how far its own data is."""
        return self._send("GET", "sys/leader", None, {})[1]

    def _connection(self) -> HTTPConnection:
        return HTTPSConnection("127.0.0.1", self._port, timeout=5, context=self.authority.trust)

    def _settings(self, storage: Path) -> dict[str, Any]:
        settings = super()._settings(storage)
        settings["storage"]["raft"] |= {
            "node_id": self.name,
            "autopilot_update_interval": "500ms",
            "autopilot_reconcile_interval": "1s",
        }
        own = settings["listener"][0]["tcp"] | {
            "tls_disable": False,
            "tls_cert_file": str(self._certificate),
            "tls_key_file": str(self._key),
        }
        settings["listener"] = [{"tcp": own}]
        for name, more in self._doors.items():
            port = self._ports[name] = _free_port_pair()
            where = {"address": f"127.0.0.1:{port}", "cluster_address": f"127.0.0.1:{port + 1}"}
            settings["listener"].append({"tcp": {**own, **where, **more}})
        known_at = self._links.front(self.name, self._port + 1) if self._links else self._port + 1
        settings["cluster_addr"] = f"https://127.0.0.1:{known_at}"
        return settings

    def _initialise(self) -> None:
        if self._leader is None:
            super()._initialise()
            return
        where = {
            "leader_api_addr": self._leader.address,
            "leader_ca_cert": self.authority.ca_file.read_text(),
        }
        self.request("POST", "sys/storage/raft/join", where, token=None)
        self._unseal_key = self._leader._unseal_key
        self.unseal()


class Cluster(BaoApi):
    """Three nodes. What it is asked for by name is done by the leader; clients are given a standby.

    Attributes:
        links: the network between the nodes.
    """

    def __init__(self, folder: Path) -> None:
        self.root_token = token_urlsafe(24)
        self.authority = Authority(folder / "tls")
        self.links = Links(self._pids)

        def node(name: str, leader: Node | None = None) -> Node:
            return Node(name, folder, self.authority, self.root_token, leader=leader, links=self.links)

        first = node("first")
        self.all = [first, node("second", first), node("third", first)]

    def _pids(self) -> dict[str, int]:
        return {node.name: node.pid for node in self.all if node.pid}

    @property
    def address(self) -> str:
        """Return the URL of a node that is a standby now."""
        return self.standby().address

    def leader(self) -> Node:
        """Return the active node, as soon as there is one."""
        return self._active(self.all)

    def await_other_leader(self, before: Node) -> Node:
        """Return the node that has taken the place of ``before``, which may do what it wants meanwhile."""
        return self._active([node for node in self.all if node is not before])

    def demote(self, node: Node) -> None:
        """Let another node lead, if it is this one."""
        while self.leader() is node:
            node.request("POST", "sys/step-down")
            self.await_other_leader(node)
            self.settle()

    def _active(self, nodes: list[Node]) -> Node:
        give_up = time.monotonic() + LEADER_WITHIN_SECONDS
        while time.monotonic() < give_up:
            for node in nodes:
                if node.health() == HTTPStatus.OK:
                    return node
            time.sleep(0.05)
        raise AssertionError(f"no leader within {LEADER_WITHIN_SECONDS:.0f} s")

    def standby(self) -> Node:
        """Return a node that runs and is not the leader."""
        leader = self.leader()
        return next(node for node in self.all if node.pid and node is not leader)

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        give_up = time.monotonic() + LEADER_WITHIN_SECONDS
        while True:
            answer = super()._send(method, path, body, headers)
            if NO_LEADER not in str(answer[1].get("errors")) or time.monotonic() > give_up:
                break
            time.sleep(0.1)  # another one is being elected; this one has done nothing
        if method != "GET":
            self.settle()
        return answer

    def settle(self) -> None:
        """Wait until every node that runs follows one leader, and has what that one has now.

        One that was frozen takes itself for the leader for a moment.
        """
        give_up = time.monotonic() + LEADER_WITHIN_SECONDS
        leader, wanted = "", 0
        while True:
            views = [node.view() for node in self.all if node.pid]
            named = {view.get("leader_address") for view in views}
            leading = [view for view in views if view.get("is_self")]
            if len(named) == len(leading) == 1:
                if leader != leading[0]["leader_address"]:
                    leader, wanted = leading[0]["leader_address"], leading[0]["raft_applied_index"]
                if all(view["raft_applied_index"] >= wanted for view in views):
                    return
            assert time.monotonic() < give_up, views
            time.sleep(0.005)

    def await_votes(self) -> None:
        """Wait until every node has a vote: before that, no other can take the leader's place."""
        quick = {"server_stabilization_time": "1s"}
        self.request("POST", "sys/storage/raft/autopilot/configuration", quick)
        give_up = time.monotonic() + LEADER_WITHIN_SECONDS
        while not all(server["voter"] for server in self._servers()):
            assert time.monotonic() < give_up, self._servers()
            time.sleep(0.1)

    def _servers(self) -> list[dict[str, Any]]:
        return list(self.request("GET", "sys/storage/raft/configuration")["data"]["config"]["servers"])

    def _connection(self) -> HTTPConnection:
        return self.leader()._connection()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster, and leave no process behind."""
    with ExitStack() as running:
        made = Cluster(folder)
        running.enter_context(made.links)
        for node in made.all:
            running.enter_context(node)
        made.await_votes()
        yield made
