"""What went wrong below HTTP, in our own words. Nothing of a library's message is kept: it can quote the request."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import requests
import urllib3.exceptions as low

from rotator.errors import Misconfigured, RotatorError, Transient

_NEVER_SENT = (low.ConnectTimeoutError, low.ProxyError)  # NewConnectionError is a ConnectTimeoutError
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")


def network_error(error: Exception, *, host: str, harmless: bool) -> RotatorError:
    """Return the error for a request that got no whole answer.

    Args:
        harmless: the method changes nothing (GET), so that it does not matter whether the request arrived.
    """
    chain = list(_causes(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, host)
        if refused := _TUNNEL_REFUSED.search(str(cause)):
            return _tunnel_refused(int(refused[1]), host)
    if any(isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER" for cause in chain):
        return Misconfigured(
            f"{host} does not speak TLS",
            code="salesforce.tls",
            hint="Check the port of the URL, and whether a proxy stands in between.",
        )
    if isinstance(
        error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidProxyURL, low.LocationValueError)
    ):
        return Misconfigured(
            f"no request can be made to {host}: the URL or the proxy's is wrong",
            code="salesforce.url",
            hint="Correct `login_url` or `salesforce.proxy`.",
        )
    pythons_own = isinstance(error, ValueError) and not isinstance(error, requests.RequestException)
    if pythons_own or isinstance(error, requests.exceptions.InvalidHeader):
        return Misconfigured(
            f"no request can be made to {host}: a URL, name or token holds characters that HTTP cannot carry",
            code="salesforce.url",
            hint="Look for blanks, line ends and other invisible characters in the configuration.",
        )
    never_sent = any(isinstance(cause, _NEVER_SENT) for cause in chain)
    return Transient(
        f"{host} {_what(chain)}",
        code="salesforce.unreachable",
        hint="Usually the network, or Salesforce at work on its servers. If it lasts, check name, proxy and firewall.",
        maybe_done=not (harmless or never_sent),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it was made from, outermost first.

    Not by ``__context__``: that leads on to whatever our caller was handling when it called.
    """
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*one.args, getattr(one, "reason", None), one.__cause__]


def _what(chain: list[BaseException]) -> str:
    if any(isinstance(cause, low.ProxyError) for cause in chain):
        return "cannot be reached, because the proxy cannot"
    if any(isinstance(cause, low.NameResolutionError) for cause in chain):
        return "is a name that cannot be resolved"
    if any(
        isinstance(cause, low.ConnectTimeoutError) and not isinstance(cause, low.NewConnectionError)
        for cause in chain
    ):
        return "did not take a connection in time"
    if any(isinstance(cause, low.NewConnectionError) for cause in chain):
        return "takes no connection"
    if any(isinstance(cause, (low.ReadTimeoutError, TimeoutError)) for cause in chain):
        return "did not answer in time"
    return "cut the connection, or sent something that is not HTTP"


def _untrusted(error: ssl.SSLCertVerificationError, host: str) -> RotatorError:
    return Misconfigured(
        f"the TLS certificate of {host} is not trusted: {error.verify_message}",
        code="salesforce.tls",
        hint="If a proxy opens TLS on the way, set `salesforce.ca_file` to its authority; else check the host name.",
    )


def _tunnel_refused(status: int, host: str) -> RotatorError:
    if status >= 500:  # noqa: PLR2004 - server errors, RFC 9110
        return Transient(
            f"the proxy cannot reach {host} (status {status})",
            code="salesforce.proxy",
            hint="The log of the proxy of `salesforce.proxy` says why: name resolution, firewall, or Salesforce away.",
        )
    return Misconfigured(
        f"the proxy does not let us through to {host} (status {status})",
        code="salesforce.proxy",
        hint="Put user and password into `salesforce.proxy` for status 407, or have the host allowed at the proxy.",
    )
