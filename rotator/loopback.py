"""Which hosts are this very machine."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Tell whether what is sent to a host never leaves this machine (RFC 1122 section 3.2.1.3).

    Names that end with ``.localhost`` should not (RFC 6761 section 6.3), but many resolvers look them up like others.
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
