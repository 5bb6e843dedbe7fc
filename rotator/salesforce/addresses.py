"""Which addresses a secret may be sent to, and how they are named in messages."""

from __future__ import annotations

from urllib.parse import urlsplit

from rotator.errors import Misconfigured
from rotator.loopback import is_loopback


def host_of(url: str) -> str:
    """Return host and port of a URL, without a user's name and password; empty if there is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def require_https(url: str) -> None:
    """Raise Misconfigured unless a URL is https, or plain http to this very machine."""
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname or ""
    except ValueError:
        scheme, host = "", ""
    if (scheme == "https" and host) or (scheme == "http" and is_loopback(host)):
        return
    raise Misconfigured(
        f"{host_of(url) or 'the address'} is not called over https",
        code="salesforce.insecure_url",
        hint="Use https:// URLs. Plain http is for a sandbox on the same machine alone.",
    )
