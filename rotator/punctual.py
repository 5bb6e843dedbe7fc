"""HTTP answers that come to an end: each has a deadline as a whole, and its body a bound.

A read timeout alone, which is all that requests has, lets a server drip one byte a time for hours; and requests reads
a body however long it is.
"""

from __future__ import annotations

import io
import math
import socket
import time
from http.client import HTTPResponse
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

ANSWER_TIMES_READ_TIMEOUT = 2
"""No read of an answer, headers or body, begins later than so many read timeouts after the request was sent."""

MOST_BYTES = 32 << 20
"""Of one answer as it comes over the wire. Whoever reads a body bounds it more tightly."""

_READ_AT_ONCE = 1 << 16


class PunctualAdapter(HTTPAdapter):
    """Connections of one session of requests, whose answers have a deadline."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def read_body(response: requests.Response, most_bytes: int) -> bytes | None:
    """Return the body of an answer that was asked for with ``stream=True``, unpacked; None if it is longer than that.

    What is too long is not read to its end. Raises what urllib3 raises, and leaves the answer closed.
    """
    body = bytearray()
    try:
        for piece in response.raw.stream(_READ_AT_ONCE, decode_content=True):
            body += piece
            if len(body) > most_bytes:
                return None
    finally:
        response.close()  # a connection that was read to the end went back to the pool before
    return bytes(body)


class _PunctualReader(io.RawIOBase):
    """Reads a socket, but begins no read after the deadline, and none of what no answer has left to say."""

    def __init__(self, raw: io.RawIOBase, read_timeout_seconds: float | None) -> None:
        super().__init__()
        self._raw = raw
        seconds = (
            math.inf if read_timeout_seconds is None else ANSWER_TIMES_READ_TIMEOUT * read_timeout_seconds
        )
        self._ends = time.monotonic() + seconds
        self._left = MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._ends:
            raise TimeoutError("the answer took too long")
        if self._left <= 0:  # trailers, interim answers: not part of any body, so no bound of that stops them
            raise ConnectionError("the answer has no end")
        count = self._raw.readinto(buffer)
        self._left -= count or 0
        return count

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
