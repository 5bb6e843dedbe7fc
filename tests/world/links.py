"""The network between the nodes of a cluster: any node can be cut off from the others, and joined again.

All of them listen on one address, so no rule of a firewall tells whose packets are whose. Every node is known to the
others by a front on loopback that passes on what comes in, and looks up in /proc which node's process has dialled.
What is sent over a link that is cut arrives once it is mended, as TCP sends again what was lost.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Self

CHUNK_BYTES = 1 << 16


class Links:
    """The fronts of all nodes. Ends as a context manager; then nobody can reach a node any more.

    Args:
        pids: tells the process of each node that runs, by its name.
    """

    def __init__(self, pids: Callable[[], dict[str, int]]) -> None:
        self._pids = pids
        self._fronts: dict[str, _Front] = {}
        self._whole = threading.Condition()
        self._apart: set[str] = set()
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._whole:
            self._ended = True
            self._whole.notify_all()
        for front in self._fronts.values():
            front.end()

    def front(self, name: str, port: int) -> int:
        """Return the port at which others find a node, of which ``port`` is its own."""
        known = self._fronts.get(name)
        if known is None:
            known = self._fronts[name] = _Front(self, name)
        known.upstream = port
        return known.port

    def cut(self, name: str) -> None:
        """Cut a node off from all others, in both directions."""
        with self._whole:
            self._apart.add(name)

    def mend(self) -> None:
        """Join all nodes again."""
        with self._whole:
            self._apart.clear()
            self._whole.notify_all()

    def wait(self, one: str, other: str) -> bool:
        """Wait until two nodes reach each other; return whether they do, which at the end they never will."""
        with self._whole:
            self._whole.wait_for(lambda: self._ended or (one in self._apart) == (other in self._apart))
            return not self._ended

    def dialler(self, client: tuple[str, int], server: tuple[str, int]) -> str:
        """Return the node whose socket is at the other end of a connection; "" when it is gone already."""
        inode = _inode(client, server)
        for name, pid in self._pids().items():
            if inode and f"socket:[{inode}]" in _open_files(pid):
                return name
        return ""


class _Front(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 32
    upstream = 0

    def __init__(self, links: Links, name: str) -> None:
        self.links, self.name = links, name
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Passer)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name=f"front of {name}")
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def end(self) -> None:
        self.shutdown()
        self._thread.join()
        for one in list(self._open):
            _hang_up(one)
        self.server_close()

    def keep(self, *sockets: socket.socket) -> None:
        self._open.update(sockets)

    def drop(self, *sockets: socket.socket) -> None:
        self._open.difference_update(sockets)


class _Passer(BaseRequestHandler):
    server: _Front
    request: socket.socket

    def handle(self) -> None:
        front = self.server
        dialler = front.links.dialler(self.client_address, front.server_address)
        front.keep(self.request)
        if not dialler or not front.links.wait(dialler, front.name):
            return
        with suppress(OSError), socket.create_connection(("127.0.0.1", front.upstream), timeout=10) as node:
            node.settimeout(None)
            front.keep(node)
            back = threading.Thread(target=self._pass, args=(node, self.request, dialler), daemon=True)
            back.start()
            self._pass(self.request, node, dialler)
            back.join()
            front.drop(node)
        front.drop(self.request)

    def _pass(self, source: socket.socket, sink: socket.socket, dialler: str) -> None:
        """Pass on what comes from one side, until it ends or breaks."""
        with suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                if not self.server.links.wait(dialler, self.server.name):
                    break
                sink.sendall(chunk)
        _hang_up(source)
        _hang_up(sink)


def _hang_up(one: socket.socket) -> None:
    with suppress(OSError):  # it is over already
        one.shutdown(socket.SHUT_RDWR)


def _inode(local: tuple[str, int], remote: tuple[str, int]) -> str:
    """Return the inode of the socket of this machine that is between two addresses (proc_pid_net(5))."""
    wanted = [_as_in_proc(local), _as_in_proc(remote)]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return fields[9]
    return ""


def _as_in_proc(address: tuple[str, int]) -> str:
    host, port = address
    return f"{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}"


def _open_files(pid: int) -> Iterable[str]:
    with suppress(OSError):  # it has ended
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield str(file.readlink())
