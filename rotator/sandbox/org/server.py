"""Serves an org over HTTP, and its control port beside it."""

from __future__ import annotations

import itertools
import logging
import re
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Gateway_10, Server
from flask import Flask, Response

from rotator.sandbox.org.answers import ApiError, error_answer
from rotator.sandbox.org.http_control import control_app, locked
from rotator.sandbox.org.http_metadata import metadata_routes
from rotator.sandbox.org.http_oauth import oauth_routes
from rotator.sandbox.org.http_rest import close_routes, rest_routes
from rotator.sandbox.org.http_soap import soap_routes
from rotator.sandbox.org.weather import Weather

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from wsgiref.types import WSGIApplication

    from rotator.sandbox.org.model import Org

_log = logging.getLogger(__name__)
_connections = itertools.count()


def org_app(org: Org) -> Flask:
    """The org as a WSGI application, without the weather."""
    app = Flask(__name__)
    rest = rest_routes(org)
    metadata_routes(org, rest)
    close_routes(rest)
    for routes in (rest, oauth_routes(org), soap_routes(org)):
        app.register_blueprint(routes)

    @app.errorhandler(404)
    def not_found(_error: Exception) -> Response:
        return error_answer(ApiError(404, "NOT_FOUND", "The requested resource does not exist"))

    @app.errorhandler(405)
    def not_allowed(_error: Exception) -> Response:
        return error_answer(ApiError(405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed for this resource"))

    @app.errorhandler(500)
    def our_fault(_error: Exception) -> Response:
        return error_answer(ApiError(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."))

    return app


class OrgServer:
    """Serves `org` on `host`:`port` and its control port on loopback; port 0 takes a free one.

    `tls` is a pair of files, certificate chain and key. `instance_url` is what token responses
    name, by default the server's own URL (behind a proxy it is the proxy's). `stop` closes
    everything and may be called twice.
    """

    def __init__(
        self,
        org: Org,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        control_port: int = 0,
        tls: tuple[Path, Path] | None = None,
        instance_url: str | None = None,
    ) -> None:
        self.org = org
        self.url = ""
        self.control_url = ""
        self._address, self._control_address, self._tls = (host, port), ("127.0.0.1", control_port), tls
        self._instance_url = instance_url
        self._stopping = threading.Event()
        self._running: list[tuple[Server, threading.Thread]] = []

    def start(self) -> Self:
        """Raises OSError when a port is taken."""
        self._stopping.clear()
        try:
            port = self._serve(self._address, Weather(self.org, org_app(self.org), self._stopping), self._tls)
            control_port = self._serve(self._control_address, locked(self.org, control_app(self.org)), None)
        except OSError:
            self.stop()
            raise
        self.url = f"{'https' if self._tls else 'http'}://{self._address[0]}:{port}"
        self.control_url = f"http://{self._control_address[0]}:{control_port}"
        self.org.instance_url = self._instance_url or self.url
        return self

    def stop(self) -> None:
        self._stopping.set()
        while self._running:
            server, thread = self._running.pop()
            server.stop()
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _serve(self, address: tuple[str, int], app: WSGIApplication, tls: tuple[Path, Path] | None) -> int:
        server = _Server(address, app)
        if tls:
            server.ssl_adapter = BuiltinSSLAdapter(str(tls[0]), str(tls[1]))
        server.prepare()
        thread = threading.Thread(target=server.serve, name=f"org {server.bind_addr[1]}", daemon=True)
        thread.start()
        self._running.append((server, thread))
        return int(server.bind_addr[1])


def start_servers(orgs: Iterable[Org], **settings: Any) -> list[OrgServer]:
    """Start a server for each org. The apps of each are known as foreign to the others, as in one Salesforce."""
    servers = [OrgServer(org, **settings).start() for org in orgs]
    for server in servers:
        for other in servers:
            if other is not server:
                server.org.foreign_consumer_keys |= {app.consumer_key for app in other.org.apps.values()}
    return servers


class _OneSlash:
    """Reads the first line of a request, with one slash where its path begins with several."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def readline(self) -> bytes:
        return re.sub(rb"\A(\S+ )/{2,}", rb"\1/", self._whole.readline())


class _Request(HTTPRequest):
    """Takes //services/data for /services/data, as Salesforce does.

    Clients that are told an instance URL with a slash at its end ask so, the Salesforce CLI among them; cheroot
    would take what follows for a host.
    """

    def read_request_line(self) -> bool:
        whole, self.rfile = self.rfile, _OneSlash(self.rfile)
        try:
            return bool(super().read_request_line())  # type: ignore[no-untyped-call]  # cheroot's stub
        finally:
            self.rfile = whole


class _Connection(HTTPConnection):
    """Remembers which server of the org its client was led to."""

    RequestHandlerClass = _Request

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.org_server = next(_connections)


class _Gateway(Gateway_10):
    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]  # cheroot's stub says None
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]  # cheroot's stub
        environ["org.connection_server"] = self.req.conn.org_server
        return environ


class _Server(Server):
    """cheroot with many kept connections, a quick stop, and errors in the log."""

    ConnectionClass = _Connection
    keep_alive_conn_limit = 1000
    # `stop` waits for the loop to come round.
    expiration_interval = 0.05

    def __init__(self, address: tuple[str, int], app: WSGIApplication) -> None:
        super().__init__(
            address,
            app,
            numthreads=16,
            server_name="sfdc",
            request_queue_size=128,
            timeout=20,
            shutdown_timeout=1,
        )
        self.gateway = _Gateway

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        _log.log(level, "%s", msg, exc_info=traceback)

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> socket.socket:
        """As cheroot's, which leaves the socket open when the port is taken."""
        try:
            bound: socket.socket = Server.bind_socket(socket_, bind_addr)  # type: ignore[no-untyped-call]  # cheroot's stub
        except OSError:
            socket_.close()
            raise
        return bound
