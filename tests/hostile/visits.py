"""What the port answers to bytes that anybody may send, without a port: through the very server, over a pair of sockets."""

from __future__ import annotations

import atexit
import socket
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from rotator.secret import Secret
from rotator.show import logs
from rotator.web.door import Door
from rotator.web.meter import Meter
from rotator.web.server import _Bounded, _Connection
from rotator.web.site import Site
from tests.world.exhibit import exhibit, names

TOKEN = "a token that is long enough"
DOORS = (Door("127.0.0.1", None), Door("127.0.0.1", Secret(TOKEN)))
MOST_BYTES = 1 << 20

_until_the_end = ExitStack()
atexit.register(_until_the_end.close)


@cache
def _site() -> Site:
    """Return a site that shows a small fleet for as long as the process lives."""
    folder = _until_the_end.enter_context(tempfile.TemporaryDirectory())
    fleet = _until_the_end.enter_context(exhibit(Path(folder), names(4), troubled=True))
    site = Site(Meter().registry)
    site.look, site.alive = fleet.look, fleet.is_alive
    return site


@cache
def _server() -> _Bounded:
    """Return one for all visits: the library keeps all that it ever made."""
    return _Bounded(("127.0.0.1", 0), _site())


def visit(data: bytes, door: Door) -> bytes:
    """Return all that is answered to a client that sends this and no more. Raises AssertionError for a mistake of ours."""
    site = _site()
    site.door = door
    client, served = socket.socketpair()
    with client, served, logs.capture() as lines:
        client.settimeout(10)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        connection = _Connection(_server(), served)
        connection.remote_addr, connection.remote_port = "127.0.0.1", 1
        while connection.communicate():
            pass
        connection.close()
        answer = b""
        while piece := client.recv(1 << 16):
            answer += piece
            assert len(answer) < MOST_BYTES
    assert not [line for line in lines if line["event"] == "web.request_failed"], lines
    return answer
