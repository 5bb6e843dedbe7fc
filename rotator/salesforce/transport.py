"""The transport below the wire: what requests and urllib3 leave open is decided here.

- One TLS context serves all connections of a wire. (requests would load the list of authorities for each: 10 ms.)
- Idle connections are probed, so that a firewall that forgot one is noticed.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from rotator.errors import Misconfigured
from rotator.punctual import PunctualAdapter

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


class Transport(PunctualAdapter):
    """Connections of one thread."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=_HOSTS_KEPT, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context, socket_options=_KEEPALIVE)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(
            proxy, **kwargs, ssl_context=self._context, socket_options=_KEEPALIVE
        )

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the context has it all, and what requests would set here overrides it."""
