"""What it means that Vault was asked and did not answer: the network, TLS, or settings that cannot be used."""

from __future__ import annotations

import re

import requests
import urllib3.exceptions

from rotator.errors import Misconfigured, RotatorError, Transient

_HARMLESS = {"GET", "LIST", "HEAD"}
_UNREADABLE = re.compile(
    r"\[X509|PEM lib"
)  # OpenSSL's words for files that hold something else, or half of it
_NO_CERTIFICATE_FROM_US = re.compile(
    r"ALERT_(CERTIFICATE_|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)"
)
"""The alerts with which a server refuses a client's certificate, or the lack of one (RFC 8446 section 6.2)."""


def network_error(error: Exception, method: str, server: str, *, redirected: bool = False) -> RotatorError:
    """Return the error for a request that ``server`` did not answer. Library messages stay out: they can quote the request.

    Where Vault itself redirected there, it is the leader that does not answer: what standbys do goes on meanwhile.
    """
    if isinstance(error, requests.exceptions.SSLError) and (told := _tls_error(str(error), server)):
        return told
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return _tls_file()
    if isinstance(error, (requests.exceptions.InvalidHeader, UnicodeError)):
        return Misconfigured(
            "the Vault token or namespace has characters that no HTTP header may have",
            code="vault.token_malformed",
            hint="Use the token as Vault printed it, and a namespace of visible ASCII characters.",
        )
    if isinstance(error, ValueError):  # InvalidURL, InvalidSchema, MissingSchema
        return Misconfigured(
            f"{server!r} is no address of a Vault",
            code="vault.address",
            hint="Correct `vault.address`.",
        )
    never_arrived = isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)
    late = isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError))
    what = "did not answer in time" if late else "cannot be reached"
    return Transient(
        f"Vault at {server} {what} ({type(error).__name__})",
        code="vault.leader_unreachable" if redirected else "vault.unreachable",
        hint="Is it running, and is the address right?",
        maybe_done=method not in _HARMLESS and not never_arrived,
    )


def too_long(method: str, server: str, most_bytes: int) -> Transient:
    """Return the error for an answer that is longer than anything that Vault says."""
    return Transient(
        f"{server} answered with more than {most_bytes} bytes",
        code="vault.too_long",
        hint="Something other than Vault may be answering. Check `vault.address` and what stands in between.",
        maybe_done=method not in _HARMLESS,
    )


def _tls_error(text: str, server: str) -> Misconfigured | None:
    """Return the error for what OpenSSL says, if a person has to mend it."""
    if _UNREADABLE.search(text):
        return _tls_file()
    if _NO_CERTIFICATE_FROM_US.search(text):
        return Misconfigured(
            f"{server} refuses our client certificate, or wants one and gets none",
            code="vault.tls_client",
            hint="Set `vault.client_certificate` (or the files of `vault.login`, if its method is cert) to a "
            "certificate that has not expired, of the authority that the listener's tls_client_ca_file names.",
        )
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return None
    what, hint = (
        "is not trusted",
        "Set `vault.ca_file` to the authority that signed it, with all intermediate ones that the server does not send.",
    )
    if "has expired" in text:
        what, hint = "has expired", "Renew it on the server; or is the clock of this machine wrong?"
    elif "mismatch" in text:
        what = "is of another name"
        hint = "Let `vault.address` be a name in it, or add that name to it (subjectAltName)."
    return Misconfigured(f"the TLS certificate of {server} {what}", code="vault.tls", hint=hint)


def _tls_file() -> Misconfigured:
    return Misconfigured(
        "a TLS file of the Vault settings cannot be used",
        code="vault.tls_file",
        hint="Check `vault.ca_file` and the files of the client certificate: can they be read, are they PEM, and do "
        "key and certificate belong together?",
    )
