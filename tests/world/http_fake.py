"""A small HTTP server on loopback that answers what a test says, politely or rudely."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """What came in. ``connection`` counts the connections, from 1."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass(frozen=True)
class Answer:
    """What goes out.

    Attributes:
        body: bytes and text go out as they are, anything else as JSON.
        raw: sent in place of everything else; then the connection is closed.
        silent: nothing is sent until the server stops or the client goes away.
        cut: the connection is closed after the first half of the body.
        reset: the connection is reset at once.
        drip_seconds: a pause after every byte of the whole answer.
    """

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    silent: bool = False
    cut: bool = False
    reset: bool = False
    drip_seconds: float = 0.0

    def head_and_body(self) -> tuple[bytes, bytes]:
        body = self.body if isinstance(self.body, (bytes, str)) else json.dumps(self.body)
        body = body.encode() if isinstance(body, str) else body
        headers = {"Content-Length": str(len(body)), **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} Words\r\n{lines}\r\n".encode(), body


class HttpFake:
    """Serves until its ``with`` block ends. Set :attr:`answer` at any time, to an answer or a function."""

    def __init__(
        self, answer: Answer | Callable[[Request], Answer] = Answer(), *, tls: ssl.SSLContext | None = None
    ):
        self.answer = answer
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._open: dict[socket.socket, int] = {}
        self._count = 0
        self._server = _Server(self, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # it went away by itself
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        scheme = "https" if self._server.tls else "http"
        return f"{scheme}://localhost:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections were ever made."""
        return self._count

    def opened(self, connection: socket.socket) -> None:
        self._count += 1
        self._open[connection] = self._count

    def closed(self, connection: socket.socket) -> None:
        self._open.pop(connection, None)

    def number(self, connection: socket.socket) -> int:
        return self._open[connection]


class _Server(ThreadingTCPServer):
    request_queue_size = 64

    def __init__(self, fake: HttpFake, tls: ssl.SSLContext | None) -> None:
        self.fake = fake
        self.tls = tls
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.fake.opened(connection)
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        number = self.fake.number(request)
        try:
            with self.tls.wrap_socket(request, server_side=True) as connection:
                self.fake._open[connection] = number
                try:
                    super().finish_request(connection, client_address)
                finally:
                    self.fake.closed(connection)
        except OSError:
            pass  # the client does not trust us, or went away

    def shutdown_request(self, request: Any) -> None:
        self.fake.closed(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True  # the client went away

    def _serve(self) -> None:
        fake = self.server.fake
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, dict(self.headers), body, fake.number(self.connection))
        fake.requests.append(request)
        answer = fake.answer(request) if callable(fake.answer) else fake.answer
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.close_connection = True
        if answer.silent:
            self.server.fake.stopping.wait()
            return
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
            return
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            return
        head, body = answer.head_and_body()
        if answer.cut:
            self.wfile.write(head + body[: len(body) // 2])
            return
        if answer.drip_seconds:
            for byte in head + body:
                self.wfile.write(bytes([byte]))
                if self.server.fake.stopping.wait(answer.drip_seconds):
                    return
        else:
            self.wfile.write(head + body)
        self.close_connection = answer.headers.get("Connection") == "close"

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = do_CONNECT = _serve  # noqa: N815 - the library's names
