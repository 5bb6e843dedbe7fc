"""The transport below the wire: what requests and urllib3 leave open is decided here.

- One TLS context serves all connections of a wire. (requests would load the list of authorities for each: 10 ms.)
- An answer as a whole has a deadline. (A read timeout alone lets a server drip one byte a time for hours.)
- Idle connections are probed, so that a firewall that forgot one is noticed.
"""

from __future__ import annotations

import io
import math
import socket
import ssl
import time
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from rotator.errors import Misconfigured

ANSWER_TIMES_READ_TIMEOUT = 2
"""No read of an answer, headers or body, begins later than so many read timeouts after the request was sent."""

_HOSTS_KEPT = 8  # connections of one thread; the steps of a fleet rarely meet the same host again soon
_KEEPALIVE = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities of a file, or Mozilla's. Raises Misconfigured."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.check_hostname = True
    try:
        context.load_verify_locations(cafile=str(ca_file) if ca_file else DEFAULT_CA_BUNDLE_PATH)
    except OSError as error:  # ssl.SSLError is one
        raise Misconfigured(
            f"cannot read certificates to trust from {ca_file}: {error.strerror or 'not PEM'}",
            code="salesforce.ca_file",
            hint="Let `salesforce.ca_file` name a readable file of PEM certificates.",
        ) from None
    return context


class Transport(HTTPAdapter):
    """Connections of one thread."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=_HOSTS_KEPT, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context, socket_options=_KEEPALIVE)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(
            proxy, **kwargs, ssl_context=self._context, socket_options=_KEEPALIVE
        )
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the context has it all, and what requests would set here overrides it."""


class _PunctualReader(io.RawIOBase):
    """Reads a socket, but begins no read after the deadline."""

    def __init__(self, raw: io.RawIOBase, read_timeout_seconds: float | None) -> None:
        super().__init__()
        self._raw = raw
        seconds = (
            math.inf if read_timeout_seconds is None else ANSWER_TIMES_READ_TIMEOUT * read_timeout_seconds
        )
        self._ends = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._ends:
            raise TimeoutError("the answer took too long")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PunctualResponse(HTTPResponse):
    """An answer with a deadline. It is made when the request has been sent."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_PunctualReader(self.fp.detach(), sock.gettimeout()))


class _Connection(HTTPConnection):
    response_class = _PunctualResponse


class _TlsConnection(HTTPSConnection):
    response_class = _PunctualResponse


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}
